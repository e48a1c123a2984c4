"""an alert and a subscriber -> whether, when and how it is told there. Pure, but `address_alert` writes it down.

One waiting delivery, held back until quiet hours are over, or the reason why this subscriber is not told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, update
from sqlmodel import Session, col, select

from bot.calendar import end_of_quiet_hours
from bot.messages.message import Message
from bot.pipeline.choice import Choice
from classifiers.regions import WORLD
from config.schema import Alerts
from models import (
    Alert,
    AlertKind,
    Delivery,
    DeliveryState,
    Direction,
    Level,
    Priority,
    Story,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from models.alert import not_told, suppress
from models.delivery import alerts_sent_since, give_up_waiting, given_up
from models.subscriber import active_subscribers

BUDGET_WINDOW = timedelta(hours=24)
#: Kinds that set right what was told: for those who were told, and outside of every budget.
CORRECTIONS = (AlertKind.CONFIRMED, AlertKind.RETRACTED)


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


def when_to_tell(alert: Alert, subscriber: Subscriber, timezone: str, now: datetime) -> datetime:
    """Now, or when the subscriber's mute and quiet hours are over, unless the level breaks through them. Pure."""
    if alert.level >= subscriber.break_through:
        return now
    free = now if subscriber.muted_until is None else max(now, subscriber.muted_until)
    if subscriber.quiet_from is None or subscriber.quiet_until is None:
        return free
    return end_of_quiet_hours(subscriber.quiet_from, subscriber.quiet_until, subscriber.timezone or timezone, free)


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
    told = _tellings(session, alert.story_id)
    if alert.kind in CORRECTIONS:
        _correct(session, alert, message, [each for each in subscribers if each.id in told], told, now)
        return
    occasion = Occasion.of(session.get_one(Story, alert.story_id))
    spent = alerts_sent_since(session, now - BUDGET_WINDOW, alert.level)
    shared, rows = _shared(alert, message, now), list[dict[str, Any]]()
    silences = list[Suppression]()
    for subscriber in subscribers:
        reason = withheld(alert, occasion, subscriber, spent.get(subscriber.id, 0), settings)
        if reason is not None:
            silences.append(not_told(alert, reason, subscriber.id, now))
            continue
        first, _ = told.get(subscriber.id, (None, None))
        at = when_to_tell(alert, subscriber, timezone, now)
        rows.append(shared | {"subscriber_id": subscriber.id, "send_after": at, "replies_to_id": first})
    _write(session, rows)
    suppress(session, *silences)


def _correct(
    session: Session,
    alert: Alert,
    message: Message,
    subscribers: Sequence[Subscriber],
    told: Mapping[int, tuple[int, int]],
    now: datetime,
) -> None:
    """Whoever heard of the story hears this too, whatever their budget: a confirmation in the message they have, a
    retraction as an answer to it."""
    shared, rows = _shared(alert, message, now), list[dict[str, Any]]()
    of_story = select(Delivery.id).join(Alert, col(Alert.id) == col(Delivery.alert_id))
    updates = col(Delivery.edits_id).in_(of_story.where(Alert.story_id == alert.story_id))
    give_up_waiting(session, updates & (col(Delivery.priority) == Priority.UPDATE), "the story was corrected before")
    unsent = _unsent(session, alert)
    for subscriber in subscribers:
        first, last = told[subscriber.id]
        # Held by quiet hours or a retry: it must not arrive after its correction.
        if last in unsent and _correct_unsent(unsent[last], alert, message):
            continue
        edits, replies_to = (last, None) if alert.kind is AlertKind.CONFIRMED else (None, first)
        about = {"subscriber_id": subscriber.id, "edits_id": edits, "replies_to_id": replies_to}
        rows.append(shared | about | {"send_after": now})
    session.flush()
    _write(session, rows)


def address_update(session: Session, alert: Alert, message: Message, now: datetime) -> None:
    """Change the message by which each chat last heard of the alert's story, without a sound; one that waits yet,
    before it is sent."""
    prefix, text = f"update:{alert.story_id}:", message.to_json()
    newer = (col(Delivery.state) == DeliveryState.WAITING, col(Delivery.key).startswith(prefix))
    session.execute(update(Delivery).where(*newer).values(message=text))
    under_way = set(session.exec(select(Delivery.subscriber_id).where(*newer)))
    waiting = {subscriber.id for subscriber in active_subscribers(session)} - under_way
    unsent = _unsent(session, alert)
    shared = {"key": f"{prefix}{alert.id}:{alert.facts['independent']}", "priority": Priority.UPDATE, "message": text}
    rows = []
    for subscriber_id, (_, last) in _tellings(session, alert.story_id).items():
        if last in unsent:
            unsent[last].message = text
        elif subscriber_id in waiting:
            about = {"subscriber_id": subscriber_id, "edits_id": last}
            rows.append(shared | about | {"send_after": now, "created_at": now})
    session.flush()
    _write(session, rows)


def _unsent(session: Session, alert: Alert) -> dict[int, Delivery]:
    """What waits to be told of the alert's story, by id."""
    waiting = select(Delivery).join(Alert, col(Alert.id) == col(Delivery.alert_id))
    of_story = (Alert.story_id == alert.story_id, Delivery.state == DeliveryState.WAITING)
    return {row.id: row for row in session.exec(waiting.where(*of_story))}


def _correct_unsent(waiting: Delivery, alert: Alert, message: Message) -> bool:
    """What was not told yet is told as it stands now, or not at all; False when it may have arrived all the same, so
    that its retraction has to be told."""
    if alert.kind is AlertKind.CONFIRMED:
        waiting.message = message.to_json()
        return True
    waiting.state, waiting.error = given_up(waiting), "retracted before it was sent"
    return waiting.state is DeliveryState.FAILED


def _shared(alert: Alert, message: Message, now: datetime) -> dict[str, Any]:
    """What the deliveries of an alert have in common. A new alert has a new id, so nobody was given its key before."""
    return {
        "key": f"alert:{alert.id}",
        "alert_id": alert.id,
        "priority": Priority.ALERT,
        "rank": -alert.level,
        "message": message.to_json(),
        "created_at": now,
    }


def _write(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """All in one statement: other writers wait meanwhile, and there may be a hundred thousand. At once, so that the
    next alert of this round counts them against the budget."""
    if rows:
        session.execute(insert(Delivery), rows)


def _tellings(session: Session, story_id: int) -> Mapping[int, tuple[int, int]]:
    """subscriber id -> the deliveries by which it first and last heard of a story."""
    told = (
        select(Delivery.subscriber_id, Delivery.id)
        .join(Alert, col(Alert.id) == col(Delivery.alert_id))
        .where(Alert.story_id == story_id, Delivery.state != DeliveryState.FAILED)
        .order_by(col(Delivery.id))
    )
    found: dict[int, tuple[int, int]] = {}
    for subscriber_id, delivery_id in session.exec(told):
        found[subscriber_id] = (found.get(subscriber_id, (delivery_id, 0))[0], delivery_id)
    return found
