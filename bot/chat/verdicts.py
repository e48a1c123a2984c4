"""A button under an alert in, what the chat thinks of it stored, and the answer out."""

from datetime import datetime

from sqlmodel import Session, col, select

from bot.chat.access import Visitor
from bot.messages.message import Message
from bot.messages.why import why_message
from models import Alert, Delivery, Story, Subscriber, SubscriberState, Verdict, VerdictKind
from models.subscriber import find_subscriber

KINDS = {"useful": VerdictKind.USEFUL, "wrong": VerdictKind.WRONG}


def press_alert(session: Session, visitor: Visitor, verb: str, alert_id: int, now: datetime) -> str | Message:
    """Why, Useful, Wrong or Mute under an alert: a line for the one who pressed, or a message for the chat."""
    known = find_subscriber(session, visitor.chat.chat_id, visitor.chat.thread_id)
    alert = session.get(Alert, alert_id)
    if known is None or known.state != SubscriberState.ACTIVE:
        return "This chat is not subscribed; /start changes that."
    if alert is None:
        return "That alert is too old: it was forgotten."
    if verb == "why":
        return why_message(alert)
    if verb == "mute":
        return _mute(session, known, alert)
    _judge(session, known, alert, KINDS[verb], now)
    return (
        "Thank you, noted." if verb == "useful" else "Noted. Admins look at it, and the next training learns from it."
    )


def last_alert(session: Session, subscriber: Subscriber) -> Alert | None:
    """The alert this chat was told of last."""
    told = (
        select(Alert)
        .join(Delivery, col(Delivery.alert_id) == col(Alert.id))
        .where(Delivery.subscriber_id == subscriber.id, col(Delivery.sent_at).is_not(None))
    )
    return session.exec(told.order_by(col(Delivery.sent_at).desc(), col(Delivery.id).desc()).limit(1)).first()


def _mute(session: Session, subscriber: Subscriber, alert: Alert) -> str:
    dyad = session.get_one(Story, alert.story_id).dyad
    if dyad is None:
        return "This story names no pair that could be muted."
    if dyad not in subscriber.muted_dyads:
        subscriber.muted_dyads = [*subscriber.muted_dyads, dyad]
    return f"{dyad} is muted here. /unmute {dyad} brings it back."


def _judge(session: Session, subscriber: Subscriber, alert: Alert, kind: VerdictKind, now: datetime) -> None:
    """One verdict a chat and alert: the latest."""
    same = select(Verdict).where(Verdict.alert_id == alert.id, Verdict.subscriber_id == subscriber.id)
    said = session.exec(same).first() or Verdict(
        kind=kind,
        text=str(alert.facts.get("title", "")),
        alert_id=alert.id,
        subscriber_id=subscriber.id,
        created_at=now,
    )
    said.kind, said.created_at = kind, now
    session.add(said)
