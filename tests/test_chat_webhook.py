"""A webhook serves what Telegram sends, refuses everybody else, and loses nothing whichever way updates come."""

import asyncio
import json
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import fake_bot_api as fakes
import fake_updates as updates
import pytest
from fake_bot_api import TOKEN, FakeBotApi
from fake_webhook import SECRET_HEADER
from sqlmodel import select

from bot.chat import serving
from bot.chat.desk import ChatParts
from bot.chat.limiter import Limiter
from bot.chat.receiver import receive_updates
from bot.chat.serving import Pace
from bot.chat.webhook_route import LARGEST_BODY
from config.schema import Settings, Telegram, Webhook
from models import Delivery, Lease
from models.database import Database, open_database
from tests.rows import UNLIMITED

NOW = datetime(2022, 2, 17, 12, 0, tzinfo=UTC)
QUICK = Pace(poll_s=1, lease_s=0.3, first_pause_s=0.01, longest_pause_s=0.05, stop_s=1)
URL = "https://bot.example.org/telegram"
SECRET = "a-secret-of-these-tests_0123456789"
JSON = "application/json"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/tocsin.db", NOW)
    yield opened
    opened.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """One program on a database, with a port of its own; `settings` may change while it runs."""

    def __init__(self, fake: FakeBotApi, database: Database) -> None:
        self.fake = fake
        self.database = database
        self.now = NOW
        self.port = free_port()
        self._asked = asyncio.Event()
        self.use(URL)

    def clock(self) -> datetime:
        self._asked.set()
        return self.now

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until `reached()` holds; it is asked whenever the program looks at the clock, which every round does."""
        async with asyncio.timeout(60):
            while not reached():
                self._asked.clear()
                await self._asked.wait()

    def use(self, url: str) -> None:
        webhook = Webhook(url=url, listen_port=self.port, max_connections=7)
        self.settings = Settings(telegram=Telegram(admins=(1001,), webhook=webhook))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self, pace: Pace = QUICK, secret: str | None = SECRET) -> AsyncIterator[asyncio.Task[None]]:
        parts = ChatParts(self.database, lambda: self.settings, self.clock, Limiter(lambda: UNLIMITED))
        task = asyncio.create_task(receive_updates(TOKEN, self.fake.base_url, parts, pace, secret))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def ready(self) -> None:
        """Its webhook is set, and Telegram's POSTs come to it."""
        self.fake.webhook.proxy = self.address
        await self.fake.until(lambda: self.fake.webhook.url == URL)

    async def answered(self, user_id: int = 42) -> int:
        """A command gets its answer; returns its update's id."""
        number = len(self.fake.messages)
        update_id = await self.fake.push(updates.private("/help", user_id))
        await self.fake.sent(number + 1)
        return update_id

    async def post(
        self, body: Any, secret: str | None = SECRET, content_type: str = JSON, path: str = "/telegram"
    ) -> int:
        """What somebody gets who posts `body`: the status."""
        headers = {"Content-Type": content_type} | ({SECRET_HEADER: secret} if secret is not None else {})
        url = self.address + path
        async with aiohttp.ClientSession() as client, client.post(url, data=body, headers=headers) as answer:
            return answer.status

    def told(self) -> list[str]:
        with self.database.read() as session:
            return [row.message["plain"] for row in session.exec(select(Delivery).order_by(Delivery.id)).all()]

    def statuses(self, update_id: int) -> list[int]:
        return [status for number, status in self.fake.webhook.answers if number == update_id]


@pytest.fixture
def site(fake: FakeBotApi, database: Database) -> Site:
    return Site(fake, database)


def update(number: int = 5, user_id: int = 42) -> bytes:
    return json.dumps({"update_id": number, **updates.private("/help", user_id)}).encode()


# What is let in -------------------------------------------------------------------------------------------------------


async def test_updates_with_the_secret_are_answered_without_polling(site: Site) -> None:
    async with site.running():
        await site.ready()
        number = await site.answered()
        await site.fake.until(lambda: site.statuses(number) == [200])
    assert site.fake.calls_of("getUpdates") == []


async def test_it_is_set_as_polling_asks_and_drops_nothing(site: Site) -> None:
    waiting = await site.fake.push(updates.private("/help", 42))
    site.fake.webhook.proxy = site.address
    async with site.running():
        await site.fake.sent(1)
    (call,) = site.fake.calls_of("setWebhook")
    wanted = {"message", "channel_post", "callback_query", "my_chat_member"}
    assert call.params.pop("drop_pending_updates", False) is False
    assert call.params == {"url": URL, "secret_token": SECRET, "allowed_updates": wanted, "max_connections": 7}
    assert site.statuses(waiting)[-1:] == [200]


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET + "x", "gehei\u00admn\u00fcs"])
async def test_whoever_does_not_know_the_secret_is_refused_and_nothing_is_handled(
    site: Site, secret: str | None
) -> None:
    async with site.running():
        await site.ready()
        assert await site.post(update(), secret) == 401
        assert await site.post(b"no json", secret, "text/plain") == 401
        await site.answered(43)
    assert [message.chat_id for message in site.fake.messages] == [43]


