"""The poller outlives Telegram, shares a token fairly, and stops when told."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fake_bot_api as fakes
import fake_updates as updates
import pytest
from fake_bot_api import TOKEN, Call, FakeBotApi
from sqlmodel import select

from bot.chat.desk import ChatParts
from bot.chat.limiter import Limiter
from bot.chat.receiver import receive_updates
from bot.chat.serving import Pace
from bot.messages.menu import COMMANDS, FOR_CHAT_ADMINS
from config.errors import ConfigError
from config.schema import Rate, Settings, Telegram
from models import Delivery, Lease
from models.database import Database, open_database
from tests.rows import UNLIMITED

NOW = datetime(2022, 2, 17, 12, 0, tzinfo=UTC)
QUICK = Pace(poll_s=1, lease_s=0.3, first_pause_s=0.01, longest_pause_s=0.05, stop_s=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/tocsin.db", NOW)
    yield opened
    opened.close()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def poller(
    fake: FakeBotApi, database: Database, clock: Callable[[], datetime] = lambda: NOW, pace: Pace = QUICK
) -> AsyncIterator[asyncio.Task[None]]:
    settings = Settings(telegram=Telegram(admins=(1001,)))
    limiter = Limiter(lambda: UNLIMITED)
    parts = ChatParts(database, lambda: settings, clock, limiter)
    task = asyncio.create_task(receive_updates(TOKEN, fake.base_url, parts, pace))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def answered(fake: FakeBotApi) -> int:
    """A command gets its answer; returns its update's id."""
    number = len(fake.messages)
    update_id = await fake.push(updates.private("/help", 42))
    await fake.sent(number + 1)
    return update_id


async def test_it_asks_only_for_what_it_uses_and_drops_nothing(fake: FakeBotApi, database: Database) -> None:
    await fake.push(updates.private("/help", 42))
    async with poller(fake, database):
        await fake.sent(1)
    (webhook,) = fake.calls_of("deleteWebhook")
    assert webhook.params.get("drop_pending_updates") in (None, False)
    wanted = {"message", "channel_post", "callback_query", "my_chat_member"}
    assert fake.calls_of("getUpdates")[0].params["allowed_updates"] == wanted


async def test_commands_are_offered_to_those_who_may_use_them(fake: FakeBotApi, database: Database) -> None:
    async with poller(fake, database):
        calls = await fake.called("setMyCommands", 8)
    languages = [call.params.get("language_code", "") for call in calls]
    assert languages == ["", "", "", "fr", "fr", "fr", "", "fr"]
    assert "abonner" in str(calls[3].params["commands"])
    for menus in (calls[:3], calls[3:6]):
        check_menus(menus)


def check_menus(calls: list[Call]) -> None:
    offered = {call.params.get("scope", {"type": "default"})["type"]: names_of(call) for call in calls}
    assert offered["all_group_chats"] == [name for name in COMMANDS if name not in FOR_CHAT_ADMINS]
    assert {"why", "story", "status", "help"} <= set(offered["all_group_chats"])
    assert offered["default"] == offered["all_chat_administrators"] == [*COMMANDS]
    assert {"unwatch", "unmute"} <= set(offered["default"])


def names_of(call: Call) -> list[str]:
    return [command["command"] for command in call.params["commands"]]


async def test_admins_find_admin_in_their_menu_from_the_start_in_their_language(
    fake: FakeBotApi, database: Database
) -> None:
    async with poller(fake, database):
        *_, english, french = await fake.called("setMyCommands", 8)
    for call in (english, french):
        assert call.params["scope"] == {"type": "chat", "chat_id": 1001}
        assert names_of(call) == [*COMMANDS, "admin"]
    assert [call.params["commands"][-1]["description"] for call in (english, french)] == [
        "run this bot",
        "administrer ce bot",
    ]


async def test_a_chat_is_told_what_the_bot_is_before_start_in_its_language_and_it_is_set_once(
    fake: FakeBotApi, database: Database
) -> None:
    for _ in range(2):
        async with poller(fake, database):
            await answered(fake)
    for kind in ("setMyDescription", "setMyShortDescription"):
        assert [call.params.get("language_code", "") for call in fake.calls_of(kind)] == ["", "fr"]
    assert "/start asks to subscribe" in fake.descriptions["description", ""]
    assert "Alerte précoce" in fake.descriptions["short_description", "fr"]


