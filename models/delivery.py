"""The outbox: one message to one chat. docs/delivery.md draws the states.

A row is claimed by a conditional UPDATE that sets `send_after` to the end of a lease: whoever dies while sending leaves
a row that falls due again by itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import JSON, ColumnElement, CursorResult, UniqueConstraint, update
from sqlmodel import Field, Session, SQLModel, col, func, select

from models.alert import Alert
from models.columns import text_enum
from models.subscriber import Subscriber


class DeliveryState(StrEnum):
    """Where one message stands."""

    WAITING = "waiting"  #: to be sent at `send_after`
    SENDING = "sending"  #: claimed until `send_after`; then due again
    SENT = "sent"  #: accepted; `message_id` is set where there is one
    UNCERTAIN = "uncertain"  #: the answer was lost, for an alert twice; it may have arrived
    FAILED = "failed"  #: gave up; `error` says why


class Priority(IntEnum):
    """Lower goes first."""

    REPLY = 0
    ALERT = 1
    NOTICE = 2
    DIGEST = 3


class Delivery(SQLModel, table=True):
    """One message to one subscriber. `message` is `bot.messages.message.Message` as JSON; `key` makes it unique."""

    __table_args__ = (UniqueConstraint("subscriber_id", "key"),)

    id: int = Field(default=None, primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True, ondelete="CASCADE")
    key: str = Field(max_length=80)
    alert_id: int | None = Field(default=None, foreign_key="alert.id", index=True, ondelete="CASCADE")
    digest_id: int | None = Field(default=None, foreign_key="digest.id", ondelete="CASCADE")
    priority: int = Field(default=int(Priority.ALERT))
    state: DeliveryState = Field(default=DeliveryState.WAITING, sa_type=text_enum(DeliveryState))
    message: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    send_after: datetime = Field(index=True)
    claim: str | None = None
    attempts: int = 0
    lost_answers: int = 0
    message_id: int | None = None
    error: str | None = None
    created_at: datetime = Field(index=True)
    sent_at: datetime | None = None


OPEN_STATES = (DeliveryState.WAITING, DeliveryState.SENDING)


def anything_due(session: Session, outlets: Sequence[str], now: datetime) -> bool:
    """Whether some row for `outlets` waits for a claim; takes no lock."""
    waiting = select(Delivery.id).join(Subscriber).where(_due(now), col(Subscriber.outlet).in_(outlets))
    return session.exec(waiting.limit(1)).first() is not None


def _due(now: datetime) -> ColumnElement[bool]:
    return col(Delivery.state).in_(OPEN_STATES) & (col(Delivery.send_after) <= now)


def claim_due(
    session: Session, outlets: Sequence[str], now: datetime, lease: timedelta, limit: int
) -> Sequence[Delivery]:
    """Claim up to `limit` due rows for `outlets` until `now + lease`: most urgent first, then oldest.

    Safe against other claimers: each row is taken by an UPDATE that still finds it due.
    """
    order = (col(Delivery.priority), col(Delivery.send_after), col(Delivery.id))
    reachable = select(Delivery.id).join(Subscriber).where(_due(now), col(Subscriber.outlet).in_(outlets))
    ids = session.exec(reachable.order_by(*order).limit(limit)).all()
    if not ids:
        return []
    claim = uuid4().hex
    taken = (
        update(Delivery)
        .where(col(Delivery.id).in_(ids), _due(now))
        .values(state=DeliveryState.SENDING, claim=claim, send_after=now + lease, attempts=col(Delivery.attempts) + 1)
    )
    session.execute(taken, execution_options={"synchronize_session": False})
    return session.exec(select(Delivery).where(Delivery.claim == claim).order_by(*order)).all()


def settle(session: Session, delivery: Delivery, claim: str | None, **values: Any) -> bool:
    """Write the outcome of a claimed delivery; False when the claim was lost to somebody else meanwhile."""
    if claim is None:  # in SQL that would match every row that nobody claims
        return False
    settled = (
        update(Delivery)
        .where(col(Delivery.id) == delivery.id, col(Delivery.claim) == claim)
        .values(claim=None, **values)
    )
    result = cast(CursorResult[Any], session.execute(settled, execution_options={"synchronize_session": False}))
    return result.rowcount == 1


def alerts_sent_since(session: Session, subscriber_id: int, since: datetime, level: int) -> int:
    """How many alerts of at least `level` a subscriber was given (sent or about to be) since a moment."""
    given = (
        select(func.count())
        .select_from(Delivery)
        .join(Alert)
        .where(
            Delivery.subscriber_id == subscriber_id,
            Alert.level >= level,
            col(Delivery.created_at) > since,
            Delivery.state != DeliveryState.FAILED,
        )
    )
    return session.exec(given).one()


def open_deliveries(session: Session) -> int:
    """How many messages wait or are being sent."""
    return session.exec(select(func.count()).where(col(Delivery.state).in_(OPEN_STATES))).one()
