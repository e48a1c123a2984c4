"""models: which classifier is live, which others are kept, and how to change that."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from bot.app import utc_now
from bot.commands.options import Config, DatabaseUrl, console, database_url
from bot.model_shelf import shelf
from config.errors import ModelError

app = typer.Typer(help="Models that were trained here: list, promote, roll back.", no_args_is_help=True)

SHOWN = ("validation_direction_f1", "validation_pole_flips", "validation_notable_ap", "hard_pairs")


@app.command("list")
def list_models(config: Config = None, database: DatabaseUrl = None) -> None:
    """Show every model with its figures on validation texts and hard pairs; the live one has a star.

    Example: python -m bot models list
    """
    table, faults = Table(), list[str]()
    for heading in ("", "model", "verdicts", *SHOWN):
        table.add_column(heading.replace("_", " "))
    for kept in shelf().kept():
        if kept.fault:
            faults.append(f"{kept.name} cannot be used: {kept.fault}")
            continue
        figures = kept.manifest["figures"]
        cells = [f"{figures[name]:.3f}" if name in figures else "-" for name in SHOWN]
        name = kept.name if kept.name == kept.manifest["model"] else f"{kept.name} ({kept.manifest['model']})"
        table.add_row("*" if kept.live else "", name, str(kept.manifest.get("verdicts", 0)), *cells)
    console().print(table)
    for fault in faults:
        console().print(Text(fault, style="red"))


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="Its version, or the beginning of it, or 'shipped'.")],
    force: Annotated[bool, typer.Option("--force", help="Also one that is no better than the live one.")] = False,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Make a model the live one, if it is better; a running Tocsin takes it up within a minute.

    Example: python -m bot models promote 3fa9c
    """
    from classifiers.promotion import compare

    kept = shelf()
    live, wanted = kept.live(), kept.find(model)
    if wanted == live:
        console().print(f"{model} is live already.")
        return
    compared = compare(live, wanted)
    print(compared)
    if not compared.better and not force:
        raise ModelError(f"models promote {model}: {compared.objection}; --force promotes it all the same")
    take_over(database, live.name, kept.promote(model))


@app.command()
def rollback(config: Config = None, database: DatabaseUrl = None) -> None:
    """Make the model that was live before the present one live again.

    Example: python -m bot models rollback
    """
    kept = shelf()
    take_over(database, kept.live_name, kept.roll_back())


def take_over(database: str | None, before: str, folder: Path) -> None:
    """Record that another model is live and who wanted it, and say so."""
    from bot.changes import record, who_asks
    from config.edit_value import Edited
    from models.database import open_database

    now = utc_now()
    opened = open_database(database_url(database), now)
    try:
        with opened.write() as session:
            record(session, who_asks(), Edited("model", "live", before, folder.name), now)
    finally:
        opened.close()
    out = console()
    out.print(Text(f"live: {folder}"))
    out.print("What is stored was read by the model before: python -m bot reread shows what would change.")
