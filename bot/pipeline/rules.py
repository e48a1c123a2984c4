"""a story, what it amounts to and what was told of it -> what to tell now, and what not and why. Pure.

Each rule has a function of its own, and each telling says which rule it was and by how much it was met.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.messages.alert import signal_name
from bot.pipeline.levels import threshold
from bot.pipeline.weigh import Weight
from config.schema import Alerts
from models import AlertKind, Direction, Level, Story, Suppression, SuppressionReason
from models.story import StoryStatus


@dataclass(frozen=True, slots=True)
class Past:
    """What was told before: `kinds` of this story's alerts, the status the last of them gave (`told_as`) and its number
    of independent `sources` as its message says now, by direction
    the level and time at which other stories of its `pair` rang within the cool-down, the highest score (0-100) among
    readings that edits have `superseded`, and the score this story was `rang_at` at. `told_apart`: it was two stories,
    and some chats were told another status than the last alert gave."""

    kinds: frozenset[AlertKind] = frozenset()
    told_as: StoryStatus | None = None
    sources: int = 0
    told_apart: bool = False
    pair: dict[Direction, tuple[Level, datetime]] = field(default_factory=dict)
    superseded: dict[Direction, float] = field(default_factory=dict)
    rang_at: dict[Direction, float] = field(default_factory=dict)


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

    def row(self, story_id: int, now: datetime) -> Suppression:
        """As it is kept: decided for everybody."""
        return Suppression(
            story_id=story_id,
            direction=self.direction,
            level=int(self.level),
            reason=self.reason,
            score=self.score,
            first_at=now,
            last_at=now,
        )


def worth_telling(story: Story, weight: Weight, past: Past, settings: Alerts, now: datetime) -> list[Telling | Silence]:
    """What to tell of a story whose levels are up to date, and what not and why. Pure."""
    outcomes: list[Telling | Silence] = []
    for direction in Direction:
        outcome = _direction_outcome(story, weight, direction, past, settings, now)
        if outcome is not None:
            outcomes.append(outcome)
    if not any(isinstance(outcome, Telling) for outcome in outcomes):
        follow_up = _retraction(story, past) or _dispute(story, settings, now) or _confirmation(story, weight, past)
        if follow_up is not None:
            outcomes.append(follow_up)
    return outcomes


def _direction_outcome(
    story: Story, weight: Weight, direction: Direction, past: Past, settings: Alerts, now: datetime
) -> Telling | Silence | None:
    level, told, score = story.level(direction), story.told(direction), weight.score(direction)
    if level > told:
        return _rise(story, weight, direction, past, settings, now)
    if not story.changed:
        return None
    if level > Level.NONE:
        return Silence(direction, level, score, SuppressionReason.REPEAT)
    near = settings.levels_for(direction).watch - settings.telling.near_miss
    if told is Level.NONE and score >= near:
        return Silence(direction, Level.WATCH, score, SuppressionReason.BELOW_THRESHOLD)
    return None


def _rise(
    story: Story, weight: Weight, direction: Direction, past: Past, settings: Alerts, now: datetime
) -> Telling | Silence:
    level, told, score = story.level(direction), story.told(direction), weight.score(direction)
    newest = max((row[0].news_at for row in weight.top.get(direction, ())), default=story.last_seen_at)
    if now - newest > timedelta(hours=settings.telling.max_age_hours):
        return Silence(direction, level, score, SuppressionReason.OLD)
    quiet_until = _quiet_until(story, settings)
    if told is Level.NONE and quiet_until is not None and now < quiet_until and level < Level.CRITICAL:
        return Silence(direction, level, score, SuppressionReason.QUIET, until=quiet_until)
    if (cool_at := _cools_until(told, level, past.pair.get(direction), settings)) is not None and now < cool_at:
        return Silence(direction, level, score, SuppressionReason.COOL_DOWN, until=cool_at)
    if level < Level.CRITICAL and _wants_confirmation(weight, settings):
        return Silence(direction, level, score, SuppressionReason.UNCONFIRMED)
    entered = threshold(level, settings.levels_for(direction))
    kind = _kind_of_rise(story, direction)
    rule = f"{direction.word} {score:.0f} reached {level.word} ({entered:g})"
    return Telling(kind, direction, level, score, rule)


def _kind_of_rise(story: Story, direction: Direction) -> AlertKind:
    if story.told(direction) is not Level.NONE:
        return AlertKind.RAISED
    eases = direction is Direction.DEESCALATION and story.told(Direction.ESCALATION) is not Level.NONE
    return AlertKind.EASED if eases else AlertKind.NEW


def _cools_until(told: Level, level: Level, pair: tuple[Level, datetime] | None, settings: Alerts) -> datetime | None:
    """When a story never told may ring after others of its pair did; None: now, as a rise above them or critical."""
    if pair is None or told is not Level.NONE or level is Level.CRITICAL or level > pair[0]:
        return None
    return pair[1] + timedelta(minutes=settings.telling.cool_down_minutes)


def _wants_confirmation(weight: Weight, settings: Alerts) -> bool:
    """A story that would ring for a signal which admins want from several independent sources first."""
    return bool(set(weight.signals) & set(settings.telling.confirm_signals)) and (
        weight.sources < settings.telling.confirm_sources
    )


def is_retracted(story: Story, weight: Weight, past: Past, settings: Alerts) -> bool:
    """Whether what rang was rewritten: it had reached the level told, and what replaced it is near nothing."""
    for direction in Direction:
        told, levels = story.told(direction), settings.levels_for(direction)
        if told is Level.NONE or past.superseded.get(direction, 0.0) < threshold(told, levels):
            continue
        if weight.fades_at is not None and weight.score(direction) < levels.watch - levels.leave_below:
            return True
    return False


def _retraction(story: Story, past: Past) -> Telling | None:
    if story.status is not StoryStatus.RETRACTED or AlertKind.RETRACTED in past.kinds:
        return None
    direction = told_direction(story)
    rule = f"rewritten: {_course(story, past, direction)}"
    return Telling(AlertKind.RETRACTED, direction, story.told(direction), story.score(direction), rule)


def _course(story: Story, past: Past, direction: Direction) -> str:
    """In the numbers that readers were shown: a reading's own score, which the story's is made of, they never saw."""
    told, peak, score = (
        round(value) for value in (past.rang_at.get(direction, 0.0), story.peak(direction), story.score(direction))
    )
    return f"rang at {told}, {f'rose to {peak}, ' if peak > told else ''}now {score}"


def _confirmation(story: Story, weight: Weight, past: Past) -> Telling | None:
    """What was told as somebody's word, or as disputed, has independent sources now: told once."""
    if weight.status is not StoryStatus.CONFIRMED or AlertKind.CONFIRMED in past.kinds:
        return None
    if past.told_as not in (StoryStatus.UNCONFIRMED, StoryStatus.CONTESTED):
        return None
    direction = told_direction(story)
    backing = weight.backing.get(direction, 0)
    if backing < 2 or story.level(direction) is Level.NONE:  # others tell another side of it, or it fades
        return None
    rule = f"{past.told_as.word} before, now {backing} independent sources"
    return Telling(AlertKind.CONFIRMED, direction, story.told(direction), story.score(direction), rule)