async def test_a_refusal_does_not_wait_for_the_body(site: Site) -> None:
    async with site.running():
        await site.ready()
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"POST /telegram HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        async with asyncio.timeout(10):
            assert b" 401 " in await reader.readline()
        writer.close()


async def test_refusals_are_logged_loudly_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with site.running():
        await site.ready()
        for _ in range(3):
            await site.post(update(), "wrong")
    assert [record.levelname for record in caplog.records if "wrong secret token" in record.message] == ["WARNING"]


async def chunks() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b" " * (LARGEST_BODY // 2)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda: b" " * (LARGEST_BODY + 1), 413),
        (chunks, 413),
        (lambda: b"", 400),
        (lambda: b"\xff\xfe", 400),
        (lambda: b"{", 400),
        (lambda: b"[" * 100_000, 400),
        (lambda: b"[1]", 400),
        (lambda: b"{}", 400),
        (lambda: b'{"update_id": true}', 400),
        (lambda: b'{"update_id": 6, "message": 7}', 400),
        (lambda: b'{"update_id": 6, "message": {"message_id": 1}}', 400),
    ],
    ids=[
        *("oversized", "oversized in chunks", "empty", "no text", "no json", "deep", "no object", "no id", "odd id"),
        *("no message", "half a message"),
    ],
)
async def test_what_is_no_update_is_refused_and_service_goes_on(site: Site, body: Any, status: int) -> None:
    async with site.running():
        await site.ready()
        assert await site.post(body()) == status
        await site.answered()


async def test_only_json_posted_to_the_path_is_taken(site: Site) -> None:
    async with site.running():
        await site.ready()
        assert await site.post(update(), content_type="text/plain") == 415
        assert await site.post(update(), path="/") == 404
        url, headers = f"{site.address}/telegram", {SECRET_HEADER: SECRET}
        async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
            assert answer.status == 405
    assert site.fake.messages == []


# Once, and only when handled ------------------------------------------------------------------------------------------


async def test_an_update_sent_again_is_answered_once(site: Site) -> None:
    async with site.running():
        await site.ready()
        site.fake.webhook.lost_answers = 2
        number = await site.answered()
        await site.fake.until(lambda: site.statuses(number) == [0, 0, 200])
        await site.answered()
    assert len(site.fake.messages) == 2


async def test_an_update_sent_again_while_it_is_under_way_is_answered_once(site: Site) -> None:
    site.fake.fail(fakes.flood(1), "sendMessage", times=1)  # the answer waits for a second
    async with site.running():
        await site.ready()
        assert await asyncio.gather(site.post(update()), site.post(update())) == [200, 200]
        await site.answered(43)
    assert [message.chat_id for message in site.fake.messages] == [42, 43]


async def test_an_update_that_takes_very_long_holds_up_neither_telegram_nor_others(site: Site) -> None:
    site.fake.fail(fakes.hanging(), "sendMessage", chat_id=42)
    async with site.running(Pace(poll_s=1, lease_s=0.3, serve_s=0.1, stop_s=0.1)):
        await site.ready()
        number = await site.fake.push(updates.private("/help", 42))
        await site.fake.until(lambda: site.statuses(number) == [200])
        await site.answered(43)
    assert len(site.fake.calls_of("sendMessage")) == 2


async def test_an_update_is_confirmed_only_when_it_was_answered(site: Site) -> None:
    """What a killed process had not answered, the next one gets again."""
    site.fake.fail(fakes.hanging(), "sendMessage")
    async with site.running(Pace(poll_s=1, stop_s=0.1)) as task:
        await site.ready()
        number = await site.fake.push(updates.private("/help", 42))
        await site.fake.called("sendMessage")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert 200 not in site.statuses(number)
    site.fake.heal()
    async with site.running():
        await site.fake.sent(1)
        await site.fake.until(lambda: site.statuses(number)[-1:] == [200])


