"""backup, restore: the whole database as one SQLite file, and back, also from SQLite to PostgreSQL or the reverse."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from bot.app import utc_now
from bot.commands.options import Config, DatabaseUrl, console, database_url, progress
from config.errors import DatabaseError
from models import Lease
from models.database import Database


def backup(
    file: Annotated[Path | None, typer.Argument(help="Default: var/backups/tocsin-<time>.db")] = None,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Save the whole database into one file, also while Tocsin runs.

    Example: python -m bot backup saved.db
    """
    from models.backup import backup as save
    from models.database import open_database

    path = file or Path("var/backups") / f"tocsin-{utc_now():%Y%m%dT%H%M%S}.db"
    opened = open_database(database_url(database), utc_now())
    out = console()
    with progress(out) as bars:
        rows = save(opened.engine, path, _Bars(bars))
    opened.close()
    out.print(f"{rows} rows saved in {path}. To bring them back: python -m bot restore {path}")


def restore(
    file: Annotated[Path, typer.Argument(help="A file made by `backup`, also of an older Tocsin.")],
    replace: Annotated[bool, typer.Option("--replace", help="Lose what the database holds now.")] = False,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Fill the database from a backup. Stop Tocsin first.

    Example: python -m bot restore saved.db --database postgresql://localhost/tocsin
    """
    from models.backup import restore as bring_back
    from models.database import open_database

    opened = open_database(database_url(database), utc_now())
    _refuse_while_running(opened)
    out = console()
    with progress(out) as bars:
        rows = bring_back(opened.engine, file, replace, _Bars(bars))
    opened.close()
    out.print(f"{rows} rows restored into {opened.url}. Start Tocsin: ./run.sh")


def _refuse_while_running(database: Database) -> None:

    with database.read() as session:
        lease = session.get(Lease, "service")
    if lease is not None and lease.until > utc_now():
        raise DatabaseError(f"restore: Tocsin runs on {database.url} ({lease.holder}); stop it first")


class _Bars:
    """One progress bar per table."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, table: str, done: int, total: int) -> None:
        task = self._tasks.setdefault(table, self._bars.add_task(table, total=max(total, 1)))
        self._bars.update(task, completed=done, total=max(total, 1))
