"""A chat, channel or topic that takes no message: what is paused, what admins hear of it, and how it comes back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import fake_bot_api as fakes
import fake_updates as updates
import pytest
from fake_bot_api import TOKEN, FakeBotApi
from sqlmodel import col, select

from bot.chat.api import open_bot
from bot.chat.desk import ChatParts
from bot.chat.limiter import Limiter
from bot.chat.receiver import receive_updates
from bot.chat.sender import TelegramSender
from bot.chat.serving import Pace
from bot.pipeline.deliver import drain_outbox
from config.schema import Settings, Telegram
from models import Delivery, DeliveryState, Outlet, Subscriber, SubscriberState
from models.database import Database
from models.subscriber import find_subscriber
from tests.rows import UNLIMITED, add_subscriber

ADMIN, ANNA, FORUM, CHANNEL = 1001, 42, -1005, -1006
SETTINGS = Settings(telegram=Telegram(admins=(ADMIN,)))
ACTIVE, BLOCKED = SubscriberState.ACTIVE, SubscriberState.BLOCKED
NO_RIGHTS = "not enough rights to send text messages to the chat"


@dataclass
class Bench:
    """A bot that answers people, and an outbox that a test fills and drains."""

    fake: FakeBotApi
    database: Database
    sender: TelegramSender
    now: datetime
    alerts: int = 0

    def subscribe(self, chat_id: int, thread_id: int = 0) -> None:
        with self.database.write() as session:
            add_subscriber(session, self.now, chat_id=chat_id, thread_id=thread_id)

    async def alert(self) -> None:
        """One to everybody who is active, sent as far as it can be."""
        self.alerts += 1
        with self.database.write() as session:
            for chat in session.exec(select(Subscriber).where(Subscriber.state == ACTIVE)):
                row = Delivery(subscriber_id=chat.id, key=f"alert:{self.alerts}")
                row.send_after = row.created_at = self.now
                row.message = {"html": f"alert {self.alerts}", "plain": f"alert {self.alerts}"}
                session.add(row)
        await self.drain()

    async def drain(self) -> None:
        await drain_outbox(self.database, {Outlet.TELEGRAM: self.sender}, lambda: self.now, settings=SETTINGS)

    def state(self, chat_id: int, thread_id: int = 0) -> SubscriberState | None:
        with self.database.read() as session:
            found = find_subscriber(session, chat_id, thread_id)
            return found.state if found else None

    def outbox(self, chat_id: int) -> list[Delivery]:
        with self.database.read() as session:
            rows = select(Delivery).join(Subscriber).where(Subscriber.chat_id == chat_id).order_by(col(Delivery.id))
            return list(session.exec(rows))

    def told(self) -> list[str]:
        return [row.message["plain"] for row in self.outbox(ADMIN)]


@pytest.fixture
async def bench(sqlite_database: Database, now: datetime) -> AsyncIterator[Bench]:
    limiter = Limiter(lambda: UNLIMITED)
    async with FakeBotApi() as fake, open_bot(TOKEN, fake.base_url) as bot:
        bench = Bench(fake, sqlite_database, TelegramSender(bot, limiter), now)
        parts = ChatParts(sqlite_database, lambda: SETTINGS, lambda: bench.now, limiter)
        task = asyncio.create_task(receive_updates(TOKEN, fake.base_url, parts, Pace(poll_s=1, stop_s=0.2)))
        fake.members[FORUM, ADMIN] = "administrator"
        yield bench
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("chat_id", "reason", "said"),
    [
        (ANNA, "chat not found", "the chat was deleted"),
        (FORUM, NO_RIGHTS, "the bot may not write there"),
        (CHANNEL, "need administrator rights in the channel chat", "make it an administrator"),
    ],
    ids=["gone", "group without rights", "channel without rights"],
)
async def test_a_chat_that_takes_no_message_is_paused_and_told_once_and_start_brings_it_back(
    bench: Bench, chat_id: int, reason: str, said: str
) -> None:
    bench.subscribe(chat_id)
    bench.subscribe(77)
    bench.fake.fail(fakes.bad_request(reason), "sendMessage", chat_id)
    for _ in range(3):
        await bench.alert()
    assert (bench.state(chat_id), bench.state(77)) == (BLOCKED, ACTIVE)
    assert len(bench.outbox(chat_id)) == 1
    (told,) = bench.told()
    assert f"id {chat_id}" in told
    assert said in told
    assert "/start" in told
    bench.fake.heal()
    begin = updates.private("/start", ANNA) if chat_id == ANNA else updates.group("/start", chat_id, ADMIN)
    await bench.fake.push(updates.channel("/start", chat_id) if chat_id == CHANNEL else begin)
    await bench.fake.until(lambda: bench.state(chat_id) is ACTIVE)
    await bench.alert()
    assert bench.outbox(chat_id)[-1].state is DeliveryState.SENT


async def test_a_deleted_topic_pauses_itself_alone_and_its_forum_goes_on(bench: Bench) -> None:
    for topic in (3, 4):
        bench.subscribe(FORUM, topic)
    bench.fake.chats.topics[FORUM] = {4}
    for _ in range(2):
        await bench.alert()
    assert (bench.state(FORUM, 3), bench.state(FORUM, 4)) == (BLOCKED, ACTIVE)
    (told,) = bench.told()
    assert "topic 3" in told
    assert "the topic was deleted" in told
    bench.fake.chats.topics[FORUM] = {3, 4}
    await bench.fake.push(updates.group("/start", FORUM, ADMIN, topic=3))
    await bench.fake.until(lambda: bench.state(FORUM, 3) is ACTIVE)


async def test_a_forum_without_rights_is_paused_with_all_its_topics_and_told_once(bench: Bench) -> None:
    for topic in (3, 4):
        bench.subscribe(FORUM, topic)
    bench.fake.fail(fakes.bad_request(NO_RIGHTS), "sendMessage", FORUM)
    await bench.alert()
    assert (bench.state(FORUM, 3), bench.state(FORUM, 4)) == (BLOCKED, BLOCKED)
    assert len(bench.told()) == 1


async def test_a_closed_topic_stays_active_and_is_told_once_until_it_worked_again(bench: Bench) -> None:
    bench.subscribe(FORUM, 3)
    for closed in ({(FORUM, 3)}, set(), {(FORUM, 3)}):
        bench.fake.chats.closed_topics = closed
        for _ in range(3):
            await bench.alert()
    assert bench.state(FORUM, 3) is ACTIVE
    assert [row.state for row in bench.outbox(FORUM)] == [
        *[DeliveryState.FAILED] * 3,
        *[DeliveryState.SENT] * 3,
        *[DeliveryState.FAILED] * 3,
    ]
    assert len(bench.told()) == 2
    assert all("the topic is closed" in text for text in bench.told())


async def test_an_admin_who_never_wrote_to_the_bot_is_told_of_nothing_again_and_again(bench: Bench) -> None:
    bench.subscribe(ANNA)
    bench.fake.fail(fakes.bad_request("chat not found"), "sendMessage")
    await bench.alert()
    for _ in range(3):
        await bench.drain()
    assert len(bench.outbox(ADMIN)) == 1


async def test_a_chat_found_closed_while_answering_is_paused_and_told(bench: Bench) -> None:
    bench.subscribe(FORUM)
    bench.fake.fail(fakes.bad_request(NO_RIGHTS), "sendMessage", FORUM)
    await bench.fake.push(updates.group("/help", FORUM, ADMIN))
    await bench.fake.until(lambda: bench.state(FORUM) is BLOCKED)
    assert len(bench.told()) == 1


async def test_flood_control_of_an_answer_holds_the_chats_outbox_over_a_restart(bench: Bench, now: datetime) -> None:
    """The limiter that heard of it is of the program that ended; the rows know it."""
    bench.subscribe(FORUM)
    bench.fake.fail(fakes.flood(300), "sendMessage", FORUM, times=1)
    with bench.database.write() as session:
        chat = find_subscriber(session, FORUM)
        assert chat is not None
        session.add(Delivery(subscriber_id=chat.id, key="alert:1", send_after=now, created_at=now))
    await bench.fake.push(updates.group("/help", FORUM, ADMIN))
    await bench.fake.until(lambda: bench.outbox(FORUM)[0].send_after > now)
    assert bench.outbox(FORUM)[0].send_after == now + timedelta(seconds=300)
