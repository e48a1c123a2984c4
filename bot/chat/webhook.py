"""A public address and a secret in, updates as Telegram sends them out; looks after the webhook while it is wanted.

It stays set when Tocsin stops: Telegram keeps what happens meanwhile, for a day, and sends it to the next start.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime

from aiohttp import web
from telegram import WebhookInfo
from telegram.error import BadRequest

from bot.chat import webhook_route
from bot.chat.api import keep_out_of_logs
from bot.chat.application import UPDATES
from bot.chat.desk import Desk
from bot.chat.failures import as_failure
from bot.chat.rivals import Rivals, Sign
from bot.chat.serving import Pace, Serving
from bot.chat.token_lease import TokenLease
from bot.outlet import SendFailure
from bot.trouble import StageWatch
from config import schema
from config.errors import ConfigError, TocsinError
from config.secrets import TELEGRAM_WEBHOOK_SECRET

log = logging.getLogger(__name__)


class Webhook:
    """https://core.telegram.org/bots/api#setwebhook, with a listener of our own behind it."""

    name, method = "webhook", "setWebhook"

    def __init__(
        self, desk: Desk, serving: Serving, lease: TokenLease, pace: Pace, wanted: schema.Webhook, secret: str
    ) -> None:
        keep_out_of_logs(secret)
        self._desk = desk
        self._wanted = wanted
        self._secret = secret
        self._route = webhook_route.WebhookRoute(secret, desk.bot, serving, lease)
        self._watch = StageWatch(desk.tell_trouble)
        self._rivals = Rivals(desk)
        self._serving = serving
        self._pace = pace
        self._runner: web.AppRunner | None = None
        self._set_at: datetime | None = None
        self._trouble = ""

    async def step(self) -> float:
        """Listen, set the webhook, ask how it goes; returns the seconds until it is asked again.

        Raises TelegramError, ConfigError when there is no listening, and SendFailure when Telegram refuses the webhook.
        """
        try:
            if self._runner is None:
                self._runner = await webhook_route.listen(self._wanted, self._route, self._pace.stop_s / 10)
            if self._set_at is None:
                await self._set()
            trouble = await self._look()
        except TocsinError as error:
            await self._watch.failed(self.name, error)
            raise
        await self._note(trouble)
        return self._pace.lease_s / 6

    async def stop(self) -> None:
        """Listen no more; requests under way get a moment to be answered."""
        self._set_at = None
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in runner.sites:
            await site.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.stop_s / 2):
                await self._serving.finish()
        await runner.cleanup()

    async def _set(self) -> None:
        url, bot = self._wanted.url, self._desk.bot
        if self._secret in url or bot.token.partition(":")[2] in url:
            raise ConfigError(
                f"telegram.toml: webhook.url: must hold neither the bot's token nor {TELEGRAM_WEBHOOK_SECRET}: proxies "
                "write addresses into their logs"
            )
        try:
            await bot.set_webhook(
                url,
                secret_token=self._secret,
                allowed_updates=UPDATES,
                max_connections=self._wanted.max_connections,
                drop_pending_updates=False,
            )
        except BadRequest as error:
            raise as_failure(error, self.method) from error
        self._set_at = self._desk.parts.clock()
        log.info("webhook_set url=%s", url)

    async def _look(self) -> SendFailure | None:
        """What keeps updates from coming, as Telegram sees it. Raises TelegramError."""
        info = await self._desk.bot.get_webhook_info()
        if info.url != self._wanted.url:
            self._set_at = None
            log.warning("webhook_replaced; it is set again")
            await self._rivals.noticed(Sign.WEBHOOK_REPLACED)
            return None
        await self._rivals.none()
        return self._undelivered(info)

    def _undelivered(self, info: WebhookInfo) -> SendFailure | None:
        """Telegram names the last error for ever: it counts while updates wait, if it is younger than the webhook."""
        if not info.pending_update_count or info.last_error_date is None or self._set_at is None:
            return None
        if info.last_error_date < self._set_at:
            return None
        return SendFailure(f"Telegram cannot deliver to {self._wanted.url}: {info.last_error_message}")

    async def _note(self, trouble: SendFailure | None) -> None:
        """Log a change at once; admins hear of it when it lasts."""
        if trouble is not None:
            await self._watch.failed(self.name, trouble)
        else:
            await self._watch.worked(self.name)
        reason = str(trouble or "")
        if reason != self._trouble:
            log.warning("webhook_undelivered error=%s", reason) if reason else log.info("webhook_delivers")
        self._trouble = reason
