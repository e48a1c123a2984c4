"""messages that could not be delivered while they were news -> one summary of alerts a chat; the rest ends by its age.

After hours without Telegram people should not be flooded with what was news then, nor left to think nothing happened.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlmodel import Session, col, select

from bot.calendar import when_to_tell
from bot.messages.missed import missed_message
from models import Alert, Delivery, DeliveryState, Priority, Subscriber
from models.database import Database
from models.delivery import give_up_waiting, given_up, older_than
from models.pieces import pieces

KEY = "missed:"
#: A summary that failed this lately is told with the next one: it was of the same outage.
SAME_OUTAGE = timedelta(days=7)
WEEK = timedelta(days=7)
#: How long what is no alert is worth sending. An answer is nothing the next day; what an admin wrote to everybody is
#: mostly about one day or two; a digest is replaced by the next; the rest stays true longer than chats stay away.
STALE_AFTER = {
    Priority.REPLY: timedelta(days=1),
    Priority.NOTICE: WEEK,
    Priority.DIGEST: WEEK,
    Priority.BROADCAST: timedelta(days=3),
}


def fold_old_news(database: Database, now: datetime, max_age: timedelta, timezone: str = "UTC") -> int:
    """End every waiting alert older than `max_age` and queue or extend its chat's summary; returns how many ended.

    `timezone` is that of the quiet hours of subscribers who chose none.
    """
    # An edit makes no sound and is true when it comes late.
    old = older_than(max_age, now) & col(Delivery.alert_id).is_not(None) & col(Delivery.edits_id).is_(None)
    with database.read() as session:
        if session.exec(select(Delivery.id).where(old).limit(1)).first() is None:
            return 0
    with database.write() as session:
        by_subscriber: dict[int, list[Delivery]] = defaultdict(list)
        for delivery in session.exec(select(Delivery).where(old).order_by(col(Delivery.id))).all():
            by_subscriber[delivery.subscriber_id].append(delivery)
        for subscriber_id, deliveries in by_subscriber.items():
            summary = _summary(session, subscriber_id, deliveries[0].id, now)
            _fold(session, summary, deliveries, max_age)
            _put_off(session, summary, timezone, now)
    return sum(map(len, by_subscriber.values()))


def end_stale(database: Database, now: datetime) -> None:
    """End what waits and is no longer worth telling, by its class. A summary never is: it goes on growing."""
    kinds = [(col(Delivery.priority) == int(priority), age) for priority, age in STALE_AFTER.items()]
    kinds.append((col(Delivery.edits_id).is_not(None), WEEK))
    stale = [(kind & older_than(age, now), age) for kind, age in kinds]
    with database.read() as session:  # nearly always there is none, and finding that out should make no writer wait
        if session.exec(select(Delivery.id).where(or_(*(rows for rows, _ in stale))).limit(1)).first() is None:
            return
    with database.write() as session:
        for rows, age in stale:
            give_up_waiting(session, rows, f"no longer news: could not be delivered within {age.days} days")


def _summary(session: Session, subscriber_id: int, first: int, now: datetime) -> Delivery:
    """The one that still waits, so that a long outage ends with one message and not with one a day; else a new one,
    which also tells what was in those that failed lately."""
    of_chat = (Delivery.subscriber_id == subscriber_id, col(Delivery.key).startswith(KEY))
    waiting = session.exec(select(Delivery).where(*of_chat, Delivery.state == DeliveryState.WAITING)).first()
    if waiting is not None:
        return waiting
    summary = Delivery(subscriber_id=subscriber_id, key=f"{KEY}{first}", send_after=now, created_at=now)
    failed = select(Delivery.id).where(
        *of_chat, Delivery.state == DeliveryState.FAILED, col(Delivery.created_at) > now - SAME_OUTAGE
    )
    lost = session.exec(failed).all()
    session.add(summary)
    session.flush()
    in_them = col(Delivery.folded_into_id).in_(lost)
    session.execute(update(Delivery).where(in_them).values(folded_into_id=summary.id))
    return summary


def _fold(session: Session, summary: Delivery, deliveries: Sequence[Delivery], max_age: timedelta) -> None:
    reason = f"not delivered within {max_age.total_seconds() / 3600:g} h: told in the summary instead"
    for delivery in deliveries:
        delivery.state, delivery.error, delivery.folded_into_id = given_up(delivery), reason, summary.id
    session.flush()
    summary.message = missed_message(_told_in(session, summary)).to_json()


def _told_in(session: Session, summary: Delivery) -> Sequence[Alert]:
    """The gravest first."""
    folded = select(Alert).join(Delivery, col(Delivery.alert_id) == col(Alert.id))
    folded = folded.where(Delivery.folded_into_id == summary.id)
    return session.exec(folded.order_by(col(Alert.level).desc(), col(Alert.score).desc(), col(Alert.id))).all()


def _put_off(session: Session, summary: Delivery, timezone: str, now: datetime) -> None:
    """Until quiet hours are over, as its gravest alert would be; a pause after a failure stays."""
    gravest = _told_in(session, summary)[0].level
    at = when_to_tell(gravest, session.get_one(Subscriber, summary.subscriber_id), timezone, now)
    summary.rank, summary.send_after = -gravest, max(summary.send_after, at)
    summary.due_at = summary.due_at or summary.send_after


def leave_out(session: Session, folded: Sequence[int], reason: str) -> None:
    """What a summary was to tell, and is not true any more; a summary of nothing else ends."""
    summaries = set[int]()
    for part in pieces(folded):
        mine = col(Delivery.id).in_(part)
        summaries.update(each for each in session.exec(select(Delivery.folded_into_id).where(mine)) if each is not None)
        session.execute(update(Delivery).where(mine).values(folded_into_id=None, error=reason))
    for summary in (session.get_one(Delivery, each) for each in sorted(summaries)):
        alerts = _told_in(session, summary)
        if alerts:
            summary.message = missed_message(alerts).to_json()
        else:
            summary.state, summary.error = given_up(summary), reason
    session.flush()
