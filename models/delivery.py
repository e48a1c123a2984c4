"""The outbox: one message to one chat. docs/delivery.md draws the states.

A row is claimed by a conditional UPDATE that sets `send_after` to the end of a lease, and marked as begun just before
the request that Telegram may accept: of a row whose sender died, we know whether the message may have gone out.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from itertools import count
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import (
    JSON,
    ColumnElement,
    CursorResult,
    Index,
    UniqueConstraint,
    case,
    exists,
    literal_column,
    text,
    update,
)
from sqlalchemy.orm import aliased
from sqlmodel import Field, Session, SQLModel, col, func, select

from models.alert import FOLLOW_UPS, Alert, AlertKind
from models.columns import text_enum
from models.subscriber import Outlet, Subscriber


class DeliveryState(StrEnum):
    """Where one message stands."""

    WAITING = "waiting"  #: to be sent at `send_after`
    SENDING = "sending"  #: claimed until `send_after`; then its sender is taken for dead
    SENT = "sent"  #: accepted; `message_id` is set where there is one
    UNCERTAIN = "uncertain"  #: the answer was lost, for an alert twice; it may have arrived
    FAILED = "failed"  #: gave up, and it never arrived; `error` says why


class Priority(IntEnum):
    """What kind of message it is. Lower goes first, unless config/telegram.toml has another order."""

    REPLY = 0
    ALERT = 1
    NOTICE = 2
    DIGEST = 3
    BROADCAST = 4
    UPDATE = 5

    @property
    def kind(self) -> str:
        """As config spells it."""
        return self.name.lower()


#: What only chats that are subscribed are sent: the rest answers a chat, or tells it that it is let in or put out.
FOR_SUBSCRIBERS = (Priority.ALERT, Priority.DIGEST, Priority.BROADCAST, Priority.UPDATE)


def _where_set(name: str, column: str) -> Index:
    """Of the few rows that have the column: to delete a row is to look for those that name it."""
    some = text(f"{column} IS NOT NULL")
    return Index(name, column, sqlite_where=some, postgresql_where=some)


class Delivery(SQLModel, table=True):
    """One message to one subscriber. `message` is `bot.messages.message.Message` as JSON; `key` makes it unique.

    Of two rows of one priority the one with the lower `rank` (an alert's is minus its level) goes first. `edits_id` is
    the delivery whose message this one replaces, `replies_to_id` the one it answers, if these arrived; until that is
    known, this one waits. A row of priority UPDATE only ever edits: where that message is gone, nothing is sent.
    `due_at` is when it was first to be told, where quiet hours put that off: from then on it grows old (None: from
    `created_at` on). An alert that grew too old is told in the summary `folded_into_id`.
    """

    __table_args__ = (
        UniqueConstraint("subscriber_id", "key"),
        Index(
            "ix_delivery_due", "state", "priority", "rank", "send_after", "id"
        ),  # without id PostgreSQL sorts them all
        _where_set("ix_delivery_edits", "edits_id"),
        _where_set("ix_delivery_replies_to", "replies_to_id"),
        _where_set("ix_delivery_folded_into", "folded_into_id"),
    )

    id: int = Field(default=None, primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True, ondelete="CASCADE")
    key: str = Field(max_length=80)
    alert_id: int | None = Field(default=None, foreign_key="alert.id", index=True, ondelete="CASCADE")
    digest_id: int | None = Field(default=None, foreign_key="digest.id", ondelete="CASCADE")
    priority: int = Field(default=int(Priority.ALERT))
    rank: int = 0
    edits_id: int | None = Field(default=None, foreign_key="delivery.id", ondelete="SET NULL")
    replies_to_id: int | None = Field(default=None, foreign_key="delivery.id", ondelete="SET NULL")
    folded_into_id: int | None = Field(default=None, foreign_key="delivery.id", ondelete="SET NULL")
    state: DeliveryState = Field(default=DeliveryState.WAITING, sa_type=text_enum(DeliveryState))
    message: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    send_after: datetime = Field(index=True)
    due_at: datetime | None = None
    claim: str | None = None
    begun: bool = False
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
    """What waits, and not for the message that it answers or edits."""
    earlier = aliased(Delivery)
    named = col(earlier.id).in_((col(Delivery.replies_to_id), col(Delivery.edits_id)))
    waits_for = exists().where(named, col(earlier.state).in_(OPEN_STATES))
    return (col(Delivery.state) == DeliveryState.WAITING) & (col(Delivery.send_after) <= now) & ~waits_for


def given() -> ColumnElement[bool]:
    """What arrived, may have arrived or is still to come, by itself or in the summary that it was folded into."""
    summary = aliased(Delivery)
    in_one = exists().where(col(summary.id) == col(Delivery.folded_into_id), col(summary.state) != DeliveryState.FAILED)
    return (col(Delivery.state) != DeliveryState.FAILED) | in_one


def told_at() -> ColumnElement[datetime | None]:
    """When a message was sent, or the summary that it was folded into; NULL where neither was."""
    summary = aliased(Delivery)
    in_one = select(summary.sent_at).where(col(summary.id) == col(Delivery.folded_into_id)).scalar_subquery()
    return func.coalesce(col(Delivery.sent_at), in_one)


def older_than(age: timedelta, now: datetime) -> ColumnElement[bool]:
    """What was to be told so long ago and still waits; the quiet hours that put it off do not count."""
    waiting = (col(Delivery.state) == DeliveryState.WAITING) & (col(Delivery.created_at) < now - age)
    return waiting & (func.coalesce(Delivery.due_at, Delivery.created_at) < now - age)


def claim_due(
    session: Session,
    outlets: Sequence[str],
    now: datetime,
    lease: timedelta,
    limit: int,
    busy: Collection[int] = (),
    order: Sequence[Priority] = tuple(Priority),
) -> Sequence[Delivery]:
    """Claim up to `limit` due rows for `outlets` until `now + lease`: most urgent first, then oldest, one a chat.

    `order` names every priority, the one that goes first at its start.
    Chats that are `busy` (ids) are left alone: messages of one chat go one after another, and a slow chat holds up
    nobody else. Safe against other claimers: each row is taken by an UPDATE that still finds it due.
    """
    ids = _one_a_chat(session, outlets, now, limit, set(busy), order)
    if not ids:
        return []
    claim = uuid4().hex
    still_due = case((_due(now), 1), else_=0) == 1  # bare, it would lead SQLite through all that waits, not to the ids
    taken = (
        update(Delivery)
        .where(col(Delivery.id).in_(ids), still_due)
        .values(
            state=DeliveryState.SENDING,
            claim=claim,
            begun=False,
            send_after=now + lease,
            attempts=col(Delivery.attempts) + 1,
        )
    )
    session.execute(taken, execution_options={"synchronize_session": False})
    claimed = session.exec(select(Delivery).where(col(Delivery.id).in_(ids), Delivery.claim == claim)).all()
    return sorted(claimed, key=lambda row: ids.index(row.id))


_PAGE = 4


def _one_a_chat(
    session: Session, outlets: Sequence[str], now: datetime, limit: int, busy: set[int], order: Sequence[Priority]
) -> list[int]:
    """The first due row of each chat, in order: one kind after another, so that for each the index gives the order."""
    found: list[int] = []
    for priority in order:
        for delivery_id, chat_id in _due_of(session, outlets, now, priority, max(_PAGE * limit, 1)):
            if len(found) == limit:
                return found
            if chat_id not in busy:
                busy.add(chat_id)
                found.append(delivery_id)
    return found


def _due_of(
    session: Session, outlets: Sequence[str], now: datetime, priority: Priority, size: int
) -> Iterator[tuple[int, int]]:
    """(id, chat) of the due rows of a kind, in order. Read by the page: of a long queue mostly the first is enough."""
    rows = (
        select(Delivery.id, Subscriber.chat_id)
        .join(Subscriber)
        .where(_due(now), col(Delivery.priority) == int(priority), col(Subscriber.outlet).in_(outlets))
        .order_by(col(Delivery.rank), col(Delivery.send_after), col(Delivery.id))
    )
    for page in count():
        candidates = session.exec(rows.offset(page * size).limit(size)).all()
        yield from candidates
        if len(candidates) < size:
            return


def topic_of_message(session: Session, chat_id: int, message_id: int) -> int | None:
    """The forum topic (0: none) in which a message stands: where the outbox sent it, else the only one of the chat that
    subscribed. None: it cannot be told."""
    here = select(Subscriber.thread_id).where(Subscriber.outlet == Outlet.TELEGRAM, Subscriber.chat_id == chat_id)
    sent = here.join(Delivery).where(Delivery.message_id == message_id).order_by(col(Delivery.id).desc())
    told = session.exec(sent.limit(1)).first()
    if told is not None:
        return told
    topics = session.exec(here.limit(2)).all() or [0]
    return topics[0] if len(topics) == 1 else None


def begin(session: Session, delivery: Delivery) -> bool:
    """Note that the request which may be accepted is about to be made; False when the claim is somebody else's now."""
    mine = (col(Delivery.id) == delivery.id, col(Delivery.claim) == delivery.claim)
    begun = update(Delivery).where(*mine).values(begun=True)
    result = cast(CursorResult[Any], session.execute(begun, execution_options={"synchronize_session": False}))
    return delivery.claim is not None and result.rowcount == 1


def lost_claims(now: datetime) -> ColumnElement[bool]:
    """Rows whose sender was given until now and has not said how it ended: it was killed."""
    return (col(Delivery.state) == DeliveryState.SENDING) & (col(Delivery.send_after) <= now)


def recent_sends(session: Session, since: datetime) -> Sequence[tuple[int, datetime]]:
    """(Telegram chat id, when) of every message of the outbox that was sent since a moment, oldest first."""
    sent = (
        select(Subscriber.chat_id, Delivery.sent_at)
        .join(Subscriber)
        .where(col(Delivery.sent_at) >= since, Subscriber.outlet == Outlet.TELEGRAM)
        .order_by(col(Delivery.sent_at))
    )
    return [(chat_id, at) for chat_id, at in session.exec(sent) if at is not None]


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


def given_up(delivery: Delivery) -> DeliveryState:
    """The state in which a delivery ends that is not tried again: FAILED only where no earlier try may have arrived."""
    return DeliveryState.UNCERTAIN if delivery.lost_answers else DeliveryState.FAILED


def give_up_waiting(session: Session, rows: ColumnElement[bool], error: str) -> set[int]:
    """End those of `rows` that wait, as `given_up` says; returns those that never arrived, by id."""
    state = case((col(Delivery.lost_answers) > 0, DeliveryState.UNCERTAIN), else_=DeliveryState.FAILED)
    waiting = col(Delivery.state) == DeliveryState.WAITING
    ended = update(Delivery).where(rows, waiting).values(state=state, error=error)
    found = session.execute(ended.returning(col(Delivery.id), col(Delivery.state)))
    return {delivery_id for delivery_id, state in found if state == DeliveryState.FAILED}


def edited_since(session: Session, edit: Delivery) -> bool:
    """Whether a later delivery has put its text into the message that `edit` is to change."""
    edited = select(Delivery.message_id).where(Delivery.id == edit.edits_id).scalar_subquery()
    later = select(Delivery.id).where(
        Delivery.subscriber_id == edit.subscriber_id,
        col(Delivery.id) > edit.id,
        Delivery.state == DeliveryState.SENT,
        col(Delivery.edits_id).is_not(None),
        col(Delivery.message_id) == edited,
    )
    return session.exec(later.limit(1)).first() is not None


def told_anew(session: Session, delivery: Delivery) -> bool:
    """Whether an alert that answers this one waits, and goes on from it in the same direction."""
    if delivery.alert_id is None:
        return False
    direction = select(Alert.direction).where(Alert.id == delivery.alert_id).scalar_subquery()
    answers = select(Delivery.id).join(Alert).where(_answers(delivery), col(Alert.direction) == direction)
    return session.exec(answers.where(col(Alert.kind) != AlertKind.RETRACTED).limit(1)).first() is not None


def let_go_first(session: Session, delivery: Delivery, until: datetime) -> None:
    """What answers a delivery that waits until then waits as long, so that claims need not go past it."""
    later = (_answers(delivery), col(Delivery.send_after) < until)
    session.execute(update(Delivery).where(*later).values(send_after=until))


def _answers(delivery: Delivery) -> ColumnElement[bool]:
    return (col(Delivery.replies_to_id) == delivery.id) & (col(Delivery.state) == DeliveryState.WAITING)


def waiting_of(session: Session, subscriber_id: int) -> Sequence[Delivery]:
    """What waits and will ring in a chat: alerts, the summary of old ones, broadcasts. The newest first."""
    waiting = (
        (col(Delivery.subscriber_id) == subscriber_id)
        & (col(Delivery.state) == DeliveryState.WAITING)
        & col(Delivery.priority).in_((int(Priority.ALERT), int(Priority.BROADCAST)))
        & col(Delivery.edits_id).is_(None)
    )
    return session.exec(select(Delivery).where(waiting).order_by(col(Delivery.id).desc())).all()


def alerts_sent_since(session: Session, since: datetime, level: int) -> dict[int, int]:
    """Subscriber id -> how many alerts of at least `level` it was given (sent or about to be) since a moment."""
    # By the bare column SQLite would walk the whole outbox in its order.
    subscriber = (col(Delivery.subscriber_id) + literal_column("0")).label("subscriber")
    given = (
        select(subscriber, func.count())
        .select_from(Delivery)
        .join(Alert)
        .where(
            Alert.level >= level,
            col(Delivery.created_at) > since,
            Delivery.state != DeliveryState.FAILED,
            col(Alert.kind).not_in(FOLLOW_UPS),
        )
        .group_by(subscriber)
    )
    return dict(session.exec(given).all())


def undelivered(
    session: Session, limit: int, subscriber_id: int | None = None
) -> Sequence[tuple[Delivery, Subscriber]]:
    """The newest messages that failed or may not have arrived, to one subscriber or to anybody, newest first."""
    ended = (DeliveryState.FAILED, DeliveryState.UNCERTAIN)
    rows = select(Delivery, Subscriber).join(Subscriber).where(col(Delivery.state).in_(ended))
    rows = rows.where(Delivery.priority != Priority.UPDATE)  # what it was to change has arrived
    if subscriber_id is not None:
        rows = rows.where(Delivery.subscriber_id == subscriber_id)
    return session.exec(rows.order_by(col(Delivery.id).desc()).limit(limit)).all()


def open_deliveries(session: Session) -> int:
    """How many messages wait or are being sent."""
    return session.exec(select(func.count()).where(col(Delivery.state).in_(OPEN_STATES))).one()
