"""A database URL in, sessions out: SQLite by default, PostgreSQL by URL, one schema for both.

Opening applies the migrations. A database of a newer Tocsin is refused; an older one is copied first (models/backup.py)
and then migrated.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy.exc
from sqlalchemy import Engine
from sqlmodel import Session

from config.errors import DatabaseError
from models.backup import copy_before_migration
from models.engines import connect, shown
from models.schema import check_version, newest_version, schema_version, upgrade


class Database:
    """An open, migrated database. Threads may share it; each takes its own sessions."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def url(self) -> str:
        """The address with its password hidden."""
        return shown(self.engine)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back when it raises."""
        with _translated(self.url), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database and does not wait for writers."""
        options: dict[str, Any] = {"tocsin_read_only": True}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"  # by default each statement would see another state
        with (
            _translated(self.url),
            self.engine.connect().execution_options(**options) as connection,
            Session(connection, expire_on_commit=False, autoflush=False) as session,
        ):
            yield session

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def open_database(url: str, now: datetime, backups: Path | None = None) -> Database:
    """Connect and bring the schema up to date; an older one is first copied into `backups` (default: beside the file).

    Raises DatabaseError when the address is wrong, the server cannot be reached or the schema is newer than this one.
    """
    engine = connect(url)
    try:
        with _translated(shown(engine)):
            _migrate(engine, now, backups)
    except DatabaseError:
        engine.dispose()
        raise
    return Database(engine)


def _migrate(engine: Engine, now: datetime, backups: Path | None) -> None:
    with engine.connect().execution_options(tocsin_read_only=True) as connection:
        found = schema_version(connection)
    check_version(found, shown(engine))
    if found == newest_version():
        return
    if found is not None:
        copy_before_migration(engine, found, now, backups)
    upgrade(engine)


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except sqlalchemy.exc.IntegrityError:
        raise
    except (sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError) as error:
        reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        raise DatabaseError(f"database {where}: {reason}; check that it is there and may be written") from error
