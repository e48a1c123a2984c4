"""Telegram's own limits: an alert and what becomes of it reach every kind of chat without one message too early."""

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_bot_api import TOKEN, FakeBotApi
from fake_limits import FakeLimits
from rich.console import Console
from sqlmodel import Session, col, select
from telegram.error import BadRequest

from benchmarks.simulated import simulated_runner
from bot.app import App
from bot.chat.api import open_bot
from bot.chat.limiter import Limiter
from bot.chat.sender import TelegramSender
from bot.messages.message import notice
from bot.outlet import Chat, Envelope, SendFailure
from bot.pipeline.address import address_alert
from bot.pipeline.deliver import drain_outbox
from bot.service import Place, _opened, _sent_lately
from config.schema import Alerts, Rate, Telling
from models import Alert, AlertKind, Delivery, DeliveryState, Direction, Outlet, Story
from models.database import Database, open_database
from models.delivery import open_deliveries
from models.subscriber import active_subscribers
from tests.rows import add_subscriber

GROUP, CHANNEL, FORUM = -1005, -1006, -1007
PEOPLE = 40  # more than a second's worth
STORIES = 4  # with two topics more than a minute's worth to the forum
SETTINGS = Alerts(telling=Telling(daily_budget=100))


def tell(session: Session, story: Story, kind: AlertKind, level: int, now: datetime) -> None:
    facts = {"title": story.title, "status": "confirmed", "dyad": []}
    values = {"level": level, "score": 70.0, "rule": "", "created_at": now, "facts": facts}
    alert = Alert(story_id=story.id, kind=kind, direction=Direction.ESCALATION, **values)
    session.add(alert)
    session.flush()
    address_alert(session, alert, notice(f"{story.title}: {kind}"), active_subscribers(session), SETTINGS, "UTC", now)


async def drain(database: Database, sender: TelegramSender, start: datetime) -> None:
    """Rounds as the timetable has them, until nothing is left."""
    loop = asyncio.get_running_loop()
    while True:
        await drain_outbox(database, {Outlet.TELEGRAM: sender}, lambda: start + timedelta(seconds=loop.time()))
        with database.read() as session:
            if open_deliveries(session) == 0:
                return
        await asyncio.sleep(2)  # simulated


async def an_alert_and_its_raise(url: str, now: datetime) -> tuple[FakeBotApi, FakeLimits, list[Delivery]]:
    loop = asyncio.get_running_loop()
    database, limits = open_database(url, now), FakeLimits(loop.time)
    with database.write() as session:
        for number in range(1, PEOPLE + 1):
            add_subscriber(session, now, chat_id=number)
        add_subscriber(session, now, chat_id=GROUP, kind="supergroup")
        add_subscriber(session, now, chat_id=CHANNEL, kind="channel")
        for topic in (3, 4):
            add_subscriber(session, now, chat_id=FORUM, thread_id=topic, kind="supergroup")
        stories = [Story(title=f"Story {n}", first_seen_at=now, last_seen_at=now) for n in range(STORIES)]
        session.add_all(stories)
    async with FakeBotApi(limits=limits, strict=True, delay_s=0.05) as fake, open_bot(TOKEN, fake.base_url) as bot:
        fake.chats.topics[FORUM] = {3, 4}
        sender = TelegramSender(bot, Limiter(Rate, loop.time))
        for kind, level in ((AlertKind.NEW, 1), (AlertKind.RAISED, 2), (AlertKind.CONFIRMED, 2)):
            with database.write() as session:
                for story in stories:
                    tell(session, story, kind, level, now + timedelta(seconds=loop.time()))
            await drain(database, sender, now)
    with database.read() as session:
        rows = list(session.exec(select(Delivery).order_by(col(Delivery.id))))
    database.close()
    return fake, limits, rows


def test_alerts_with_their_raise_and_confirmation_reach_every_kind_of_chat_without_a_429(
    tmp_path: Path, now: datetime
) -> None:
    with simulated_runner() as runner:
        fake, limits, rows = runner.run(an_alert_and_its_raise(f"sqlite:///{tmp_path}/limits.db", now))
    assert limits.refused == 0
    assert len(rows) == STORIES * 3 * (PEOPLE + 4)
    assert {row.state for row in rows} == {DeliveryState.SENT}
    told = {(call.chat_id, call.params.get("message_thread_id")) for call in fake.messages}
    assert told == {(n, None) for n in range(1, PEOPLE + 1)} | {(GROUP, None), (CHANNEL, None), (FORUM, 3), (FORUM, 4)}
    assert len(rows) == len(fake.messages) + len(fake.calls_of("editMessageText"))
    assert fake.calls_of("editMessageText")


