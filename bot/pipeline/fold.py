"""alerts that could not be delivered while they were news -> one summary a chat.

After hours without Telegram people should not be flooded with what was news then, nor left to think nothing happened.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from bot.messages.missed import missed_message
from models import Alert, Delivery, DeliveryState, Priority, Subscriber
from models.database import Database
from models.delivery import given_up

KEY = "missed:"


def fold_old_news(database: Database, now: datetime, max_age: timedelta) -> int:
    """End every waiting alert older than `max_age` and queue or extend its chat's summary; returns how many ended."""
    old = _old(now - max_age)
    with database.read() as session:
        if session.exec(select(Delivery.id).where(old).limit(1)).first() is None:
            return 0
    with database.write() as session:
        by_subscriber: dict[int, list[Delivery]] = defaultdict(list)
        for delivery in session.exec(select(Delivery).where(old).order_by(col(Delivery.id))).all():
            by_subscriber[delivery.subscriber_id].append(delivery)
        for subscriber_id, deliveries in by_subscriber.items():
            _fold(session, subscriber_id, deliveries, now, max_age)
    return sum(map(len, by_subscriber.values()))


def _old(before: datetime) -> ColumnElement[bool]:
    return (
        col(Delivery.alert_id).is_not(None)
        & (col(Delivery.state) == DeliveryState.WAITING)
        & (col(Delivery.created_at) < before)
    )


def _fold(
    session: Session, subscriber_id: int, deliveries: Sequence[Delivery], now: datetime, max_age: timedelta
) -> None:
    """A summary that still waits grows; so a long outage ends with one message, not with one a day."""
    waiting = select(Delivery).where(
        Delivery.subscriber_id == subscriber_id,
        col(Delivery.key).startswith(KEY),
        Delivery.state == DeliveryState.WAITING,
    )
    summary = session.exec(waiting).first()
    if summary is None:
        free = session.get_one(Subscriber, subscriber_id).free_from(now)
        summary = Delivery(subscriber_id=subscriber_id, key=f"{KEY}{deliveries[0].id}", send_after=free, created_at=now)
        summary.priority = Priority.ALERT
        session.add(summary)
    reason = f"not delivered within {max_age.total_seconds() / 3600:g} h: told in the summary {summary.key}"
    for delivery in deliveries:
        delivery.state, delivery.error = given_up(delivery), reason
    session.flush()
    folded = (
        select(Alert)
        .join(Delivery, col(Delivery.alert_id) == col(Alert.id))
        .where(Delivery.subscriber_id == subscriber_id, col(Delivery.error).endswith(f" {summary.key}"))
        .order_by(col(Alert.level).desc(), col(Alert.score).desc(), col(Alert.id))
    )
    summary.message = missed_message(session.exec(folded).all()).to_json()
