"""Wishes to send in, turns out: no chat and not the whole bot sends faster than Telegram allows, however slow the way.

`Allowance` decides and is handed the time; `Limiter` waits. A turn goes to the most urgent wish whose chat is free, so
one chat that has had its share holds up nobody else.
"""

import asyncio
import time
from bisect import insort
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import NamedTuple

from config.schema import FREE_PER_SECOND, Rate
from models.delivery import Priority

GLOBAL, FREE = "every chat", "every chat, without a fee"
PAID_KINDS = (Priority.ALERT, Priority.BROADCAST)
#: Messages are spread over the second, a little slower than is allowed: a burst would meet the next one there.
SLOWER = 0.97
APART = 0.99  # of requests: quicker than turns, so that what was held up between the two catches up
ARRIVES_S = 1.0  # a request without an answer for so long counts as arrived
AHEAD_S = 0.05  # a turn may come so long before its request, which is what writing to the outbox takes
STEP_S = 0.01  # a turn that comes late by up to this much is made up for


class Limit(NamedTuple):
    """At most `events` in any span of `seconds`."""

    events: int
    seconds: float


def per(rate: float, seconds: float) -> Limit:
    """`rate` events in `seconds`; a rate below one is one event in a longer span."""
    return Limit(int(rate), seconds) if rate >= 1 else Limit(1, seconds / rate)


class Window:
    """Remembers the last events of each key, and says when one more fits under a limit. Times only go forward."""

    def __init__(self) -> None:
        self._times: dict[Hashable, deque[float]] = defaultdict(deque)

    def delay(self, key: Hashable, limit: Limit, now: float) -> float:
        """Seconds until one more event keeps `limit`; 0 for now."""
        times = self._times.get(key, ())
        if len(times) < limit.events:
            return 0.0
        oldest = times[-limit.events]
        # Compared as sums, so that rounding in the difference cannot open the window early.
        return 0.0 if now >= oldest + limit.seconds else max(oldest + limit.seconds - now, 1e-6)

    def add(self, key: Hashable, limit: Limit, now: float) -> None:
        """Count an event."""
        times = self._times[key]
        times.append(now)
        while len(times) > limit.events:
            times.popleft()

    def postpone(self, key: Hashable, now: float) -> None:
        """Take the last event of a key for one of now: it was under way for so long."""
        if key in self._times:
            self._times[key][-1] = now

    def forget_before(self, moment: float) -> None:
        """Drop keys without an event since `moment`."""
        for key in [key for key, times in self._times.items() if times[-1] < moment]:
            del self._times[key]


@dataclass(slots=True)
class Request:
    """A request to Telegram: when it is made, and by when it has reached the other side."""

    start: float
    arrived_by: float


class Allowance:
    """What Telegram lets a bot send: to one chat, to one group in a minute, and over all chats.

    A chat id below zero is a group or channel. `hold` closes one chat after Telegram asked for patience. Messages that
    are `paid` for may exceed FREE_PER_SECOND over all chats; the others keep to that among themselves.
    """

    MINUTE = "a minute of"

    def __init__(self) -> None:
        self._sent = Window()
        #: When the next message is due in an even spread over the second: of all, and of those that are not paid for.
        self._due = {GLOBAL: -inf, FREE: -inf}
        self._requests: dict[str, deque[Request]] = {GLOBAL: deque(), FREE: deque()}
        self._held: dict[int, float] = {}
        self._cleaned_at = -inf

    def delay(self, chat_id: int, rate: Rate, now: float, paid: bool = False) -> float:
        """Seconds until a message may go to this chat; 0 for now."""
        windows = max(self._sent.delay(key, limit, now) for key, limit in _limits(chat_id, rate, paid))
        return max(
            windows, self._held.get(chat_id, now) - now, self._early(rate, now, paid), self._crowded(rate, now, paid)
        )

    def _early(self, rate: Rate, now: float, paid: bool) -> float:
        """Seconds until the spread allows one more (the generic cell rate algorithm, ITU-T I.371)."""
        return max(0.0, *(self._due[key] - STEP_S - now for key in _over_all(rate, paid)))

    def _crowded(self, rate: Rate, now: float, paid: bool) -> float:
        """Seconds until a request could follow a turn within AHEAD_S.

        Who has no turn yet can still be overtaken, so that nobody takes one earlier.
        """
        return max(self._room(key, per_second) for key, per_second in _over_all(rate, paid).items()) - AHEAD_S - now

    def add(self, chat_id: int, rate: Rate, now: float, paid: bool = False) -> None:
        """Count a message sent now."""
        self.take_room(chat_id, rate, now, paid)
        for key, per_second in _over_all(rate, paid).items():
            self._due[key] = max(self._due[key], now) + 1 / (SLOWER * per_second)
        self._forget(rate, now)

    def take_room(self, chat_id: int, rate: Rate, at: float, paid: bool = False) -> None:
        """Count a message in its windows, and leave the spread as it is: an earlier run sent at whatever rate."""
        for key, limit in _limits(chat_id, rate, paid):
            self._sent.add(key, limit, at)

    def answered(self, chat_id: int, request: Request, now: float) -> None:
        """By now at the latest a request of a chat has arrived."""
        request.arrived_by = min(request.arrived_by, now)
        for key in (chat_id, (self.MINUTE, chat_id)):
            self._sent.postpone(key, now)

    def request(self, rate: Rate, now: float, paid: bool = False) -> Request:
        """The next request whose turn was taken: apart from the one before, and within the limit wherever in the time
        they were under way the others arrived; counts it."""
        over_all = _over_all(rate, paid)
        start = max(now, *(self._room(key, per_second) for key, per_second in over_all.items()))
        request = Request(start, start + ARRIVES_S)
        for key in over_all:
            self._requests[key].append(request)
        return request

    def _room(self, key: str, per_second: float) -> float:
        """When one more request may start."""
        requests, limit = self._requests[key], per(per_second, 1)
        while len(requests) > limit.events:
            requests.popleft()
        if not requests:
            return -inf
        apart = requests[-1].start + 1 / (APART * per_second)
        return apart if len(requests) < limit.events else max(apart, requests[0].arrived_by + limit.seconds)

    def hold(self, chat_id: int, seconds: float, now: float) -> None:
        """Close a chat for at least so long."""
        self._held[chat_id] = max(now + seconds, self._held.get(chat_id, now))

    def _forget(self, rate: Rate, now: float) -> None:
        longest = max(limit.seconds for _, limit in _limits(-1, rate, paid=False))
        if now - self._cleaned_at > longest:
            self._sent.forget_before(now - longest)
            self._held = {chat_id: until for chat_id, until in self._held.items() if until > now}
            self._cleaned_at = now


