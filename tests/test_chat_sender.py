"""Messages reach Telegram as they are meant, and each way of failing says what to do next."""

import logging
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import fake_bot_api as fakes
import httpx
import pytest
import telegram
from fake_bot_api import TOKEN, FakeBotApi
from telegram.error import InvalidToken, NetworkError, RetryAfter, TelegramError, TimedOut
from telegram.request import HTTPXRequest

from bot.chat.api import ask_name, bot_url, keep_out_of_logs, open_bot
from bot.chat.failures import as_failure
from bot.chat.limiter import Limiter
from bot.chat.sender import TelegramSender
from bot.messages.message import Button, Message, notice
from bot.outlet import Chat, Envelope, SendFailure
from config.errors import ConfigError
from config.schema import Rate
from models import Priority
from tests.rows import UNLIMITED

ANNA = Chat(42)
PHOTO = b"\x89PNG not really"
HELLO = Message(html="<b>Hello</b> &lt;you&gt;", plain="Hello <you>")


def limiter() -> Limiter:
    return Limiter(lambda: UNLIMITED)


@pytest.fixture
async def sender(fake: FakeBotApi) -> AsyncIterator[TelegramSender]:
    async with open_bot(TOKEN, fake.base_url) as bot:
        yield TelegramSender(bot, limiter())


async def failure_of(sender: TelegramSender, message: Message = HELLO, photo: bytes | None = None) -> SendFailure:
    with pytest.raises(SendFailure) as caught:
        await sender.send(Envelope(ANNA, message, photo))
    return caught.value


def meaning(failure: SendFailure) -> dict[str, Any]:
    """The attributes that are set."""
    return {name: value for name, value in vars(failure).items() if value not in (False, None, "")}


# What is sent ---------------------------------------------------------------------------------------------------------


async def test_a_message_goes_out_as_html_with_topic_buttons_and_no_preview(
    fake: FakeBotApi, sender: TelegramSender
) -> None:
    message = Message(html="<b>1 &lt; 2</b>", plain="1 < 2", silent=True, buttons=((Button("Yes", "join:yes:1"),),))
    assert await sender.send(Envelope(Chat(-100, thread_id=7, kind="supergroup"), message)) == 1
    params = fake.messages[0].params
    assert (params["chat_id"], params["message_thread_id"], params["parse_mode"]) == (-100, 7, "HTML")
    assert params["text"] == "<b>1 &lt; 2</b>"
    assert params["disable_notification"] is True
    assert params["link_preview_options"] == {"is_disabled": True}
    assert params["reply_markup"]["inline_keyboard"] == [[{"text": "Yes", "callback_data": "join:yes:1"}]]


async def test_markup_that_telegram_cannot_parse_goes_as_plain_text(fake: FakeBotApi, sender: TelegramSender) -> None:
    await sender.send(Envelope(ANNA, Message(html="<b>1 < 2", plain="1 < 2")))
    assert [call.params.get("parse_mode") for call in fake.calls] == ["HTML", None]
    assert fake.messages[0].text == "1 < 2"


async def test_a_message_beyond_the_limit_is_cut_in_utf16_units(fake: FakeBotApi, sender: TelegramSender) -> None:
    await sender.send(Envelope(ANNA, Message(html="🔴" * 3000, plain="🔴" * 3000)))
    assert len(fake.messages[0].text.encode("utf-16-le")) // 2 <= 4096


async def test_a_short_text_is_the_caption_of_its_photo(fake: FakeBotApi, sender: TelegramSender) -> None:
    assert await sender.send(Envelope(ANNA, HELLO, PHOTO)) == 1
    (call,) = fake.messages
    assert (call.method, call.text, call.params["photo"]) == ("sendPhoto", HELLO.html, PHOTO)


async def test_a_long_text_goes_before_its_photo_which_so_is_never_doubled(
    fake: FakeBotApi, sender: TelegramSender
) -> None:
    assert await sender.send(Envelope(ANNA, notice("word " * 300), PHOTO)) == 1
    assert [call.method for call in fake.messages] == ["sendMessage", "sendPhoto"]
    assert fake.messages[1].params["disable_notification"] is True


