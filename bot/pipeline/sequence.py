"""the messages of one story to each chat -> which end when the story goes on, and which one the next answers.

A chat is told a story in its order: what waits (quiet hours, a retry) and is overtaken by newer news ends, and what
still has to go before is answered, for which the outbox waits.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from bot.messages.message import Message
from models import Alert, AlertKind, Delivery, DeliveryState, Direction, Priority, Subscriber
from models.delivery import give_up_waiting
from models.pieces import pieces
from models.story import parts_of

#: Kinds that go on from what was told of a story, so that of it only they are still news.
SEQUELS = (AlertKind.RAISED, AlertKind.EASED, AlertKind.CONTESTED)


@dataclass(frozen=True, slots=True)
class Heard:
    """A message by which a chat heard of a story, or is to hear of it.

    An alert that grew too old is heard by the summary `summary_id`; state and time are the summary's then.
    """

    id: int
    state: DeliveryState
    send_after: datetime
    kind: AlertKind
    direction: Direction
    level: int
    edits: bool
    summary_id: int | None

    @property
    def waits(self) -> bool:
        """Whether it has to be sent yet."""
        return self.state is DeliveryState.WAITING

    @property
    def is_held(self) -> bool:
        """Whether it waits and would be a message of its own."""
        return self.waits and not self.edits and self.summary_id is None

    @property
    def message_of(self) -> int:
        """The delivery whose message it is."""
        return self.summary_id or self.id


#: By subscriber id, oldest first; who heard nothing is not in it.
HeardBy = Mapping[int, Sequence[Heard]]


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is told of an alert, and when; from `due` on it grows old. `silent`: without a sound."""

    subscriber: Subscriber
    at: datetime
    due: datetime
    silent: bool = False


def heard_of(session: Session, story_id: int) -> HeardBy:
    """By which messages each chat heard of a story or is to; one that never arrived and is in no summary counts not."""
    summary, found = aliased(Delivery), defaultdict[int, list[Heard]](list)
    rows = (
        select(
            col(Delivery.subscriber_id),
            col(Delivery.id),
            col(Delivery.state),
            col(Delivery.send_after),
            col(Alert.kind),
            col(Alert.direction),
            col(Alert.level),
            col(Delivery.edits_id).is_not(None),
            col(summary.id),
            col(summary.state),
            col(summary.send_after),
        )
        .join(Alert, col(Alert.id) == col(Delivery.alert_id))
        .outerjoin(summary, col(summary.id) == col(Delivery.folded_into_id))
        .where(col(Alert.story_id).in_(parts_of(story_id)))
        .where(or_(col(Delivery.state) != DeliveryState.FAILED, col(summary.state) != DeliveryState.FAILED))
        .order_by(col(Delivery.id))
    )
    for chat, own, state, at, kind, direction, level, edits, summary_id, its_state, its_time in session.execute(rows):
        heard = Heard(own, its_state or state, its_time or at, kind, direction, level, bool(edits), summary_id)
        found[chat].append(heard)
    return dict(found)


def overtake(session: Session, alert: Alert, tellings: Sequence[Telling], heard: HeardBy) -> set[int]:
    """End what waits and would be old news: of the direction in which the alert goes on, or due only after it.

    Returns those that never arrived.
    """
    if alert.kind not in SEQUELS:
        return set()
    old = [
        each.id
        for telling in tellings
        for each in heard.get(telling.subscriber.id, ())
        if each.is_held and each.kind is not AlertKind.TEMPO
        if each.direction is alert.direction or each.send_after > telling.at
    ]
    return give_up(session, old, f"overtaken by a later alert of the story ({alert.kind.word})")


def give_up(session: Session, ids: Sequence[int], reason: str) -> set[int]:
    """End those that wait yet; returns those that never arrived."""
    ended = [give_up_waiting(session, col(Delivery.id).in_(part), reason) for part in pieces(ids)]
    return set().union(*ended)


def queue(
    session: Session,
    alert: Alert,
    message: Message,
    tellings: Sequence[Telling],
    heard: HeardBy,
    gone: Collection[int],
    now: datetime,
) -> None:
    """One message a telling, as an answer to the last one of the story that was sent, or that is sent before it."""
    texts = {silent: replace(message, silent=silent).to_json() for silent in (False, True)}
    shared, rows, first = common(alert, now), list[dict[str, Any]](), list[int]()
    for telling in tellings:
        before = _answered(heard.get(telling.subscriber.id, ()), gone, telling.at)
        if before is not None and before.waits:
            first.append(before.id)
        rows.append(
            shared
            | {"subscriber_id": telling.subscriber.id, "message": texts[telling.silent]}
            | {"send_after": telling.at, "due_at": telling.due, "replies_to_id": before.message_of if before else None}
        )
    _hurry(session, first, -alert.level)
    write(session, rows)


def _answered(heard: Sequence[Heard], gone: Collection[int], at: datetime) -> Heard | None:
    """The last message of the story that one told `at` a moment can answer; it does not wait for a later one."""
    left = [each for each in heard if each.id not in gone]
    there = [each for each in left if not each.waits or (each.is_held and each.send_after <= at)]
    return there[-1] if there else None


def _hurry(session: Session, ids: Sequence[int], rank: int) -> None:
    """What an alert answers is as urgent as the alert: else claims would go past all that wait for another message."""
    for part in pieces(ids):
        slower = (col(Delivery.id).in_(part), col(Delivery.rank) > rank, col(Delivery.state) == DeliveryState.WAITING)
        session.execute(update(Delivery).where(*slower).values(rank=rank))


def edit(session: Session, chats: Mapping[int, int], values: Mapping[str, Any], message: Message) -> None:
    """By subscriber id a delivery whose message is to read `message`, without a sound, also where it is sent anew."""
    text = replace(message, silent=True).to_json()
    about = [{"subscriber_id": chat, "edits_id": edited} for chat, edited in chats.items()]
    write(session, [{**values, **each, "send_after": values["created_at"], "message": text} for each in about])


def reword(session: Session, ids: Sequence[int], message: Message) -> set[int]:
    """What was not sent yet says `message` instead; returns those that still waited."""
    text, found = message.to_json(), set[int]()
    for part in pieces(ids):
        waiting = (col(Delivery.id).in_(part), col(Delivery.state) == DeliveryState.WAITING)
        found.update(session.scalars(update(Delivery).where(*waiting).values(message=text).returning(col(Delivery.id))))
    return found


def common(alert: Alert, now: datetime) -> dict[str, Any]:
    """What the deliveries of an alert have in common. A new alert has a new id, so nobody was given its key before."""
    return {
        "key": f"alert:{alert.id}",
        "alert_id": alert.id,
        "priority": Priority.ALERT,
        "rank": -alert.level,
        "created_at": now,
    }


def write(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """All in one statement: other writers wait meanwhile, and there may be a hundred thousand. At once, so that the
    next alert of this round counts them against the budget."""
    if rows:
        session.execute(insert(Delivery), rows)
