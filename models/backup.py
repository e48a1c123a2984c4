"""A database in, one SQLite file out, and back: the same file whether the data lived in SQLite or PostgreSQL."""

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import sqlalchemy.exc
from sqlalchemy import Connection, Engine, MetaData, Table, bindparam, func, insert, or_, select, text, update
from sqlmodel import SQLModel

from config.errors import DatabaseError
from models.engines import connect_file
from models.schema import check_version, newest_version, schema_version, upgrade

BATCH = 1000
Progress = Callable[[str, int, int], None]


def _quiet(_table: str, _done: int, _total: int) -> None:
    """No progress shown."""


def backup(engine: Engine, path: Path, progress: Progress = _quiet) -> int:
    """Write everything to a new SQLite file, consistent even while Tocsin runs; returns the number of rows.

    Raises DatabaseError when `path` exists or cannot be written.
    """
    if path.exists():
        raise DatabaseError(f"backup {path}: there is a file already; name another or move it away")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup-") as scratch:
            unfinished = Path(scratch) / "copy.db"
            rows = _write_copy(engine, unfinished, progress)
            unfinished.rename(path)  # in one step: a half-written backup never has the name of a whole one
    except (OSError, sqlalchemy.exc.DBAPIError) as error:
        reason = str(getattr(error, "orig", error)).partition("\n")[0]
        raise DatabaseError(f"backup {path}: {reason}; is there room, and may it be written?") from error
    return rows


def restore(engine: Engine, path: Path, replace: bool = False, progress: Progress = _quiet) -> int:
    """Fill a migrated database from a backup file, an older one too; returns the number of rows.

    Raises DatabaseError when the file is not a backup, comes from a newer Tocsin, or the database holds data and
    `replace` is False.
    """
    if not path.is_file():
        raise DatabaseError(f"restore {path}: no such file")
    with tempfile.TemporaryDirectory(prefix="tocsin-restore-") as scratch:
        copy = Path(scratch) / "copy.db"
        _copy_file(path, copy)
        source = connect_file(str(copy))
        try:
            _bring_up_to_date(source, path)
            with source.connect() as reader, engine.begin() as writer:
                return _replace_rows(reader, writer, replace, progress)
        except (sqlalchemy.exc.StatementError, ValueError, LookupError) as error:  # the latter two: unreadable values
            reason = str(getattr(error, "orig", error)).partition("\n")[0]
            raise DatabaseError(f"restore {path}: {reason}; is it a backup of Tocsin?") from error
        finally:
            source.dispose()


def copy_before_migration(engine: Engine, version: str, now: datetime, folder: Path | None) -> Path:
    """Save the database as it is before its schema changes; returns the file.

    A migration that fails leaves the database as it was; tried again by every restart, it makes one copy a day.
    """
    if folder is None:
        beside = engine.url.database if engine.dialect.name == "sqlite" else None
        folder = Path(beside).parent if beside else Path("var")
    path = folder / f"tocsin-before-migration-{version}-{now:%Y%m%d}.db"
    if not path.exists():
        backup(engine, path)
    return path


def _write_copy(engine: Engine, path: Path, progress: Progress) -> int:
    with engine.connect().execution_options(tocsin_read_only=True) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        metadata = MetaData()
        metadata.reflect(connection)
        source_tables = list(metadata.sorted_tables)
        copy = MetaData()
        for table in source_tables:
            _portable(table, copy)
        target = connect_file(str(path))
        try:
            with target.begin() as writer:
                copy.create_all(writer)
                rows = sum(_copy_table(connection, writer, table, copy, progress) for table in source_tables)
            with target.connect() as closing:
                closing.connection.driver_connection.execute("PRAGMA journal_mode = DELETE")  # type: ignore[union-attr]
        finally:
            target.dispose()
    return rows


def _portable(table: Table, metadata: MetaData) -> Table:
    """`table` with the types every database knows and without defaults, so that SQLite can hold any schema version."""
    copied = table.to_metadata(metadata)
    for column in copied.columns:
        column.type = column.type.as_generic()
        column.server_default = None
        column.identity = None
    return copied


def _copy_table(reader: Connection, writer: Connection, table: Table, target: MetaData, progress: Progress) -> int:
    """Rows may name others of their table that come later, so what they name is filled in when all are there."""
    own = dict.fromkeys(_own_keys(table))
    total = reader.execute(select(func.count()).select_from(table)).scalar_one()
    done = 0
    progress(table.name, done, total)
    rows = reader.execution_options(yield_per=BATCH).execute(select(table))
    for batch in rows.mappings().partitions(BATCH):
        writer.execute(insert(target.tables[table.name]), [{**row, **own} for row in batch])
        done += len(batch)
        progress(table.name, done, total)
    if own:
        _fill_own_keys(reader, writer, table, target.tables[table.name])
    return done


def _own_keys(table: Table) -> list[str]:
    """The columns that name rows of the same table."""
    return [column.name for column in table.columns if any(key.column.table is table for key in column.foreign_keys)]


def _fill_own_keys(reader: Connection, writer: Connection, table: Table, target: Table) -> None:
    own = _own_keys(table)
    known = {column.name: column.name + "_" for column in table.primary_key}  # a bound name that no column has
    columns = [table.c[name].label(bound) for name, bound in known.items()]
    named = select(*columns, *(table.c[name] for name in own)).where(or_(*(table.c[name].is_not(None) for name in own)))
    filled = update(target).where(*(target.c[name] == bindparam(bound) for name, bound in known.items()))
    filled = filled.values({name: bindparam(name) for name in own})
    for batch in reader.execution_options(yield_per=BATCH).execute(named).mappings().partitions(BATCH):
        writer.execute(filled, [dict(row) for row in batch])


def _copy_file(path: Path, copy: Path) -> None:
    try:
        address = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        raise DatabaseError(f"restore {path}: {error}; is it a backup of Tocsin?") from error


def _bring_up_to_date(source: Engine, path: Path) -> None:
    with source.connect() as connection:
        found = schema_version(connection)
    if found is None:
        raise DatabaseError(f"restore {path}: it holds no Tocsin data")
    check_version(found, str(path))
    if found != newest_version():
        upgrade(source)


def _replace_rows(reader: Connection, writer: Connection, replace: bool, progress: Progress) -> int:
    tables = SQLModel.metadata.sorted_tables
    full = [t.name for t in tables if writer.execute(select(func.count()).select_from(t)).scalar_one()]
    if full and not replace:
        raise DatabaseError(f"restore: the database holds data already ({', '.join(full)}); add --replace to lose it")
    for table in reversed(tables):
        writer.execute(table.delete())
    rows = sum(_copy_table(reader, writer, table, SQLModel.metadata, progress) for table in tables)
    if writer.dialect.name == "postgresql":
        for table in tables:
            _continue_numbering(writer, table)
    return rows


def _continue_numbering(connection: Connection, table: Table) -> None:
    """Ids were written by hand: let PostgreSQL's sequence go on after the highest, of the rows replaced too."""
    if "id" not in table.columns:
        return
    highest = connection.execute(select(func.max(table.c.id))).scalar_one()
    if highest is not None:
        sequence = "pg_get_serial_sequence(:table, 'id')"
        connection.execute(
            text(f"SELECT setval({sequence}, greatest(:highest, nextval({sequence}) - 1))"),
            {"table": f'"{table.name}"', "highest": highest},
        )
