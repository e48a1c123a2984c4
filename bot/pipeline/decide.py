"""stories -> alerts, and one waiting delivery per subscriber who asked for it.

`worth_telling` decides and touches nothing; `raise_alerts` weighs each changed story, asks it, and writes story,
alerts, deliveries and the reasons for silence in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from bot.messages.alert import alert_facts, alert_message, signal_name
from bot.messages.message import Message
from bot.notices import enqueue
from bot.pipeline.levels import level_of, next_level, threshold
from bot.pipeline.weigh import Weight, weigh
from config.schema import Alerts
from models import (
    Alert,
    AlertKind,
    Direction,
    Level,
    Priority,
    Story,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from models.alert import suppress
from models.delivery import alerts_sent_since
from models.reading import readings_of_story
from models.story import StoryStatus, stories_to_judge
from models.subscriber import active_subscribers

BUDGET_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Telling:
    """An alert to be raised, and the rule that raised it in words."""

    kind: AlertKind
    direction: Direction
    level: Level
    score: float
    rule: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Why nothing is told in one direction; `until` is when to look again, if time alone may change it."""

    direction: Direction
    level: Level
    score: float
    reason: SuppressionReason
    until: datetime | None = None


def raise_alerts(session: Session, settings: Alerts, now: datetime, limit: int = 500) -> int:
    """Judge stories that changed or whose time has come; returns how many alerts were raised."""
    alerts = [
        alert for story in stories_to_judge(session, now, limit) for alert in _judge(session, story, settings, now)
    ]
    subscribers = active_subscribers(session) if alerts else []
    # The loudest first: where a day's budget is not enough for all, it should not go to whoever came first.
    for alert in sorted(alerts, key=lambda alert: (-alert.level, -alert.score, alert.id)):
        message = alert_message(alert)
        for subscriber in subscribers:
            _address(session, alert, message, subscriber, settings, now)
    return len(alerts)


def worth_telling(story: Story, weight: Weight, settings: Alerts, now: datetime) -> list[Telling | Silence]:
    """What to tell of a story whose levels are up to date, and what not and why. Pure."""
    outcomes: list[Telling | Silence] = []
    for direction in Direction:
        outcome = _direction_outcome(story, weight, direction, settings, now)
        if outcome is not None:
            outcomes.append(outcome)
    if not any(isinstance(outcome, Telling) for outcome in outcomes):
        dispute = _dispute(story, settings, now)
        if dispute is not None:
            outcomes.append(dispute)
    return outcomes


def _direction_outcome(
    story: Story, weight: Weight, direction: Direction, settings: Alerts, now: datetime
) -> Telling | Silence | None:
    level, told, score = story.level(direction), story.told(direction), weight.score(direction)
    if level > told:
        return _rise(story, weight, direction, settings, now)
    if not story.changed:
        return None
    if level > Level.NONE:
        return Silence(direction, level, score, SuppressionReason.REPEAT)
    near = settings.levels_for(direction).watch - settings.telling.near_miss
    if told is Level.NONE and score >= near:
        return Silence(direction, Level.WATCH, score, SuppressionReason.BELOW_THRESHOLD)
    return None


def _rise(story: Story, weight: Weight, direction: Direction, settings: Alerts, now: datetime) -> Telling | Silence:
    level, told, score = story.level(direction), story.told(direction), weight.score(direction)
    newest = max((row[0].news_at for row in weight.top.get(direction, ())), default=story.last_seen_at)
    if now - newest > timedelta(hours=settings.telling.max_age_hours):
        return Silence(direction, level, score, SuppressionReason.OLD)
    quiet_until = _quiet_until(story, settings)
    if told is Level.NONE and quiet_until is not None and now < quiet_until and level < Level.CRITICAL:
        return Silence(direction, level, score, SuppressionReason.QUIET, until=quiet_until)
    entered = threshold(level, settings.levels_for(direction))
    kind = AlertKind.NEW if told is Level.NONE else AlertKind.RAISED
    rule = f"{direction} {score:.0f} reached {level.word} ({entered:g})"
    return Telling(kind, direction, level, score, rule)


