"""An error of python-telegram-bot in, a `SendFailure` out: the one place where foreign errors are translated.

BadRequest and TimedOut are subclasses of NetworkError, so the order of the cases carries meaning.
"""

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
        return SendFailure(f"{where}: {error}", permanent=True, blocked=isinstance(error, Forbidden))
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
