"""A database URL in, an open and migrated database out: on SQLite and PostgreSQL, old, new, shared and broken ones."""

import multiprocessing
import shutil
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import alembic.command
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import SQLModel, select

from config.errors import DatabaseError
from models import (
    Alert,
    AlertKind,
    Article,
    Change,
    Direction,
    Feed,
    Lease,
    Story,
    Subscriber,
    Verdict,
    VerdictKind,
    schema,
)
from models.database import Database, open_database
from models.engines import connect
from models.schema import newest_version
from tests.full_database import everything, fill

LATER = timedelta(minutes=1)


# Schema ---------------------------------------------------------------------------------------------------------------


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_opening_again_changes_nothing(database_url: str, tmp_path: Path, now: datetime) -> None:
    first = open_database(database_url, now)
    fill(first, now)
    before = everything(first)
    first.close()
    again = open_database(database_url, now + LATER, tmp_path / "copies")
    assert everything(again) == before
    again.close()
    assert not (tmp_path / "copies").exists()


def test_a_folder_that_is_missing_is_made(tmp_path: Path, now: datetime) -> None:
    open_database(f"sqlite:///{tmp_path}/a/b/tocsin.db", now).close()
    assert (tmp_path / "a" / "b" / "tocsin.db").is_file()


def open_and_close(url: str, now: datetime) -> None:
    open_database(url, now).close()


