"""deliveries -> messages: what is due is claimed for the length of a lease, sent, and its outcome recorded.

Twice at most for alerts and updates, once at most for all else: whoever dies leaves a claim that runs out, and whether
its request was begun. docs/delivery.md draws the states and names each arrow.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from bot.aftermath import learn_from
from bot.calendar import when_to_tell
from bot.messages.message import Message
from bot.outlet import Chat, Envelope, Sender, SendFailure
from bot.pipeline.fold import end_stale, fold_old_news
from bot.pipeline.together import Together
from config.schema import Settings
from models import Delivery, DeliveryState, Digest, Outlet, Priority, Subscriber
from models.chats import no_longer_told
from models.database import Database
from models.delivery import (
    anything_due,
    begin,
    claim_due,
    edited_since,
    given_up,
    let_go_first,
    lost_claims,
    settle,
    told_anew,
)

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)  # longer than the sender's slowest honest answer with its waits
AT_ONCE = 32  # requests under way; at 30 messages a second, answers may take one second
FIRST_RETRY_S = 30.0
LONGEST_RETRY_S = 3600.0
MOST_ATTEMPTS = 30  # of what nobody foresaw; about a day of trying
DEAD = "its sender was killed after it had begun to send"
NO_ADMINS = Settings()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed delivery with all that is needed to send it, so that no transaction is open meanwhile."""

    delivery: Delivery
    subscriber: Subscriber
    photo: bytes | None
    edits: int | None = None
    replies_to: int | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """What the sends of one round share."""

    database: Database
    senders: Mapping[Outlet, Sender]
    clock: Callable[[], datetime]
    settings: Settings
    books: Together


class ClaimLost(Exception):
    """Somebody else has claimed the delivery meanwhile, and sends it."""


async def drain_outbox(
    database: Database,
    senders: Mapping[Outlet, Sender],
    clock: Callable[[], datetime],
    at_once: int = AT_ONCE,
    max_age: timedelta = timedelta(hours=24),
    order: Sequence[Priority] = tuple(Priority),
    settings: Settings = NO_ADMINS,
) -> int:
    """Send everything that is due; returns how many messages were accepted.

    Chats are served side by side, up to `at_once` of them, the messages of one chat in their order; what is more urgent
    overtakes what is not yet under way, and `order` says which kind that is. Alerts older than `max_age` are folded
    into one summary a chat. `settings` says who is told of chats that cannot be reached, and the time zone of those
    that chose none.
    """
    this = Round(database, senders, clock, settings, Together(database))
    await asyncio.to_thread(_settle_lost_claims, database, clock())
    await asyncio.to_thread(fold_old_news, database, clock(), max_age, settings.digest.timezone)
    await asyncio.to_thread(end_stale, database, clock())
    sent, under_way = 0, dict[asyncio.Task[bool], int]()
    try:
        while True:
            free = at_once - len(under_way)
            if not under_way or free >= at_once / 4:  # not a claim for every single message: each writes
                busy = set(under_way.values())
                for parcel in await asyncio.to_thread(_claim, database, senders, clock(), free, busy, order):
                    task = asyncio.create_task(_send(this, parcel))
                    under_way[task] = parcel.subscriber.chat_id
            if not under_way:
                return sent
            done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del under_way[task]
                sent += task.result()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await this.books.finish()


def _claim(
    database: Database,
    senders: Mapping[Outlet, Sender],
    now: datetime,
    limit: int,
    busy: set[int],
    order: Sequence[Priority],
) -> list[Parcel]:
    with database.read() as session:  # nearly always nothing is due, and finding that out should make no writer wait
        if not anything_due(session, list(senders), now):
            return []
    with database.write() as session:
        while claimed := claim_due(session, [outlet.value for outlet in senders], now, LEASE, limit, busy, order):
            parcels = [_parcel(session, delivery) for delivery in claimed if not _end_outdated(session, delivery)]
            if parcels:  # else all that was taken ended, and more may be due behind it
                return parcels
    return []