@pytest.mark.parametrize("message", [HELLO, notice("word " * 300)], ids=["caption", "text after photo"])
async def test_a_chat_that_takes_no_photos_still_gets_the_text(
    fake: FakeBotApi, sender: TelegramSender, message: Message
) -> None:
    fake.fail(fakes.bad_request("not enough rights to send photos to the chat"), method="sendPhoto")
    await sender.send(Envelope(ANNA, message, PHOTO))
    assert [call.text for call in fake.messages] == [message.html]


async def test_a_photo_whose_answer_is_lost_does_not_cost_the_text(fake: FakeBotApi, sender: TelegramSender) -> None:
    fake.fail(fakes.dropped(accepted=True), method="sendPhoto")
    await sender.send(Envelope(ANNA, notice("word " * 300), PHOTO))
    assert [call.method for call in fake.messages] == ["sendMessage", "sendPhoto"]


async def test_what_a_chat_chose_decides_sound_and_link_previews(fake: FakeBotApi, sender: TelegramSender) -> None:
    await sender.send(Envelope(ANNA, HELLO, silent=True, link_preview=True))
    await sender.send(Envelope(Chat(43), HELLO))
    first, second = (call.params for call in fake.messages)
    assert (first["disable_notification"], first["link_preview_options"]["is_disabled"]) == (True, False)
    assert (second["disable_notification"], second["link_preview_options"]["is_disabled"]) == (False, True)


async def test_an_edit_replaces_the_earlier_message(fake: FakeBotApi, sender: TelegramSender) -> None:
    assert await sender.send(Envelope(ANNA, HELLO, edits=77)) == 77
    (call,) = fake.calls_of("editMessageText")
    assert (call.params["message_id"], call.text, fake.messages) == (77, HELLO.html, [])


async def test_an_edit_that_changes_nothing_is_done(fake: FakeBotApi, sender: TelegramSender) -> None:
    fake.fail(fakes.bad_request("message is not modified: the same content"), method="editMessageText")
    assert await sender.send(Envelope(ANNA, HELLO, edits=77)) == 77
    assert fake.messages == []


async def test_what_can_no_longer_be_edited_is_sent_anew(fake: FakeBotApi, sender: TelegramSender) -> None:
    fake.fail(fakes.bad_request("message to edit not found"), method="editMessageText")
    assert await sender.send(Envelope(ANNA, HELLO, edits=77)) == 1
    assert [call.method for call in fake.messages] == ["sendMessage"]


async def test_an_update_of_what_is_gone_disturbs_nobody(fake: FakeBotApi, sender: TelegramSender) -> None:
    fake.fail(fakes.bad_request("message to edit not found"), method="editMessageText")
    with pytest.raises(SendFailure) as failure:
        await sender.send(Envelope(ANNA, HELLO, priority=Priority.UPDATE, edits=77))
    assert failure.value.permanent and not failure.value.closes
    assert fake.messages == []


async def test_an_answer_names_the_message_it_is_about_and_goes_without_it(
    fake: FakeBotApi, sender: TelegramSender
) -> None:
    await sender.send(Envelope(ANNA, HELLO, replies_to=77))
    told = fake.messages[0].params["reply_parameters"]
    assert (told["message_id"], told["allow_sending_without_reply"]) == (77, True)


async def test_a_fee_is_allowed_for_alerts_and_broadcasts_alone_and_only_when_config_asks(fake: FakeBotApi) -> None:
    flagged = {}
    async with open_bot(TOKEN, fake.base_url) as bot:
        for paid in (False, True):
            rate = Rate(private_per_second=30.0, paid_broadcast=paid)
            sender = TelegramSender(bot, Limiter(partial(Rate.model_copy, rate)))
            for priority in sorted({*Priority} - {Priority.UPDATE}):
                await sender.send(Envelope(ANNA, HELLO, priority=priority))
            await sender.send(Envelope(ANNA, HELLO, edits=1))
            flagged[paid] = ["allow_paid_broadcast" in call.params for call in fake.calls[-6:]]
    assert flagged == {False: [False] * 6, True: [False, True, False, False, True, False]}


# What goes wrong ------------------------------------------------------------------------------------------------------

