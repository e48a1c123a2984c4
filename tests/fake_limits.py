"""A send in, Telegram's 429 out or None: its published limits in sliding windows, https://core.telegram.org/bots/faq."""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable
from math import ceil

OVER_ALL, A_CHAT, A_GROUP = (30, 1.0), (1, 1.0), (20, 60.0)
#: Moments are sums of floating-point numbers; so much is nobody's fault.
ROUNDING_S = 1e-6


class FakeLimits:
    """30 a second over all chats, 1 a second to each, 20 a minute to a group or channel (an id below zero).

    `clock` gives seconds, such as `loop.time`, which may be simulated. What is refused does not count.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._accepted: dict[Hashable, deque[float]] = defaultdict(deque)
        self.refused = 0

    def retry_after(self, chat_id: int) -> int | None:
        """Whole seconds to wait, or None for a message that is accepted and so counted."""
        now = self._clock()
        windows = {"all": OVER_ALL, chat_id: A_CHAT}
        if chat_id < 0:
            windows["minute", chat_id] = A_GROUP
        wait = max(self._wait(key, *limit, now) for key, limit in windows.items())
        if wait > 0:
            self.refused += 1
            return max(1, ceil(wait))
        for key in windows:
            self._accepted[key].append(now)
        return None

    def _wait(self, key: Hashable, events: int, seconds: float, now: float) -> float:
        times = self._accepted[key]
        while times and times[0] <= now - seconds + ROUNDING_S:
            times.popleft()
        return times[-events] + seconds - now if len(times) >= events else 0.0
