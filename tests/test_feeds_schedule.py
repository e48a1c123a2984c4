"""When a feed is asked again, and when anybody hears of its trouble."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.schedule import (
    BROKEN_AFTER,
    DAY_S,
    HOUR_S,
    SHAKY_AFTER,
    IntervalBounds,
    is_own_outage,
    next_after_failure,
    next_health,
    next_interval,
    spread,
    worth_telling,
)
from bot.feeds.types import FetchFailure
from models.feed import FeedHealth

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOUNDS = IntervalBounds(shortest_s=300, longest_s=6 * HOUR_S)


def every(minutes: float, count: int = 12, newest: float = 0) -> list[datetime]:
    return [NOW - timedelta(minutes=newest + minutes * number) for number in range(count)]


def settle(published: Sequence[datetime], current_s: int = 1800, new_entries: int = 0) -> int:
    for _ in range(20):
        current_s = next_interval(published, NOW, current_s, BOUNDS, new_entries=new_entries)
    return current_s


@pytest.mark.parametrize(
    ("published", "interval_s"),
    [
        (every(1), 300),
        (every(40), 1200),
        (every(120), HOUR_S),
        (every(3 * 24 * 60), 6 * HOUR_S),
        (every(10, newest=16 * 60), 2 * HOUR_S),
    ],
    ids=["live", "lively", "slow", "weekly", "fell-silent"],
)
def test_the_interval_settles_at_half_the_usual_gap(published: list[datetime], interval_s: int) -> None:
    assert settle(published) == interval_s


def test_one_poll_moves_the_interval_by_no_more_than_a_factor_of_two() -> None:
    assert next_interval(every(1), NOW, 4000, BOUNDS, new_entries=9) == 2000
    assert next_interval(every(9999), NOW, 4000, BOUNDS, new_entries=0) == 8000


@pytest.mark.parametrize(("new_entries", "interval_s"), [(3, 300), (0, 6 * HOUR_S)], ids=["new", "nothing-new"])
def test_without_dates_the_new_entries_decide(new_entries: int, interval_s: int) -> None:
    assert settle([], new_entries=new_entries) == interval_s


@pytest.mark.parametrize(
    ("ttl_s", "max_age_s", "interval_s"),
    [
        (HOUR_S, None, HOUR_S),
        (None, HOUR_S, HOUR_S),
        (HOUR_S, 2 * HOUR_S, 2 * HOUR_S),
        (30 * DAY_S, None, 6 * HOUR_S),
        (60, 0, 900),
    ],
    ids=["ttl", "max-age", "the-longer", "within-bounds", "never-shorter"],
)
def test_the_wish_of_the_feed_lengthens_the_interval(ttl_s: int | None, max_age_s: int | None, interval_s: int) -> None:
    assert next_interval(every(30), NOW, 900, BOUNDS, new_entries=1, ttl_s=ttl_s, max_age_s=max_age_s) == interval_s


bounds = st.tuples(st.integers(60, DAY_S), st.integers(60, DAY_S)).map(
    lambda pair: IntervalBounds(min(pair), max(pair))
)
moments = st.lists(st.timedeltas(timedelta(-12_000), timedelta(5_000)).map(NOW.__add__), max_size=20)
wishes = st.none() | st.integers(0, 400 * DAY_S)


@given(moments, st.integers(1, 30 * DAY_S), bounds, st.integers(0, 500), wishes, wishes)
def test_the_interval_stays_within_its_bounds(
    published: list[datetime], current_s: int, limits: IntervalBounds, new: int, ttl_s: int | None, age_s: int | None
) -> None:
    got = next_interval(published, NOW, current_s, limits, new_entries=new, ttl_s=ttl_s, max_age_s=age_s)
    assert limits.shortest_s <= got <= limits.longest_s
    assert got >= min(max(ttl_s or 0, age_s or 0), limits.longest_s)


@given(st.sampled_from(FetchFailure), st.integers(1, 10_000), bounds, st.integers(), wishes)
def test_a_failed_feed_is_asked_again_within_a_day_or_a_week(
    failure: FetchFailure, failures: int, limits: IntervalBounds, seed: int, wish: int | None
) -> None:
    wait = next_after_failure(failure, failures, limits, random.Random(seed), wish)
    assert limits.shortest_s <= wait <= (7 * DAY_S if failure is FetchFailure.GONE else DAY_S)
    if failure is not FetchFailure.GONE:
        assert wait >= min(wish or 0, DAY_S)


@given(st.sampled_from(FetchFailure), st.integers(1, 50), st.integers())
def test_the_wait_never_shrinks_by_more_than_its_jitter(failure: FetchFailure, failures: int, seed: int) -> None:
    first = next_after_failure(failure, failures, BOUNDS, random.Random(seed))
    then = next_after_failure(failure, failures + 1, BOUNDS, random.Random(seed))
    assert then >= first


def test_feeds_that_fell_together_do_not_return_together() -> None:
    rng = random.Random(1)
    assert len({next_after_failure(FetchFailure.NETWORK, 4, BOUNDS, rng) for _ in range(20)}) > 15


def test_a_lost_connection_is_tried_again_sooner_than_a_missing_page() -> None:
    rng = random.Random(1)
    assert next_after_failure(FetchFailure.NETWORK, 1, BOUNDS, rng) == 300
    assert next_after_failure(FetchFailure.NOT_FOUND, 1, BOUNDS, rng) > 2_000


def test_a_gone_feed_is_asked_after_a_day_and_then_weekly() -> None:
    rng = random.Random(1)
    assert next_after_failure(FetchFailure.GONE, 1, BOUNDS, rng) <= DAY_S
    assert next_after_failure(FetchFailure.GONE, 2, BOUNDS, rng) > 5 * DAY_S


def story(*failures: FetchFailure | None) -> list[FeedHealth]:
    """The health after each poll of a new feed."""
    health, in_a_row, told = FeedHealth.NEW, 0, []
    for failure in failures:
        in_a_row = in_a_row + 1 if failure else 0
        health = next_health(health, in_a_row, failure)
        told.append(health)
    return told


NETWORK, GONE = FetchFailure.NETWORK, FetchFailure.GONE


def test_trouble_grows_from_shaky_to_broken_and_ends_with_a_success() -> None:
    states = story(None, *[NETWORK] * BROKEN_AFTER, None)
    assert states[SHAKY_AFTER - 1] is FeedHealth.HEALTHY
    assert states[SHAKY_AFTER] is FeedHealth.SHAKY
    assert states[BROKEN_AFTER - 1] is FeedHealth.SHAKY
    assert states[BROKEN_AFTER] is FeedHealth.BROKEN
    assert states[-1] is FeedHealth.HEALTHY


@pytest.mark.parametrize(
    ("polls", "health"),
    [
        ((None, GONE), FeedHealth.HEALTHY),
        ((None, GONE, GONE), FeedHealth.GONE),
        ((None, GONE, GONE, NETWORK), FeedHealth.GONE),
        ((None, GONE, GONE, None), FeedHealth.HEALTHY),
        ((NETWORK,), FeedHealth.NEW),
        ((NETWORK, NETWORK, NETWORK), FeedHealth.SHAKY),
    ],
    ids=["one-410", "two", "stays", "returns", "new", "new-and-shaky"],
)
def test_health_after(polls: tuple[FetchFailure | None, ...], health: FeedHealth) -> None:
    assert story(*polls)[-1] is health


@given(st.lists(st.none() | st.sampled_from(FetchFailure), min_size=1, max_size=40))
def test_health_moves_only_along_the_drawn_arrows(polls: list[FetchFailure | None]) -> None:
    order = [FeedHealth.NEW, FeedHealth.HEALTHY, FeedHealth.SHAKY, FeedHealth.BROKEN, FeedHealth.GONE]
    states = [FeedHealth.NEW, *story(*polls)]
    for before, after, failure in zip(states, states[1:], polls, strict=False):
        if failure is None:
            assert after is FeedHealth.HEALTHY
        else:
            assert order.index(after) >= order.index(before)


@given(st.integers(1, 200))
def test_a_long_failure_is_told_twice_and_its_end_once(failures: int) -> None:
    states = [FeedHealth.NEW, *story(None, *[NETWORK] * failures, None)]
    told = sum(worth_telling(before, after) for before, after in pairwise(states))
    assert told == (0 if failures < SHAKY_AFTER else 2 if failures < BROKEN_AFTER else 3)


@pytest.mark.parametrize(
    ("results", "outage"),
    [
        ([NETWORK] * 5, True),
        ([NETWORK, FetchFailure.TIMEOUT] * 4, True),
        ([NETWORK] * 4, False),
        ([NETWORK] * 30 + [None], False),
        ([NETWORK] * 30 + [FetchFailure.SERVER], False),
        ([], False),
    ],
    ids=["all-down", "and-timeouts", "too-few", "one-came-through", "one-answered", "none"],
)
def test_an_outage_of_our_own_is_recognised(results: list[FetchFailure | None], outage: bool) -> None:
    assert is_own_outage(results) is outage


def test_feeds_are_spread_evenly_and_always_alike() -> None:
    offsets = [spread(number, 1800) for number in range(1, 601)]
    assert offsets == [spread(number, 1800) for number in range(1, 601)]
    thirds = [sum(offset // 600 == third for offset in offsets) for third in range(3)]
    assert min(thirds) > 150
    assert 0 <= min(offsets) <= max(offsets) < 1800
