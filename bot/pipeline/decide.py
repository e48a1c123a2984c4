"""stories -> alerts: `raise_alerts` weighs each changed story, asks the rules, and writes story, alerts and silences.

Everything is written in one transaction. The rules are in rules.py, who hears an alert in address.py.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from bot.messages.alert import alert_facts, alert_message
from bot.pipeline.address import address_alert
from bot.pipeline.correct import address_update
from bot.pipeline.index import Point, tension_today
from bot.pipeline.levels import level_of, next_level
from bot.pipeline.merge import TOLD_APART
from bot.pipeline.rules import Past, Silence, Telling, is_outdated, is_retracted, told_direction, worth_telling
from bot.pipeline.weigh import Weight, weigh
from config.schema import Alerts
from models import Alert, AlertKind, Direction, Level, Story, Suppression
from models.alert import suppress
from models.reading import ReadingWithSource, readings_of_stories, superseded_scores
from models.story import StoryStatus, stories_to_judge, whole_id
from models.subscriber import active_subscribers

TOGETHER = 50  # stories whose articles are held at a time
_CROSSINGS = (AlertKind.NEW, AlertKind.RAISED, AlertKind.EASED)
_UP_AND_DOWN = (Direction.ESCALATION, Direction.DEESCALATION)


def raise_alerts(session: Session, settings: Alerts, now: datetime, limit: int = 500, timezone: str = "UTC") -> int:
    """Judge stories that changed or whose time has come; returns how many alerts were raised.

    `timezone` is that of the quiet hours of subscribers who chose none.
    """
    stories, alerts, updated = stories_to_judge(session, now, limit), list[Alert](), list[Alert]()
    pairs = _Pairs(session, settings, now)
    for start in range(0, len(stories), TOGETHER):
        told, more = _judge_all(session, stories[start : start + TOGETHER], pairs, settings, now)
        alerts, updated = alerts + told, updated + more
    session.flush()  # which numbers the alerts
    for alert in updated:
        address_update(session, alert, alert_message(alert), now)
    subscribers = active_subscribers(session) if alerts else []
    # The loudest first: where a day's budget is not enough for all, it should not go to whoever came first.
    for alert in sorted(alerts, key=lambda alert: (-alert.level, -alert.score, alert.id)):
        address_alert(session, alert, alert_message(alert), subscribers, settings, timezone, now)
    return len(alerts)


def _judge_all(
    session: Session, stories: Sequence[Story], pairs: "_Pairs", settings: Alerts, now: datetime
) -> tuple[list[Alert], list[Alert]]:
    """New alerts, and earlier ones whose message has to change."""
    ids = [story.id for story in stories]
    readings, told = readings_of_stories(session, ids), _told(session, ids)
    pasts = _pasts(session, stories, told, settings, now)
    alerts, updated, silences = list[Alert](), list[Alert](), list[Suppression]()
    for story in stories:
        judged = _judge(story, readings[story.id], pasts[story.id], pairs, settings, now)
        session.add_all(judged.alerts)
        pairs.rang(story, judged.alerts)
        alerts += judged.alerts
        silences += (silence.row(story.id, now) for silence in judged.silences)
        if judged.facts is not None:
            updated.append(told[story.id][-1])
            updated[-1].facts = judged.facts | {"updated": now.isoformat()}
    suppress(session, *silences)
    return alerts, updated


@dataclass(frozen=True, slots=True)
class _Judged:
    """What to tell of a story now and what not; `facts` are those that its last alert should show from now on."""

    alerts: Sequence[Alert]
    silences: Sequence[Silence]
    facts: dict[str, Any] | None = None


def _judge(
    story: Story,
    readings: Sequence[ReadingWithSource],
    past: Past,
    pairs: "_Pairs",
    settings: Alerts,
    now: datetime,
) -> _Judged:
    weight = weigh(readings, settings.stories, now)
    if is_retracted(story, weight, past, settings):
        weight = replace(weight, status=StoryStatus.RETRACTED)
    update_story(story, weight, settings, now)
    if any(story.level(direction) > story.told(direction) for direction in Direction):
        past = replace(past, pair=pairs.besides(story))
    outcomes = worth_telling(story, weight, past, settings, now)
    silences = [outcome for outcome in outcomes if isinstance(outcome, Silence)]
    tellings = [outcome for outcome in outcomes if isinstance(outcome, Telling)]
    tension = pairs.tension(story.dyad) if tellings else None
    alerts = [_tell(story, weight, telling, tension, now) for telling in tellings]
    facts = None
    if not alerts and is_outdated(story, weight, past):
        facts = alert_facts(story, weight, told_direction(story), pairs.tension(story.dyad))
    story.changed = False
    story.judge_again_at = _next_look(story, weight, silences, settings, now)
    return _Judged(alerts, silences, facts)


def _told(session: Session, stories: Sequence[int]) -> dict[int, list[Alert]]:
    """The alerts of each story and of those that became part of it, oldest first."""
    found: dict[int, list[Alert]] = defaultdict(list)
    parts = col(Story.id).in_(stories) | col(Story.merged_into).in_(stories)  # by indexes, unlike whole_id()
    of_stories = select(Alert, whole_id()).join(Story).where(parts)
    for alert, story_id in session.exec(of_stories.order_by(col(Alert.id))):
        found[story_id].append(alert)
    return found


def _pasts(
    session: Session, stories: Sequence[Story], told: Mapping[int, Sequence[Alert]], settings: Alerts, now: datetime
) -> dict[int, Past]:
    """What the rules have to know beyond each story's own row and its pair."""
    fresh = now - timedelta(hours=settings.stories.memory_hours)
    rang = [story.id for story in stories if story.was_told]  # others: no matter
    superseded = superseded_scores(session, rang, fresh)
    return {story.id: _past(told.get(story.id, ()), superseded.get(story.id, (0.0, 0.0))) for story in stories}


