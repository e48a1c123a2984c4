"""deliveries -> messages: what is due is claimed for the length of a lease, sent, and its outcome recorded.

At least once: whoever dies between sending and recording leaves a claim that runs out, and the row falls due again.
docs/delivery.md draws the states and names each arrow.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, update

from bot.messages.message import Message
from bot.outlet import Chat, Sender, SendFailure
from models import Delivery, DeliveryState, Digest, Outlet, Priority, Subscriber
from models.chats import block_chat, move_chat
from models.database import Database
from models.delivery import anything_due, claim_due, settle

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)  # longer than the sender's slowest honest answer with its waits
BATCH = 20
FIRST_RETRY_S = 30.0
LONGEST_RETRY_S = 3600.0
MOST_ATTEMPTS = 30  # about a day of trying


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed delivery with all that is needed to send it, so that no transaction is open meanwhile."""

    delivery: Delivery
    subscriber: Subscriber
    photo: bytes | None


async def drain_outbox(
    database: Database, senders: Mapping[Outlet, Sender], clock: Callable[[], datetime], batch: int = BATCH
) -> int:
    """Send everything that is due; returns how many messages were accepted."""
    sent = 0
    while parcels := await asyncio.to_thread(_claim, database, senders, clock(), batch):
        outcomes = await asyncio.gather(*(_send(database, senders, parcel, clock) for parcel in parcels))
        sent += sum(outcomes)
    return sent


def _claim(database: Database, senders: Mapping[Outlet, Sender], now: datetime, batch: int) -> list[Parcel]:
    with database.read() as session:  # nearly always nothing is due, and finding that out should make no writer wait
        if not anything_due(session, now):
            return []
    with database.write() as session:
        claimed = claim_due(session, [outlet.value for outlet in senders], now, LEASE, batch)
        return [_parcel(session, delivery) for delivery in claimed]


def _parcel(session: Session, delivery: Delivery) -> Parcel:
    subscriber = session.get_one(Subscriber, delivery.subscriber_id)
    digest = session.get(Digest, delivery.digest_id) if delivery.digest_id else None
    return Parcel(delivery, subscriber, digest.chart if digest and digest.chart else None)


async def _send(
    database: Database, senders: Mapping[Outlet, Sender], parcel: Parcel, clock: Callable[[], datetime]
) -> bool:
    subscriber = parcel.subscriber
    chat = Chat(subscriber.chat_id, subscriber.thread_id, subscriber.kind)
    try:
        message = Message.from_json(parcel.delivery.message)
        message_id = await senders[subscriber.outlet].send(chat, message, parcel.photo)
    except SendFailure as failure:
        await asyncio.to_thread(_record_failure, database, parcel, failure, clock())
        return False
    await asyncio.to_thread(_record_success, database, parcel, message_id, clock())
    return True


def _record_success(database: Database, parcel: Parcel, message_id: int | None, now: datetime) -> None:
    values: dict[str, Any] = {"state": DeliveryState.SENT, "message_id": message_id, "sent_at": now, "error": None}
    with database.write() as session:
        if not settle(session, parcel.delivery, parcel.delivery.claim, **values):
            log.warning("send_recorded_late delivery=%s chat=%s", parcel.delivery.id, parcel.subscriber.chat_id)


def _record_failure(database: Database, parcel: Parcel, failure: SendFailure, now: datetime) -> None:
    delivery, subscriber = parcel.delivery, parcel.subscriber
    values = outcome_of(delivery, failure, now)
    with database.write() as session:
        settle(session, delivery, delivery.claim, **values)
        if failure.moved_to is not None:
            move_chat(session, subscriber.chat_id, failure.moved_to)
        elif failure.blocked:
            block_chat(session, subscriber.chat_id, str(failure), now)
        elif failure.retry_after_s is not None:
            _hold_chat(session, subscriber, now + timedelta(seconds=failure.retry_after_s))
    level = logging.WARNING if values["state"] in (DeliveryState.FAILED, DeliveryState.UNCERTAIN) else logging.INFO
    log.log(
        level,
        "send_failed delivery=%s chat=%s state=%s attempt=%s error=%s",
        delivery.id,
        subscriber.chat_id,
        values["state"],
        delivery.attempts,
        failure,
    )


def outcome_of(delivery: Delivery, failure: SendFailure, now: datetime) -> dict[str, Any]:
    """The columns to write after `failure`: give up, wait, or leave it uncertain. Pure."""
    error = str(failure)
    if failure.moved_to is not None:
        return {"state": DeliveryState.WAITING, "send_after": now, "error": error}
    if failure.retry_after_s is not None:  # being asked to wait is no failure: it uses up no attempt
        after = now + timedelta(seconds=failure.retry_after_s)
        return {"state": DeliveryState.WAITING, "send_after": after, "attempts": delivery.attempts - 1, "error": error}
    if failure.permanent:
        return {"state": DeliveryState.FAILED, "error": error}
    if failure.lost_answer:
        return _after_lost_answer(delivery, error, now)
    if delivery.attempts >= MOST_ATTEMPTS:
        return {"state": DeliveryState.FAILED, "error": f"gave up after {delivery.attempts} attempts: {error}"}
    return {"state": DeliveryState.WAITING, "send_after": now + retry_delay(delivery.attempts), "error": error}


def retry_delay(attempts: int) -> timedelta:
    """30 s, doubled with every attempt, up to an hour."""
    return timedelta(seconds=min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempts - 1, 10)))


def _after_lost_answer(delivery: Delivery, error: str, now: datetime) -> dict[str, Any]:
    """A missed alert is worse than one told twice, so it is sent once more; anything else is left uncertain."""
    lost = delivery.lost_answers + 1
    if delivery.priority == Priority.ALERT and lost == 1:
        after = now + timedelta(seconds=FIRST_RETRY_S)
        return {"state": DeliveryState.WAITING, "send_after": after, "lost_answers": lost, "error": error}
    return {"state": DeliveryState.UNCERTAIN, "lost_answers": lost, "error": error}


def _hold_chat(session: Session, subscriber: Subscriber, until: datetime) -> None:
    """A flood limit is the chat's, and lasts through a restart: nothing else of this chat is due before it ends."""
    waiting = (
        (col(Delivery.subscriber_id) == subscriber.id)
        & (col(Delivery.state) == DeliveryState.WAITING)
        & (col(Delivery.send_after) < until)
    )
    session.execute(update(Delivery).where(waiting).values(send_after=until))
