"""A token and an address in, a `telegram.Bot` with our timeouts out; the token stays out of every log."""

import contextlib
import logging
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import telegram
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from bot.chat.failures import as_failure
from config.errors import ConfigError
from config.secrets import TELEGRAM_BASE_URL

OFFICIAL_URL = "https://api.telegram.org/bot"
READ_TIMEOUT_S = 25.0  # Telegram may take long over a send, and giving up early leaves its outcome unknown
_ANY_TOKEN = re.compile(r"\d{5,}:[A-Za-z0-9_-]{25,}")


def bot_url(base_url: str | None) -> str:
    """Where the Bot API is: Telegram's own server, or a prefix such as http://127.0.0.1:8081, with or without /bot.

    Raises ConfigError when it is not an http address.
    """
    if not base_url:
        return OFFICIAL_URL
    prefix = base_url.rstrip("/").removesuffix("/bot")
    if not _is_address(prefix):
        raise ConfigError(
            f"environment: {TELEGRAM_BASE_URL}={base_url}: must be an address such as http://127.0.0.1:8081/bot"
        )
    return f"{prefix}/bot"


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def make_request(connections: int) -> HTTPXRequest:
    """An HTTP client for the Bot API; whoever makes it shuts it down."""
    return HTTPXRequest(
        connection_pool_size=connections,
        connect_timeout=10.0,
        read_timeout=READ_TIMEOUT_S,
        write_timeout=10.0,
        media_write_timeout=60.0,
        pool_timeout=10.0,
    )


@asynccontextmanager
async def open_bot(token: str, base_url: str | None = None) -> AsyncIterator[telegram.Bot]:
    """A bot that sends, asking Telegram nothing before the first message. Raises ConfigError."""
    url = bot_url(base_url)
    keep_out_of_logs(token)
    request = make_request(connections=32)
    try:
        yield telegram.Bot(token, base_url=url, request=request, get_updates_request=request)
    finally:
        await request.shutdown()


async def ask_name(bot: telegram.Bot) -> str:
    """The bot's @name as Telegram knows it, which proves token and connection. Raises SendFailure."""
    try:
        return f"@{(await bot.get_me()).username}"
    except TelegramError as error:
        raise as_failure(error, "getMe") from error


async def ask_webhook(bot: telegram.Bot) -> telegram.WebhookInfo:
    """The webhook as Telegram sees it, https://core.telegram.org/bots/api#getwebhookinfo. Raises SendFailure."""
    try:
        return await bot.get_webhook_info()
    except TelegramError as error:
        raise as_failure(error, "getWebhookInfo") from error


# Logs -----------------------------------------------------------------------------------------------------------------


class TokenFilter(logging.Filter):
    """Blots out a token, and whatever else looks like one, in messages and tracebacks."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; never drops it."""
        with contextlib.suppress(TypeError, ValueError):  # a log call with wrong arguments is reported by its handler
            record.msg, record.args = self.redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text and self.redact(record.exc_text) != record.exc_text:
            record.exc_text, record.exc_info = self.redact(record.exc_text), None  # some handlers format it themselves
        return True

    def redact(self, text: str) -> str:
        """`text` without tokens."""
        return _ANY_TOKEN.sub("<token>", text.replace(self.token, "<token>") if self.token else text)


def keep_out_of_logs(token: str, handlers: Iterable[logging.Handler] | None = None) -> None:
    """Quieten the HTTP client, which logs addresses with the token in them, and blot the token out in `handlers`.

    Without `handlers`, those the root logger has now; call it again for handlers made later.
    """
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Logs a traceback for every gateway page that is not JSON; our own line says the same.
    logging.getLogger("telegram.request.BaseRequest").setLevel(logging.CRITICAL)
    for handler in logging.getLogger().handlers if handlers is None else handlers:
        known: list[Any] = handler.filters
        if not any(isinstance(one, TokenFilter) and one.token == token for one in known):
            handler.addFilter(TokenFilter(token))
