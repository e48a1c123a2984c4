"""A database URL in, sessions out: SQLite by default, PostgreSQL by URL, one schema for both.

Opening applies the migrations. A database of a newer Tocsin is refused; an older one is copied first (models/backup.py)
and then migrated.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import alembic.command
import sqlalchemy.exc
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlmodel import Session

from config.errors import DatabaseError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 30


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


def shown(engine: Engine) -> str:
    """The address of `engine` without its secrets, fit for messages and logs."""
    secrets = [key for key in engine.url.query if "password" in key]
    return engine.url.difference_update_query(secrets).render_as_string(hide_password=True)


def connect(url: str) -> Engine:
    """An engine for `url`, nothing read or written yet. Raises DatabaseError when the address is not usable."""
    try:
        address = make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        # Neither quoted nor chained: what cannot be read may still hold a password.
        raise DatabaseError("database: not an address; write sqlite:///PATH or postgresql://HOST/NAME") from None
    backend = address.get_backend_name()
    if backend == "sqlite":
        return connect_file(address.database)
    if backend == "postgresql":
        options = {"connect_timeout": 10, "options": "-c timezone=utc -c lock_timeout=60s"}
        return create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args=options)
    raise DatabaseError(f"database {backend}: not supported; write sqlite:///PATH or postgresql://HOST/NAME")


def connect_file(path: str | None) -> Engine:
    """An engine for the SQLite file at `path`, in a folder that is made where it is missing. Raises DatabaseError."""
    if not path or path == ":memory:":
        raise DatabaseError("database: an in-memory SQLite database would forget everything; write sqlite:///PATH")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"database {path}: its folder cannot be made: {error}") from error
    engine = create_engine(
        URL.create("sqlite", database=path), connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # pysqlite's own BEGIN comes too late for a read to see one state
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns from reading to writing fails at once when another writer came between,
    # whatever the busy timeout says; so writers take their turn at the start.
    read_only = connection.get_execution_options().get("tocsin_read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except sqlalchemy.exc.IntegrityError:
        raise
    except (sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError) as error:
        reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        raise DatabaseError(f"database {where}: {reason}; check that it is there and may be written") from error


# Migrations -----------------------------------------------------------------------------------------------------------


def migrations_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration without a file; env.py uses the connection handed in."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def schema_version(connection: Connection) -> str | None:
    """The migration the database stands at, None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_version() -> str:
    """The migration this Tocsin was written for."""
    return str(ScriptDirectory.from_config(migrations_config()).get_current_head())


def check_version(found: str | None, where: str) -> None:
    """Raise DatabaseError when `found` is a version this Tocsin does not know."""
    try:
        ScriptDirectory.from_config(migrations_config()).get_revision(found or "base")
    except CommandError as error:
        raise DatabaseError(
            f"database {where}: it was written by a newer Tocsin (schema {found}, this one knows up to "
            f"{newest_version()}); update Tocsin, or restore a backup made by this version"
        ) from error


def upgrade(engine: Engine) -> None:
    """Apply the migrations that are missing, in one transaction.

    SQLite alters a table by copying it and dropping the old one, and a drop deletes the rows of every table that refers
    to it; so its foreign keys rest meanwhile, and are checked before the commit.
    """
    rests = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if rests:
            _set_foreign_keys(connection, "OFF")
        try:
            with connection.begin():
                _upgrade(connection)
        finally:
            if rests:
                _set_foreign_keys(connection, "ON")


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7401)"))  # two starters at once: the second waits
    alembic.command.upgrade(migrations_config(connection), "head")
    if connection.dialect.name == "sqlite" and (lost := connection.execute(text("PRAGMA foreign_key_check")).first()):
        raise DatabaseError(f"migration to {newest_version()}: a row of {lost[0]} lost the {lost[2]} it refers to")


def _set_foreign_keys(connection: Connection, to: str) -> None:
    """Past SQLAlchemy, which would begin a transaction, where SQLite ignores this."""
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA foreign_keys = {to}")
    cursor.close()


def _migrate(engine: Engine, now: datetime, backups: Path | None) -> None:
    from models.backup import copy_before_migration

    with engine.connect().execution_options(tocsin_read_only=True) as connection:
        found = schema_version(connection)
    check_version(found, shown(engine))
    if found == newest_version():
        return
    if found is not None:
        copy_before_migration(engine, found, now, backups)
    upgrade(engine)