@pytest.mark.parametrize("method", ["getMyDescription", "setMyShortDescription"])
async def test_a_description_that_cannot_be_set_costs_nothing(
    fake: FakeBotApi, database: Database, method: str
) -> None:
    fake.fail(fakes.flood(9999), method)
    async with poller(fake, database):
        await answered(fake)


async def test_a_menu_that_cannot_be_set_costs_nothing(fake: FakeBotApi, database: Database) -> None:
    fake.fail(fakes.server_error(500), "setMyCommands")
    async with poller(fake, database):
        await answered(fake)


@pytest.mark.parametrize("method", ["getMe", "deleteWebhook", "getUpdates"])
@pytest.mark.parametrize(
    "failure",
    [
        fakes.server_error(502),
        fakes.dropped(accepted=False),
        fakes.unauthorized(),
        fakes.flood(1),
        fakes.server_error(502, html=True),
    ],
    ids=["502", "dropped", "401", "429", "502 as a page"],
)
async def test_it_recovers_from_any_failure_at_any_step(
    fake: FakeBotApi, database: Database, method: str, failure: fakes.Failure
) -> None:
    fake.fail(failure, method, times=1 if failure.refusal and failure.refusal.status == 429 else 3)
    async with poller(fake, database):
        await answered(fake)


async def test_a_telegram_that_is_away_at_the_start_is_found_later(fake: FakeBotApi, database: Database) -> None:
    await fake.stop()
    async with poller(fake, database) as task:
        done, _ = await asyncio.wait([task], timeout=0.2)
        assert not done
        await fake.start()
        await answered(fake)


