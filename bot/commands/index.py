"""index: the tension of pairs and regions over time, as a table and as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bot.app import utc_now
from bot.commands.options import Config, DatabaseUrl, config_folder, console, database_url
from bot.spans import parse_span
from config.errors import ConfigError

if TYPE_CHECKING:
    from bot.pipeline.index import Point

_BAR = 20


def index(
    dyad: Annotated[str | None, typer.Option(help="A pair, such as RU-UA. Default: everything.")] = None,
    region: Annotated[str | None, typer.Option(help="A region as feeds.toml names it.")] = None,
    since: Annotated[str, typer.Option(help="How far back: 48h, 30d, 12w.")] = "30d",
    hourly: Annotated[bool, typer.Option("--hourly", help="By the hour instead of by the day.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Also draw it into this PNG.")] = None,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Print the tension of a pair or region, with what is usual for it; built anew from what was read.

    Stories count, not articles, and only feeds that were followed before the span began. The usual level is the median
    of the 28 steps before. Example: python -m bot index --dyad RU-UA --since 60d --plot ru-ua.png
    """
    from bot.messages.chart import index_chart
    from bot.messages.names import chart_title, party_names, region_name
    from bot.pipeline.index import DAY, HOUR, busiest_pairs, tension, told_by_panel
    from config.load import load_settings
    from models.database import open_database

    pair = "-".join(sorted(dyad.upper().split("-"))) if dyad else None
    start = utc_now() - parse_span(since)
    opened = open_database(database_url(database), utc_now())
    try:
        with opened.read() as session:
            rows = told_by_panel(session, start, pair, region)
            pairs = busiest_pairs(session, start)
    finally:
        opened.close()
    if not rows:
        hint = f"; pairs in the news: {', '.join(pairs)}" if pairs else "; run Tocsin for some days first"
        raise ConfigError(f"index: nothing was read about {pair or region or 'anything'} within {since}{hint}")
    points = tension(rows, start, utc_now(), HOUR if hourly else DAY)
    title = f"{region_name(region) if region else 'all'}, {since}"
    if pair:
        title = chart_title(pair, party_names(load_settings(config_folder(config)).actors), f", {since}")
    console().print(_table(points, title, hourly))
    if plot is not None:
        try:
            plot.write_bytes(index_chart(points, title))
        except OSError as error:
            raise ConfigError(f"{plot}: cannot be written: {error.strerror}") from error
        print(f"drawn: {plot}")


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
