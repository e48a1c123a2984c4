"""/story in, how a story went on out: of the last alert told here, or the latest that the words name."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from bot.chat.access import Visitor, subscriber_or_reply
from bot.chat.verdicts import last_alert
from bot.messages import replies
from bot.messages.message import Message
from bot.messages.story import story_message
from models import Alert, Story
from models.reading import readings_of_story
from models.story import find_story

KNOWN_FOR = timedelta(days=30)
MOST_WORDS = 8


def show_story(session: Session, visitor: Visitor, words: Sequence[str], now: datetime) -> Message:
    """/story [WORDS]: its course, its reports, what was told of it."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    if words:
        story = _named(session, words[:MOST_WORDS], now)
    else:
        alert = last_alert(session, known)
        story = find_story(session, alert.story_id) if alert else None
    if story is None:
        return replies.no_story()
    told = session.exec(select(Alert).where(Alert.story_id == story.id).order_by(col(Alert.created_at), col(Alert.id)))
    return story_message(story, readings_of_story(session, story.id), told.all())


def _named(session: Session, words: Sequence[str], now: datetime) -> Story | None:
    """The story with the latest news whose headline, or pair, holds every word."""
    fitting = select(Story).where(col(Story.last_seen_at) > now - KNOWN_FOR)
    for word in words:
        fitting = fitting.where(
            col(Story.title).icontains(word[:40], autoescape=True)
            | col(Story.dyad).icontains(word[:40], autoescape=True)
        )
    found = session.exec(fitting.order_by(col(Story.last_seen_at).desc(), col(Story.id).desc()).limit(1)).first()
    return find_story(session, found.id) if found else None
