"""A database URL in, an engine out: SQLite with a writer's turn, or PostgreSQL; nothing read or written yet."""

from pathlib import Path
from typing import Any

import sqlalchemy.exc
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url

from config.errors import DatabaseError

BUSY_TIMEOUT_S = 30


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