async def test_no_more_updates_are_under_way_than_may_be(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_UNDER_WAY", 1)
    site.fake.fail(fakes.hanging(), "sendMessage", chat_id=42)
    async with site.running(Pace(poll_s=1, stop_s=0.1)):
        await site.ready()
        await site.fake.push(updates.private("/help", 42))
        await site.fake.called("sendMessage")
        assert await site.post(update(user_id=43)) == 503
    assert site.fake.messages == []


# The lease ------------------------------------------------------------------------------------------------------------


async def test_of_two_programs_one_receives_and_the_next_takes_over(site: Site, database: Database) -> None:
    second = Site(site.fake, database)
    async with site.running():
        await site.ready()
        await site.answered()
        async with second.running() as waiting:
            await asyncio.wait([waiting], timeout=0.2)
            assert len(site.fake.calls_of("setWebhook")) == 1
            with pytest.raises(aiohttp.ClientConnectionError):
                await second.post(update())
            await site.answered()
    async with second.running():
        await site.fake.called("setWebhook", 2)
        await second.ready()
        await second.answered()


async def test_who_lost_the_lease_receives_nothing_until_it_is_free_again(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async with site.running():
        await site.ready()
        await site.answered()
        with site.database.write() as session:
            lease = session.exec(select(Lease)).one()
            lease.holder, lease.until = "somebody else", NOW + timedelta(hours=1)
        await site.until(lambda: "poller_lost_lease" in caplog.text)
        unheard = await site.fake.push(updates.private("/help", 44))
        await site.fake.until(lambda: len(site.statuses(unheard)) > 2)
        assert 200 not in site.statuses(unheard)
        site.now += timedelta(hours=2)
        await site.fake.until(lambda: site.statuses(unheard)[-1] == 200)
    assert len(site.fake.calls_of("setWebhook")) == 2


async def test_a_program_whose_lease_ran_out_unnoticed_answers_nobody(site: Site) -> None:
    async with site.running(Pace(lease_s=90, stop_s=1)):
        await site.ready()
        await site.answered()
        site.now += timedelta(seconds=91)
        assert await site.post(update()) == 503
    assert len(site.fake.messages) == 1


# Telegram away --------------------------------------------------------------------------------------------------------


async def test_a_telegram_that_is_away_at_the_start_is_found_later(site: Site) -> None:
    await site.fake.stop()
    async with site.running() as task:
        done, _ = await asyncio.wait([task], timeout=0.2)
        assert not done
        await site.fake.start()
        await site.ready()
        await site.answered()


@pytest.mark.parametrize("method", ["getMe", "setWebhook", "getWebhookInfo"])
@pytest.mark.parametrize(
    "failure",
    [fakes.server_error(502), fakes.dropped(accepted=True), fakes.unauthorized(), fakes.flood(1)],
    ids=["502", "dropped", "401", "429"],
)
async def test_it_recovers_from_any_failure_at_any_step(site: Site, method: str, failure: fakes.Failure) -> None:
    site.fake.fail(failure, method, times=1 if failure.refusal and failure.refusal.status == 429 else 3)
    async with site.running():
        await site.ready()
        await site.answered()


async def test_an_outage_of_telegram_is_logged_once_and_told_to_nobody(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.fake.fail(fakes.server_error(502), "getWebhookInfo", times=8)
    async with site.running():
        await site.ready()
        await site.fake.called("getWebhookInfo", 11)
    assert caplog.text.count("webhook_paused") == 1
    assert caplog.text.count("webhook_recovered failures=8") == 1
    assert site.told() == []


# From one way to the other --------------------------------------------------------------------------------------------


async def test_changing_from_polling_to_webhook_and_back_loses_nothing_and_answers_once(site: Site) -> None:
    site.fake.webhook.proxy = site.address
    site.use("")
    async with site.running():
        for user, url in enumerate(["", URL, "", URL, ""], 100):
            site.use(url)
            await asyncio.gather(*(site.fake.push(updates.private("/help", 10 * user + each)) for each in range(3)))
            await site.fake.until(lambda url=url: site.fake.webhook.url == url)
            await site.answered(10 * user + 3)
        await site.fake.sent(20)
    chats = [message.chat_id or 0 for message in site.fake.messages]
    assert sorted(chats) == [10 * user + each for user in range(100, 105) for each in range(4)]
    assert all(not call.params.get("drop_pending_updates") for call in site.fake.calls)


async def test_the_webhook_stays_when_tocsin_stops_and_what_happened_meanwhile_is_answered(site: Site) -> None:
    async with site.running():
        await site.ready()
        await site.answered()
    assert site.fake.webhook.url == URL
    assert site.fake.calls_of("deleteWebhook") == []
    await site.fake.push(updates.private("/help", 43))
    async with site.running():
        await site.fake.sent(2)


async def test_polling_takes_up_what_waits_for_a_webhook_that_was_left(site: Site) -> None:
    async with site.running():
        await site.ready()
        await site.answered()
    await site.fake.push(updates.private("/help", 43))
    site.use("")
    async with site.running():
        await site.fake.sent(2)
    assert site.fake.webhook.url == ""


# Trouble --------------------------------------------------------------------------------------------------------------


async def test_admins_hear_once_that_telegram_cannot_deliver_and_once_when_it_can(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with site.running():
        await site.ready()
        site.fake.webhook.proxy = f"http://127.0.0.1:{free_port()}"
        await site.fake.push(updates.private("/help", 42))
        await site.fake.until(lambda: bool(site.told()))
        looks = len(site.fake.calls_of("getWebhookInfo"))
        await site.fake.called("getWebhookInfo", looks + 4)
        site.fake.webhook.proxy = site.address
        await site.fake.until(lambda: len(site.told()) > 1)
    down, up = site.told()
    assert down.startswith(f"Receiving commands by webhook does not work: Telegram cannot deliver to {URL}: Connection")
    assert up == "Receiving commands by webhook works again."
    assert caplog.text.count("webhook_undelivered") == 1
    assert caplog.text.count("webhook_delivers") == 1


async def test_an_old_error_and_one_that_was_overcome_are_nobodys_trouble(site: Site) -> None:
    site.now = datetime.now(UTC) + timedelta(hours=1)
    async with site.running():
        await site.ready()
        site.fake.webhook.proxy = f"http://127.0.0.1:{free_port()}"
        await site.fake.push(updates.private("/help", 42))
        await site.fake.until(lambda: bool(site.fake.webhook.answers))
        await site.fake.called("getWebhookInfo", len(site.fake.calls_of("getWebhookInfo")) + 5)
    assert site.told() == []


async def test_a_webhook_that_telegram_refuses_is_told_once_and_tried_again(site: Site) -> None:
    site.fake.fail(fakes.bad_request("bad webhook: Failed to resolve host"), "setWebhook", times=6)
    async with site.running():
        await site.ready()
        await site.answered()
        await site.until(lambda: len(site.told()) > 1)
    down, up = site.told()
    assert "setWebhook: Bad webhook: failed to resolve host" in down
    assert "works again" in up


async def test_a_webhook_that_is_given_up_for_polling_is_told_to_be_over(site: Site) -> None:
    site.fake.fail(fakes.bad_request("bad webhook: Failed to resolve host"), "setWebhook")
    async with site.running():
        await site.until(lambda: bool(site.told()))
        site.use("")
        await site.answered()
        await site.until(lambda: len(site.told()) > 1)
        await site.answered()
    assert site.told()[1:] == ["Commands come by polling now, and no longer by the webhook that did not work."]


async def test_a_port_that_is_taken_is_named(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.port))
        other.listen()
        async with site.running():
            await site.until(lambda: bool(site.told()))
        assert f"cannot listen on 127.0.0.1:{site.port}: " in site.told()[0]
    assert site.fake.calls_of("setWebhook") == []


async def test_a_webhook_that_another_program_took_away_is_set_again_and_told_once_and_its_end_once(site: Site) -> None:
    async with site.running():
        await site.ready()
        for number in (2, 3):
            await site.fake.webhook.delete()
            await site.fake.called("setWebhook", number)
        await site.answered()
        (told,) = site.told()
        assert "Another program deleted or replaced" in told
        site.now += timedelta(minutes=61)
        await site.until(lambda: len(site.told()) > 1)
    assert site.told()[1] == "For an hour no other program touched this bot's webhook: commands come here again."


# Secrets --------------------------------------------------------------------------------------------------------------


async def test_neither_token_nor_secret_is_logged_or_stored(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site.fake.fail(fakes.bad_request("no"), "setWebhook", times=4)
    async with site.running():
        await site.ready()
        await site.answered()
        await site.post(update(), "wrong")
        await site.post(b"{")
    assert "setWebhook" in caplog.text
    for secret in (TOKEN, SECRET):
        assert secret not in caplog.text
        assert secret.encode() not in stored(tmp_path)


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_without_a_secret_each_start_makes_its_own(site: Site) -> None:
    for _ in range(2):
        async with site.running(secret=None):
            await site.ready()
            await site.answered()
    first, second = (call.params["secret_token"] for call in site.fake.calls_of("setWebhook"))
    assert first != second
    assert all(re.fullmatch("[A-Za-z0-9_-]{32,256}", secret) for secret in (first, second))


@pytest.mark.parametrize("secret", [TOKEN.partition(":")[2], SECRET], ids=["token", "secret"])
async def test_an_address_that_holds_a_secret_is_not_told_to_telegram(
    site: Site, caplog: pytest.LogCaptureFixture, secret: str
) -> None:
    site.use(f"{URL}/{secret}")
    async with site.running():
        await site.until(lambda: bool(site.told()))
    assert "must hold neither" in site.told()[0]
    assert secret not in caplog.text + site.told()[0]
    assert site.fake.calls_of("setWebhook") == []