# The fake itself ------------------------------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("chats", "apart_s", "fit", "wait"),
    [
        ([1, 1], 0.5, 1, 1),
        (list(range(1, 32)), 0.0, 30, 1),
        ([GROUP] * 21, 1.0, 20, 40),
    ],
    ids=["one a second to a chat", "thirty a second over all", "twenty a minute to a group"],
)
def test_what_is_one_too_many_is_refused_with_the_seconds_to_wait(
    chats: list[int], apart_s: float, fit: int, wait: int
) -> None:
    clock = Clock()
    limits = FakeLimits(clock)
    answers = list[int | None]()
    for chat_id in chats:
        answers.append(limits.retry_after(chat_id))
        clock.now += apart_s
    assert answers == [None] * fit + [wait]
    clock.now += wait
    assert limits.retry_after(chats[-1]) is None


async def test_a_sender_that_minds_no_limit_is_refused_and_told_how_long() -> None:
    loop = asyncio.get_running_loop()
    free = Limiter(lambda: Rate.model_construct(per_second=1e6, private_per_second=1e6, group_per_minute=1e6))
    async with FakeBotApi(limits=FakeLimits(loop.time)) as fake, open_bot(TOKEN, fake.base_url) as bot:
        sender = TelegramSender(bot, free)
        await sender.send(Envelope(Chat(1), notice("a")))
        with pytest.raises(SendFailure, match="asks to wait 1 s"):
            await sender.send(Envelope(Chat(1), notice("b")))


async def test_messages_and_topics_that_are_not_there_are_refused() -> None:
    async with FakeBotApi(strict=True) as fake, open_bot(TOKEN, fake.base_url) as bot:
        fake.chats.topics[FORUM] = {3}
        posted = await bot.send_message(FORUM, "a", message_thread_id=3)
        await bot.edit_message_text("b", FORUM, posted.message_id)
        for words, request in (
            ("not modified", bot.edit_message_text("b", FORUM, posted.message_id)),
            ("edit not found", bot.edit_message_text("c", FORUM, 99)),
            ("replied not found", bot.send_message(FORUM, "d", reply_to_message_id=99)),
            ("thread not found", bot.send_message(FORUM, "e", message_thread_id=4)),
        ):
            with pytest.raises(BadRequest, match=words):
                await request


# A restart ------------------------------------------------------------------------------------------------------------


def add_sends(database: Database, chat_id: int, at: list[datetime], **values: Any) -> None:
    with database.write() as session:
        chat = add_subscriber(session, at[0], chat_id=chat_id, **values)
        for number, moment in enumerate(at):
            row = Delivery(subscriber_id=chat.id, key=f"alert:{number}", send_after=moment, created_at=moment)
            row.state, row.sent_at = DeliveryState.SENT, moment
            session.add(row)


@pytest.mark.timeout(60)
async def test_a_restarted_service_keeps_one_a_second_and_twenty_a_minute_of_what_was_sent_before(
    sqlite_database: Database, sqlite_url: str, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(App, "load_model", lambda _app: None)  # which takes seconds
    add_sends(sqlite_database, 1, [now])
    add_sends(sqlite_database, 2, [now - timedelta(seconds=1)])
    add_sends(sqlite_database, GROUP, [now - timedelta(seconds=2 * n) for n in range(20)])  # the first 38 s ago
    add_sends(sqlite_database, CHANNEL, [now - timedelta(seconds=2 * n) for n in range(1, 20)])  # one less
    (tmp_path / "feeds.toml").write_text("feeds = []\n", encoding="utf-8")
    place = Place(tmp_path, sqlite_url, TOKEN, "http://127.0.0.1:9", tmp_path)
    began = time.monotonic()
    async with _opened(place, Console(quiet=True), lambda: now) as (_app, limiter):
        assert limiter is not None
        delays = {chat: limiter.delay(chat) for chat in (1, 2, GROUP, CHANNEL)}
    took = time.monotonic() - began
    assert delays[GROUP] == pytest.approx(60 - 38, abs=took)
    assert delays[1] == pytest.approx(1, abs=max(took, 0.01))
    assert delays[2] <= 0.1  # its turn in the spread over the second
    assert delays[CHANNEL] <= 0.1


def test_of_what_was_sent_before_a_restart_nothing_older_than_the_longest_window_is_asked_for(
    database: Database, now: datetime
) -> None:
    add_sends(database, 1, [now - timedelta(seconds=seconds) for seconds in (90, 61, 60, 0.5)])
    add_sends(database, 0, [now], outlet=Outlet.TERMINAL)
    assert _sent_lately(database, now) == [(1, 60.0), (1, 0.5)]


def test_a_recalled_send_counts_against_its_window_as_if_it_had_been_sent_by_this_run() -> None:
    clock = Clock()
    clock.now = 1000.0
    limiter = Limiter(Rate, clock)
    limiter.recall([(GROUP, 38.0 - 2 * n) for n in range(20)])
    limiter.recall([(1, 0.4)])
    assert limiter.delay(GROUP) == pytest.approx(22)
    assert limiter.delay(1) == pytest.approx(0.6)
    clock.now += 22
    assert limiter.delay(GROUP) == limiter.delay(1) == 0
