"""The database after a run and the labelled headlines in, what became of each headline and each alert out."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from sqlmodel import Session, col, func, select

from config.schema import Alerts
from models import (
    Alert,
    Article,
    Delivery,
    DeliveryState,
    Level,
    Outlet,
    Reading,
    Story,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from models.story import is_whole, whole_id


class Judged(Protocol):
    """A headline with its label."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def published(self) -> datetime: ...
    @property
    def direction(self) -> str | None: ...
    @property
    def severity(self) -> int | None: ...


class Verdict(StrEnum):
    """Whether an alert agrees with the label of its headline."""

    RIGHT = "right"  #: the same direction, notable or critical
    ROUTINE = "routine"  #: the same direction, but routine
    OTHER_WAY = "wrong direction"
    NO_NEWS = "out of scope"
    UNLABELLED = "not labelled"


def verdict(direction: str, headline: Judged | None) -> Verdict:
    """What the label of an alert's headline says of the alert."""
    if headline is None or headline.direction is None or headline.severity is None:
        return Verdict.UNLABELLED
    if headline.severity == 0 or headline.direction == "none":
        return Verdict.NO_NEWS
    if headline.direction != direction:
        return Verdict.OTHER_WAY
    return Verdict.RIGHT if headline.severity >= 2 else Verdict.ROUTINE


@dataclass(frozen=True, slots=True)
class Rang:
    """One alert, the headline that carried it, and the outlets it was delivered to."""

    alert: Alert
    story_id: int  # the story it is of now
    headline: Judged | None
    verdict: Verdict
    delivered: frozenset[Outlet]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one headline: its scores (0-100) and, in words, whether its story rang and if not why."""

    headline: Judged
    escalation: float
    deescalation: float
    fate: str

    def score(self, direction: str | None) -> float:
        """In its labelled direction; the higher one when it has none."""
        both = {"escalation": self.escalation, "deescalation": self.deescalation}
        return both.get(direction or "", max(both.values()))


@dataclass(frozen=True, slots=True)
class Lived:
    """Everything a report needs of one run."""

    settings: Alerts
    model: str
    feeds: int
    days: tuple[date, ...]  # those with headlines
    stories: int
    joined: int
    rang: tuple[Rang, ...]
    fates: tuple[Fate, ...]
    suppressed: tuple[tuple[str, str, int, int], ...]  # reason, whose decision, stories, times


def look_back(session: Session, headlines: Sequence[Judged], settings: Alerts, feeds: int) -> Lived:
    """Read what a run left in its database."""
    by_id = {headline.id: headline for headline in headlines}
    readings = {
        _id_in(url): reading
        for reading, url in session.exec(select(Reading, Article.url).join(Article).where(col(Reading.latest)))
    }
    rang = _rang(session, by_id)
    fates = [_fate(session, headline, readings.get(headline.id), rang, settings) for headline in headlines]
    sizes = session.exec(select(func.count()).where(col(Reading.story_id).is_not(None)).group_by(col(Reading.story_id)))
    return Lived(
        settings=settings,
        model=next((reading.model for reading in readings.values()), ""),
        feeds=feeds,
        days=tuple(sorted({headline.published.date() for headline in headlines})),
        stories=session.exec(select(func.count()).select_from(Story).where(is_whole())).one(),
        joined=sum(size - 1 for size in sizes),
        rang=tuple(rang),
        fates=tuple(fates),
        suppressed=_suppressed(session),
    )


def _id_in(url: str) -> str:
    return url.rsplit("/", 1)[-1]


def _rang(session: Session, by_id: dict[str, Judged]) -> list[Rang]:
    delivered: dict[int, set[Outlet]] = defaultdict(set)
    sent = select(Delivery.alert_id, Subscriber.outlet).join(Subscriber).where(Delivery.state == DeliveryState.SENT)
    for alert_id, outlet in session.exec(sent.where(col(Delivery.alert_id).is_not(None))):
        delivered[alert_id or 0].add(Outlet(outlet))
    found = []
    told = select(Alert, whole_id()).join(Story).order_by(col(Alert.created_at), col(Alert.id))
    for alert, story_id in session.exec(told):
        headline = by_id.get(_id_in(alert.facts["url"]))
        judged = verdict(alert.direction, headline)
        found.append(Rang(alert, story_id, headline, judged, frozenset(delivered[alert.id])))
    return found


def _fate(session: Session, headline: Judged, reading: Reading | None, rang: Sequence[Rang], settings: Alerts) -> Fate:
    if reading is None:
        return Fate(headline, 0.0, 0.0, "never read")
    words = _story_fate(session, headline, reading, rang, settings)
    return Fate(headline, reading.escalation, reading.deescalation, words)


def _story_fate(session: Session, headline: Judged, reading: Reading, rang: Sequence[Rang], settings: Alerts) -> str:
    if reading.story_id is None:
        return "no story: scored as bearing on nothing"
    of_story = [one for one in rang if one.story_id == reading.story_id]
    if own := [one for one in of_story if one.headline is headline]:
        return "rang: " + ", ".join(f"{one.alert.direction} {_level(one.alert.level)}" for one in own)
    if of_story:
        best = max(of_story, key=lambda one: one.alert.level)
        return f"joined a story that rang: {best.alert.direction} {_level(best.alert.level)}"
    reasons = select(Suppression).where(Suppression.story_id == reading.story_id, Suppression.subscriber_id == 0)
    if row := session.exec(reasons.order_by(col(Suppression.score).desc())).first():
        return f"{row.reason}: {row.direction} {row.score:.0f}"
    factor = settings.stories.single_source_factor
    return f"far below watch: {factor * max(reading.escalation, reading.deescalation):.0f}"


def _level(value: int) -> str:
    return Level(value).word


def _suppressed(session: Session) -> tuple[tuple[str, str, int, int], ...]:
    names = {0: "everybody"} | {row.id: _name(row) for row in session.exec(select(Subscriber))}
    stories: dict[tuple[str, str], set[int]] = defaultdict(set)
    times: Counter[tuple[str, str]] = Counter()
    for row in session.exec(select(Suppression)):
        key = (SuppressionReason(row.reason).value, names[row.subscriber_id])
        stories[key].add(row.story_id)
        times[key] += row.times
    return tuple((*key, len(stories[key]), times[key]) for key in sorted(stories))


def _name(subscriber: Subscriber) -> str:
    return "terminal" if subscriber.outlet is Outlet.TERMINAL else "new chat"
