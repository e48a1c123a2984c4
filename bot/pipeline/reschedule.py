"""a chat's new mute, quiet hours, break-through or zone in, what waits for it put off or brought forward out.

Who asks for silence means also what was decided a moment before; who ends it wants what was held back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from bot.calendar import when_due, when_to_tell
from models import Level, Subscriber
from models.delivery import waiting_of


@dataclass(frozen=True, slots=True)
class Hours:
    """By level, when a message of now would be told (`tell`), and from when on it would grow old (`due`)."""

    tell: Mapping[int, datetime]
    due: Mapping[int, datetime]

    @classmethod
    def of(cls, subscriber: Subscriber, timezone: str, now: datetime) -> "Hours":
        """As the subscriber has them; `timezone` is that of those who chose none."""
        return cls(
            {level: when_to_tell(level, subscriber, timezone, now) for level in Level},
            {level: when_due(level, subscriber, timezone, now) for level in Level},
        )


def reschedule(session: Session, subscriber: Subscriber, before: Hours, timezone: str, now: datetime) -> None:
    """Move what waits for a chat from its hours `before` to those it has now. Edits make no sound and keep their time.

    A message never goes after one that answers it.
    """
    after = Hours.of(subscriber, timezone, now)
    if after == before:
        return
    answered = dict[int, datetime]()
    for delivery in waiting_of(session, subscriber.id):
        level = -delivery.rank
        at = _moved(delivery.send_after, before.tell[level], after.tell[level], now)
        at = min(at, answered.get(delivery.id, at))
        if delivery.replies_to_id is not None:
            answered[delivery.replies_to_id] = min(at, answered.get(delivery.replies_to_id, at))
        if at != delivery.send_after:
            delivery.send_after = at
            delivery.due_at = max(delivery.due_at or delivery.created_at, after.due[level])


def _moved(at: datetime, before: datetime, after: datetime, now: datetime) -> datetime:
    """A time that the hours `before` had put off is `after`; any other (at once, or a retry) is kept or put off."""
    if now < before <= at:
        return after
    return at if after <= now else max(at, after)
