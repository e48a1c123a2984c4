"""A thing admins should know in, one message in the outbox per admin out; the same `key` is told once.

Without Telegram the terminal is the admin.
"""

from datetime import datetime

from sqlmodel import Session, select

from bot.messages.message import Message
from config.schema import Settings
from models import Delivery, Outlet, Priority, Subscriber, SubscriberState
from models.subscriber import TERMINAL_CHAT, find_subscriber


def tell_admins(session: Session, settings: Settings, key: str, message: Message, now: datetime) -> None:
    """Queue `message` for every admin who has not been told `key` yet."""
    for admin in admins(session, settings, now):
        enqueue(session, admin, key, message, now)


def tell_change(session: Session, settings: Settings, subject: str, message: Message, now: datetime) -> None:
    """Queue a message about a change of state, whatever was told of `subject` before; called once per change."""
    tell_admins(session, settings, f"{subject[:40]}:{now:%Y%m%d%H%M%S%f}", message, now)


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
    same = select(Delivery.id).where(Delivery.subscriber_id == subscriber.id, Delivery.key == key)
    if session.exec(same).first() is not None:
        return None
    row = Delivery(subscriber_id=subscriber.id, key=key, priority=priority, send_after=now, created_at=now)
    row.message = message.to_json()
    session.add(row)
    return row


def admin_chat(session: Session, user_id: int, now: datetime) -> Subscriber:
    """An admin's private chat, known from now on if it was not."""
    known = find_subscriber(session, user_id)
    if known is None:
        known = Subscriber(chat_id=user_id, kind="private", created_at=now, changed_at=now)
        session.add(known)
        session.flush()
    return known
