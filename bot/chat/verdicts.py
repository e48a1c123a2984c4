"""A button under an alert in, what the chat thinks of it stored, and the answer out."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from sqlmodel import Session, col, select

from bot.chat.access import Visitor, subscriber_or_reply
from bot.chat.mutes import mute_pair
from bot.messages import replies, to_admins
from bot.messages.language import in_language
from bot.messages.message import Message, clip, notice
from bot.messages.why import PRESS_LIMIT, why_in_brief, why_message
from bot.notices import enqueue, tell_admins
from config.schema import Settings
from models import Alert, Delivery, DeliveryState, Priority, Reading, Story, Subscriber, Verdict, VerdictKind
from models.delivery import told_at
from models.story import find_story

FEEDBACK_A_DAY = 5
NOTED = {
    VerdictKind.USEFUL: "Thank you, noted.",
    VerdictKind.WRONG: "Noted. It is put to the admins; what they label, the next training learns from.",
}
#: Who said so is not stored (/privacy), so that the last press stands for everybody.
FOR_ALL = "It counts for this whole chat, until somebody here presses the other one."
KINDS = {"useful": VerdictKind.USEFUL, "wrong": VerdictKind.WRONG}


def press_alert(session: Session, visitor: Visitor, verb: str, alert_id: int, now: datetime) -> str | Message:
    """Why, Useful, Wrong or Mute under an alert: a line for the one who pressed, or a message for the chat."""
    found = _pressed(session, visitor, alert_id)
    if isinstance(found, str):
        return found
    known, alert = found
    if verb == "why":
        return why_message(alert)
    if verb == "mute":
        return _mute(session, known, alert)
    _judge(session, known, alert, KINDS[verb], now)
    shared = "" if visitor.chat.kind == "private" else f" {FOR_ALL}"
    return NOTED[KINDS[verb]] + shared


def explain_once(session: Session, visitor: Visitor, alert_id: int, now: datetime) -> str:
    """Why? in a group or by a channel's admin: the explanation queued once an alert and chat, as an answer to it; once
    more where it did not arrive.

    Returns the line for the one who pressed.
    """
    found = _pressed(session, visitor, alert_id)
    if isinstance(found, str):
        return found
    known, alert = found
    tries = _explanations(session, known, alert)
    posted = None
    if all(state is DeliveryState.FAILED for state in tries):
        again = f":{len(tries)}" if tries else ""
        posted = enqueue(session, known, f"why:{alert.id}{again}", why_message(alert), now, Priority.REPLY)
    if posted is None:  # in brief too, since the answer may have been deleted
        return clip(f"It was explained here before: see the answer to this alert. {why_in_brief(alert)}", PRESS_LIMIT)
    told = select(Delivery.id).where(Delivery.subscriber_id == known.id, Delivery.alert_id == alert.id)
    posted.replies_to_id = session.exec(told.limit(1)).first()
    return "The explanation comes as an answer to this alert."


def _explanations(session: Session, known: Subscriber, alert: Alert) -> Sequence[DeliveryState]:
    """How far each explanation of an alert came in a chat."""
    key = f"why:{alert.id}"
    of_alert = (col(Delivery.key) == key) | col(Delivery.key).startswith(f"{key}:")
    states = session.exec(select(Delivery.state).where(Delivery.subscriber_id == known.id, of_alert))
    return [DeliveryState(state) for state in states]


def explain_in_brief(session: Session, visitor: Visitor, alert_id: int) -> str:
    """Why? by a reader of a channel: rule and score, for nobody else to see."""
    found = _pressed(session, visitor, alert_id)
    return found if isinstance(found, str) else why_in_brief(found[1])


def _pressed(session: Session, visitor: Visitor, alert_id: int) -> tuple[Subscriber, Alert] | str:
    """The chat and the alert of a button, or what the one who pressed is told when one of them is gone."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return "This chat is not subscribed; /start changes that."
    alert = session.get(Alert, alert_id)
    return "That alert is too old: it was forgotten." if alert is None else (known, alert)


