"""How a poll went goes in; when to come back, and whether the admin should hear of it, comes out. Pure.

    NEW, HEALTHY ---SHAKY_AFTER failures in a row---> SHAKY ---BROKEN_AFTER---> BROKEN
         any     ---410, twice in a row-------------> GONE
         any     ---a poll that succeeds------------> HEALTHY

Nothing is ever given up: a broken feed is asked daily, a gone one weekly.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from bot.feeds.types import FetchFailure
from models.feed import FeedHealth

HOUR_S = 3_600
DAY_S = 24 * HOUR_S
SHAKY_AFTER = 3  # one lost poll is weather
BROKEN_AFTER = 8
_OUTAGE_FEEDS = 5
_ON_THE_LINE = (FetchFailure.NETWORK, FetchFailure.TIMEOUT)
_RECENT = 12
_MOST_DOUBLINGS = 20  # past every cap; more would only make big numbers

# The first wait after a failure of each class; it doubles with every further one, up to a day.
_FIRST_WAIT_S = {
    FetchFailure.NETWORK: 300,
    FetchFailure.TIMEOUT: 300,
    FetchFailure.SERVER: 600,
    FetchFailure.THROTTLED: HOUR_S,
    FetchFailure.NOT_FOUND: HOUR_S,
    FetchFailure.DENIED: HOUR_S,
    FetchFailure.UNREADABLE: HOUR_S,
    FetchFailure.TOO_LARGE: 6 * HOUR_S,
    FetchFailure.REDIRECTS: 6 * HOUR_S,
    FetchFailure.BLOCKED_ADDRESS: 6 * HOUR_S,
    FetchFailure.GONE: DAY_S,
}


@dataclass(frozen=True, slots=True)
class IntervalBounds:
    """The shortest and longest time between two polls of a feed, in seconds; 0 < shortest <= longest."""

    shortest_s: int
    longest_s: int

    def clamp(self, seconds: float) -> int:
        return round(min(max(seconds, self.shortest_s), self.longest_s))


def next_interval(
    published: Sequence[datetime],
    now: datetime,
    current_s: int,
    bounds: IntervalBounds,
    *,
    new_entries: int,
    ttl_s: int | None = None,
    max_age_s: int | None = None,
) -> int:
    """Seconds until the next poll after a good one, within `bounds`.

    About two polls for each entry the feed publishes: half the usual gap between the latest `published` times (aware;
    the feed's believable dates in any order), counting the silence since the last. One poll moves the interval by at
    most half or double `current_s`. Without two dates it shortens when there were `new_entries` and grows when not. The
    feed's TTL and the answer's max-age lengthen it, as far as the longest interval.
    """
    gap_s = _usual_gap_s(published, now)
    # An answer without dates is mostly "not modified"; growing fast on those would sleep through the morning's news.
    wanted = gap_s / 2 if gap_s is not None else current_s * (0.7 if new_entries else 1.15)
    adapted = min(max(wanted, current_s / 2), current_s * 2)
    return bounds.clamp(max(adapted, ttl_s or 0, max_age_s or 0))


def _usual_gap_s(published: Sequence[datetime], now: datetime) -> float | None:
    latest = sorted((moment for moment in published if moment <= now), reverse=True)[:_RECENT]
    if len(latest) < 2:
        return None
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(latest)]
    # A silence longer than the usual gap is itself the newest gap, still growing.
    return max(median(gaps), (now - latest[0]).total_seconds() / 4)


def next_after_failure(
    failure: FetchFailure,
    failures: int,
    bounds: IntervalBounds,
    rng: random.Random,
    retry_after_s: int | None = None,
) -> int:
    """Seconds until the next try after `failures` (1 or more) polls in a row that failed, the last with `failure`.

    Doubles from the class's first wait up to a day, never under the shortest interval; up to a fifth less at random, so
    that feeds which fell together do not return together. `retry_after_s` is obeyed, up to a day. A second 410 and
    those after it wait a week.
    """
    if failure is FetchFailure.GONE and failures > 1:
        return round(7 * DAY_S * rng.uniform(0.8, 1.0))
    doublings = min(max(failures, 1) - 1, _MOST_DOUBLINGS)
    wait = min(_FIRST_WAIT_S[failure] << doublings, DAY_S) * rng.uniform(0.8, 1.0)
    return round(min(max(wait, retry_after_s or 0, bounds.shortest_s), DAY_S))


def next_health(health: FeedHealth, failures: int, failure: FetchFailure | None) -> FeedHealth:
    """The feed's health after a poll: `failure` is None when it succeeded, `failures` counts those in a row with it."""
    if failure is None:
        return FeedHealth.HEALTHY
    if health is FeedHealth.GONE or (failure is FetchFailure.GONE and failures > 1):
        return FeedHealth.GONE
    if health is FeedHealth.BROKEN or failures >= BROKEN_AFTER:
        return FeedHealth.BROKEN
    return FeedHealth.SHAKY if health is FeedHealth.SHAKY or failures >= SHAKY_AFTER else health


def worth_telling(before: FeedHealth, after: FeedHealth) -> bool:
    """Whether admins should hear of it: every change of health but a new feed's first success."""
    return before is not after and (before, after) != (FeedHealth.NEW, FeedHealth.HEALTHY)


def is_own_outage(results: Sequence[FetchFailure | None], silent: int = 0) -> bool:
    """Whether a round of polls (None: succeeded) says that our own line is down: nothing came through, from 5 or more.

    Polls are spread out, so a round may be small: `silent` counts the other feeds that failed since any feed last
    answered. Such a round should not count as a failure of any feed.
    """
    return len(results) + silent >= _OUTAGE_FEEDS and bool(results) and not came_through(results)


def came_through(results: Sequence[FetchFailure | None]) -> bool:
    """Whether any poll of a round reached a server, be it for a refusal: then our own line works."""
    return any(result not in _ON_THE_LINE for result in results)


def spread(feed_id: int, interval_s: int) -> int:
    """Seconds, 0 to `interval_s` - 1, by which to put off a feed's first poll: always the same for the same feed."""
    digest = hashlib.sha256(str(feed_id).encode()).digest()
    return int.from_bytes(digest[:8]) % max(interval_s, 1)
