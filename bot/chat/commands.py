"""A subscriber's question and the tables in, the answer out: /help, /latest, /missed, /forget and /threshold."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches

from sqlalchemy import ColumnElement, delete, or_, update
from sqlmodel import Session, col, func, select

from bot.chat.access import Visitor, levels_of, subscriber_or_reply
from bot.chat.settings import LEVELS
from bot.messages import joining, replies
from bot.messages.language import in_language
from bot.messages.message import Message
from bot.pipeline.address import Occasion, withheld
from config.schema import Alerts, Settings
from models import Alert, Delivery, Direction, Level, Story, Subscriber, SubscriberState, Suppression
from models.alert import CORRECTIONS, loudest_silences
from models.delivery import OPEN_STATES, give_up_waiting, given, told_at
from models.story import whole_id
from models.subscriber import subscribers_of

LATEST, MOST_LATEST = 5, 20
CONSIDERED = 200
GROUPS = ("group", "supergroup")
MISSED = 8
DIRECTIONS = {
    "escalation": Direction.ESCALATION,
    "easing": Direction.DEESCALATION,
    "deescalation": Direction.DEESCALATION,
    "de-escalation": Direction.DEESCALATION,
}


def show_help(session: Session, settings: Settings, visitor: Visitor, words: Sequence[str]) -> Message:
    """/help, or /help COMMAND: to strangers it says only how to ask."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    named, in_group = [word.lower().lstrip("/") for word in words], visitor.chat.kind in GROUPS
    is_admin = known.chat_id in settings.telegram.admins
    return replies.help_text(in_language(known.language), named, in_group, is_admin)


def no_words(session: Session, visitor: Visitor, command: str) -> Message:
    """For words after a command that takes none."""
    known = subscriber_or_reply(session, visitor)
    return known if isinstance(known, Message) else replies.no_words(command, in_language(known.language))


def show_latest(session: Session, alerts: Alerts, visitor: Visitor, words: Sequence[str]) -> Message:
    """/latest [NUMBER]: the last alerts that were told here or fit what this chat chose, newest first."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    number = _number(words) if words else LATEST
    if not number:
        return replies.how_many(MOST_LATEST, in_language(known.language))
    newest = select(Alert, Story).join(Story).order_by(col(Alert.created_at).desc(), col(Alert.id).desc())
    rows = session.exec(newest.limit(CONSIDERED)).all()
    shown = _fitting(rows, known, _told_here(session, known, [alert.id for alert, _ in rows]), alerts)
    if not shown:
        return replies.nothing_to_show(anything_rang=bool(rows), say=in_language(known.language))
    return replies.latest(shown[: min(number, MOST_LATEST)])


def _number(words: Sequence[str]) -> int:
    """A number typed alone; 0 where there is none."""
    word = " ".join(words)[:9]
    return int(word) if word.isascii() and word.isdigit() else 0


def _told_here(session: Session, known: Subscriber, alerts: Sequence[int]) -> set[int]:
    told = select(Delivery.alert_id).where(
        Delivery.subscriber_id == known.id, col(Delivery.alert_id).in_(alerts), told_at().is_not(None)
    )
    return {alert_id for alert_id in session.exec(told) if alert_id is not None}


def _fitting(rows: Sequence[tuple[Alert, Story]], known: Subscriber, told: set[int], alerts: Alerts) -> list[Alert]:
    """Those told here and those that the chat's choices let through; what sets one right is shown with it."""

    def fits(alert: Alert, story: Story) -> bool:
        return alert.id in told or (
            alert.kind not in CORRECTIONS and withheld(alert, Occasion.of(story), known, 0, alerts) is None
        )

    shown = {story.whole_id for alert, story in rows if fits(alert, story)}
    return [
        alert for alert, story in rows if fits(alert, story) or (alert.kind in CORRECTIONS and story.whole_id in shown)
    ]


