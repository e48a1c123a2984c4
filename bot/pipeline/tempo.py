"""stories -> tempo alerts: a pair's share of escalatory coverage is far above its usual, though no story is loud.

Many small steps are seen before the big one. Robust (median and median absolute deviation of 28 days), signed (only
rises ring), on a fixed panel of feeds, and without a look ahead: the day that ends now against the 28 days before it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlmodel import Session, col, select

from bot.messages.alert import alert_facts, alert_message
from bot.pipeline.address import address_alert
from bot.pipeline.index import panel_readings, tension_today
from bot.pipeline.weigh import weigh
from config.schema import Alerts
from models import Alert, AlertKind, Direction, Level, Story
from models.reading import readings_of_story
from models.subscriber import active_subscribers

DAYS = 28
ROUTINE = 25.0  # from the score of a routine report on, a story counts as escalatory
FEWEST_STORIES = 5  # of the pair, today: fewer are no tempo
LEAST_SPREAD = 0.02  # of all stories; a pair that was never in the news must not ring for one of fifty
AGAIN_AFTER = timedelta(days=7)
_DAY = timedelta(days=1)
_MAD_TO_SIGMA = 1.4826  # of a normal distribution

Told = tuple[int, str | None, datetime, float]
"""Story id, its pair, when the article counts as news, escalation 0-100."""


@dataclass(frozen=True, slots=True)
class Tempo:
    """A pair whose share of stories today (0-1) is so many spreads above its usual one; `story_id` is its loudest."""

    dyad: str
    share: float
    usual: float
    spreads: float
    story_id: int

    @property
    def rule(self) -> str:
        """In words, with by how much."""
        return (
            f"tempo: {self.share:.0%} of today's stories escalate between the two, usually {self.usual:.0%} "
            f"({self.spreads:.1f} spreads above)"
        )


def tempo_of(rows: Iterable[Told], now: datetime, spreads: float) -> list[Tempo]:
    """Pairs that ring at `now`, the furthest above their usual first; later rows are not looked at. Pure."""
    seen: list[dict[int, tuple[str | None, float]]] = [{} for _ in range(DAYS + 1)]
    for story, dyad, at, score in rows:
        age = (now - at) // _DAY
        if at <= now and 0 <= age <= DAYS:
            before = seen[age].get(story, (dyad, 0.0))
            seen[age][story] = (dyad, max(before[1], score))
    shares = [_shares(stories) for stories in seen]
    found = []
    for dyad, (share, count) in shares[0].items():
        past = [day.get(dyad, (0.0, 0))[0] for day in shares[1:]]
        usual = median(past)
        spread = max(_MAD_TO_SIGMA * median(abs(value - usual) for value in past), LEAST_SPREAD)
        above = (share - usual) / spread
        if count >= FEWEST_STORIES and above >= spreads:
            loudest = max((score, -story) for story, (pair, score) in seen[0].items() if pair == dyad)
            found.append(Tempo(dyad, share, usual, above, -loudest[1]))
    return sorted(found, key=lambda tempo: (-tempo.spreads, tempo.dyad))


def _shares(stories: dict[int, tuple[str | None, float]]) -> dict[str, tuple[float, int]]:
    """Pair -> its share of one day's stories that escalate, and how many these are."""
    counts: dict[str, int] = defaultdict(int)
    for dyad, score in stories.values():
        if dyad is not None and score >= ROUTINE:
            counts[dyad] += 1
    return {dyad: (count / len(stories), count) for dyad, count in counts.items()}


def raise_tempo(session: Session, settings: Alerts, now: datetime, timezone: str = "UTC") -> int:
    """Ring for pairs whose tempo rose, at most once a week each; returns how many alerts were raised."""
    if not settings.telling.tempo_spreads:
        return 0
    rang = _rang_lately(session, now)
    alerts = 0
    for tempo in tempo_of(_told_by_panel(session, now), now, settings.telling.tempo_spreads):
        if tempo.dyad not in rang and (alert := tempo_alert(session, tempo, settings, now)) is not None:
            address_alert(session, alert, alert_message(alert), active_subscribers(session), settings, timezone, now)
            alerts += 1
    return alerts


def _told_by_panel(session: Session, now: datetime) -> list[Told]:
    readings = panel_readings(session, now - (DAYS + 1) * _DAY)
    return [(reading.story_id, reading.dyad, reading.news_at, reading.escalation) for reading in readings]


def _rang_lately(session: Session, now: datetime) -> set[str | None]:
    rang = select(Story.dyad).join(Alert, col(Alert.story_id) == col(Story.id))
    return set(session.exec(rang.where(Alert.kind == AlertKind.TEMPO, col(Alert.created_at) > now - AGAIN_AFTER)))


def tempo_alert(session: Session, tempo: Tempo, settings: Alerts, now: datetime) -> Alert | None:
    """The alert about its loudest story, stored; None where that rang for its pair before."""
    story = session.get_one(Story, tempo.story_id)
    same = select(Alert).where(Alert.story_id == story.id, Alert.kind == AlertKind.TEMPO)
    if session.exec(same).first() is not None:  # a story that goes on for weeks rings for its pair once
        return None
    weight = weigh(readings_of_story(session, story.id), settings.stories, now)
    alert = Alert(
        story_id=story.id,
        kind=AlertKind.TEMPO,
        direction=Direction.ESCALATION,
        level=int(Level.WARNING),
        score=weight.escalation,
        rule=tempo.rule,
        facts=alert_facts(story, weight, Direction.ESCALATION, tension_today(session, tempo.dyad, now)),
        created_at=now,
    )
    session.add(alert)
    session.flush()
    return alert