LOST = {"lost_answer": True}
RETRY: dict[str, Any] = {}
TABLE = {
    "403 blocked": (fakes.forbidden(), {"permanent": True, "blocked": True}),
    "403 kicked": (fakes.forbidden("bot was kicked from the supergroup chat"), {"permanent": True, "blocked": True}),
    "400 unforeseen": (fakes.bad_request("something new"), {"permanent": True}),
    "400 migrated": (fakes.migrated(-1009), {"moved_to": -1009}),
    "401 token": (fakes.unauthorized(), RETRY),
    "409 conflict": (fakes.conflict(), RETRY),
    "429 flood": (fakes.flood(17), {"retry_after_s": 17.0}),
    "500": (fakes.server_error(500), RETRY),
    "502": (fakes.server_error(502), RETRY),
    "502 as a page": (fakes.server_error(502, html=True), RETRY),
    "503": (fakes.server_error(503), RETRY),
    "504": (fakes.server_error(504), LOST),
    "504 as a page": (fakes.server_error(504, html=True), LOST),
    "dropped before it was taken": (fakes.dropped(accepted=False), LOST),
    "dropped after it was taken": (fakes.dropped(accepted=True), LOST),
}


CHAT, TOPIC, NOTHING = {"blocked": True}, {"topic_gone": True}, dict[str, Any]()
CLOSED = {
    "chat not found": (CHAT, "the chat was deleted"),
    "group chat was deactivated": (CHAT, "the group was deleted"),
    "not enough rights to send text messages to the chat": (CHAT, "may not write there"),
    "have no rights to send a message": (CHAT, "may not write there"),
    "need administrator rights in the channel chat": (CHAT, "make it an administrator"),
    "CHAT_WRITE_FORBIDDEN": (CHAT, "may not write there"),
    "CHAT_SEND_PLAIN_FORBIDDEN": (CHAT, "may not write there"),
    "message thread not found": (TOPIC, "the topic was deleted"),
    "TOPIC_DELETED": (TOPIC, "the topic was deleted"),
    "TOPIC_CLOSED": (NOTHING, "the topic is closed"),
}


@pytest.mark.parametrize(("reason", "expected"), CLOSED.items(), ids=CLOSED.keys())
async def test_a_place_that_takes_no_messages_says_what_to_pause_and_why(
    fake: FakeBotApi, sender: TelegramSender, reason: str, expected: tuple[dict[str, Any], str]
) -> None:
    fake.fail(fakes.bad_request(reason))
    failure = await failure_of(sender)
    pauses, why = expected
    assert meaning(failure) == {"permanent": True, "for_admins": failure.for_admins} | pauses
    assert why in failure.for_admins


@pytest.mark.parametrize(("scripted", "expected"), TABLE.values(), ids=TABLE.keys())
async def test_a_failed_send_says_what_to_do_next(
    fake: FakeBotApi, sender: TelegramSender, scripted: fakes.Failure, expected: dict[str, Any]
) -> None:
    fake.fail(scripted)
    failure = await failure_of(sender)
    assert meaning(failure) == expected
    assert len(fake.calls) == 1
    assert TOKEN not in str(failure)


async def test_a_server_that_is_away_can_be_asked_again_safely() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with open_bot(TOKEN, f"http://127.0.0.1:{port}") as bot:
        assert meaning(await failure_of(TelegramSender(bot, limiter()))) == RETRY


async def test_a_hanging_server_leaves_the_answer_lost(fake: FakeBotApi) -> None:
    fake.fail(fakes.hanging(accepted=True))
    request = HTTPXRequest(read_timeout=0.05)
    bot = telegram.Bot(TOKEN, base_url=fake.base_url, request=request, get_updates_request=request)
    assert meaning(await failure_of(TelegramSender(bot, limiter()))) == LOST
    await request.shutdown()


CAUSES = {
    "pool timeout": (httpx.PoolTimeout("full"), RETRY),
    "connect timeout": (httpx.ConnectTimeout("slow"), RETRY),
    "connect error": (httpx.ConnectError("refused"), RETRY),
    "read timeout": (httpx.ReadTimeout("slow"), LOST),
    "write timeout": (httpx.WriteTimeout("slow"), LOST),
    "read error": (httpx.ReadError("reset"), LOST),
    "no response": (httpx.RemoteProtocolError("disconnected"), LOST),
    "proxy": (httpx.ProxyError("403"), RETRY),
    "unforeseen": (RuntimeError("boom"), LOST),
}


