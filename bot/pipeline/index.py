"""readings -> the tension of a pair or region, by day or hour: from stories, not articles, on a fixed panel of feeds.

A story counts once a step, with its highest reading in each direction, however many articles repeat it; a step's
tension is the mean of its five loudest stories (quiet ones fill up), so that neither one article nor the number of
feeds makes it. Only feeds that were followed before the span began count, so that adding feeds raises nothing. A pair's
tension is of the articles that are about it by their own reading, not of stories that were in the end: what is shown
for a day stays when later articles turn a story's pair. It is built from readings whenever it is asked for; nothing is
kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, NamedTuple, cast

from sqlalchemy import Select
from sqlmodel import Session, col, func, select

from classifiers.regions import WORLD
from models import Article, Feed, Reading, Story

LOUDEST = 5
USUAL_STEPS = 28
NOW_SPAN = timedelta(days=42)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Point:
    """Tension in one step, 0-100 in each direction. `usual` is the median escalation of the 28 steps before it, None
    for the first ones; nothing later than the step is looked at."""

    start: datetime
    escalation: float
    deescalation: float
    stories: int
    usual: float | None

    @property
    def balance(self) -> float:
        """Escalation less de-escalation, -100 to 100."""
        return self.escalation - self.deescalation


Told = tuple[int, datetime, float, float]
"""Story id, when the article counts as news, escalation and de-escalation 0-100."""


def tension(rows: Iterable[Told], since: datetime, until: datetime, step: timedelta) -> list[Point]:
    """One point a step from `since` (aware; the first step begins at its UTC day or hour) to `until`. Pure."""
    best: dict[int, dict[int, tuple[float, float]]] = defaultdict(dict)
    start = _floor(since, step)
    for story, at, up, down in rows:
        number = (at - start) // step
        before = best[number].get(story, (0.0, 0.0))
        best[number][story] = (max(before[0], up), max(before[1], down))
    points: list[Point] = []
    for number in range(max(-((start - until) // step), 0)):
        stories = best.get(number, {}).values()
        up, down = (loudness(score[side] for score in stories) for side in (0, 1))
        past = [point.escalation for point in points[-USUAL_STEPS:]]
        usual = median(past) if len(past) == USUAL_STEPS else None
        points.append(Point(start + number * step, up, down, len(stories), usual))
    return points


def loudness(scores: Iterable[float]) -> float:
    """Tension 0-100 of one step: the mean of its loudest stories' scores, where missing ones count as 0."""
    return sum(sorted(scores, reverse=True)[:LOUDEST]) / LOUDEST


def _floor(moment: datetime, step: timedelta) -> datetime:
    utc = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return utc.replace(hour=0) if step >= DAY else utc


class PanelReading(NamedTuple):
    """A gathered article's latest reading by a feed of the panel, with the pair that its story has by now."""

    story_id: int
    dyad: str | None
    news_at: datetime
    escalation: float


def panel_readings(session: Session, since: datetime) -> Iterator[PanelReading]:
    """Readings of gathered articles since a moment, by feeds followed before it; in any order."""
    columns = select(Story.id, Story.dyad, Reading.news_at, Reading.escalation)
    return (PanelReading(*row) for row in session.execute(_of_panel(columns, since)))


def told_by_panel(session: Session, since: datetime, dyad: str | None = None, region: str | None = None) -> list[Told]:
    """What `tension` wants to know of the panel's readings since a moment: of those that are about a pair by their own
    words, or whose story is of a region."""
    columns = select(Story.id, Reading.news_at, Reading.escalation, Reading.deescalation)
    panel = _of_panel(columns.add_columns(col(Story.regions)), since)
    if dyad is not None:
        panel = panel.where(col(Reading.dyad) == dyad)
    return [
        (story, at, up, down)
        for story, at, up, down, regions in session.execute(panel)
        if region in (None, WORLD) or region in regions
    ]


def _of_panel(columns: Any, since: datetime) -> Select[Any]:
    """`columns` is a select() of any columns, for which SQLModel and SQLAlchemy share no type."""
    return cast(
        Select[Any],
        columns.join(Reading, col(Story.id) == col(Reading.story_id))
        .join(Article, col(Article.id) == col(Reading.article_id))
        .join(Feed, col(Feed.id) == col(Article.feed_id))
        .where(col(Reading.latest), col(Reading.news_at) >= since, col(Feed.first_read_at) <= since),
    )


def followed_since(session: Session, now: datetime) -> datetime:
    """Where what is usual now begins: six weeks ago, or a day after the first feed was read, when the others had been
    too: only feeds followed before it count, so that without this a new bot would know of nothing for six weeks."""
    first = session.exec(select(func.min(Feed.first_read_at))).one()
    begin = min(first + DAY, now - DAY) if first is not None else now - NOW_SPAN
    return max(begin, now - NOW_SPAN)


def span_before(session: Session, span: timedelta, until: datetime | None) -> tuple[datetime, datetime] | None:
    """From when to when the tension of a span can be told, None where nothing was read: to `until`, or else the newest
    reading; from when the feeds of the first day were followed, if that is later than the span's begin."""
    newest = session.exec(select(func.max(Reading.news_at))).one()
    first = session.exec(select(func.min(Feed.first_read_at))).one()
    if newest is None or first is None:
        return None
    end = until or newest + timedelta(microseconds=1)  # so that the newest is before it
    together = select(func.max(Feed.first_read_at)).where(col(Feed.first_read_at) <= first + DAY)
    followed = session.exec(together).one()
    return max(end - span, followed or first), end


def tension_today(session: Session, dyad: str, now: datetime) -> Point:
    """The tension of a pair in the UTC day that `now` is in, with its usual one, as /status tells it."""
    since = followed_since(session, now)
    return tension(told_by_panel(session, since, dyad), since, now, DAY)[-1]


def busiest_pairs(session: Session, since: datetime, until: datetime, limit: int = 10) -> Sequence[str]:
    """The pairs of the stories with the highest peaks among those with news from `since` until before `until`."""
    pairs: dict[str, float] = {}
    within = select(Story).where(col(Story.last_seen_at) >= since, col(Story.first_seen_at) < until)
    for story in session.exec(within.where(col(Story.dyad).is_not(None))):
        pairs[story.dyad or ""] = max(pairs.get(story.dyad or "", 0.0), story.peak_escalation, story.peak_deescalation)
    return sorted(pairs, key=lambda pair: (-pairs[pair], pair))[:limit]
