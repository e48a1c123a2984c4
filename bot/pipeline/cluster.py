"""readings -> stories: each reading joins the story of its event, or opens one.

An article joins by its address (the same page in two feeds), as an edit of an article that has a story, or because it
shares enough with the articles of a story that had news within the window. With each the articles of the two nearest
stories are parted anew, so that they may become one, or an article move: what joined too early is put right. What was
told stays as it was told. Text that bears on nothing opens no story.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlmodel import Session, col, func, select

from bot.pipeline.likeness import unit_vector, vector_of
from bot.pipeline.merge import kinds_in
from bot.pipeline.settle import settle
from bot.pipeline.story_index import Entry, StoryIndex
from bot.pipeline.story_words import numbers_in, story_words
from classifiers.labels import SIGNALS
from classifiers.places import with_homes
from config.schema import Stories
from models import Article, Reading, Story
from models.reading import ReadingWithSource, ungathered_readings
from models.story import find_story

#: Below this score (0-100) in both directions a text bears on no tension worth following.
WORTH_A_STORY = 12.0


def load_index(session: Session, settings: Stories) -> StoryIndex:
    """The index of all stories that may still grow, from the database."""
    index = StoryIndex()
    newest = session.exec(select(func.max(Story.last_seen_at))).one()
    if newest is None:
        return index
    since = newest - kept_for(settings)
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
    worth = [row for row in rows if max(row[0].escalation, row[0].deescalation) >= WORTH_A_STORY]
    known = _Known(session, worth, settings)
    with session.no_autoflush:  # what is asked meanwhile does not depend on what is written
        for reading, _, _ in rows:
            reading.gathered = True
        for reading, article, _ in worth:
            entry, story = entry_of(reading), known.story_of(reading, article)
            if story is None:
                story, moved = settle(session, index, reading, entry, settings)
                known.moved(moved)
            _join(story, reading)
            known.joined(reading)
            index.add(reading.article_id, replace(entry, story_id=story.id))
    if rows:
        index.forget_before(rows[-1][0].news_at - kept_for(settings))
    return len(rows)


def kept_for(settings: Stories) -> timedelta:
    """Two windows: news that comes a window late still finds the articles of its own time."""
    return 2 * timedelta(hours=settings.window_hours)


class _Known:
    """What the database knows of the readings of a round, asked at once and kept up to date as they join."""

    def __init__(self, session: Session, rows: Sequence[ReadingWithSource], settings: Stories) -> None:
        self._session, self._window = session, timedelta(hours=settings.window_hours)
        # The newest reading of each article that has a story, and that story.
        self._of_article = _earlier_versions(session, {article.id for _, article, _ in rows})
        self._shared = self._shared_pages([article for _, article, _ in rows if article.canonical_url])

    def story_of(self, reading: Reading, article: Article) -> Story | None:
        """The story of an earlier version, or else of the same page in another feed within the window."""
        story = self._story(self._of_article.get(reading.article_id, (0, None))[1])
        if story is None and article.canonical_url in self._shared:
            story = self._story(self._story_of_same_page(article))
        return story

    def joined(self, reading: Reading) -> None:
        """A reading of the round has its story now."""
        if reading.id > self._of_article.get(reading.article_id, (0, None))[0]:
            self._of_article[reading.article_id] = (reading.id, reading.story_id)

    def moved(self, articles: Mapping[int, int]) -> None:
        """Articles that had a story are of another now."""
        for article_id in articles.keys() & self._of_article.keys():
            self._of_article[article_id] = (self._of_article[article_id][0], articles[article_id])

    def _shared_pages(self, articles: Sequence[Article]) -> set[str]:
        """The addresses that several feeds gave at about the time: few, so that the others need not be asked about."""
        if not articles:
            return set()
        pages = {article.canonical_url for article in articles}
        moments = [article.news_at for article in articles]
        shared = (
            select(Article.canonical_url)
            .where(
                col(Article.canonical_url).in_(pages),
                col(Article.news_at) >= min(moments) - self._window,
                col(Article.news_at) <= max(moments) + self._window,
            )
            .group_by(col(Article.canonical_url))
            .having(func.count(func.distinct(Article.feed_id)) > 1)
        )
        return set(self._session.exec(shared))

    def _story_of_same_page(self, article: Article) -> int | None:
        """Another entry of the same feed is another article whatever its link: live pages and briefings keep one
        address."""
        self._session.flush()  # others of the round may have joined
        same_page = (
            select(Reading.story_id)
            .join(Article)
            .where(
                col(Article.canonical_url) == article.canonical_url,
                col(Article.feed_id) != article.feed_id,
                col(Article.news_at) >= article.news_at - self._window,
                col(Article.news_at) <= article.news_at + self._window,
                col(Reading.story_id).is_not(None),
            )
        )
        return self._session.exec(same_page.order_by(col(Reading.id).desc()).limit(1)).first()

    def _story(self, story_id: int | None) -> Story | None:
        return find_story(self._session, story_id) if story_id is not None else None


def _earlier_versions(session: Session, article_ids: Collection[int]) -> dict[int, tuple[int, int | None]]:
    earlier = select(Reading.article_id, Reading.id, Reading.story_id).where(
        col(Reading.article_id).in_(article_ids), col(Reading.story_id).is_not(None)
    )
    found = session.exec(earlier.order_by(col(Reading.id))) if article_ids else ()
    return {article_id: (reading_id, story_id) for article_id, reading_id, story_id in found}


def _join(story: Story, reading: Reading) -> None:
    reading.story_id = story.id
    story.first_seen_at = min(story.first_seen_at, reading.news_at)
    story.last_seen_at = max(story.last_seen_at, reading.news_at)
    story.changed = True


def entry_of(reading: Reading) -> Entry:
    """A reading as the index compares it."""
    text = f"{reading.lead} {reading.opening}"
    return Entry(
        story_id=reading.story_id or 0,
        news_at=reading.news_at,
        words=story_words(reading.title, text),
        actors=with_homes([*(actor["code"] for actor in reading.actors), *reading.places]),
        signals=kinds_in(reading.signals),
        numbers=numbers_in(f"{reading.title} {text}"),
        event=vector_of(reading.event),
        kinds=unit_vector([reading.signals.get(signal, 0.0) for signal in SIGNALS]),
    )
