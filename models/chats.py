"""A chat goes away, moves or is refused: what that does to its subscribers and to what waits for them."""

from datetime import datetime

from sqlmodel import Session, col, func, select, update

from models.alert import CORRECTIONS, Alert, Suppression, suppress
from models.delivery import FOR_SUBSCRIBERS, Delivery, DeliveryState, give_up_waiting
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
        rows &= col(Delivery.priority).in_([int(priority) for priority in FOR_SUBSCRIBERS])
    give_up_waiting(session, rows, reason)


def withdraw_pair(session: Session, subscriber: Subscriber, dyad: str, reason: str) -> None:
    """Give up the alerts about a pair that wait for a subscriber, but for those that set right what was told.

    An alert is about the pair that it names; those of older versions did not keep it, and are about their story's.
    """
    named = func.coalesce(col(Alert.facts)["pair"].as_string(), Story.dyad)
    of_pair = select(Alert.id).join(Story).where(named == dyad, col(Alert.kind).not_in(CORRECTIONS))
    mine = col(Delivery.subscriber_id) == subscriber.id
    give_up_waiting(session, mine & col(Delivery.alert_id).in_(of_pair), reason)


def no_longer_told(session: Session, delivery: Delivery, subscriber: Subscriber) -> str:
    """Why a chat that left, or muted the pair, after a message was decided is not sent it any more; "" where it is.

    What `withdraw_deliveries` and `withdraw_pair` give up where it waits, and do not find where it is being sent or was
    decided at the same moment. A contradiction of what was told before the mute is told, without a sound.
    """
    if delivery.priority in FOR_SUBSCRIBERS and subscriber.state != SubscriberState.ACTIVE:
        return f"the chat is {subscriber.state.value}"
    if delivery.alert_id is None or not subscriber.muted_dyads or delivery.message.get("silent"):
        return ""
    alert = session.get_one(Alert, delivery.alert_id)
    pair = alert.facts.get("pair") or session.get_one(Story, alert.story_id).dyad
    muted = pair in subscriber.muted_dyads and alert.kind not in CORRECTIONS
    return f"the chat muted {pair}" if muted else ""


def move_chat(session: Session, old: int, new: int) -> None:
    """A group became a supergroup: rewrite its chat id, and join rows where the new chat subscribed already.

    Of two rows, a refusal stays, a mere request yields, and else the later choice wins. Outbox and suppressions follow,
    each message once. What was sent stays in the old chat: the new one numbers its messages from 1, and an edit would
    meet another.
    """
    if old == new:
        return
    moving = select(Subscriber).where(Subscriber.outlet == Outlet.TELEGRAM, Subscriber.chat_id == old)
    for row in session.exec(moving).all():
        numbered = (col(Delivery.subscriber_id) == row.id, col(Delivery.message_id).is_not(None))
        session.execute(update(Delivery).where(*numbered).values(message_id=None))
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
