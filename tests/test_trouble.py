"""A stage that stops working is told once, and once more when it works again; long commands run by themselves."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from bot.errands import Errands
from bot.messages.message import Message, notice
from bot.notices import tell_trouble
from bot.trouble import PATIENCE, StageWatch
from config.errors import DatabaseError, TocsinError
from config.schema import Settings, Telegram
from models import Change, Delivery, Trouble
from models.database import Database, open_database


class Stage:
    """A stage that fails while a test says so, and what admins were told of it; `broken` is what the database knows."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.deaf = False
        self.broken: set[str] = set()
        self.told: list[str] = []
        self.asked = 0
        self.restart()

    def restart(self) -> None:
        self._run = StageWatch(self.tell).watched("read", self.work)

    async def work(self) -> None:
        if self.error is not None:
            raise self.error

    async def tell(self, subject: str, broken: bool, message: Message) -> None:
        self.asked += 1
        if self.deaf:
            raise DatabaseError("the database is locked")
        if broken != (subject in self.broken):
            self.broken ^= {subject}
            self.told.append(message.plain)

    async def rounds(self, number: int) -> None:
        for _ in range(number):
            await asyncio.gather(self._run(), return_exceptions=True)


async def test_a_stage_that_fails_is_told_once_and_its_return_once() -> None:
    stage = Stage()
    stage.error = DatabaseError("disk full")
    await stage.rounds(PATIENCE - 1)
    assert stage.told == []
    await stage.rounds(20)
    stage.error = None
    await stage.rounds(20)
    assert stage.told == [
        "Reading articles does not work: disk full\nIt is tried again by itself.",
        "Reading articles works again.",
    ]


async def test_a_restart_tells_nothing_twice_and_tells_that_it_is_over() -> None:
    stage = Stage()
    stage.error = DatabaseError("disk full")
    for _ in range(3):
        await stage.rounds(PATIENCE + 1)
        stage.restart()
    assert len(stage.told) == 1
    stage.error = None
    await stage.rounds(3)
    stage.restart()
    await stage.rounds(3)
    assert stage.told[1:] == ["Reading articles works again."]


async def test_a_stage_that_works_asks_the_database_once() -> None:
    stage = Stage()
    await stage.rounds(50)
    assert stage.asked == 1


def test_a_trouble_is_told_when_it_begins_and_when_it_ends_whatever_is_restarted(
    database: Database, now: datetime
) -> None:
    settings = Settings(telegram=Telegram(admins=(1001, 1002)))
    for step, broken in enumerate([False, True, True, False, False, True]):
        with database.write() as session:
            text = f"{step}: {'down' if broken else 'up'}"
            tell_trouble(session, settings, "read", broken, notice(text), now + timedelta(minutes=step))
    with database.read() as session:
        rows = session.exec(select(Delivery).order_by(col(Delivery.id))).all()
        assert [trouble.subject for trouble in session.exec(select(Trouble))] == ["read"]
    told = [row.message["plain"] for row in rows]
    assert told == [text for text in ("1: down", "3: up", "5: down") for _ in range(2)]


def test_a_trouble_that_must_last_is_told_then_and_not_when_it_passed_before(database: Database, now: datetime) -> None:
    settings, told = Settings(telegram=Telegram(admins=(1001,))), []
    for minutes, broken in ((0, True), (20, False), (30, True), (55, True), (60, True), (90, True), (95, False)):
        at = now + timedelta(minutes=minutes)
        with database.write() as session:
            tell_trouble(session, settings, "feeds", broken, notice(str(minutes)), at, timedelta(minutes=30))
    with database.read() as session:
        told = [row.message["plain"] for row in session.exec(select(Delivery).order_by(col(Delivery.id)))]
    assert told == ["60", "95"]


async def test_a_stumble_now_and_then_is_nobodys_trouble() -> None:
    stage = Stage()
    for error in [OSError("x"), OSError("x"), None] * 5:
        stage.error = error
        await stage.rounds(1)
    assert stage.told == []


async def test_an_error_nobody_foresaw_shows_no_more_than_its_name() -> None:
    stage = Stage()
    stage.error = ValueError("secret things")
    await stage.rounds(PATIENCE)
    assert "ValueError; the log says more" in stage.told[0]
    assert "secret" not in stage.told[0]


async def test_what_could_not_be_told_is_told_at_the_next_round() -> None:
    stage = Stage()
    stage.error, stage.deaf = DatabaseError("locked"), True
    await stage.rounds(PATIENCE + 3)
    stage.deaf = False
    await stage.rounds(1)
    assert len(stage.told) == 1


async def test_a_command_runs_on_our_folder_and_database_without_our_secrets_in_an_admins_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TELEGRAM_TOKEN", "123456789:AAF-fake_token_for_tests_0123456789ab")
    (tmp_path / "feeds.toml").write_text('[[feeds]]\nurl = "https://a.example/rss"\n', encoding="utf-8")
    monkeypatch.setenv("TOCSIN_TELEGRAM_WEBHOOK_SECRET", "a-secret-of-these-tests")
    errands = Errands(tmp_path, f"sqlite:///{tmp_path}/t.db")
    assert {"TOCSIN_TELEGRAM_TOKEN", "TOCSIN_TELEGRAM_WEBHOOK_SECRET"}.isdisjoint(errands._environment())
    running = asyncio.create_task(errands.run(["feeds", "pause", "https://a.example/rss"], asked_by=1001))
    await asyncio.sleep(0)
    with pytest.raises(TocsinError, match="is running"):
        await errands.run(["feeds", "list"])
    done = await running
    assert (done.code, "is paused" in done.output) == (0, True)
    opened = open_database(f"sqlite:///{tmp_path}/t.db", datetime.now(UTC))
    with opened.read() as session:
        assert session.exec(select(Change.who, Change.key)).all() == [("admin 1001", "https://a.example/rss")]
    opened.close()
    refused = await errands.run(["feeds", "remove", "https://b.example/rss"])
    assert refused.code == 1
    assert "no feed has the address" in refused.output


async def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TocsinError, match="not done within"):
        await Errands(tmp_path, f"sqlite:///{tmp_path}/t.db", longest_s=0.05).run(["feeds", "list"])
