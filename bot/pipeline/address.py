"""an alert and a subscriber -> whether, when and how it is told there. Pure, but `address_alert` writes it down.

One waiting delivery, held back until quiet hours are over, or the reason why this subscriber is not told. What becomes
of earlier messages of the story is in sequence.py, what sets them right in correct.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from bot.calendar import when_due, when_to_tell
from bot.messages.message import Message
from bot.pipeline.choice import Choice
from bot.pipeline.correct import correct
from bot.pipeline.sequence import Telling, heard_of, overtake, queue
from classifiers.regions import WORLD
from config.schema import Alerts
from models import Alert, AlertKind, Direction, Level, Story, Subscriber, Suppression, SuppressionReason
from models.alert import FOLLOW_UPS, not_told, suppress
from models.delivery import alerts_sent_since

BUDGET_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What an alert is about, as a subscriber may choose it: regions, the pair ("RU-UA") and the likely signals."""

    regions: frozenset[str]
    dyad: str | None
    signals: frozenset[str]

    @classmethod
    def of(cls, story: Story) -> "Occasion":
        """Of a story as it stands. Every story is of the world."""
        return cls(frozenset({WORLD, *story.regions}), story.dyad, frozenset(story.signals))


def withheld(
    alert: Alert, occasion: Occasion, subscriber: Subscriber, spent: int, settings: Alerts
) -> SuppressionReason | None:
    """Why this subscriber is not told, or None. `spent`: alerts of this level or more in the last 24 hours. Pure."""
    chosen = subscriber.level_deescalation if alert.direction is Direction.DEESCALATION else subscriber.level_escalation
    if occasion.dyad is not None and occasion.dyad in subscriber.muted_dyads:
        return SuppressionReason.MUTED
    if not wanted(occasion, subscriber):
        return SuppressionReason.UNWANTED
    if alert.level < chosen:
        return SuppressionReason.THRESHOLD
    budget = subscriber.daily_budget or settings.telling.daily_budget
    if spent >= budget and not breaks_budget(alert):
        return SuppressionReason.BUDGET
    return None


def wanted(occasion: Occasion, subscriber: Subscriber | Choice) -> bool:
    """Of the places chosen (regions and pairs) one must fit, and of the signals chosen one."""
    places = bool(subscriber.regions or subscriber.dyads)
    there = bool(occasion.regions.intersection(subscriber.regions)) or occasion.dyad in subscriber.dyads
    about = not subscriber.signals or bool(occasion.signals.intersection(subscriber.signals))
    return (there or not places) and about


def breaks_budget(alert: Alert) -> bool:
    """A story that reaches critical is told whatever was told before: silence there is the worse error."""
    return alert.level >= Level.CRITICAL and alert.kind in (AlertKind.NEW, AlertKind.RAISED)


def address_alert(
    session: Session,
    alert: Alert,
    message: Message,
    subscribers: Sequence[Subscriber],
    settings: Alerts,
    timezone: str,
    now: datetime,
) -> None:
    """Queue the alert for everybody who is to hear it, and keep the reason for everybody who is not."""

    def tell(subscriber: Subscriber) -> Telling:
        hours = (alert.level, subscriber, timezone, now)
        return Telling(subscriber, when_to_tell(*hours), when_due(*hours))

    heard = heard_of(session, alert.story_id)
    if alert.kind in FOLLOW_UPS:
        correct(session, alert, message, [tell(each) for each in subscribers if each.id in heard], heard, now)
        return
    occasion = Occasion.of(session.get_one(Story, alert.story_id))
    spent = alerts_sent_since(session, now - BUDGET_WINDOW, alert.level)
    tellings, silences = list[Telling](), list[Suppression]()
    for subscriber in subscribers:
        reason = withheld(alert, occasion, subscriber, spent.get(subscriber.id, 0), settings)
        if reason is None:
            tellings.append(tell(subscriber))
        else:
            silences.append(not_told(alert, reason, subscriber.id, now))
    gone = overtake(session, alert, tellings, heard)
    queue(session, alert, message, tellings, heard, gone, now)
    suppress(session, *silences)
