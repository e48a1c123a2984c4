"""stories -> alerts: `raise_alerts` weighs each changed story, asks the rules, and writes story, alerts and silences.

Everything is written in one transaction. The rules are in rules.py, who hears an alert in address.py.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from bot.messages.alert import alert_facts, alert_message
from bot.pipeline.address import address_alert
from bot.pipeline.levels import level_of, next_level
from bot.pipeline.rules import Past, Silence, Telling, is_retracted, worth_telling
from bot.pipeline.weigh import Weight, weigh
from config.schema import Alerts
from models import Alert, AlertKind, Direction, Level, Reading, Story
from models.alert import suppress
from models.reading import readings_of_story
from models.story import StoryStatus, stories_to_judge
from models.subscriber import active_subscribers


def raise_alerts(session: Session, settings: Alerts, now: datetime, limit: int = 500, timezone: str = "UTC") -> int:
    """Judge stories that changed or whose time has come; returns how many alerts were raised.

    `timezone` is that of the quiet hours of subscribers who chose none.
    """
    alerts = [
        alert for story in stories_to_judge(session, now, limit) for alert in _judge(session, story, settings, now)
    ]
    subscribers = active_subscribers(session) if alerts else []
    # The loudest first: where a day's budget is not enough for all, it should not go to whoever came first.
    for alert in sorted(alerts, key=lambda alert: (-alert.level, -alert.score, alert.id)):
        address_alert(session, alert, alert_message(alert), subscribers, settings, timezone, now)
    return len(alerts)


def _judge(session: Session, story: Story, settings: Alerts, now: datetime) -> list[Alert]:
    weight = weigh(readings_of_story(session, story.id), settings.stories, now)
    past = _past(session, story, weight, settings, now)
    if is_retracted(story, weight, past, settings):
        weight = replace(weight, status=StoryStatus.RETRACTED)
    update_story(story, weight, settings, now)
    outcomes = worth_telling(story, weight, past, settings, now)
    silences = [outcome for outcome in outcomes if isinstance(outcome, Silence)]
    for silence in silences:
        suppress(session, silence.row(story.id, now))
    alerts = [_tell(session, story, weight, outcome, now) for outcome in outcomes if isinstance(outcome, Telling)]
    story.changed = False
    story.judge_again_at = _next_look(story, weight, silences, settings, now)
    return alerts


def _past(session: Session, story: Story, weight: Weight, settings: Alerts, now: datetime) -> Past:
    """What the rules have to know beyond the story's own row."""
    told = session.exec(select(Alert).where(Alert.story_id == story.id).order_by(col(Alert.id))).all()
    return Past(
        kinds=frozenset(alert.kind for alert in told),
        told_as=StoryStatus(told[-1].facts["status"]) if told else None,
        pair=_pair_told(session, story, weight, settings, now),
        superseded=_superseded(session, story, settings, now),
        rang_at={alert.direction: alert.score for alert in reversed(told) if alert.kind is not AlertKind.TEMPO},
    )


def _pair_told(
    session: Session, story: Story, weight: Weight, settings: Alerts, now: datetime
) -> dict[Direction, tuple[Level, datetime]]:
    """By direction the highest level other stories of the pair rang at within the cool-down, and when the last did."""
    if weight.dyad is None or not settings.telling.cool_down_minutes:
        return {}
    since = now - timedelta(minutes=settings.telling.cool_down_minutes)
    rang = (
        select(Alert.direction, func.max(Alert.level), func.max(Alert.created_at))
        .join(Story)
        .where(
            Story.dyad == weight.dyad,
            Story.id != story.id,
            col(Alert.kind).in_((AlertKind.NEW, AlertKind.RAISED, AlertKind.EASED)),
            col(Alert.created_at) > since,
        )
        .group_by(col(Alert.direction))
    )
    return {Direction(direction): (Level(level), at) for direction, level, at in session.exec(rang)}


def _superseded(session: Session, story: Story, settings: Alerts, now: datetime) -> dict[Direction, float]:
    """By direction the highest score of readings that an edit replaced, of articles that still count."""
    fresh = now - timedelta(hours=settings.stories.memory_hours)
    replaced = select(func.max(Reading.escalation), func.max(Reading.deescalation)).where(
        Reading.story_id == story.id, col(Reading.latest).is_(False), col(Reading.news_at) > fresh
    )
    up, down = session.exec(replaced).one()
    return {Direction.ESCALATION: up or 0.0, Direction.DEESCALATION: down or 0.0}


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
