"""/story and /why in, how a story went on or why it rang out: the last one told here, or the latest the words name."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from bot.chat.access import Visitor, subscriber_or_reply
from bot.chat.pairs import folded, parties_of
from bot.chat.verdicts import last_alert
from bot.messages import replies
from bot.messages.language import in_language
from bot.messages.message import Message
from bot.messages.story import story_message
from bot.messages.why import why_message
from config.schema import Settings
from models import Alert, Story
from models.alert import CORRECTIONS
from models.reading import readings_of_story
from models.story import find_story, parts_of, whole_id

KNOWN_FOR = timedelta(days=30)
MOST_WORDS = 8


def show_story(session: Session, settings: Settings, visitor: Visitor, words: Sequence[str], now: datetime) -> Message:
    """/story [WORDS]: its course, its reports, what was told of it."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    if words:
        found = _named(session, settings, words[:MOST_WORDS], now)
        story = find_story(session, found.id) if found else None
    else:
        alert = last_alert(session, known)
        story = find_story(session, alert.story_id) if alert else None
    if story is None:
        return replies.no_story()
    of_story = col(Alert.story_id).in_(parts_of(story.id))
    told = session.exec(select(Alert).where(of_story).order_by(col(Alert.created_at), col(Alert.id)))
    return story_message(story, readings_of_story(session, story.id), told.all())


def show_why(session: Session, settings: Settings, visitor: Visitor, words: Sequence[str], now: datetime) -> Message:
    """/why: the reasons for the alert this chat was told of last; /why WORDS: for the last of the story they name."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    if not words:
        alert = last_alert(session, known)
        return why_message(alert) if alert else replies.nothing_to_explain()
    rang = col(Story.id).in_(select(whole_id()).join(Alert, col(Alert.story_id) == col(Story.id)))
    found = _named(session, settings, words[:MOST_WORDS], now, rang)
    alert = _last_of(session, found) if found else None
    return why_message(alert) if alert else replies.no_alert_fits(in_language(known.language))


def _last_of(session: Session, story: Story) -> Alert | None:
    """The last alert of a story that told something new of it."""
    rang = (col(Alert.story_id).in_(parts_of(story.whole_id)), col(Alert.kind).not_in(CORRECTIONS))
    newest = select(Alert).where(*rang).order_by(col(Alert.created_at).desc(), col(Alert.id).desc())
    return session.exec(newest.limit(1)).first()


def _named(
    session: Session, settings: Settings, words: Sequence[str], now: datetime, *only: ColumnElement[bool]
) -> Story | None:
    """The story with the latest news that is about the parties named and whose headline holds the other words; else
    one whose headline holds them all. `only`: conditions besides."""
    text = " ".join(words)
    recent = select(Story).where(col(Story.last_seen_at) > now - KNOWN_FOR, *only)
    recent = recent.order_by(col(Story.last_seen_at).desc(), col(Story.id).desc())
    parties = parties_of(settings.actors).pair(text)
    if parties.codes:
        about = recent.where(*(_names(code) for code in parties.codes))
        found = _first_with(session.exec(about), parties.rest)
        if found is not None:
            return found
    wanted = folded(text).split()
    likely = recent.where(*(col(Story.title).icontains(word, autoescape=True) for word in wanted if word.isascii()))
    return _first_with(session.exec(likely), wanted) if wanted else None


def _names(code: str) -> ColumnElement[bool]:
    """Whether a story's pair ("RU-UA") names a party."""
    dyad = col(Story.dyad)
    return dyad.startswith(f"{code}-", autoescape=True) | dyad.endswith(f"-{code}", autoescape=True)


def _first_with(stories: Iterable[Story], words: Sequence[str]) -> Story | None:
    """The first whose headline has words that begin with each of `words`: letters inside a word are none."""
    beginnings = [f" {word}" for word in words]
    return next((story for story in stories if _all_in(beginnings, f" {folded(story.title)}")), None)


def _all_in(parts: Sequence[str], text: str) -> bool:
    return all(part in text for part in parts)
