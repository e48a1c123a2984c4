"""A database goes into one file and comes back the same, between both kinds; what is not a whole backup is refused."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, SQLModel, col, func, select

from config.errors import DatabaseError
from models import Article, Feed, Lease, Seen, Story
from models.backup import backup, restore
from models.database import Database, open_database
from tests.full_database import contents, everything, fill
from tests.rows import add_subscriber


@pytest.fixture
def full(database: Database, now: datetime) -> Database:
    """A database of each kind with rows in every table."""
    fill(database, now)
    assert all(everything(database).values())
    return database


def restored(url: str, path: Path, now: datetime, replace: bool = False) -> Database:
    opened = open_database(url, now)
    restore(opened.engine, path, replace)
    return opened


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"], ids=["to sqlite", "to postgresql"])
def test_everything_comes_back_in_either_kind(
    full: Database, kind: str, tmp_path: Path, now: datetime, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "saved #1 50%.db"
    before = everything(full)
    assert backup(full.engine, path) == sum(map(len, before.values())) + 1  # and the schema's version
    url = str(request.getfixturevalue("postgres_url")) if kind == "postgresql" else f"sqlite:///{tmp_path}/new.db"
    if kind == full.engine.dialect.name == "postgresql":
        with full.write() as session:  # the fixture gives one database a test: lose its data instead
            for table in reversed(SQLModel.metadata.sorted_tables):
                session.connection().execute(table.delete())
    back = restored(url, path, now)
    assert everything(back) == before
    back.close()


def test_ids_go_on_after_the_highest_that_came_back(
    postgres_url: str, sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    fill(sqlite_database, now)
    backup(sqlite_database.engine, tmp_path / "saved.db")
    back = restored(postgres_url, tmp_path / "saved.db", now)
    with back.write() as session:
        feed = Feed(url="https://new.example/", next_fetch_at=now)
        story = Story(title="new", first_seen_at=now, last_seen_at=now)
        session.add_all([feed, story])
        session.flush()
        assert (feed.id, story.id) == (42, 9)
    back.close()


def test_a_number_that_buttons_carry_is_not_given_again_when_an_older_backup_comes_back(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    def join() -> int:
        with database.write() as session:
            return add_subscriber(session, now).id

    join()
    backup(database.engine, tmp_path / "saved.db")
    lost = join()
    restore(database.engine, tmp_path / "saved.db", replace=True)
    assert join() > lost


def test_a_backup_holds_one_moment_while_a_writer_goes_on(database: Database, tmp_path: Path, now: datetime) -> None:
    """Each transaction writes an article and its memory; no backup may hold one without the other."""
    with database.write() as session:
        session.add(Feed(id=1, url="https://a.example/", next_fetch_at=now))
        session.flush()
        for number in range(1500):
            _write_pair(session, f"old {number}", now)
    stop, written = threading.Event(), threading.Event()

    def keep_writing() -> None:
        number = 0
        while not stop.is_set():
            with database.write() as session:
                _write_pair(session, f"new {number}", now)
            number += 1
            written.set()

    def wait_for_the_writer(_table: str, _done: int, _total: int) -> None:
        written.clear()
        assert written.wait(10)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        backup(database.engine, tmp_path / "saved.db", wait_for_the_writer)
    finally:
        stop.set()
        writer.join()
    back = restored(f"sqlite:///{tmp_path}/back.db", tmp_path / "saved.db", now)
    with back.read() as session:
        articles = session.exec(select(func.count()).select_from(Article)).one()
        assert articles == session.exec(select(func.count()).select_from(Seen)).one()
    with database.read() as session:
        assert articles < session.exec(select(func.count()).select_from(Article)).one()
    back.close()


def _write_pair(session: Session, key: str, now: datetime) -> None:
    session.add(Article(feed_id=1, entry_key=key, title=key, content_hash="x", news_at=now, seen_at=now))
    session.add(Seen(feed_id=1, entry_key=key, content_hash="x", seen_at=now))


def test_progress_is_told_by_table(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    fill(sqlite_database, now)
    told: list[tuple[str, int, int]] = []
    backup(sqlite_database.engine, tmp_path / "saved.db", lambda *step: told.append(step))
    assert ("feed", 0, 2) in told
    assert ("feed", 2, 2) in told


# Refusals -------------------------------------------------------------------------------------------------------------


def test_a_file_that_is_there_is_never_overwritten(sqlite_database: Database, tmp_path: Path) -> None:
    (tmp_path / "saved.db").write_text("precious", encoding="utf-8")
    with pytest.raises(DatabaseError, match=r"saved\.db: there is a file already; name another"):
        backup(sqlite_database.engine, tmp_path / "saved.db")
    assert (tmp_path / "saved.db").read_text(encoding="utf-8") == "precious"


def test_a_backup_cut_short_has_no_name_and_leaves_no_scraps(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    fill(sqlite_database, now)
    target = tmp_path / "backups" / "saved.db"
    seen: list[bool] = []

    def break_off(table: str, done: int, _total: int) -> None:
        seen.append(target.exists())
        if table == "story" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(sqlite_database.engine, target, break_off)
    assert not any(seen)
    assert list(target.parent.iterdir()) == []
    backup(sqlite_database.engine, target)
    assert [path.name for path in target.parent.iterdir()] == ["saved.db"]


def test_a_place_that_cannot_be_written_is_an_error(sqlite_database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError, match=r"backup .*file/saved\.db: .*; is there room, and may it be written\?"):
        backup(sqlite_database.engine, tmp_path / "file" / "saved.db")


def test_a_database_with_data_is_replaced_only_when_told_so(full: Database, tmp_path: Path, now: datetime) -> None:
    backup(full.engine, tmp_path / "saved.db")
    before = everything(full)
    with full.write() as session:
        session.add(Lease(name="later", holder="x", until=now))
    with pytest.raises(DatabaseError, match=r"holds data already \(.*feed.*\); add --replace to lose it"):
        restore(full.engine, tmp_path / "saved.db")
    assert len(everything(full)["lease"]) == 2
    restore(full.engine, tmp_path / "saved.db", replace=True)
    assert everything(full) == before


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is a text and not a database " * 200)


def _empty(path: Path) -> None:
    path.touch()


def _of_somebody_else(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE feed (id INTEGER, url TEXT)")
    other.close()


def _newer(path: Path) -> None:
    _change(path, "UPDATE alembic_version SET version_num = '9999'")


def _truncated(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _with_a_table_missing(path: Path) -> None:
    _change(path, "DROP TABLE suppression")


def _with_a_bad_value(path: Path) -> None:
    _change(path, "UPDATE story SET signals = '{broken'")


def _with_an_unknown_state(path: Path) -> None:
    _change(path, "UPDATE delivery SET state = 'dreaming'")


def _with_a_lost_reference(path: Path) -> None:
    _change(path, "DELETE FROM story")


def _change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as saved:
        saved.execute(statement)
    saved.close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_garbage, "file is not a database; is it a backup of Tocsin?"),
        (_empty, "it holds no Tocsin data"),
        (_of_somebody_else, "it holds no Tocsin data"),
        (_newer, "it was written by a newer Tocsin (schema 9999, "),
        (_truncated, "malformed"),
        (_with_a_table_missing, "no such table: suppression; is it a backup"),
        (_with_a_bad_value, "is it a backup of Tocsin?"),
        (_with_an_unknown_state, "is it a backup of Tocsin?"),
        (_with_a_lost_reference, "is it a backup of Tocsin?"),
    ],
    ids=lambda value: value.__name__.strip("_").replace("_", " ") if callable(value) else "",
)
def test_a_spoilt_file_is_refused_and_nothing_is_lost(
    sqlite_database: Database, tmp_path: Path, now: datetime, spoil: Callable[[Path], None], said: str
) -> None:
    full, path = sqlite_database, tmp_path / "saved.db"
    fill(full, now)
    if not spoil.__name__.startswith(("_garbage", "_empty", "_of")):
        backup(full.engine, path)
    spoil(path)
    before = everything(full)
    with pytest.raises(DatabaseError) as caught:
        restore(full.engine, path, replace=True)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert everything(full) == before


def test_a_restore_that_fails_halfway_loses_nothing(full: Database, tmp_path: Path) -> None:
    backup(full.engine, tmp_path / "saved.db")
    _with_an_unknown_state(tmp_path / "saved.db")
    before = everything(full)
    with pytest.raises(DatabaseError):
        restore(full.engine, tmp_path / "saved.db", replace=True)
    assert everything(full) == before


def test_a_file_that_is_not_there_is_named(sqlite_database: Database, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"restore .*nothing\.db: no such file"):
        restore(sqlite_database.engine, tmp_path / "nothing.db")
    assert not (tmp_path / "nothing.db").exists()


def test_the_file_restored_from_stays_as_it_was(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    fill(sqlite_database, now)
    path = tmp_path / "saved.db"
    backup(sqlite_database.engine, path)
    path.chmod(0o444)
    data = path.read_bytes()
    restore(sqlite_database.engine, path, replace=True)
    assert path.read_bytes() == data
    assert [found.name for found in tmp_path.glob("saved*")] == ["saved.db"]


def test_a_live_database_file_can_be_restored_from(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    """People copy the file itself, with its write-ahead log, and expect that to work too."""
    fill(sqlite_database, now)
    for part in tmp_path.glob("tocsin.db*"):
        shutil.copy(part, tmp_path / part.name.replace("tocsin", "copied"))
    back = restored(f"sqlite:///{tmp_path}/back.db", tmp_path / "copied.db", now + timedelta(days=1))
    with back.read() as session, sqlite_database.read() as original:
        assert contents(session) == contents(original)
        assert session.exec(select(Feed.id).order_by(col(Feed.id))).all() == [3, 41]
        assert session.connection().execute(text("PRAGMA foreign_key_check")).all() == []
    back.close()