def test_two_that_start_at_once_share_one_migration(database_url: str, now: datetime) -> None:
    fork = multiprocessing.get_context("fork")  # processes, as in life: alembic's own context is one per process
    starters = [fork.Process(target=open_and_close, args=(database_url, now)) for _ in range(3)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join(30)
    assert [starter.exitcode for starter in starters] == [0, 0, 0]
    opened = open_database(database_url, now)
    assert set(everything(opened)) == set(SQLModel.metadata.tables)
    opened.close()


# Older and newer ------------------------------------------------------------------------------------------------------

ADDS_A_COLUMN = """
    with op.batch_alter_table("story") as table:
        table.add_column(sa.Column("colour", sa.String(), nullable=False, server_default="red"))
"""
REBUILDS_A_TABLE = """
    with op.batch_alter_table("story") as table:
        table.alter_column("title", existing_type=sa.String(), type_=sa.Text(), existing_nullable=False)
"""
FAILS_HALFWAY = """
    op.add_column("story", sa.Column("colour", sa.String(), nullable=True))
    op.execute("SELECT * FROM no_such_table")
"""
LOSES_ROWS = """
    op.execute("DELETE FROM story")
"""

Install = Callable[[str], None]


@pytest.fixture
def next_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Call it with the body of `upgrade()`: from then on this Tocsin is one migration newer."""

    def install(body: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "versions" / "9999_next.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f'revision = "9999"\ndown_revision = "{newest_version()}"\n\n\ndef upgrade() -> None:{body}',
            encoding="utf-8",
        )
        monkeypatch.setattr(schema, "MIGRATIONS", folder)

    return install


@pytest.fixture
def older_url(database_url: str, now: datetime) -> str:
    """A filled database, closed, about to become the older one."""
    opened = open_database(database_url, now)
    fill(opened, now)
    opened.close()
    return database_url


@pytest.mark.parametrize("body", [ADDS_A_COLUMN, REBUILDS_A_TABLE], ids=["adds a column", "rebuilds a table"])
def test_an_older_database_is_copied_and_then_migrated_without_loss(
    older_url: str, tmp_path: Path, now: datetime, next_migration: Install, body: str
) -> None:
    before = rows_of(older_url, now)
    former = newest_version()
    next_migration(body)
    opened = open_database(older_url, now, tmp_path / "copies")
    assert everything(opened) == before
    with pytest.raises(IntegrityError), opened.write() as session:  # the foreign keys hold again
        session.add(
            Alert(
                story_id=12345,
                kind=AlertKind.NEW,
                direction=Direction.ESCALATION,
                level=1,
                score=1,
                rule="",
                created_at=now,
            )
        )
    opened.close()
    copy = tmp_path / "copies" / f"tocsin-before-migration-{former}-20260312.db"
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    with sqlite3.connect(copy) as saved:
        assert saved.execute("SELECT version_num FROM alembic_version").fetchall() == [(former,)]
        for table, rows in before.items():
            assert saved.execute(f'SELECT count(*) FROM "{table}"').fetchone() == (len(rows),), table
    saved.close()


def rows_of(url: str, now: datetime) -> dict[str, list[dict[str, object]]]:
    opened = open_database(url, now)
    found = everything(opened)
    opened.close()
    return found


@pytest.mark.parametrize("body", [FAILS_HALFWAY, LOSES_ROWS], ids=["fails halfway", "loses rows others refer to"])
def test_a_migration_that_fails_leaves_the_database_as_it_was(
    older_url: str, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, next_migration: Install, body: str
) -> None:
    if body == LOSES_ROWS and older_url.startswith("postgresql"):
        pytest.skip("PostgreSQL applies the cascade itself")
    before = rows_of(older_url, now)
    next_migration(body)
    with pytest.raises(DatabaseError):
        open_database(older_url, now, tmp_path / "copies")
    monkeypatch.undo()
    assert rows_of(older_url, now) == before


def test_the_copy_of_an_sqlite_file_lies_beside_it(tmp_path: Path, now: datetime, next_migration: Install) -> None:
    url = f"sqlite:///{tmp_path}/data/tocsin.db"
    open_database(url, now).close()
    next_migration(ADDS_A_COLUMN)
    open_database(url, now).close()
    assert len(list((tmp_path / "data").glob("tocsin-before-migration-*.db"))) == 1


def test_a_newer_database_is_refused_and_not_touched(
    database_url: str, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, next_migration: Install
) -> None:
    next_migration(ADDS_A_COLUMN)
    newer = open_database(database_url, now)
    fill(newer, now)
    newer.close()
    monkeypatch.undo()
    with pytest.raises(DatabaseError) as caught:
        open_database(database_url, now, tmp_path / "copies")
    assert f"written by a newer Tocsin (schema 9999, this one knows up to {newest_version()}); update" in str(
        caught.value
    )
    assert not (tmp_path / "copies").exists()
    engine = connect(database_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT DISTINCT colour FROM story")).all() == [("red",)]
        assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [("9999",)]
    engine.dispose()


def test_a_number_that_buttons_carry_is_never_given_again(database: Database, now: datetime) -> None:
    def rows() -> list[SQLModel]:
        told: dict[str, Any] = {"kind": AlertKind.NEW, "direction": Direction.ESCALATION, "level": 1}
        return [
            Subscriber(chat_id=1, created_at=now, changed_at=now),
            Alert(story_id=8, score=1, rule="", created_at=now, **told),
            Verdict(kind=VerdictKind.LABEL, text="t", created_at=now),
        ]

    with database.write() as session:
        session.add(Story(id=8, title="x", first_seen_at=now, last_seen_at=now))
    given: list[list[int]] = []
    for _ in range(2):
        with database.write() as session:
            added = rows()
            session.add_all(added)
            session.flush()
            given.append([row.id for row in added])  # type: ignore[attr-defined]
            for row in added:
                session.delete(row)
    assert all(later > former for former, later in zip(*given, strict=True))


def test_the_numbers_of_who_was_forgotten_before_numbers_were_kept_stay_theirs(sqlite_url: str, now: datetime) -> None:
    opened = open_database(sqlite_url, now)
    fill(opened, now)
    with opened.write() as session:
        session.add(Change(at=now, who="admin 7", area="subscriber", key="30", before="pending", after="active"))
    before = everything(opened)
    with opened.engine.connect() as connection:
        connection.connection.execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            alembic.command.downgrade(schema.migrations_config(connection), "0017")
            assert connection.execute(text("SELECT count(*) FROM sqlite_sequence")).scalar() == 0
    opened.close()
    again = open_database(sqlite_url, now)
    before["reading"][0]["places"] = []  # a column that came later
    assert everything(again) == before
    with again.write() as session:
        newcomer = Subscriber(chat_id=1, created_at=now, changed_at=now)
        session.add(newcomer)
        session.flush()
        assert newcomer.id == 31
    again.close()


# Addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "not an address; write sqlite:///PATH or postgresql://HOST/NAME"),
        ("", "not an address"),
        ("postgresql//me:s3cret@127.0.0.1/x", "not an address"),
        ("postgresql://me:s3cret@127.0.0.1:port/x", "not an address"),
        ("mysql://me:s3cret@127.0.0.1/x", "database mysql: not supported; write sqlite:///PATH"),
        ("postgresql://me:s3cret@127.0.0.1:1/x", "database postgresql+psycopg://me:***@127.0.0.1:1/x: connection"),
        ("postgresql://127.0.0.1:1/x?user=me&password=s3cret", "database postgresql+psycopg://127.0.0.1:1/x?user=me: "),
        ("postgresql://127.0.0.1:1/x?no_such_option=s3cret", "invalid"),
        ("sqlite://", "an in-memory SQLite database would forget everything"),
        ("sqlite:///:memory:", "an in-memory SQLite database would forget everything"),
        ("sqlite:///{tmp}", "unable to open database file; check that it is there and may be written"),
        ("sqlite:///{tmp}/garbage.db", "file is not a database"),
        ("sqlite:///{tmp}/garbage.db/tocsin.db", "its folder cannot be made"),
    ],
    ids=[
        "a word",
        "nothing",
        "colon missing",
        "port is a word",
        "mysql",
        "nobody listens",
        "password as option",
        "unknown option",
        "memory",
        "memory by name",
        "a folder",
        "not a database",
        "a file for a folder",
    ],
)
def test_a_bad_address_is_one_clear_line_without_its_password(
    tmp_path: Path, now: datetime, url: str, said: str
) -> None:
    (tmp_path / "garbage.db").write_bytes(b"not a database, but long enough to be looked at. " * 40)
    with pytest.raises(DatabaseError) as caught:
        open_database(url.replace("{tmp}", str(tmp_path)), now)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    if "no_such_option" not in url:
        assert "s3cret" not in str(caught.value)


def test_an_address_is_shown_without_its_password(database: Database, postgres_url: str, now: datetime) -> None:
    opened = open_database(f"{postgres_url}?password=s3cret", now)
    assert "s3cret" not in opened.url
    assert opened.url.endswith(postgres_url.rpartition("/")[2])
    opened.close()
    assert database.url.startswith(("sqlite:///", "postgresql+psycopg://"))


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "a#b.db", "ü.db"])
def test_odd_file_names_are_taken_literally(tmp_path: Path, now: datetime, name: str) -> None:
    open_database(f"sqlite:///{tmp_path}/{name}", now).close()
    assert (tmp_path / name).is_file()


# Sharing --------------------------------------------------------------------------------------------------------------


def test_sqlite_runs_with_wal_foreign_keys_and_patience(sqlite_database: Database) -> None:
    pragmas = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000, "synchronous": 1}
    with sqlite_database.engine.connect() as connection:
        for pragma, value in pragmas.items():
            assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value, pragma


def test_a_row_that_refers_to_nothing_is_refused(database: Database, now: datetime) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(Article(feed_id=99, entry_key="x", title="x", content_hash="x", news_at=now, seen_at=now))


def test_a_block_that_raises_writes_nothing(database: Database, now: datetime) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        session.add(Feed(url="https://a.example/", next_fetch_at=now))
        session.flush()
        raise RuntimeError
    with database.read() as session:
        assert session.exec(select(Feed)).all() == []


def test_writers_take_turns_and_none_is_turned_away(database: Database, now: datetime) -> None:
    with database.write() as session:
        session.add(Lease(name="counter", holder="", until=now))
    failures: list[BaseException] = []

    def count_up() -> None:
        try:
            for _ in range(50):
                with database.write() as session:
                    row = session.exec(select(Lease).where(Lease.name == "counter").with_for_update()).one()
                    row.until += timedelta(seconds=1)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as session:
        assert session.get_one(Lease, "counter").until == now + timedelta(seconds=400)


def test_a_reader_sees_one_state_and_waits_for_nobody(database: Database, now: datetime) -> None:
    with database.write() as session:
        session.add(Story(title="one", first_seen_at=now, last_seen_at=now))
    with database.read() as reader:
        assert len(reader.exec(select(Story)).all()) == 1
        with database.write() as writer:
            writer.add(Story(title="two", first_seen_at=now, last_seen_at=now))
            writer.flush()
            assert len(reader.exec(select(Story)).all()) == 1
        assert len(reader.exec(select(Story)).all()) == 1
    with database.read() as reader:
        assert len(reader.exec(select(Story)).all()) == 2


# Time -----------------------------------------------------------------------------------------------------------------


def test_moments_come_back_aware_and_in_utc(database: Database) -> None:
    kyiv = timezone(timedelta(hours=2))
    moment = datetime(2026, 3, 29, 3, 30, 0, 123456, tzinfo=kyiv)
    with database.write() as session:
        session.add(Feed(url="https://a.example/", next_fetch_at=moment))
    with database.read() as session:
        feed = session.exec(select(Feed).where(Feed.next_fetch_at == moment.astimezone(UTC))).one()
        assert feed.next_fetch_at == moment
        assert feed.next_fetch_at.tzinfo is UTC
        assert feed.last_read_at is None
        assert session.exec(select(Feed).where(Feed.next_fetch_at > moment)).all() == []


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="timezone"), database.write() as session:
        session.add(Feed(url="https://a.example/", next_fetch_at=datetime(2026, 3, 12)))  # noqa: DTZ001 - the point
