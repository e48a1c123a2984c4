"""A token in, the right of one process to receive its updates out: others on the same database wait for their turn."""

import asyncio
import logging
import os
import socket
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from bot.chat.desk import Desk
from config.errors import TocsinError
from models.lease import drop_lease, take_lease

log = logging.getLogger(__name__)


class TokenLease:
    """Held by one process at a time, polling or by webhook; its name tells nothing of the token."""

    def __init__(self, token: str, desk: Desk, length_s: float) -> None:
        self._name = f"poller:{sha256(token.encode()).hexdigest()[:16]}"
        self._holder = f"{socket.gethostname()[:30]}:{os.getpid()}:{uuid4().hex[:8]}"
        self._desk = desk
        self._length = timedelta(seconds=length_s)
        self._held_until: datetime | None = None
        self._waits = False
        self._taking: asyncio.Future[bool] | None = None

    @property
    def held(self) -> bool:
        """False also when it ran out unnoticed, as in a process that was stopped for minutes."""
        return self._held_until is not None and self._desk.parts.clock() < self._held_until

    async def keep(self) -> bool:
        """Take or renew it; False while another process has it. Raises DatabaseError."""
        had, until = self._held_until is not None, self._desk.parts.clock() + self._length
        name, holder, length = self._name, self._holder, self._length
        decision = self._desk.decide(lambda s, _cfg, now: take_lease(s, name, holder, now, length))
        self._taking = asyncio.ensure_future(decision)
        held = await asyncio.shield(self._taking)
        if had and not held:
            log.error("poller_lost_lease lease=%s; another process answers from now on", name)
        elif not held and not self._waits:
            log.warning("poller_waits lease=%s; another process answers, or one was killed a moment ago", name)
        self._held_until, self._waits = until if held else None, not held
        return held

    async def drop(self) -> None:
        """Give it back, so that the next process need not wait until it runs out."""
        self._held_until = None
        if self._taking is not None:  # a renewal that was cancelled goes on in its thread, and must not come after
            await asyncio.wait([self._taking])
        with suppress(TocsinError):  # it runs out by itself
            await self._desk.decide(lambda s, _cfg, _now: drop_lease(s, self._name, self._holder))
