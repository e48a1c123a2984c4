"""index: the tension of pairs and regions over time, as a table and as a picture."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bot.app import utc_now
from bot.commands.options import Config, DatabaseUrl, config_folder, console, database_url
from bot.spans import parse_end, parse_span
from config.errors import ConfigError

if TYPE_CHECKING:
    from bot.pipeline.index import Point

_BAR = 20


def index(  # noqa: PLR0913, PLR0917 - options of the command line
    dyad: Annotated[str | None, typer.Option(help="A pair, such as RU-UA. Default: everything.")] = None,
    region: Annotated[str | None, typer.Option(help="A region as feeds.toml names it.")] = None,
    since: Annotated[str, typer.Option(help="How far back: 48h, 30d, 12w.")] = "30d",
    until: Annotated[
        str | None, typer.Option(help="A day, which counts whole, or a moment (UTC). Default: the newest article.")
    ] = None,
    hourly: Annotated[bool, typer.Option("--hourly", help="By the hour instead of by the day.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Also draw it into this PNG.")] = None,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Print the tension of a pair or region, with what is usual for it; built anew from what was read.

    Stories count, not articles, and only feeds that were followed before the span began; it begins with them at the
    earliest. The usual level is the median of the 28 steps before.

    Example: python -m bot index --dyad RU-UA --since 60d --plot ru-ua.png
    """
    from bot.messages.chart import index_chart
    from bot.messages.names import chart_title, party_names, region_name
    from bot.pipeline.index import DAY, HOUR, busiest_pairs, span_before, tension, told_by_panel
    from config.load import load_settings
    from models.database import open_database

    pair = "-".join(sorted(dyad.upper().split("-"))) if dyad else None
    span, named_end, now = parse_span(since), parse_end(until) if until else None, utc_now()
    opened = open_database(database_url(database), now)
    try:
        with opened.read() as session:
            begin, end = span_before(session, span, named_end) or (now - span, now)
            rows = [row for row in told_by_panel(session, begin, pair, region) if row[1] < end]
            pairs = busiest_pairs(session, begin, end)
    finally:
        opened.close()
    when = _in_words(since if end - begin == span else f"since {begin:%d %b %Y}", end, now)
    if not rows:
        hint = f"; pairs in the news: {', '.join(pairs)}" if pairs else "; run Tocsin for some days first"
        raise ConfigError(f"index: nothing was read about {pair or region or 'anything'}, {when}{hint}")
    points = tension(rows, begin, end, HOUR if hourly else DAY)
    title = f"{region_name(region) if region else 'all'}, {when}"
    if pair:
        title = chart_title(pair, party_names(load_settings(config_folder(config)).actors), f", {when}")
    console().print(_table(points, title, hourly))
    if plot is not None:
        _draw(plot, index_chart(points, title))


def _in_words(begun: str, end: datetime, now: datetime) -> str:
    """The span, with its end unless that is today; a moment before midnight it is still the day before."""
    return begun if now - end < timedelta(days=1) else f"{begun} to {end - timedelta(microseconds=1):%d %b %Y}"


def _draw(path: Path, png: bytes) -> None:
    try:
        path.write_bytes(png)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    print(f"drawn: {path}")


def _table(points: "list[Point]", title: str, hourly: bool) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("from (UTC)", "escalation", "easing", "balance", "usual", "stories", ""):
        table.add_column(heading, justify="left" if heading in ("from (UTC)", "") else "right")
    for point in points:
        table.add_row(
            f"{point.start:%d %b %H:%M}" if hourly else f"{point.start:%a %d %b}",
            f"{point.escalation:.0f}",
            f"{point.deescalation:.0f}",
            f"{point.balance:+.0f}",
            "-" if point.usual is None else f"{point.usual:.0f}",
            str(point.stories),
            "█" * round(point.escalation / 100 * _BAR),
        )
    return table
