"""reread: stored articles through the model that is live now, first as a comparison."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.app import utc_now
from bot.commands.options import Config, DatabaseUrl, config_folder, console, database_url, progress
from bot.spans import parse_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.pipeline.reread import Change

SHOWN = 15


def reread(
    since: Annotated[str, typer.Option(help="How far back: 12h, 30d, 2w.")] = "30d",
    model: Annotated[str, typer.Option(help="A kept model to compare with. Default: the live one.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Read them again for good, not only compare.")] = False,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Show what another model would have made of stored articles; with --apply, have them read again.

    A dry run unless --apply is given. What is read again may move stories and ring what is still fresh.

    Example: python -m bot reread --since 7d
    """
    from bot.model_shelf import classifier_in, shelf
    from bot.pipeline.reread import articles_to_reread, compare_readings, mark_unread
    from config.errors import ModelError
    from config.load import load_settings
    from models.database import open_database

    settings = load_settings(config_folder(config))
    start = utc_now() - parse_span(since)
    kept = shelf()
    folder = kept.find(model) if model else kept.live()
    if apply and folder != kept.live():
        raise ModelError(f"reread: only the live model reads for good; first: python -m bot models promote {model}")
    classifier = classifier_in(folder, settings.actors)
    opened = open_database(database_url(database), utc_now())
    out = console()
    try:
        if apply:
            with opened.write() as session:
                marked = mark_unread(session, classifier.version, start)
            out.print(f"{marked} articles wait to be read by {classifier.version}; the next round begins with them.")
            return
        with opened.read() as session:
            count = articles_to_reread(session, classifier.version, start)
        with progress(out) as bars:
            task = bars.add_task("reading", total=max(count, 1))
            changes = compare_readings(
                opened,
                classifier,
                settings.alerts.levels,
                classifier.version,
                start,
                lambda done: bars.update(task, completed=done),
            )
    finally:
        opened.close()
    _show(changes, classifier.version, out)


def _show(changes: "Sequence[Change]", version: str, out: Console) -> None:
    moved = [change for change in changes if change.level_before != change.level_after]
    up = sum(change.level_after > change.level_before for change in moved)
    out.print(f"{len(changes)} articles were read by another model than {version}.")
    out.print(f"{len(moved)} would reach another level: {up} a higher one, {len(moved) - up} a lower one.")
    turned = sum(change.turned for change in changes)
    out.print(f"{turned} would be told the other way round, as easing or as escalation.")
    if changes:
        table = Table(title="What would change most", title_justify="left")
        for heading in ("news", "escalation", "easing", "level", "title"):
            table.add_column(heading, overflow="fold")
        for change in sorted(changes, key=lambda change: (not change.turned, -change.size))[:SHOWN]:
            scores = [f"{old:.0f} > {new:.0f}" for old, new in zip(change.before, change.after, strict=True)]
            levels = f"{change.level_before.name.lower()} > {change.level_after.name.lower()}"
            table.add_row(f"{change.news_at:%d %b %H:%M}", *scores, levels, Text(change.title))
        out.print(table)
        out.print("Nothing was stored. To read them again for good: python -m bot reread --apply")