def _over_all(rate: Rate, paid: bool) -> dict[str, float]:
    """Messages a second over all chats, by what they are counted with."""
    if rate.paid_broadcast and not paid:
        return {GLOBAL: rate.per_second, FREE: min(rate.per_second, FREE_PER_SECOND)}
    return {GLOBAL: rate.per_second}


def _limits(chat_id: int, rate: Rate, paid: bool) -> list[tuple[Hashable, Limit]]:
    limits: list[tuple[Hashable, Limit]] = [(key, per(most, 1)) for key, most in _over_all(rate, paid).items()]
    limits.append((chat_id, per(rate.private_per_second, 1)))
    if chat_id < 0:
        limits.append(((Allowance.MINUTE, chat_id), per(rate.group_per_minute, 60)))
    return limits


@dataclass(order=True, slots=True)
class _Wish:
    place: int  # of its kind in the order
    number: int
    chat_id: int = field(compare=False)
    paid: bool = field(compare=False)
    turn: asyncio.Future[None] = field(compare=False)


class Limiter:
    """Hands out turns to send, most urgent first. One per bot, on one event loop.

    What it knows lives in memory; `recall` tells it of what was sent before a restart, and the outbox keeps the
    deadlines of Telegram's 429.
    """

    def __init__(self, rate: Callable[[], Rate], clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._allowance = Allowance()
        self._wishes: list[_Wish] = []
        self._number = count()
        self._timer: asyncio.TimerHandle | None = None

    def pays(self, priority: Priority) -> bool:
        """Whether messages of this kind may cost a fee."""
        return self._rate().paid_broadcast and priority in PAID_KINDS

    def delay(self, chat_id: int, paid: bool = False) -> float:
        """Seconds until this chat is free, not counting those who wait already; 0 for now."""
        return self._allowance.delay(chat_id, self._rate(), self._clock(), paid)

    def hold(self, chat_id: int, seconds: float) -> None:
        """Telegram asked for patience with this chat (429)."""
        self._allowance.hold(chat_id, seconds, self._clock())

    def recall(self, sends: Iterable[tuple[int, float]]) -> None:
        """Count messages sent by an earlier run: (chat id, seconds ago), oldest first."""
        rate, now = self._rate(), self._clock()
        for chat_id, seconds_ago in sends:
            self._allowance.take_room(chat_id, rate, now - seconds_ago)

    async def wait(
        self, chat_id: int, priority: Priority = Priority.ALERT, patience_s: float = inf, paid: bool = False
    ) -> bool:
        """Return True when it is this message's turn, which is then taken; False when that took too long."""
        place = self._rate().order.index(priority.kind)
        wish = _Wish(place, next(self._number), chat_id, paid, asyncio.get_running_loop().create_future())
        insort(self._wishes, wish)
        self.give_turns()
        try:
            async with asyncio.timeout(None if patience_s == inf else patience_s):
                await wish.turn
        except TimeoutError:
            return wish.turn.done() and not wish.turn.cancelled()  # it came at the last moment
        finally:
            if wish in self._wishes:
                self._wishes.remove(wish)
        return True

    @asynccontextmanager
    async def request(self, chat_id: int, paid: bool = False) -> AsyncIterator[None]:
        """Enter when a request to a chat whose turn was taken may be made; leave when it is answered.

        Between turn and request the outbox is written to; where another writer holds that up, requests would come in a
        bunch. And Telegram counts them as they arrive, sooner or later: none is made before that is known of those
        that it shares a second with.
        """
        request = self._allowance.request(self._rate(), self._clock(), paid)
        try:
            await asyncio.sleep(request.start - self._clock())
            yield
        finally:
            self._allowance.answered(chat_id, request, self._clock())

    def give_turns(self) -> None:
        """Wake everybody whose turn has come, and be called again when the next one's has."""
        now, rate = self._clock(), self._rate()
        waiting: list[_Wish] = []
        for wish in self._wishes:
            if wish.turn.done():
                continue
            if self._allowance.delay(wish.chat_id, rate, now, wish.paid) > 0:
                waiting.append(wish)
                continue
            self._allowance.add(wish.chat_id, rate, now, wish.paid)
            wish.turn.set_result(None)
        self._wishes = waiting
        delays = (self._allowance.delay(wish.chat_id, rate, now, wish.paid) for wish in waiting)
        self._call_again(min(delays, default=None))

    def _call_again(self, delay: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if delay is None else asyncio.get_running_loop().call_later(delay, self.give_turns)
