"""A chat (private, group, channel, forum topic) or the terminal, with what it wants to hear."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select, update

from models.columns import text_enum


class Outlet(StrEnum):
    """Where messages come out."""

    TELEGRAM = "telegram"
    TERMINAL = "terminal"


class SubscriberState(StrEnum):
    """Whether a chat is sent anything."""

    PENDING = "pending"  #: asked to subscribe; an admin has not answered
    ACTIVE = "active"  #: gets alerts and digests
    STOPPED = "stopped"  #: said /stop; /start brings it back
    BLOCKED = "blocked"  #: removed the bot (Telegram says 403); /start brings it back
    REFUSED = "refused"  #: an admin said no; /start does not bring it back


class Subscriber(SQLModel, table=True):
    """One place messages go to; levels are `models.story.Level` values from which it wants to hear."""

    __table_args__ = (UniqueConstraint("outlet", "chat_id", "thread_id"),)

    id: int = Field(default=None, primary_key=True)
    outlet: Outlet = Field(default=Outlet.TELEGRAM, sa_type=text_enum(Outlet))
    chat_id: int = Field(sa_type=BigInteger)
    thread_id: int = 0  # forum topic; 0 for none, so that the constraint holds (NULLs would all differ)
    kind: str = "private"
    name: str = ""
    state: SubscriberState = Field(default=SubscriberState.PENDING, sa_type=text_enum(SubscriberState))
    level_escalation: int = 2
    level_deescalation: int = 2
    daily_budget: int | None = None  # None: as config says
    digest: bool = True
    digest_due_at: datetime | None = Field(default=None, index=True)
    created_at: datetime
    changed_at: datetime


TERMINAL_CHAT = 0


def find_subscriber(
    session: Session, chat_id: int, thread_id: int = 0, outlet: Outlet = Outlet.TELEGRAM
) -> Subscriber | None:
    """The subscriber of a chat and topic."""
    same = select(Subscriber).where(
        Subscriber.outlet == outlet, Subscriber.chat_id == chat_id, Subscriber.thread_id == thread_id
    )
    return session.exec(same).first()


def active_subscribers(session: Session) -> Sequence[Subscriber]:
    """Everybody who is sent alerts, in order of arrival."""
    active = select(Subscriber).where(Subscriber.state == SubscriberState.ACTIVE)
    return session.exec(active.order_by(col(Subscriber.id))).all()


def digest_due(session: Session, now: datetime) -> Sequence[Subscriber]:
    """Active subscribers whose weekly digest is due."""
    due = select(Subscriber).where(
        Subscriber.state == SubscriberState.ACTIVE, col(Subscriber.digest), col(Subscriber.digest_due_at) <= now
    )
    return session.exec(due.order_by(col(Subscriber.id))).all()


def block_chat(session: Session, chat_id: int, reason: str, now: datetime) -> None:
    """The chat removed the bot, with all its topics; what waits for it is given up.

    Only active subscribers change: who was never let in, or was refused, must not come back by /start.
    """
    in_chat = select(Subscriber).where(Subscriber.outlet == Outlet.TELEGRAM, Subscriber.chat_id == chat_id)
    for subscriber in session.exec(in_chat).all():
        withdraw_deliveries(session, subscriber, reason)
        if subscriber.state == SubscriberState.ACTIVE:
            subscriber.state = SubscriberState.BLOCKED
            subscriber.changed_at = now


def withdraw_deliveries(session: Session, subscriber: Subscriber, reason: str, notices_too: bool = True) -> None:
    """Give up what waits to be sent to a subscriber; a message being sent at this moment is not called back."""
    from models.delivery import Delivery, DeliveryState

    waiting = update(Delivery).where(
        col(Delivery.subscriber_id) == subscriber.id, col(Delivery.state) == DeliveryState.WAITING
    )
    if not notices_too:
        waiting = waiting.where(col(Delivery.alert_id).is_not(None) | col(Delivery.digest_id).is_not(None))
    session.execute(waiting.values(state=DeliveryState.FAILED, error=reason))


def move_chat(session: Session, old: int, new: int) -> None:
    """A group became a supergroup: rewrite its chat id, and join rows where the new chat subscribed already.

    Of two rows, a refusal stays, a mere request yields, and else the later choice wins. Outbox and suppressions follow,
    each message once.
    """
    if old == new:
        return
    moving = select(Subscriber).where(Subscriber.outlet == Outlet.TELEGRAM, Subscriber.chat_id == old)
    for row in session.exec(moving).all():
        there = find_subscriber(session, new, row.thread_id)
        winner = row if there is None or _rank(row) >= _rank(there) else there
        if there is not None:
            _join(session, winner, there if winner is row else row)
        winner.chat_id = new
        winner.kind = "supergroup" if winner.kind == "group" else winner.kind
        session.flush()


def _rank(subscriber: Subscriber) -> tuple[int, datetime]:
    order = {SubscriberState.REFUSED: 2, SubscriberState.PENDING: 0}
    return order.get(subscriber.state, 1), subscriber.changed_at


def _join(session: Session, winner: Subscriber, loser: Subscriber) -> None:
    from models.alert import Suppression, suppress
    from models.delivery import Delivery

    told = {row.key: row for row in session.exec(select(Delivery).where(Delivery.subscriber_id == winner.id))}
    for row in session.exec(select(Delivery).where(Delivery.subscriber_id == loser.id)).all():
        twin = told.get(row.key)
        if twin is not None and (twin.sent_at or not row.sent_at):
            session.delete(row)
            continue
        if twin is not None:
            session.delete(twin)
            session.flush()
        row.subscriber_id = winner.id
    for silence in session.exec(select(Suppression).where(Suppression.subscriber_id == loser.id)).all():
        values = silence.model_dump(exclude={"id"}) | {"subscriber_id": winner.id}
        session.delete(silence)
        session.flush()
        suppress(session, Suppression(**values))
    session.flush()
    session.delete(loser)
    session.flush()
