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
#: (subject, whether it is broken, what admins are to be told): keeps the state and queues the message if it is news, in
#: one transaction. `bot.notices.tell_trouble` is what it comes to.
Tell = Callable[[str, bool, Message], Awaitable[None]]


class StageWatch:
    """Counts failures in a row per stage. A restart forgets these, and not what was told: that is in the database."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._failures: dict[str, int] = {}
        self._broken: dict[str, bool] = {}  # as it was last told; unknown until then

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
        why = str(error) if isinstance(error, TocsinError) else f"{type(error).__name__}; the log says more"
        await self.began(stage, f"{_what(stage)} does not work: {why}\nIt is tried again by itself.")

    async def worked(self, stage: str) -> None:
        """A round of `stage` did what it should."""
        await self.ended(stage, f"{_what(stage)} works again.")

    async def began(self, subject: str, text: str, patience: int = PATIENCE) -> None:
        """Trouble of any kind showed itself; told when it did so `patience` times."""
        self._failures[subject] = self._failures.get(subject, 0) + 1
        if self._failures[subject] >= patience:
            await self._say(subject, True, text)

    async def ended(self, subject: str, text: str) -> None:
        """It is over; told if it was told that it began, by this run or one before."""
        self._failures.pop(subject, None)
        await self._say(subject, False, text)

    async def _say(self, subject: str, broken: bool, text: str) -> None:
        """When it cannot be stored, as when the database is the trouble, the next round tries again."""
        if self._broken.get(subject) is broken:
            return
        try:
            await self._tell(subject, broken, notice(text, "Trouble"))
        except TocsinError as error:
            log.warning("trouble_not_told subject=%s broken=%s error=%s", subject, broken, error)
            return
        self._broken[subject] = broken


def _what(stage: str) -> str:
    return WORDS.get(stage, stage)