def take_feedback(
    session: Session, settings: Settings, visitor: Visitor, words: Sequence[str], now: datetime
) -> Message:
    """/feedback useful | wrong | WORDS: a verdict on the last alert, or a word to the admins, a few a chat and day."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    if not words:
        return replies.how_to_feedback()
    kind = words[0].lower() if len(words) == 1 else ""
    if kind in KINDS:
        alert = last_alert(session, known)
        if alert is None:
            return replies.nothing_to_explain()
        return notice(str(press_alert(session, visitor, kind, alert.id, now)))
    return _pass_on(session, settings, known, " ".join(words), now)


def _pass_on(session: Session, settings: Settings, known: Subscriber, text: str, now: datetime) -> Message:
    if not settings.telegram.admins:
        return replies.nobody_reads_feedback(in_language(known.language))
    prefix = f"feedback:{known.id}:{now:%Y-%m-%d}:"
    keys = set(session.exec(select(Delivery.key).where(col(Delivery.key).startswith(prefix))))
    key = prefix + sha256(text.encode(errors="replace")).hexdigest()[:16]
    if key in keys or len(keys) >= FEEDBACK_A_DAY:
        return replies.feedback_taken(is_new=False)
    who = to_admins.describe(known.name, known.kind, known.chat_id, known.thread_id)
    tell_admins(session, settings, key, to_admins.feedback(who, text), now)
    return replies.feedback_taken(is_new=True)


def last_alert(session: Session, subscriber: Subscriber) -> Alert | None:
    """The alert this chat was told of last, by itself or in a summary of missed ones."""
    told = (
        select(Alert)
        .join(Delivery, col(Delivery.alert_id) == col(Alert.id))
        .where(Delivery.subscriber_id == subscriber.id, told_at().is_not(None))
    )
    return session.exec(told.order_by(told_at().desc(), col(Delivery.id).desc()).limit(1)).first()


def _mute(session: Session, subscriber: Subscriber, alert: Alert) -> str:
    pair, names = _pair_of(session, alert)
    if pair is None:
        return "This story names no pair that could be muted."
    mute_pair(session, subscriber, pair)
    shown = clip(" – ".join(names), 100)  # Telegram shows 200 characters
    return f"{shown} is muted here. /unmute {pair} brings it back."


def _pair_of(session: Session, alert: Alert) -> tuple[str | None, list[str]]:
    """The pair that an alert shows, by code and by the names of its parties.

    The story may have turned to another since. Alerts of older versions kept no code, and are of the story's pair.
    """
    if "pair" in alert.facts:
        return alert.facts["pair"], alert.facts["dyad"]
    story = session.get_one(Story, alert.story_id)
    names = {actor["code"]: actor["name"] for actor in story.actors}
    return story.dyad, [names.get(code, code) for code in (story.dyad or "").split("-")]


def _judge(session: Session, subscriber: Subscriber, alert: Alert, kind: VerdictKind, now: datetime) -> None:
    """One verdict a chat and alert: the latest."""
    same = select(Verdict).where(Verdict.alert_id == alert.id, Verdict.subscriber_id == subscriber.id)
    said = session.exec(same).first()
    if said is None:
        said = _new_verdict(session, subscriber, alert, kind, now)
    said.kind, said.created_at = kind, now
    session.add(said)


def _new_verdict(session: Session, subscriber: Subscriber, alert: Alert, kind: VerdictKind, now: datetime) -> Verdict:
    """On the alert's headline, with its article and the model that read it while they are stored."""
    title = str(alert.facts.get("title", ""))
    story = find_story(session, alert.story_id)  # which may have become part of another
    of_story = Reading.story_id == (story.id if story else alert.story_id)
    read = select(Reading).where(of_story, Reading.title == title, col(Reading.latest))
    reading = session.exec(read.order_by(col(Reading.news_at), col(Reading.id)).limit(1)).first()
    return Verdict(
        kind=kind,
        text=title,
        model=reading.model if reading else "",
        article_id=reading.article_id if reading else None,
        alert_id=alert.id,
        subscriber_id=subscriber.id,
        created_at=now,
    )
