"""A connection in, its schema's version out; an engine in, its schema brought up to date (models/migrations)."""

from pathlib import Path

import alembic.command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, text

from config.errors import DatabaseError

MIGRATIONS = Path(__file__).parent / "migrations"


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