def _end_outdated(session: Session, delivery: Delivery) -> bool:
    """What a chat that left is not told any more ends; so does an update that was asked to wait while a later text was
    put into its message, which it must not undo."""
    reason = no_longer_told(session, delivery, session.get_one(Subscriber, delivery.subscriber_id))
    if not reason and delivery.priority == Priority.UPDATE and edited_since(session, delivery):
        reason = "its message has a later text"
    if reason:
        settle(session, delivery, delivery.claim, state=given_up(delivery), error=reason)
    return bool(reason)


def _settle_lost_claims(database: Database, now: datetime) -> None:
    """What a killed sender left: sent again if it had not begun or is an alert hit the first time, else uncertain."""
    with database.read() as session:
        if session.exec(select(Delivery.id).where(lost_claims(now)).limit(1)).first() is None:
            return
    with database.write() as session:
        for delivery in session.exec(select(Delivery).where(lost_claims(now))).all():
            outcome = _after_lost_answer(delivery, DEAD, now) if delivery.begun else {"state": DeliveryState.WAITING}
            settle(session, delivery, delivery.claim, **outcome | {"send_after": now})
            log.warning("claim_ran_out delivery=%s begun=%s state=%s", delivery.id, delivery.begun, outcome["state"])


def _parcel(session: Session, delivery: Delivery) -> Parcel:
    subscriber = session.get_one(Subscriber, delivery.subscriber_id)
    digest = session.get(Digest, delivery.digest_id) if delivery.digest_id else None
    return Parcel(
        delivery,
        subscriber,
        digest.chart if digest and digest.chart else None,
        _message_of(session, delivery.edits_id),
        _message_of(session, delivery.replies_to_id),
    )


def _message_of(session: Session, delivery_id: int | None) -> int | None:
    """The id, in its chat, of the message that a delivery became."""
    earlier = session.get(Delivery, delivery_id) if delivery_id else None
    return earlier.message_id if earlier else None


async def _send(this: Round, parcel: Parcel) -> bool:
    """That it begins is committed before the request, and its outcome after the answer."""

    async def begin_request() -> None:
        if not await this.books.write(lambda session: begin(session, parcel.delivery)):
            raise ClaimLost

    try:
        message_id = await this.senders[parcel.subscriber.outlet].send(_envelope(parcel, begin_request))
    except ClaimLost:
        log.warning("claim_lost delivery=%s", parcel.delivery.id)
        return False
    except Exception as error:  # noqa: BLE001 - whatever it is, the row must not come due for ever without a count
        failure = (
            error if isinstance(error, SendFailure) else SendFailure(f"cannot be sent: {error!r}", unforeseen=True)
        )
        await asyncio.to_thread(_record_failure, this, parcel, failure)
        return False
    now = this.clock()
    await this.books.write(lambda session: _record_success(session, parcel, message_id, now))
    return True


def _envelope(parcel: Parcel, begin_request: Callable[[], Any]) -> Envelope:
    subscriber = parcel.subscriber
    return Envelope(
        _chat(subscriber),
        Message.from_json(parcel.delivery.message),
        parcel.photo,
        Priority(parcel.delivery.priority),
        subscriber.silent,
        subscriber.link_previews,
        parcel.edits,
        parcel.replies_to,
        begin_request,
    )


def _chat(subscriber: Subscriber) -> Chat:
    return Chat(subscriber.chat_id, subscriber.thread_id, subscriber.kind)


def _record_success(session: Session, parcel: Parcel, message_id: int | None, now: datetime) -> None:
    values: dict[str, Any] = {"state": DeliveryState.SENT, "message_id": message_id, "sent_at": now, "error": None}
    if not settle(session, parcel.delivery, parcel.delivery.claim, **values):
        log.warning("send_recorded_late delivery=%s chat=%s", parcel.delivery.id, parcel.subscriber.chat_id)


