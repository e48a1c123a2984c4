"""A chat goes away, moves or is refused: what that does to its subscribers and to what waits for them."""

from datetime import datetime

from sqlmodel import Session, col, func, select, update

from models.alert import CORRECTIONS, Alert, Suppression, suppress
from models.delivery import Delivery, DeliveryState, give_up_waiting
from models.story import Story
from models.subscriber import Outlet, Subscriber, SubscriberState, find_subscriber
from models.verdict import Verdict


def block_chat(
    session: Session, chat_id: int, reason: str, now: datetime, thread_id: int | None = None
) -> list[Subscriber]:
    """No message reaches the chat, with all its topics, or the one topic given; what waits for it is given up.

    Only active subscribers change, and are returned: who was never let in, or was refused, must not come back by
    /start.
    """
    closed = select(Subscriber).where(Subscriber.outlet == Outlet.TELEGRAM, Subscriber.chat_id == chat_id)
    if thread_id is not None:
        closed = closed.where(Subscriber.thread_id == thread_id)
    changed = []
    for subscriber in session.exec(closed.order_by(col(Subscriber.id))).all():
        withdraw_deliveries(session, subscriber, reason)
        if subscriber.state == SubscriberState.ACTIVE:
            subscriber.state = SubscriberState.BLOCKED
            subscriber.changed_at = now
            changed.append(subscriber)
    return changed


def hold_chat(session: Session, chat_id: int, until: datetime) -> None:
    """A flood limit is the chat's, with all its topics, and lasts through a restart: nothing of it is due before."""
    same_chat = select(Subscriber.id).where(Subscriber.outlet == Outlet.TELEGRAM, Subscriber.chat_id == chat_id)
    waiting = (
        col(Delivery.subscriber_id).in_(same_chat)
        & (col(Delivery.state) == DeliveryState.WAITING)
        & (col(Delivery.send_after) < until)
    )
    session.execute(update(Delivery).where(waiting).values(send_after=until))


def withdraw_deliveries(session: Session, subscriber: Subscriber, reason: str, notices_too: bool = True) -> None:
    """Give up what waits to be sent to a subscriber; a message being sent at this moment is not called back."""
    rows = col(Delivery.subscriber_id) == subscriber.id
    if not notices_too:
        rows &= col(Delivery.alert_id).is_not(None) | col(Delivery.digest_id).is_not(None)
    give_up_waiting(session, rows, reason)


def withdraw_pair(session: Session, subscriber: Subscriber, dyad: str, reason: str) -> None:
    """Give up the alerts about a pair that wait for a subscriber, but for those that set right what was told.

    An alert is about the pair that it names; those of older versions did not keep it, and are about their story's.
    """
    named = func.coalesce(col(Alert.facts)["pair"].as_string(), Story.dyad)
    of_pair = select(Alert.id).join(Story).where(named == dyad, col(Alert.kind).not_in(CORRECTIONS))
    mine = col(Delivery.subscriber_id) == subscriber.id
    give_up_waiting(session, mine & col(Delivery.alert_id).in_(of_pair), reason)


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
    spoken = update(Verdict).where(col(Verdict.subscriber_id) == loser.id)
    session.execute(spoken.values(subscriber_id=winner.id))
    session.flush()
    session.delete(loser)
    session.flush()