@pytest.mark.parametrize(("cause", "expected"), CAUSES.values(), ids=CAUSES.keys())
async def test_the_cause_tells_whether_the_request_may_have_arrived(cause: Exception, expected: dict[str, Any]) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise cause

    request = HTTPXRequest(httpx_kwargs={"transport": httpx.MockTransport(fail)})
    bot = telegram.Bot(TOKEN, request=request, get_updates_request=request)
    assert meaning(await failure_of(TelegramSender(bot, limiter()))) == expected
    await request.shutdown()


@pytest.mark.parametrize(
    "body",
    [b"<html>Sign in to the hotel's network</html>", b'{"welcome": "guest"}', b"[]", b"null", b'{"ok": true}', b""],
)
async def test_an_answer_that_is_not_telegrams_counts_as_lost(body: bytes) -> None:
    request = HTTPXRequest(httpx_kwargs={"transport": httpx.MockTransport(lambda _: httpx.Response(200, content=body))})
    bot = telegram.Bot(TOKEN, request=request, get_updates_request=request)
    assert meaning(await failure_of(TelegramSender(bot, limiter()))) == LOST
    await request.shutdown()


@pytest.mark.parametrize("flips", ["0", "1"], ids=["number", "timedelta"])
def test_flood_control_is_read_in_both_forms(monkeypatch: pytest.MonkeyPatch, flips: str) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", flips)
    assert as_failure(RetryAfter(timedelta(seconds=9)), "chat 1").retry_after_s == 9.0


@pytest.mark.parametrize(
    "error", [TimedOut(), NetworkError("x"), InvalidToken(f"The token `{TOKEN}` was rejected"), TelegramError("odd")]
)
def test_no_error_is_taken_for_permanent_by_its_family(error: TelegramError) -> None:
    failure = as_failure(error, "chat 1")
    assert not failure.permanent
    assert TOKEN not in str(failure)


async def test_flood_control_holds_the_chat_it_names_and_no_other(fake: FakeBotApi, sender: TelegramSender) -> None:
    fake.fail(fakes.flood(300), chat_id=ANNA.chat_id, times=1)
    await failure_of(sender)
    again = await failure_of(sender)
    assert again.retry_after_s == pytest.approx(300, abs=5)
    assert len(fake.calls) == 1
    await sender.send(Envelope(Chat(43), HELLO))
    assert [call.chat_id for call in fake.messages] == [43]


async def test_a_sender_gives_up_its_turn_before_a_lease_could_run_out(fake: FakeBotApi) -> None:
    async with open_bot(TOKEN, fake.base_url) as bot:
        slow = TelegramSender(bot, Limiter(lambda: Rate(private_per_second=0.1)), patience_s=0.01)
        await slow.send(Envelope(ANNA, HELLO))
        assert (await failure_of(slow)).retry_after_s == pytest.approx(10, abs=1)


# Address and token ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["http://127.0.0.1:8081", "http://127.0.0.1:8081/", "http://127.0.0.1:8081/bot", "http://127.0.0.1:8081/bot/"],
)
def test_the_base_url_is_taken_with_and_without_bot(text: str) -> None:
    assert bot_url(text) == "http://127.0.0.1:8081/bot"


@pytest.mark.parametrize("text", ["127.0.0.1:8081", "ftp://x/bot", "http://", "file:///etc/passwd"])
def test_a_base_url_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="TOCSIN_TELEGRAM_BASE_URL"):
        bot_url(text)


async def test_the_bot_says_its_name_or_what_is_wrong_with_its_token(fake: FakeBotApi) -> None:
    async with open_bot(TOKEN, fake.base_url) as bot:
        assert await ask_name(bot) == "@tocsin_test_bot"
    async with open_bot("1:wrong", fake.base_url) as bot:
        with pytest.raises(SendFailure, match="TOCSIN_TELEGRAM_TOKEN"):
            await ask_name(bot)


async def test_the_token_is_in_no_log(
    fake: FakeBotApi, sender: TelegramSender, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keep_out_of_logs(TOKEN, [caplog.handler])
    await sender.send(Envelope(ANNA, HELLO))
    logging.getLogger("somebody").info("POST https://api.telegram.org/bot%s/getMe", TOKEN)
    try:
        raise InvalidToken(f"The token `{TOKEN}` was rejected by the server.")
    except InvalidToken:
        logging.getLogger("somebody").exception("failed with 98765:AAotherTokenThatIsNotOursButLooksLikeOne")
    assert TOKEN not in caplog.text
    assert "98765" not in caplog.text
    assert caplog.text.count("<token>") == 3
