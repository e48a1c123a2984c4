"""Small writes that wait together share a transaction; each is told when its own is committed, and none is lost."""

import asyncio
import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy.event import listen
from sqlmodel import Session, select

from bot.pipeline.together import Together
from config.errors import DatabaseError
from models import Lease
from models.database import Database


def commits_of(database: Database) -> list[None]:
    seen: list[None] = []
    listen(database.engine, "commit", lambda _connection: seen.append(None))
    return seen


def names(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(session.exec(select(Lease.name)))


class Slow:
    """A first write that is under way until a test lets it end, so that others gather meanwhile."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.begun, self.go_on = asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, session: Session) -> str:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.go_on.wait(20)
        return note("first", self.now)(session)


def note(name: str, now: datetime):
    def change(session: Session) -> str:
        session.add(Lease(name=name, holder="", until=now + timedelta(hours=1)))
        return name

    return change


async def gathered(database: Database, now: datetime, books: Together, *changes: object) -> list[asyncio.Task]:
    """The first write under way, and those of `changes` waiting behind it, let go."""
    slow = Slow(now)
    tasks = [asyncio.create_task(books.write(slow))]
    await slow.begun.wait()
    tasks += [asyncio.create_task(books.write(change)) for change in changes]
    await asyncio.sleep(0)
    slow.go_on.set()
    return tasks


async def test_what_gathers_during_one_commit_is_committed_at_once(sqlite_database: Database, now: datetime) -> None:
    commits, books = commits_of(sqlite_database), Together(sqlite_database)
    tasks = await gathered(sqlite_database, now, books, *(note(f"w{number}", now) for number in range(5)))
    assert await asyncio.gather(*tasks) == ["first", "w0", "w1", "w2", "w3", "w4"]
    assert len(commits) == 2


async def test_a_write_is_told_only_when_another_reader_can_see_it(database: Database, now: datetime) -> None:
    books = Together(database)
    for number in range(3):
        await books.write(note(f"w{number}", now))
        assert f"w{number}" in names(database)


async def test_a_commit_that_fails_is_told_to_all_in_it_and_to_nobody_else(
    sqlite_database: Database, now: datetime
) -> None:
    def fail(_session: Session) -> None:
        raise DatabaseError("disk full")

    books = Together(sqlite_database)
    tasks = await gathered(sqlite_database, now, books, note("with it", now), fail)
    first, *rest = await asyncio.gather(*tasks, return_exceptions=True)
    assert first == "first"
    assert [str(error) for error in rest] == ["disk full", "disk full"]
    assert await books.write(note("after", now)) == "after"
    assert names(sqlite_database) == ["after", "first"]


async def test_what_was_asked_for_is_committed_though_whoever_waits_is_cancelled(
    sqlite_database: Database, now: datetime
) -> None:
    books = Together(sqlite_database)
    tasks = await gathered(sqlite_database, now, books, note("sent", now))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await books.finish()
    assert names(sqlite_database) == ["first", "sent"]


async def test_there_is_nothing_to_finish_where_nothing_was_asked(sqlite_database: Database) -> None:
    async with asyncio.timeout(5):
        await Together(sqlite_database).finish()


@pytest.mark.parametrize("number", [1, 7])
async def test_writes_keep_their_order(sqlite_database: Database, now: datetime, number: int) -> None:
    order = list[str]()

    def change(name: str):
        return lambda _session: order.append(name)

    books = Together(sqlite_database)
    changes = [change(str(n)) for n in range(number)]
    await asyncio.gather(*await gathered(sqlite_database, now, books, *changes))
    assert order == [str(n) for n in range(number)]