async def test_an_outage_is_logged_once_and_its_end_once(
    fake: FakeBotApi, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fake.fail(fakes.server_error(502), "getUpdates", times=8)
    async with poller(fake, database):
        await answered(fake)
        await fake.called("getUpdates", 10)
    assert caplog.text.count("poller_paused") == 1
    assert caplog.text.count("poller_recovered failures=8") == 1


async def test_a_rejected_token_says_what_to_check_and_shows_no_token(
    fake: FakeBotApi, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.fail(fakes.unauthorized(), "getMe")
    async with poller(fake, database):
        await fake.called("getMe", 3)
    assert "check TOCSIN_TELEGRAM_TOKEN" in caplog.text
    assert TOKEN not in caplog.text


def told(database: Database) -> list[str]:
    with database.read() as session:
        return [row.message["plain"] for row in session.exec(select(Delivery).order_by(Delivery.id)).all()]


async def test_a_second_program_on_the_token_is_told_once_over_days_and_restarts_and_its_end_once(
    fake: FakeBotApi, database: Database
) -> None:
    clock = Clock()
    for _ in range(3):
        clock.now += timedelta(days=1)
        fake.fail(fakes.conflict(), "getUpdates", times=4)
        async with poller(fake, database, clock):
            await answered(fake)
            await answered(fake)
    (warning,) = told(database)
    assert "409 Conflict" in warning
    async with poller(fake, database, clock):
        for minutes, messages in ((0, 1), (59, 1), (2, 2)):
            clock.now += timedelta(minutes=minutes)
            number = await answered(fake)
            await fake.until(lambda number=number: fake.confirmed >= number)  # the round is over
            assert len(told(database)) == messages
    assert told(database)[1:] == [
        "For an hour no other program polled Telegram with this bot's token: commands come here alone again."
    ]


async def test_the_last_poll_of_a_killed_run_is_taken_for_no_other_program(
    fake: FakeBotApi, database: Database
) -> None:
    fake.fail(fakes.conflict(), "getUpdates", times=2)
    async with poller(fake, database):
        await answered(fake)
    assert told(database) == []


async def test_a_webhook_that_another_program_sets_is_deleted_told_once_and_costs_no_update(
    fake: FakeBotApi, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with poller(fake, database):
        for times in (1, 2):
            await answered(fake)
            await fake.webhook.set({"url": "https://elsewhere.example/bot"})
            await fake.called("deleteWebhook", 1 + times)
            await answered(fake)
    assert all(not call.params.get("drop_pending_updates") for call in fake.calls_of("deleteWebhook"))
    with database.read() as session:
        (notice,) = session.exec(select(Delivery)).all()
    assert "set a webhook" in notice.message["plain"]
    assert "webhook_deleted" in caplog.text


async def test_a_program_that_breaks_off_on_an_unforeseen_error_goes_on(
    fake: FakeBotApi, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = iter([ZeroDivisionError("bug")])

    def clock() -> datetime:
        for failure in failures:
            raise failure
        return NOW

    async with poller(fake, database, clock):
        await answered(fake)
    assert "poller_failed" in caplog.text


# The lease ------------------------------------------------------------------------------------------------------------


async def test_two_programs_take_turns_and_never_poll_together(fake: FakeBotApi, database: Database) -> None:
    async with poller(fake, database):
        await answered(fake)
        async with poller(fake, database) as second:
            await asyncio.wait([second], timeout=0.2)
            await answered(fake)
            assert len(fake.calls_of("getMe")) == 1
    assert fake.calls_of("getMe")[1:] == []


async def test_the_next_program_takes_over_at_once_when_one_stops(fake: FakeBotApi, database: Database) -> None:
    async with poller(fake, database):
        await answered(fake)
    with database.read() as session:
        assert session.exec(select(Lease)).all() == []
    async with poller(fake, database):
        await answered(fake)


async def test_a_lost_lease_ends_polling_until_it_is_free_again(
    fake: FakeBotApi, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    async with poller(fake, database, clock):
        update_id = await answered(fake)
        await fake.until(lambda: fake.confirmed >= update_id)  # the next poll is under way, its lease renewed
        with database.write() as session:
            lease = session.exec(select(Lease)).one()
            lease.holder, lease.until = "somebody else", NOW + timedelta(hours=1)
        await answered(fake)  # the poll under way when it was lost
        polls = len(fake.calls_of("getUpdates"))
        await fake.push(updates.private("/help", 42))
        with pytest.raises(TimeoutError):
            await fake.until(lambda: len(fake.calls_of("getUpdates")) > polls, timeout_s=0.3)
        assert caplog.text.count("poller_lost_lease") == 1
        clock.now += timedelta(hours=2)
        await fake.until(lambda: len(fake.calls_of("getUpdates")) > polls)


async def test_the_webhook_of_a_program_that_had_the_lease_is_deleted_without_a_word(
    fake: FakeBotApi, database: Database
) -> None:
    clock = Clock()
    async with poller(fake, database, clock):
        await answered(fake)
        with database.write() as session:
            lease = session.exec(select(Lease)).one()
            lease.holder, lease.until = "somebody else", NOW + timedelta(hours=1)
        with pytest.raises(TimeoutError):
            await fake.until(lambda: len(fake.messages) > 1, timeout_s=1.5)  # a poll ends within a second
        await fake.webhook.set({"url": "https://elsewhere.example/bot"})
        clock.now += timedelta(hours=2)
        await answered(fake)
    with database.read() as session:
        assert session.exec(select(Delivery)).all() == []


async def test_the_lease_does_not_hold_the_token(fake: FakeBotApi, database: Database) -> None:
    async with poller(fake, database):
        await answered(fake)
        with database.read() as session:
            lease = session.exec(select(Lease)).one()
    assert lease.name.startswith("poller:")
    assert TOKEN[:9] not in lease.name + lease.holder
    assert len(lease.name) <= 80 >= len(lease.holder)


# The end --------------------------------------------------------------------------------------------------------------


async def test_what_was_answered_is_not_answered_again_after_a_restart(fake: FakeBotApi, database: Database) -> None:
    async with poller(fake, database):
        await answered(fake)
    async with poller(fake, database):
        await answered(fake)
    assert len(fake.messages) == 2


async def test_a_command_is_confirmed_only_when_it_was_answered(fake: FakeBotApi, database: Database) -> None:
    """What a killed process had not answered, the next one gets again."""
    fake.fail(fakes.hanging(), "sendMessage")
    async with poller(fake, database, pace=Pace(poll_s=1, stop_s=0.1)) as task:
        number = await fake.push(updates.private("/help", 42))
        await fake.called("sendMessage")
        assert fake.confirmed < number
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert fake.confirmed < number
    fake.heal()
    async with poller(fake, database):
        await fake.sent(1)
        await fake.until(lambda: fake.confirmed >= number)


async def test_it_stops_within_its_time_though_a_handler_hangs(fake: FakeBotApi, database: Database) -> None:
    pace = Pace(poll_s=1, stop_s=0.1)
    fake.fail(fakes.hanging(), "sendMessage")
    async with poller(fake, database, pace=pace) as task:
        await fake.push(updates.private("/help", 42))
        await fake.called("sendMessage")
        task.cancel()
        async with asyncio.timeout(3):
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


async def test_a_base_url_that_is_no_address_is_refused_at_once(database: Database) -> None:
    parts = ChatParts(database, Settings, lambda: NOW, Limiter(Rate))
    with pytest.raises(ConfigError):
        await receive_updates(TOKEN, "nowhere", parts)
