"""An event loop whose time jumps to the next timer as soon as nothing else is left to do.

    with simulated_runner() as runner:
        runner.run(an_hour_over_loopback())    # timeouts, pauses and rate limits as they are, in seconds of ours

Everything has to happen in this loop, both ends of every connection too; threads are not waited for, so what the code
hands to a thread runs at once instead.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

#: Real seconds in which what was written to a loopback socket certainly can be read from it.
GRACE_S = 0.0005


class JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing that does not come at once, and counts what it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; `waited` grows by `timeout` when nothing is. Without a timeout it waits in earnest."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        ready = super().select(None if timeout is None else GRACE_S)
        if not ready and timeout is not None:
            self.waited += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and moves only by jumps."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)
        self.set_default_executor(_AtOnce(max_workers=1))

    def time(self) -> float:
        """Simulated seconds since the loop began."""
        return self._jumping.waited


class _AtOnce(ThreadPoolExecutor):
    """No threads: the work is done when it is handed in."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever waits for the result is told
            done.set_exception(error)
        return done


def simulated_runner() -> "asyncio.Runner":
    """Runs coroutines in simulated time; a context manager."""
    return asyncio.Runner(loop_factory=SimulatedLoop)
