"""A thing admins should know in, one message in the outbox per admin out; the same `key` is told once.

Without Telegram the terminal is the admin.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from bot.messages.message import Message
from config.schema import Settings
from models import Delivery, DeliveryState, Outlet, Priority, Subscriber, SubscriberState
from models.pieces import pieces
from models.subscriber import TERMINAL_CHAT, find_subscriber
from models.trouble import AT_ONCE, begin_trouble, end_trouble


def tell_admins(session: Session, settings: Settings, key: str, message: Message, now: datetime) -> None:
    """Queue `message` for every admin who has not been told `key` yet."""
    enqueue_all(session, admins(session, settings, now), key, message, now)


def tell_change(session: Session, settings: Settings, subject: str, message: Message, now: datetime) -> None:
    """Queue a message about a change of state, whatever was told of `subject` before; called once per change."""
    tell_admins(session, settings, f"{subject[:40]}:{now:%Y%m%d%H%M%S%f}", message, now)


def tell_trouble(
    session: Session,
    settings: Settings,
    subject: str,
    broken: bool,
    message: Message,
    now: datetime,
    patience: timedelta = AT_ONCE,
) -> None:
    """Queue a message that something does not work, or works again, if that is news; a restart is none.

    With `patience` it must have been so for that long; what is over before is told to nobody.
    """
    if begin_trouble(session, subject, now, patience) if broken else end_trouble(session, subject):
        tell_change(session, settings, f"{subject}:{'down' if broken else 'up'}", message, now)


def tell_once_since_it_worked(
    session: Session, settings: Settings, subject: str, subscriber: Subscriber, message: Message, now: datetime
) -> None:
    """Queue a message about a chat, unless that was done since the last message that reached it."""
    reached = select(func.max(Delivery.id)).where(
        Delivery.subscriber_id == subscriber.id, Delivery.state == DeliveryState.SENT
    )
    tell_admins(session, settings, f"{subject}:{subscriber.id}:{session.exec(reached).one() or 0}", message, now)


def admins(session: Session, settings: Settings, now: datetime) -> list[Subscriber]:
    """The terminal where it is the outlet, else admins' chats (a user id is also the id of the private chat)."""
    terminal = find_subscriber(session, TERMINAL_CHAT, outlet=Outlet.TERMINAL)
    if terminal is not None and terminal.state == SubscriberState.ACTIVE:  # it is active while there is no Telegram
        return [terminal]
    return [admin_chat(session, user_id, now) for user_id in settings.telegram.admins]


def enqueue(
    session: Session,
    subscriber: Subscriber,
    key: str,
    message: Message,
    now: datetime,
    priority: Priority = Priority.NOTICE,
) -> Delivery | None:
    """Put a message into the outbox; None when this subscriber was given `key` (at most 80 characters) before."""
    return next(iter(enqueue_all(session, [subscriber], key, message, now, priority)), None)


def enqueue_all(
    session: Session,
    subscribers: Sequence[Subscriber],
    key: str,
    message: Message,
    now: datetime,
    priority: Priority = Priority.NOTICE,
) -> list[Delivery]:
    """The same for many at once: the rows of those who were not given `key` before."""
    ids = [subscriber.id for subscriber in subscribers]
    given: set[int] = set()
    for part in pieces(ids):
        some = col(Delivery.subscriber_id).in_(part)
        given.update(session.exec(select(Delivery.subscriber_id).where(some, Delivery.key == key)))
    common: dict[str, Any] = {
        "key": key,
        "priority": priority,
        "message": message.to_json(),
        "send_after": now,
        "created_at": now,
    }
    rows = [Delivery(subscriber_id=each, **common) for each in dict.fromkeys(ids) if each not in given]
    session.add_all(rows)
    return rows


def admin_chat(session: Session, user_id: int, now: datetime) -> Subscriber:
    """An admin's private chat, known from now on if it was not."""
    known = find_subscriber(session, user_id)
    if known is None:
        known = Subscriber(chat_id=user_id, kind="private", created_at=now, changed_at=now)
        session.add(known)
        session.flush()
    return known