def _dispute(story: Story, settings: Alerts, now: datetime) -> Telling | Silence | None:
    """A story that was told and that parties now contradict each other about: told once."""
    if story.status is not StoryStatus.CONTESTED or story.told_contested:
        return None
    direction = max(Direction, key=lambda d: (story.told(d), d is Direction.ESCALATION))
    level, score = story.told(direction), story.score(direction)
    if level is Level.NONE:
        return None
    quiet_until = _quiet_until(story, settings)
    if quiet_until is not None and now < quiet_until:
        return Silence(direction, level, score, SuppressionReason.QUIET, until=quiet_until)
    what = ", ".join(signal_name(signal) for signal in story.contested)
    return Telling(AlertKind.CONTESTED, direction, level, score, f"parties contradict each other: {what}")


def _quiet_until(story: Story, settings: Alerts) -> datetime | None:
    if story.last_told_at is None:
        return None
    return story.last_told_at + timedelta(minutes=settings.telling.quiet_period_minutes)


def _judge(session: Session, story: Story, settings: Alerts, now: datetime) -> list[Alert]:
    weight = weigh(readings_of_story(session, story.id), settings.stories, now)
    update_story(story, weight, settings, now)
    outcomes = worth_telling(story, weight, settings, now)
    silences = [outcome for outcome in outcomes if isinstance(outcome, Silence)]
    for silence in silences:
        _note_silence(session, story.id, silence, now)
    alerts = [_tell(session, story, weight, outcome, now) for outcome in outcomes if isinstance(outcome, Telling)]
    story.changed = False
    story.judge_again_at = _next_look(story, weight, silences, settings, now)
    return alerts


def update_story(story: Story, weight: Weight, settings: Alerts, now: datetime) -> None:
    """Write what the story amounts to now, its levels through the hysteresis."""
    story.escalation, story.deescalation = weight.escalation, weight.deescalation
    story.peak_escalation = max(story.peak_escalation, weight.escalation)
    story.peak_deescalation = max(story.peak_deescalation, weight.deescalation)
    story.status, story.publishers, story.dyad = weight.status, weight.sources, weight.dyad
    story.articles = len(next(iter(weight.top.values()), ())) or story.articles
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


def _tell(session: Session, story: Story, weight: Weight, telling: Telling, now: datetime) -> Alert:
    facts = alert_facts(story, weight, telling.direction)
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
    session.add(alert)
    session.flush()
    told = max(story.told(telling.direction), telling.level)
    setattr(story, f"told_{telling.direction}", int(told))
    story.told_contested = story.told_contested or story.status is StoryStatus.CONTESTED
    story.last_told_at = now
    return alert


def _address(
    session: Session, alert: Alert, message: Message, subscriber: Subscriber, settings: Alerts, now: datetime
) -> None:
    """One waiting delivery, or the reason why this subscriber is not told."""
    reason = _withheld(session, alert, subscriber, settings, now)
    if reason is None:
        row = enqueue(session, subscriber, f"alert:{alert.id}", message, now, Priority.ALERT)
        if row is not None:
            row.alert_id = alert.id
            session.flush()  # so that the next alert of this round counts it against the budget
        return
    silence = Silence(alert.direction, Level(alert.level), alert.score, reason)
    _note_silence(session, alert.story_id, silence, now, subscriber.id)


def _withheld(
    session: Session, alert: Alert, subscriber: Subscriber, settings: Alerts, now: datetime
) -> SuppressionReason | None:
    chosen = subscriber.level_deescalation if alert.direction is Direction.DEESCALATION else subscriber.level_escalation
    if alert.level < chosen:
        return SuppressionReason.THRESHOLD
    budget = subscriber.daily_budget or settings.telling.daily_budget
    spent = alerts_sent_since(session, subscriber.id, now - BUDGET_WINDOW, alert.level)
    if spent >= budget and not _breaks_budget(alert):
        return SuppressionReason.BUDGET
    return None


def _breaks_budget(alert: Alert) -> bool:
    """A story that reaches critical is told whatever was told before: silence there is the worse error."""
    return alert.level >= Level.CRITICAL and alert.kind in (AlertKind.NEW, AlertKind.RAISED)


def _note_silence(session: Session, story_id: int, silence: Silence, now: datetime, subscriber_id: int = 0) -> None:
    suppress(
        session,
        Suppression(
            story_id=story_id,
            subscriber_id=subscriber_id,
            direction=silence.direction,
            level=int(silence.level),
            reason=silence.reason,
            score=silence.score,
            first_at=now,
            last_at=now,
        ),
    )


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
