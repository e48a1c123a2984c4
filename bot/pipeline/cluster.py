"""readings -> stories: each reading joins the story of its event, or opens one.

An article joins by its address (the same page in two feeds), as an edit of an article that has a story, or because it
shares enough with the articles of a story that had news within the window. Text that bears on nothing opens no story.
"""

from dataclasses import replace
from datetime import timedelta

from sqlmodel import Session, col, func, select

from bot.pipeline.likeness import vector_of
from bot.pipeline.story_index import Entry, StoryIndex, numbers_in, story_words
from config.schema import Stories
from models import Article, Feed, Reading, Story
from models.reading import ungathered_readings

#: Below this score (0-100) in both directions a text bears on no tension worth following.
WORTH_A_STORY = 12.0
#: From this probability on, a signal says what kind of event a text is about.
PROBABLE = 0.4


def load_index(session: Session, settings: Stories) -> StoryIndex:
    """The index of all stories that may still grow, from the database."""
    index = StoryIndex()
    newest = session.exec(select(func.max(Story.last_seen_at))).one()
    if newest is None:
        return index
    since = newest - _kept_for(settings)
    members = select(Reading).where(
        col(Reading.story_id).is_not(None), col(Reading.latest), col(Reading.news_at) >= since
    )
    # By time, not by id: SQLite would rather walk the whole archive in order than sort what it finds by time.
    for reading in session.exec(members.order_by(col(Reading.news_at), col(Reading.id))):
        index.add(reading.article_id, entry_of(reading))
    return index


def gather_stories(session: Session, index: StoryIndex, settings: Stories, limit: int = 500) -> int:
    """Give every new reading its story, oldest news first; returns how many readings were looked at."""
    rows = ungathered_readings(session, limit)
    for reading, article, feed in rows:
        reading.gathered = True
        if max(reading.escalation, reading.deescalation) < WORTH_A_STORY:
            continue
        entry = entry_of(reading)
        story = (
            _story_of_earlier_version(session, reading)
            or _story_of_same_page(session, reading, article, settings)
            or _similar_story(session, index, entry, settings)
        )
        if story is None:
            story = _open_story(session, reading, feed)
        _join(story, reading, feed)
        index.add(reading.article_id, replace(entry, story_id=story.id))
    if rows:
        index.forget_before(rows[-1][0].news_at - _kept_for(settings))
    return len(rows)


def _kept_for(settings: Stories) -> timedelta:
    """Two windows: news that comes a window late still finds the articles of its own time."""
    return 2 * timedelta(hours=settings.window_hours)


def _story_of_earlier_version(session: Session, reading: Reading) -> Story | None:
    earlier = select(Reading.story_id).where(
        Reading.article_id == reading.article_id, col(Reading.story_id).is_not(None)
    )
    story_id = session.exec(earlier.order_by(col(Reading.id).desc()).limit(1)).first()
    return session.get(Story, story_id) if story_id is not None else None


def _story_of_same_page(session: Session, reading: Reading, article: Article, settings: Stories) -> Story | None:
    """The story of the same page in another feed, within the window.

    Another entry of the same feed is another article whatever its link: live pages and briefings keep one address.
    """
    if not article.canonical_url:
        return None
    window = timedelta(hours=settings.window_hours)
    same_page = (
        select(Reading.story_id)
        .join(Article)
        .where(
            col(Article.canonical_url) == article.canonical_url,
            col(Article.feed_id) != article.feed_id,
            col(Reading.story_id).is_not(None),
            col(Reading.news_at) >= reading.news_at - window,
            col(Reading.news_at) <= reading.news_at + window,
        )
    )
    story_id = session.exec(same_page.order_by(col(Reading.id).desc()).limit(1)).first()
    return session.get(Story, story_id) if story_id is not None else None


def _similar_story(session: Session, index: StoryIndex, entry: Entry, settings: Stories) -> Story | None:
    match = index.best_match(entry, timedelta(hours=settings.window_hours))
    if match is None or match.sure < settings.same_event:
        return None
    return session.get(Story, match.story_id)


def _open_story(session: Session, reading: Reading, feed: Feed) -> Story:
    story = Story(title=reading.title, first_seen_at=reading.news_at, last_seen_at=reading.news_at)
    story.regions = list(feed.regions)
    session.add(story)
    session.flush()
    return story


def _join(story: Story, reading: Reading, feed: Feed) -> None:
    reading.story_id = story.id
    story.first_seen_at = min(story.first_seen_at, reading.news_at)
    story.last_seen_at = max(story.last_seen_at, reading.news_at)
    story.regions = sorted({*story.regions, *feed.regions})
    story.changed = True


def entry_of(reading: Reading) -> Entry:
    """A reading as the index compares it."""
    text = f"{reading.lead} {reading.opening}"
    return Entry(
        story_id=reading.story_id or 0,
        news_at=reading.news_at,
        words=story_words(reading.title, text),
        actors=frozenset(actor["code"] for actor in reading.actors),
        signals=frozenset(signal for signal, probability in reading.signals.items() if probability >= PROBABLE),
        numbers=numbers_in(f"{reading.title} {text}"),
        event=vector_of(reading.event),
    )
