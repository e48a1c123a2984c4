"""Rounds of a stage in, one warning to the admins when it stops working and one message when it works again, out."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from bot.messages.message import Message, notice
from config.errors import TocsinError

log = logging.getLogger(__name__)
PATIENCE = 3  # rounds in a row; a busy database or a short outage is nobody's trouble
WORDS = {
    "fetch": "Reading feeds",
    "read": "Reading articles",
    "deliver": "Sending messages",
    "reload": "Taking up settings",
    "digest": "Making digests",
    "tidy": "Forgetting old articles",
    "webhook": "Receiving commands by webhook",
}
Tell = Callable[[str, Message], Awaitable[None]]


class StageWatch:
    """Counts failures in a row per stage. A restart forgets: what still fails is told once more."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._failures: dict[str, int] = {}
        self._told: set[str] = set()

    def watched(self, stage: str, job: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        """`job`, with its outcome noted; its error is raised all the same."""

        async def run() -> Any:
            try:
                done = await job()
            except Exception as error:
                await self.failed(stage, error)
                raise
            await self.worked(stage)
            return done

        return run

    async def failed(self, stage: str, error: Exception) -> None:
        """One more round of `stage` came to nothing."""
        self._failures[stage] = self._failures.get(stage, 0) + 1
        if self._failures[stage] >= PATIENCE and stage not in self._told:
            why = str(error) if isinstance(error, TocsinError) else f"{type(error).__name__}; the log says more"
            if await self._said(f"{stage}:down", f"{_what(stage)} does not work: {why}\nIt is tried again by itself."):
                self._told.add(stage)

    async def worked(self, stage: str) -> None:
        """A round of `stage` did what it should."""
        self._failures.pop(stage, None)
        if stage in self._told and await self._said(f"{stage}:up", f"{_what(stage)} works again."):
            self._told.discard(stage)

    async def _said(self, subject: str, text: str) -> bool:
        """False when it could not be stored, as when the database is the trouble; the next round tries again."""
        try:
            await self._tell(subject, notice(text, "Trouble"))
        except TocsinError as error:
            log.warning("trouble_not_told subject=%s error=%s", subject, error)
            return False
        return True


def _what(stage: str) -> str:
    return WORDS.get(stage, stage)
