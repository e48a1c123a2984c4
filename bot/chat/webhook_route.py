"""Telegram's POSTs in, their updates handed to the handlers out.

200 says that an update was handled, or takes longer than `Pace.serve_s`. After any other answer, or none, Telegram
sends it again: soon, then after ever longer waits, for a day. It sends the updates of one chat one after the other.
"""

import asyncio
import hmac
import json
import logging
from typing import Any
from urllib.parse import urlsplit

import telegram
from aiohttp import web
from telegram import Update

from bot.chat.serving import Serving
from bot.chat.token_lease import TokenLease
from config.errors import ConfigError
from config.schema import Webhook

log = logging.getLogger(__name__)
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the header's name, not its value
LARGEST_BODY = 2**20  # an update with the longest texts that Telegram allows has some 100 KB
BODY_S = 10.0
LINGER_S = 1.0  # reading on, and forgetting, lets a refusal arrive; for no longer than this
LATER = {"Retry-After": "1"}


class WebhookRoute:
    """Lets in what carries the secret; who does not know it learns nothing more than that."""

    def __init__(self, secret: str, bot: telegram.Bot, serving: Serving, lease: TokenLease) -> None:
        self._secret = secret.encode()
        self._bot = bot
        self._serving = serving
        self._lease = lease
        self._warned = False

    async def post(self, request: web.Request) -> web.Response:
        """One update. Refuses with 401 (not Telegram), 408, 413, 415, 400 (no update) or 503 (later, please)."""
        self._check_sender(request)
        self._check_state()
        _check_body(request)
        update = self._parse(await _read(request))
        if not await self._serving.serve([update]):
            raise web.HTTPServiceUnavailable(headers=LATER)
        return web.Response()

    def _check_sender(self, request: web.Request) -> None:
        given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if hmac.compare_digest(given, self._secret):
            return
        log.log(
            logging.DEBUG if self._warned else logging.WARNING,
            "webhook_refused reason=%s; if it was Telegram, the proxy must pass on the header %s",
            "wrong secret token" if given else "no secret token",
            SECRET_HEADER,
        )
        self._warned = True  # anybody may call a public address, as often as they like
        raise web.HTTPUnauthorized

    def _check_state(self) -> None:
        if not self._lease.held or self._serving.full:
            raise web.HTTPServiceUnavailable(headers=LATER)

    def _parse(self, body: bytes) -> Update:
        try:
            update = parse_update(body, self._bot)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.warning("webhook_refused reason=no update error=%s", type(error).__name__)
            raise web.HTTPBadRequest from error
        return update


def parse_update(body: bytes, bot: telegram.Bot) -> Update:
    """A JSON-serialized Update, https://core.telegram.org/bots/api#update, as its object.

    Raises ValueError, TypeError, KeyError, AttributeError or RecursionError, whichever the library meets in a bad one.
    """
    found: Any = json.loads(body)
    if not isinstance(found, dict) or type(found.get("update_id")) is not int:
        raise ValueError("an Update is an object with an update_id")
    return Update.de_json(found, bot)


def _check_body(request: web.Request) -> None:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    if (request.content_length or 0) > LARGEST_BODY:
        raise web.HTTPRequestEntityTooLarge(LARGEST_BODY, request.content_length or 0)


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


async def listen(wanted: Webhook, route: WebhookRoute, last_words_s: float) -> web.AppRunner:
    """Serve the path of `wanted.url` until the runner's `cleanup`, which gives answers `last_words_s` to get out.

    Raises ConfigError when the address is not free.
    """
    app = web.Application(client_max_size=LARGEST_BODY)
    app.router.add_post(urlsplit(wanted.url).path or "/", route.post)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=last_words_s, lingering_time=LINGER_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, wanted.listen_host, wanted.listen_port).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(
            f"telegram.toml: webhook: cannot listen on {wanted.listen_host}:{wanted.listen_port}: {error.strerror}"
        ) from error
    return runner
