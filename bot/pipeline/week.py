"""A week as values: all that was told of it, and what of that is of a chat's choice. Pure; look_back.py asks."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from bot.messages.chart import Day
from bot.messages.digest import PairLine, StoryLine, WeekFacts, own_first
from bot.messages.names import Names, pair_name
from bot.pipeline.address import Occasion, wanted
from bot.pipeline.choice import Choice
from bot.pipeline.index import loudness

WEEK = timedelta(days=7)
MOST_HELD_BACK = 3
QUIET = (0.0, 0.0)
Counts = tuple[tuple[str, int], ...]
"""How many alerts of each level of escalation, the highest first, and of easing."""


@dataclass(frozen=True, slots=True)
class Span:
    """A week, [since, until), in a zone whose days it names."""

    since: datetime
    until: datetime

    @classmethod
    def before(cls, until: datetime, timezone: str) -> Self:
        """In local time, so that a day more or less is the same hour, also where clocks change."""
        end = until.astimezone(ZoneInfo(timezone))
        return cls(end - WEEK, end)

    @property
    def minutes_ahead(self) -> int:
        """Of UTC, by the clocks at its end."""
        return (self.until.utcoffset() or timedelta(0)) // timedelta(minutes=1)

    @property
    def key(self) -> tuple[datetime, datetime, int]:
        """The same for all zones whose clocks agree: they share one digest."""
        return self.since.astimezone(UTC), self.until.astimezone(UTC), self.minutes_ahead


class Candidate(NamedTuple):
    """A line that a digest may have, and what it is about."""

    occasion: Occasion
    line: StoryLine


HeldBack = tuple[Candidate, ...]
"""What the daily budget of a chat kept from it, the loudest first; a value, so that equal ones share a text."""


class Heard(NamedTuple):
    """What a reading told of a story; scores 0-100."""

    story_id: int
    dyad: str | None
    news_at: datetime
    escalation: float
    deescalation: float


@dataclass(frozen=True, slots=True)
class Week:
    """All of a week, for any choice. Candidates are the loudest first; `pairs` are those of the week before too, and
    `heard` the readings of both weeks by pair."""

    span: Span
    names: Names
    articles: int
    articles_before: int
    stories: int
    raised: Counts
    escalating: Sequence[Candidate] = ()
    easing: Sequence[Candidate] = ()
    contested: Sequence[Candidate] = ()
    near_misses: Sequence[Candidate] = ()
    withheld: Mapping[str, int] = field(default_factory=dict)
    pairs: Sequence[PairLine] = ()
    heard: Mapping[str | None, Sequence[Heard]] = field(default_factory=dict)


def facts_for(week: Week, choice: Choice, most: int, told: Counts | None = None, held_back: HeldBack = ()) -> WeekFacts:
    """What the digest says to those of a choice: lists of at most so many lines. `told`: the alerts that a chat was
    given; None: the digest is nobody's, and counts those that were raised. Of what its budget held back, a pair muted
    since, or what it chose no longer, is left out."""
    over = [line for occasion, line in held_back if _chosen(occasion, choice)]

    def picked(candidates: Iterable[Candidate]) -> tuple[StoryLine, ...]:
        return tuple(islice((line for occasion, line in candidates if _chosen(occasion, choice)), most))

    return WeekFacts(
        since=week.span.since,
        until=week.span.until,
        articles=week.articles,
        articles_before=week.articles_before,
        stories=week.stories,
        alerts=dict(week.raised if told is None else told),
        told_here=told is not None,
        chosen=choice.narrows,
        escalating=picked(week.escalating),
        easing=picked(week.easing),
        contested=picked(week.contested),
        near_misses=picked(week.near_misses),
        withheld=dict(week.withheld),
        pairs=pairs_for(week, choice, most),
        held_back=len(over),
        held_back_most=tuple(over[:MOST_HELD_BACK]),
    )


def pairs_for(week: Week, choice: Choice, most: int) -> tuple[PairLine, ...]:
    """At most so many pairs: those chosen by name, also without any news, those of regions chosen, and the others."""
    known = {pair.code for pair in week.pairs}
    silent = [PairLine(pair_name(code, week.names), 0, 0, 0, 0, code) for code in sorted(choice.dyads - known)]
    pairs = [pair for pair in (*week.pairs, *silent) if pair.code not in choice.muted_dyads]
    return own_first(pairs, choice.dyads, choice.regions, most)


def _chosen(occasion: Occasion, choice: Choice) -> bool:
    return occasion.dyad not in choice.muted_dyads and wanted(occasion, choice)


def daily_tension(heard: Iterable[Heard], since: datetime, until: datetime) -> list[Day]:
    """Per day of [since, until), at its hour: the mean of the loudest stories in each direction. Both in one zone."""
    days = [since + timedelta(days=offset) for offset in range((until - since).days)]
    best: dict[date, dict[int, tuple[float, float]]] = defaultdict(dict)
    for story, _, at, up, down in heard:
        if since <= at < until:
            stories = best[days[bisect_right(days, at) - 1].date()]
            before = stories.get(story, QUIET)
            stories[story] = max(before[0], up), max(before[1], down)
    return [Day(day.date(), *(loudness(side) for side in _sides(best[day.date()].values()))) for day in days]


def _sides(scores: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    listed = list(scores)
    return [up for up, _ in listed], [down for _, down in listed]