def _past(alerts: Sequence[Alert], superseded: tuple[float, float]) -> Past:
    rang_at: dict[Direction, float] = {}
    for alert in alerts:
        if alert.kind is not AlertKind.TEMPO:
            rang_at.setdefault(alert.direction, alert.score)
    return Past(
        kinds=frozenset(alert.kind for alert in alerts),
        told_as=StoryStatus(alerts[-1].facts["status"]) if alerts else None,
        sources=alerts[-1].facts["independent"] if alerts and alerts[-1].kind is not AlertKind.TEMPO else 0,
        rang_at=rang_at,
        told_apart=bool(alerts and alerts[-1].facts.get(TOLD_APART)),
        superseded=dict(zip(_UP_AND_DOWN, superseded, strict=True)),
    )


class _Pairs:
    """What is known of pairs: the alerts within the cool-down, those of this round among them, and how tense each is.
    Asks when needed."""

    def __init__(self, session: Session, settings: Alerts, now: datetime) -> None:
        self._session, self._now = session, now
        self._cool_down = timedelta(minutes=settings.telling.cool_down_minutes)
        self._told: list[tuple[Story, Direction, Level, datetime]] | None = None
        self._tension: dict[str, Point] = {}

    def besides(self, story: Story) -> dict[Direction, tuple[Level, datetime]]:
        """By direction the highest level other stories of its pair rang at within the cool-down, and when the last
        did."""
        if story.dyad is None or not self._cool_down:
            return {}
        if self._told is None:
            self._told = self._ask()
        found: dict[Direction, tuple[Level, datetime]] = {}
        for other, direction, level, at in self._told:
            if other.dyad == story.dyad and other.whole_id != story.id:
                highest, last = found.get(direction, (level, at))
                found[direction] = max(highest, level), max(last, at)
        return found

    def tension(self, dyad: str | None) -> Point | None:
        """How tense a pair is today, and usually; asked once a round, for the pairs of alerts only."""
        if dyad is not None and dyad not in self._tension:
            self._tension[dyad] = tension_today(self._session, dyad, self._now)
        return self._tension.get(dyad or "")

    def rang(self, story: Story, alerts: Sequence[Alert]) -> None:
        """Alerts that this round raised."""
        if self._told is not None:
            self._told += (_as_told(story, alert) for alert in alerts if alert.kind in _CROSSINGS)

    def _ask(self) -> list[tuple[Story, Direction, Level, datetime]]:
        since = self._now - self._cool_down
        rang = select(Story, Alert).join(Alert, col(Alert.story_id) == col(Story.id))
        lately = rang.where(col(Alert.kind).in_(_CROSSINGS), col(Alert.created_at) > since)
        return [_as_told(story, alert) for story, alert in self._session.exec(lately)]


def _as_told(story: Story, alert: Alert) -> tuple[Story, Direction, Level, datetime]:
    return story, alert.direction, Level(alert.level), alert.created_at


def update_story(story: Story, weight: Weight, settings: Alerts, now: datetime) -> None:
    """Write what the story amounts to now, its levels through the hysteresis."""
    story.escalation, story.deescalation = weight.escalation, weight.deescalation
    story.peak_escalation = max(story.peak_escalation, weight.escalation)
    story.peak_deescalation = max(story.peak_deescalation, weight.deescalation)
    story.status, story.publishers, story.dyad = weight.status, weight.sources, weight.dyad
    story.articles = len(next(iter(weight.top.values()), ())) or story.articles
    story.regions = list(weight.regions)
    story.actors = [{"code": code, "name": name} for code, name in weight.actors]
    story.signals, story.contested = dict(weight.signals), list(weight.contested)
    leading = Direction.ESCALATION if weight.escalation >= weight.deescalation else Direction.DEESCALATION
    if rows := weight.top.get(leading):
        story.title, story.url = rows[0][0].title, rows[0][1].url
    for direction in Direction:
        held, since = story.level(direction), story.level_since(direction)
        level = next_level(held, since, weight.score(direction), settings.levels_for(direction), now)
        if level != held:
            setattr(story, f"level_{direction}", int(level))
            setattr(story, f"level_{direction}_since", now)


def _tell(story: Story, weight: Weight, telling: Telling, tension: Point | None, now: datetime) -> Alert:
    facts = alert_facts(story, weight, telling.direction, tension)
    alert = Alert(
        story_id=story.id,
        kind=telling.kind,
        direction=telling.direction,
        level=int(telling.level),
        score=telling.score,
        rule=telling.rule,
        facts=facts,
        created_at=now,
    )
    told = max(story.told(telling.direction), telling.level)
    setattr(story, f"told_{telling.direction}", int(told))
    story.told_contested = story.told_contested or story.status is StoryStatus.CONTESTED
    if telling.kind is not AlertKind.CONFIRMED:  # which disturbs nobody: it edits a message
        story.last_told_at = now
    return alert


def _next_look(
    story: Story, weight: Weight, silences: Sequence[Silence], settings: Alerts, now: datetime
) -> datetime | None:
    """When time alone may change the judgement: a quiet period ends, an article fades, a dwell is over."""
    moments = [silence.until for silence in silences if silence.until is not None]
    if weight.fades_at is not None and any(story.level(direction) for direction in Direction):
        moments.append(weight.fades_at)
    for direction in Direction:
        levels = settings.levels_for(direction)
        since = story.level_since(direction)
        if since is not None and level_of(weight.score(direction), levels) < story.level(direction):
            moments.append(since + timedelta(minutes=levels.dwell_minutes))
    return min((moment for moment in moments if moment > now), default=None)
