"""Long polling: asks Telegram for updates with getUpdates, and confirms what was handled with the next ask."""

import logging

from telegram.error import Conflict

from bot.chat.application import UPDATES
from bot.chat.desk import Desk
from bot.chat.rivals import Rivals, Sign
from bot.chat.serving import Serving
from bot.chat.token_lease import TokenLease
from bot.trouble import StageWatch

log = logging.getLogger(__name__)
PATIENCE_S = 0.5  # how long one slow chat may keep the others' next updates waiting
NO_WEBHOOK = "Commands come by polling now, and no longer by the webhook that did not work."


class Poller:
    """https://core.telegram.org/bots/api#getupdates, one call a step."""

    name, method = "poller", "getUpdates"

    def __init__(self, desk: Desk, serving: Serving, lease: TokenLease, poll_s: int) -> None:
        self._bot = desk.bot
        self._rivals = Rivals(desk)
        self._watch = StageWatch(desk.tell_trouble)
        self._serving = serving
        self._lease = lease
        self._poll_s = poll_s
        self._ready = False
        self._next_offset: int | None = None
        self._confirmed: int | None = None

    async def step(self) -> float:
        """Ask once and handle what came; the next step may follow at once. Raises TelegramError."""
        if not self._ready:
            await self._delete_webhook()
        try:
            await self._poll()
        except Conflict as error:
            await self._resolve(error)
            raise
        await self._rivals.none()
        await self._watch.ended("webhook", NO_WEBHOOK)  # it cannot work again by itself now
        return 0.0

    async def stop(self) -> None:
        """Confirm what was handled, once nothing is under way, lest it is sent again. Raises TelegramError."""
        self._ready = False
        if not self._lease.held:
            return
        await self._serving.finish()
        if self._next_offset != self._confirmed:
            await self._bot.get_updates(offset=self._next_offset, timeout=0, limit=1)
            self._confirmed = self._next_offset

    async def _poll(self) -> None:
        """Asking from an update on confirms all before it; so what is under way comes again, with what is new."""
        oldest = self._serving.oldest
        offset, wait_s = (self._next_offset, self._poll_s) if oldest is None else (oldest, 0)
        updates = await self._bot.get_updates(offset=offset, timeout=wait_s, allowed_updates=UPDATES)
        self._confirmed = offset
        if updates:
            self._next_offset = max(self._next_offset or 0, updates[-1].update_id + 1)
            await self._serving.serve(updates, PATIENCE_S)

    async def _delete_webhook(self) -> None:
        """While one is set, Telegram refuses getUpdates; the updates that wait are kept and come by polling."""
        await self._bot.delete_webhook(drop_pending_updates=False)
        self._ready = True

    async def _resolve(self, conflict: Conflict) -> None:
        if "webhook" not in str(conflict).lower():
            await self._rivals.noticed(Sign.POLLS)
            return
        log.warning("webhook_deleted; another program had set it")
        await self._delete_webhook()
        await self._rivals.noticed(Sign.WEBHOOK_SET)
