"""Updates in, each handed to the handlers once, whichever way and however often Telegram sends it."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from telegram import Update

from bot.chat.application import AnyApplication

#: Updates under way, with those that take longer than `Pace.serve_s`; a webhook takes no more at a time.
MOST_UNDER_WAY = 256
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. A poll with all its timeouts must end well within the lease."""

    poll_s: int = 10
    lease_s: float = 90
    first_pause_s: float = 1
    longest_pause_s: float = 60
    stop_s: float = 5
    serve_s: float = 20


DEFAULT_PACE = Pace()


@dataclass(frozen=True, slots=True)
class _Handling:
    """What handles an update, and since when by the loop's clock, in seconds."""

    task: asyncio.Task[None]
    begun: float


class Serving:
    """Runs handlers; remembers the last update_ids, so that one sent again is not answered again."""

    def __init__(self, application: AnyApplication, longest_s: float) -> None:
        self._application = application
        self._longest_s = longest_s
        self._under_way: dict[int, _Handling] = {}
        self._handled: OrderedDict[int, None] = OrderedDict()

    @property
    def full(self) -> bool:
        """As many updates are under way as may be."""
        return len(self._under_way) >= MOST_UNDER_WAY

    @property
    def oldest(self) -> int | None:
        """The first update under way of which Telegram should not hear yet that it arrived; not one that takes very
        long (its chat has had its share of answers)."""
        now = asyncio.get_running_loop().time()
        return min(
            (number for number, one in self._under_way.items() if now - one.begun < self._longest_s), default=None
        )

    async def serve(self, updates: Sequence[Update], patience_s: float | None = None) -> bool:
        """Handle updates before Telegram hears that they arrived: what a killed process left, it sends again.

        Those that take longer than `patience_s` (None: than any may) go on by themselves. False when one was cut off.
        """
        serving = [self._begin(update) for update in updates if update.update_id not in self._handled]
        if serving:
            await asyncio.wait(serving, timeout=self._longest_s if patience_s is None else patience_s)
        return not any(task.cancelled() for task in serving)

    async def finish(self) -> None:
        """Wait for everything under way."""
        if self._under_way:
            await asyncio.wait([one.task for one in self._under_way.values()])

    async def cut_off(self) -> None:
        """End everything under way, as if it had never come."""
        for task in (under_way := [one.task for one in self._under_way.values()]):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _begin(self, update: Update) -> asyncio.Task[None]:
        """The task that handles `update`, be it one that began when the update was sent before."""
        application, number = self._application, update.update_id
        if number in self._under_way:
            return self._under_way[number].task
        handling = application.update_processor.process_update(update, application.process_update(update))
        task = asyncio.create_task(handling)
        self._under_way[number] = _Handling(task, asyncio.get_running_loop().time())
        task.add_done_callback(lambda done: self._end(number, done))
        return task

    def _end(self, number: int, task: asyncio.Task[None]) -> None:
        del self._under_way[number]
        if not task.cancelled():  # else it was not handled, and must be when it comes again
            self._handled[number] = None
            if len(self._handled) > REMEMBERED:
                self._handled.popitem(last=False)
