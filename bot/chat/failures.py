"""An error of python-telegram-bot in, a `SendFailure` out: the one place where foreign errors are translated.

BadRequest and TimedOut are subclasses of NetworkError, so the order of the cases carries meaning.
"""

from collections.abc import Mapping
from datetime import timedelta

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.outlet import SendFailure
from config.secrets import TELEGRAM_TOKEN

#: Causes after which Telegram cannot have read a whole request.
NEVER_ARRIVED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.WriteError,
)


#: What the Bot API's 400 says of a place that no message reaches, and what an admin is told of it. The API documents
#: none of them; the wording is that of its server (https://github.com/tdlib/telegram-bot-api) and of Telegram's own
#: errors (https://core.telegram.org/method/messages.sendMessage).
CHAT_CLOSED = {
    "chat not found": "the chat was deleted, or never wrote to the bot",
    "group chat was deactivated": "the group was deleted",
    "not enough rights to send text messages": "the bot may not write there; give it the right to send messages",
    "have no rights to send a message": "the bot may not write there; give it the right to send messages",
    "need administrator rights in the channel chat": "the bot may not post there; make it an administrator",
    "chat_write_forbidden": "the bot may not write there; give it the right to send messages",
    "chat_send_plain_forbidden": "the bot may not write there; give it the right to send messages",
}
TOPIC_GONE = {
    "message thread not found": "the topic was deleted",
    "topic_deleted": "the topic was deleted",
}
#: A closed topic opens again without a word to the bot, so nothing is paused.
TOPIC_CLOSED = {"topic_closed": "the topic is closed; open it, or let the bot manage topics"}


def as_failure(error: TelegramError, where: str) -> SendFailure:
    """What `error` means for a message to `where` (such as "chat 42"), and what its sender does next.

    The bot's token never appears in the text.
    """
    if isinstance(error, RetryAfter):
        seconds = retry_after_s(error)
        return SendFailure(f"{where}: Telegram asks to wait {seconds:g} s", retry_after_s=seconds)
    if isinstance(error, ChatMigrated):
        return SendFailure(f"{where}: is now chat {error.new_chat_id}", moved_to=error.new_chat_id)
    if isinstance(error, Forbidden | BadRequest):
        return _refusal(error, where)
    if isinstance(error, InvalidToken):
        # Not permanent: every message fails until somebody corrects the token, and none of them is to blame.
        return SendFailure(f"Telegram does not accept the bot's token; check {TELEGRAM_TOKEN} with BotFather")
    if isinstance(error, NetworkError):
        return _network_failure(error, where)
    # What is left is an answer that is not the Bot API's, so the request arrived somewhere; a 409 says no, at least.
    return SendFailure(f"{where}: no usable answer from Telegram: {error}", lost_answer=not isinstance(error, Conflict))


def retry_after_s(error: RetryAfter) -> float:
    """Seconds, whether the library gives a number or a timedelta."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def is_bad_markup(error: TelegramError) -> bool:
    """True when the same words without markup, cut to size, can be sent."""
    text = str(error).lower()
    return isinstance(error, BadRequest) and ("can't parse entities" in text or "is too long" in text)


def _refusal(error: Forbidden | BadRequest, where: str) -> SendFailure:
    """A request that is wrong, or a place that is closed."""
    chat, gone, shut = (_reason(error, table) for table in (CHAT_CLOSED, TOPIC_GONE, TOPIC_CLOSED))
    return SendFailure(
        f"{where}: {error}",
        permanent=True,
        blocked=bool(chat) or isinstance(error, Forbidden),
        topic_gone=bool(gone),
        for_admins=chat or gone or shut,
    )


def _reason(error: TelegramError, table: Mapping[str, str]) -> str:
    text = str(error).lower()
    return next((reason for words, reason in table.items() if words in text), "")


def _network_failure(error: NetworkError, where: str) -> SendFailure:
    cause = error.__cause__
    if isinstance(error, TimedOut):
        lost = not isinstance(cause, NEVER_ARRIVED)
        return SendFailure(f"{where}: no answer from Telegram in time", lost_answer=lost)
    if isinstance(cause, httpx.HTTPError):
        lost = not isinstance(cause, NEVER_ARRIVED)
        return SendFailure(f"{where}: no connection to Telegram: {type(cause).__name__}", lost_answer=lost)
    if cause is not None and not isinstance(cause, TelegramError):
        return SendFailure(f"{where}: no connection to Telegram: {type(cause).__name__}", lost_answer=True)
    # An answer of 500 and above says that the message was not sent. Only a gateway that gave up waiting (504) had
    # handed it on, and does not know. Were all of them taken as lost, an outage would cost alerts.
    summary = str(error).partition(". Parsing")[0]
    lost = "gateway time" in summary.lower()
    return SendFailure(f"{where}: Telegram has trouble: {summary}", lost_answer=lost)