def show_missed(session: Session, visitor: Visitor, now: datetime) -> Message:
    """/missed: what was kept back from everybody or from this chat within a week, and not told here after all; the
    loudest first, a story once."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    heard = _heard_here(session, known)
    kept = loudest_silences(session, now - timedelta(days=7), (0, known.id), most=CONSIDERED, heard=heard)[:MISSED]
    return replies.missed([(row.score, row.direction.word, row.reason.value, story.title) for row, story in kept])


def _heard_here(session: Session, known: Subscriber) -> dict[tuple[int, Direction], int]:
    """By story and direction the highest level of which this chat was told, or will be."""
    rows = (
        select(whole_id(), Alert.direction, func.max(Alert.level))
        .select_from(Delivery)
        .join(Alert)
        .join(Story)
        .where(Delivery.subscriber_id == known.id, given())
        .group_by(whole_id(), col(Alert.direction))
    )
    return {(story, Direction(direction)): level for story, direction, level in session.exec(rows)}


def ask_forget(session: Session, visitor: Visitor) -> Message | None:
    """/forget: asks first, of all topics of the chat. One of which nothing is stored is told so, a channel nothing."""
    known = subscribers_of(session, visitor.chat.chat_id)
    if not known:
        return None if visitor.chat.kind == "channel" else joining.forgotten()
    others = [each.thread_id for each in known if each.thread_id != visitor.chat.thread_id]
    return joining.ask_forget(others, in_language(known[0].language))


def forget(session: Session, visitor: Visitor) -> Message:
    """Delete a chat with all its topics, their messages and what was kept back from them; verdicts stay, without it.

    Of what was never let in, or refused, id and answer stay: else /forget would undo a refusal, and let a stranger put
    the same question to the admins again and again.
    """
    wholly = [_forget_one(session, known) for known in subscribers_of(session, visitor.chat.chat_id)]
    return joining.forgotten() if all(wholly) else joining.forgotten_but_for_the_answer()


def _forget_one(session: Session, known: Subscriber) -> bool:
    """Delete a chat or one topic; whether nothing of it stays."""
    session.execute(delete(Suppression).where(col(Suppression.subscriber_id) == known.id))
    _forget_notices(session, known)
    kept = ("id", "outlet", "chat_id", "thread_id", "kind", "state", "created_at", "changed_at")
    remainder = Subscriber(**known.model_dump(include=set(kept)))
    session.delete(known)
    session.flush()
    if remainder.state not in (SubscriberState.PENDING, SubscriberState.REFUSED):
        return True
    session.add(remainder)
    return False


def _forget_notices(session: Session, known: Subscriber) -> None:
    """What admins were sent of a chat names it. A request or feedback that waits is still theirs to read; that a chat
    could not be reached is not, once it is gone."""
    moot, asked = (_notices(known, kinds) for kinds in (("paused", "unreachable"), ("join", "feedback")))
    give_up_waiting(session, moot, "the chat was forgotten")
    sent = update(Delivery).where(moot | asked, col(Delivery.state).not_in(OPEN_STATES))
    session.execute(sent.values(message=joining.forgotten().to_json()))


def _notices(known: Subscriber, kinds: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(col(Delivery.key).startswith(f"{kind}:{known.id}:") for kind in kinds))


def set_levels(session: Session, alerts: Alerts, visitor: Visitor, words: Sequence[str]) -> Message:
    """/threshold [LEVEL] [DIRECTION], in any order: show or set from which level on this chat is told."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    wish = read_threshold(words, alerts)
    if isinstance(wish, Message):
        return wish
    level, direction = wish
    if level is not None and direction is not Direction.DEESCALATION:
        known.level_escalation = level
    if level is not None and direction is not Direction.ESCALATION:
        known.level_deescalation = level
    return replies.thresholds(levels_of(known), alerts, changed=level is not None)


def read_threshold(words: Sequence[str], alerts: Alerts) -> tuple[Level | None, Direction | None] | Message:
    """What the words of /threshold mean (None: not named), or what to answer when they mean nothing."""
    level: Level | None = None
    direction: Direction | None = None
    for word in words[:5]:
        lower = word.lower().strip(".,:;")
        if lower in LEVELS:
            level = LEVELS[lower]
        elif lower in DIRECTIONS:
            direction = DIRECTIONS[lower]
        elif lower.replace(".", "", 1).isdigit():
            return replies.number_is_no_level(alerts)
        else:
            close = get_close_matches(lower[:30], [*LEVELS, *DIRECTIONS], n=1, cutoff=0.6)
            return replies.not_a_threshold(word, close[0] if close else "", alerts)
    return level, direction
