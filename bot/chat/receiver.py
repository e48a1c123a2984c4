"""A token in, its updates handed to the handlers out, for as long as the program runs and whatever Telegram does.

The library's own Updater waits inside its start while Telegram is away, and ends for good, unseen, at the first 401.
`Receiver` takes small rounds instead: hold the lease, say hello once, take a step of the way updates come, and after a
failure wait longer.
"""

import asyncio
import logging
from secrets import token_urlsafe
from typing import NoReturn, Protocol

from telegram.error import Conflict, RetryAfter, TelegramError

from bot.chat.api import TokenFilter
from bot.chat.application import build_application, say_hello
from bot.chat.desk import ChatParts, Desk
from bot.chat.failures import as_failure, retry_after_s
from bot.chat.menus import AdminMenus
from bot.chat.poller import Poller
from bot.chat.serving import DEFAULT_PACE, Pace, Serving
from bot.chat.token_lease import TokenLease
from bot.chat.webhook import Webhook
from config import schema
from config.errors import TocsinError

log = logging.getLogger(__name__)


class Way(Protocol):
    """How updates come. `name` begins its lines in the log; `method` of the Bot API is what fails, if one does."""

    name: str
    method: str

    async def step(self) -> float:
        """Whatever is to be done now; returns the seconds until the next. Raises TelegramError and TocsinError."""

    async def stop(self) -> None:
        """Receive nothing more; `step` begins anew. Raises TelegramError."""


class Receiver:
    """Receives the updates of one token for one process; others on the same database wait for their turn."""

    def __init__(
        self, token: str, base_url: str | None, parts: ChatParts, pace: Pace, webhook_secret: str | None
    ) -> None:
        self._menus = AdminMenus()
        self._application = build_application(token, base_url, parts, self._menus)
        self._redact = TokenFilter(token).redact
        self._pace = pace
        self._desk = Desk(parts, self._application.bot)
        self._lease = TokenLease(token, self._desk, pace.lease_s)
        self._serving = Serving(self._application, pace.serve_s)
        # A new one at each start needs no keeping, and what another process set is not taken for ours.
        self._secret = webhook_secret or token_urlsafe(32)
        self._wanted = parts.settings().telegram.webhook
        self._way = self._way_to(self._wanted)
        self._failures = 0
        self._trouble = ""

    async def run(self) -> NoReturn:
        """Until cancelled; then gives everything back within a few seconds."""
        try:
            while True:
                pause = await self._round()
                await asyncio.sleep(pause)
        finally:
            await self._close()

    async def _round(self) -> float:
        """One step; returns the seconds to wait before the next."""
        try:
            if not await self._lease.keep():
                await self._way.stop()
                return self._pace.lease_s / 6
            if not self._application.running:
                await say_hello(self._application)
            await self._menus.follow(self._desk.bot, self._desk.parts.settings().telegram.admins)
            await self._follow_settings()
            pause = await self._way.step()
        except TelegramError as error:
            return self._pause_after(error)
        except TocsinError as error:
            return self._pause(f"{error}")
        except Exception:
            log.exception("%s_failed", self._way.name)
            return self._pace.longest_pause_s
        if self._trouble:
            log.info("%s_recovered failures=%s", self._way.name, self._failures)
        self._failures, self._trouble = 0, ""
        return pause

    async def _follow_settings(self) -> None:
        """Polling or webhook, as an admin has it now; nothing is lost or answered twice between the two."""
        wanted = self._desk.parts.settings().telegram.webhook
        if wanted == self._wanted:
            return
        try:
            async with asyncio.timeout(self._pace.stop_s):
                await self._way.stop()
        except (TimeoutError, TelegramError) as error:
            log.warning("%s_closed_early error=%r", self._way.name, error)
        self._wanted, self._way = wanted, self._way_to(wanted)
        log.info("%s_begins; the settings changed", self._way.name)

    def _way_to(self, wanted: schema.Webhook) -> Way:
        if not wanted.url:
            return Poller(self._desk, self._serving, self._lease, self._pace.poll_s)
        return Webhook(self._desk, self._serving, self._lease, self._pace, wanted, self._secret)

    def _pause_after(self, error: TelegramError) -> float:
        if isinstance(error, RetryAfter):
            return retry_after_s(error)
        if isinstance(error, Conflict):
            return self._pause(f"409 {error}")
        return self._pause(str(as_failure(error, self._way.method)))

    def _pause(self, trouble: str) -> float:
        """Each trouble is logged loudly once, and again when it is over."""
        log.log(
            logging.DEBUG if trouble == self._trouble else logging.WARNING,
            "%s_paused error=%s",
            self._way.name,
            self._redact(trouble),
        )
        self._trouble = trouble
        self._failures += 1
        return min(self._pace.longest_pause_s, self._pace.first_pause_s * 2.0 ** min(self._failures - 1, 10))

    async def _close(self) -> None:
        application = self._application
        try:
            async with asyncio.timeout(self._pace.stop_s):
                await self._way.stop()
                if application.running:
                    await application.stop()
        except (TimeoutError, TelegramError) as error:
            log.warning("%s_closed_early error=%r", self._way.name, error)
        await self._serving.cut_off()  # else it would fail for want of a connection, and count as handled
        await application.bot.shutdown()
        await self._lease.drop()


async def receive_updates(
    token: str,
    base_url: str | None,
    parts: ChatParts,
    pace: Pace = DEFAULT_PACE,
    webhook_secret: str | None = None,
) -> NoReturn:
    """Answer people until the task is cancelled. Telegram may be away, now or later: it is tried again, for ever.

    `webhook_secret` as `config.secrets.read_webhook_secret` gives it. Raises ConfigError at once when `base_url` is no
    address.
    """
    await Receiver(token, base_url, parts, pace, webhook_secret).run()
