"""A subscriber's question and the tables in, the answer out: /help, /latest and /threshold."""

from collections.abc import Sequence
from difflib import get_close_matches

from sqlmodel import Session, col, select

from bot.chat.access import Visitor, levels_of, outsider_reply
from bot.messages import replies
from bot.messages.message import Message
from config.schema import Alerts
from models import Alert, Direction, Level, Subscriber, SubscriberState
from models.subscriber import find_subscriber

LATEST = 5
LEVELS = {level.word: level for level in Level if level is not Level.NONE}
DIRECTIONS = {
    "escalation": Direction.ESCALATION,
    "easing": Direction.DEESCALATION,
    "deescalation": Direction.DEESCALATION,
    "de-escalation": Direction.DEESCALATION,
}


def show_help(session: Session, visitor: Visitor) -> Message:
    """/help: to strangers it says only how to ask."""
    known = _subscriber(session, visitor)
    return replies.help_text() if _is_active(known) else outsider_reply(known)


def show_latest(session: Session, visitor: Visitor) -> Message:
    """/latest: the last alerts told to anybody, newest first."""
    known = _subscriber(session, visitor)
    if not _is_active(known):
        return outsider_reply(known)
    newest = select(Alert).order_by(col(Alert.created_at).desc(), col(Alert.id).desc()).limit(LATEST)
    return replies.latest(session.exec(newest).all())


def set_levels(session: Session, alerts: Alerts, visitor: Visitor, words: Sequence[str]) -> Message:
    """/threshold [LEVEL] [DIRECTION], in any order: show or set from which level on this chat is told."""
    known = _subscriber(session, visitor)
    if known is None or not _is_active(known):
        return outsider_reply(known)
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


def _subscriber(session: Session, visitor: Visitor) -> Subscriber | None:
    return find_subscriber(session, visitor.chat.chat_id, visitor.chat.thread_id)


def _is_active(known: Subscriber | None) -> bool:
    return known is not None and known.state == SubscriberState.ACTIVE
