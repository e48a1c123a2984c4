"""run, once, demo: the main job, as a service, as one round, and on the bundled sample."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bot.commands.options import Config, DatabaseUrl, config_folder, console, database_url
from bot.logs import set_up_logging


def run(
    config: Config = None,
    database: DatabaseUrl = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every step.")] = False,
) -> None:
    """Run Tocsin until Ctrl-C: poll the feeds, read every article, ring, send the weekly digest.

    Example: python -m bot run --config config --database sqlite:///var/tocsin.db
    """
    from bot.service import place_of, run_service

    set_up_logging(verbose)
    place = place_of(config_folder(config), database_url(database))
    asyncio.run(run_service(place, console()))


def once(config: Config = None, database: DatabaseUrl = None) -> None:
    """Do one round of every stage, print a summary and exit. Fit for cron.

    Example: python -m bot once --database postgresql://localhost/tocsin
    """
    from bot.service import place_of, run_once

    set_up_logging()
    out = console()
    place = place_of(config_folder(config), database_url(database))
    summary = asyncio.run(run_once(place, out))
    table = Table(title="One round", title_justify="left", show_header=False)
    for what, count in {
        "feeds polled": summary.ingested.polled,
        "of these, failed": summary.ingested.failed,
        "new articles": summary.ingested.new,
        "edited articles": summary.ingested.edited,
        "articles read": summary.read,
        "alerts raised": summary.alerts,
        "digests queued": summary.digests,
        "messages delivered": summary.sent,
    }.items():
        table.add_row(what, str(count))
    out.print(table)
    if summary.ingested.failed:
        out.print("`python -m bot feeds list` shows which feeds failed, and why.")


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo's database and charts go.")] = Path("var/demo"),
    picture: Annotated[Path | None, typer.Option(help="Save the loudest alerts as an SVG picture.")] = None,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Play a month of an invented crisis through the real pipeline in under a minute; no network, no token.

    Ten outlets are served over loopback as they stood at each moment. Your alerts.toml and digest.toml apply
    (--config); the database is a fresh one in --folder, unless --database names an empty one.

    Example: python -m bot demo
    """
    from bot.demo.play import Stage, play_demo

    asyncio.run(play_demo(console(), Stage(folder, config_folder(config), database, picture)))