def _record_failure(this: Round, parcel: Parcel, failure: SendFailure) -> None:
    delivery, subscriber, now = parcel.delivery, parcel.subscriber, this.clock()
    values = outcome_of(delivery, failure, now)
    with this.database.write() as session:
        if values["state"] is DeliveryState.WAITING:
            values = _again(session, this.settings, delivery.id, values)
        settle(session, delivery, delivery.claim, **values)
        learn_from(session, this.settings, _chat(subscriber), failure, now)
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


def _again(session: Session, settings: Settings, delivery_id: int, values: dict[str, Any]) -> dict[str, Any]:
    """The next try keeps quiet hours, and whoever answers this message waits for it; of one story only the newest alert
    is tried again, and nothing that the chat has left or muted since."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is None:  # forgotten with its chat meanwhile
        return values
    subscriber = session.get_one(Subscriber, delivery.subscriber_id)
    reason = no_longer_told(session, delivery, subscriber)
    if not reason and told_anew(session, delivery):
        reason = "overtaken by a later alert of the story"
    if reason:
        lost = values.get("lost_answers", delivery.lost_answers)
        return values | {"state": DeliveryState.UNCERTAIN if lost else DeliveryState.FAILED, "error": reason}
    after = values["send_after"]
    if delivery.priority in (Priority.ALERT, Priority.BROADCAST) and delivery.edits_id is None:
        after = when_to_tell(-delivery.rank, subscriber, settings.digest.timezone, after)
    let_go_first(session, delivery, after)
    return values | {"send_after": after}


def outcome_of(delivery: Delivery, failure: SendFailure, now: datetime) -> dict[str, Any]:
    """The columns to write after `failure`: give up, wait, or leave it uncertain. Pure."""
    if failure.permanent:
        return {"state": given_up(delivery), "error": str(failure)}
    if failure.lost_answer:
        return _after_lost_answer(delivery, str(failure), now)
    # Chats that say of each other that they moved there must not keep us busy for ever.
    if failure.unforeseen or failure.moved_to is not None:
        return _after_an_attempt(delivery, failure, now)
    # Neither being asked to wait nor an outage says anything about this message: that uses up no attempt.
    waited = now - (delivery.due_at or delivery.created_at)
    asked = failure.retry_after_s
    after = now + (outage_delay(waited) if asked is None else timedelta(seconds=asked))
    attempts = delivery.attempts - 1
    return {"state": DeliveryState.WAITING, "send_after": after, "attempts": attempts, "error": str(failure)}


def _after_an_attempt(delivery: Delivery, failure: SendFailure, now: datetime) -> dict[str, Any]:
    """To a chat that moved at once, the first time."""
    if delivery.attempts >= MOST_ATTEMPTS:
        return {"state": given_up(delivery), "error": f"gave up after {delivery.attempts} attempts: {failure}"}
    at_once = failure.moved_to is not None and delivery.attempts <= 1
    after = now if at_once else now + retry_delay(delivery.attempts)
    return {"state": DeliveryState.WAITING, "send_after": after, "error": str(failure)}


def retry_delay(attempts: int) -> timedelta:
    """30 s, doubled with every attempt, up to an hour."""
    return timedelta(seconds=min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempts - 1, 10)))


def outage_delay(waited: timedelta) -> timedelta:
    """As long again as it has waited, which doubles with every try too: at least 30 s, at most an hour."""
    return min(max(waited, timedelta(seconds=FIRST_RETRY_S)), timedelta(seconds=LONGEST_RETRY_S))


def _after_lost_answer(delivery: Delivery, error: str, now: datetime) -> dict[str, Any]:
    """A missed alert is worse than one told twice, so it is sent once more, and an edit may be made twice; anything
    else is left uncertain."""
    lost = delivery.lost_answers + 1
    if delivery.priority in (Priority.ALERT, Priority.UPDATE) and lost == 1:
        after = now + timedelta(seconds=FIRST_RETRY_S)
        return {"state": DeliveryState.WAITING, "send_after": after, "lost_answers": lost, "error": error}
    return {"state": DeliveryState.UNCERTAIN, "lost_answers": lost, "error": error}
