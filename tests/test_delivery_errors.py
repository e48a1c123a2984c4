"""An hour of a Bot API that errs at random, in simulated time: every delivery ends, and what its row says is so."""

import asyncio
import time
from pathlib import Path

import pytest

from benchmarks.errors import live_through
from benchmarks.simulated import simulated_runner
from models import DeliveryState

STORY_EVERY_S = 360.0


@pytest.mark.timeout(900)
def test_an_hour_of_random_errors_leaves_every_delivery_in_a_final_state_that_is_true(tmp_path: Path) -> None:
    verdict = live_through(3, 60, f"sqlite:///{tmp_path / 'errors.db'}", STORY_EVERY_S)
    assert verdict.lies == []
    # The hour was one: everything that can happen did, and most was delivered all the same.
    assert set(verdict.states) == {DeliveryState.SENT, DeliveryState.UNCERTAIN, DeliveryState.FAILED}
    assert verdict.states[DeliveryState.SENT] > verdict.states.total() / 2
    assert len(verdict.errors) == 13
    assert verdict.blocked and verdict.gone and verdict.moved and verdict.doubled


def test_simulated_time_jumps_over_a_pause_and_threads_finish_first() -> None:
    async def sleep_a_day() -> float:
        loop = asyncio.get_running_loop()
        assert await asyncio.to_thread(loop.time) == 0.0
        await asyncio.sleep(86_400)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await asyncio.Event().wait()
        return loop.time()

    began = time.monotonic()
    with simulated_runner() as runner:
        assert runner.run(sleep_a_day()) == pytest.approx(86_460)
    assert time.monotonic() - began < 60