def is_outdated(story: Story, weight: Weight, past: Past) -> bool:
    """Whether the message that is there should read otherwise, though nothing of it rings: half as many sources again
    (2, 3, 5, 8 ...) say the same, or its status is another, at least where the half now merged into it was told."""
    if not story.changed or AlertKind.RETRACTED in past.kinds or past.sources == 0:
        return False
    if story.level(told_direction(story)) is Level.NONE:
        return False
    if past.told_as is story.status:
        return past.told_apart or weight.sources >= 1.5 * past.sources
    return _has_turned(story, past)


def _has_turned(story: Story, past: Past) -> bool:
    """Into a status that no alert tells: a dispute that ended, and what was told once and is so again."""
    if story.status is StoryStatus.CONFIRMED:
        return AlertKind.CONFIRMED in past.kinds
    if story.status is StoryStatus.CONTESTED:
        return story.told_contested
    return story.status is StoryStatus.UNCONFIRMED


def told_direction(story: Story) -> Direction:
    """In which direction the story rang the loudest."""
    return max(Direction, key=lambda direction: (story.told(direction), direction is Direction.ESCALATION))


def _dispute(story: Story, settings: Alerts, now: datetime) -> Telling | Silence | None:
    """A story that was told and that parties now contradict each other about: told once."""
    if story.status is not StoryStatus.CONTESTED or story.told_contested:
        return None
    direction = told_direction(story)
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
