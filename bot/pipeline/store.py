"""entries of a feed -> articles: each stored once, edits as revisions, and the date from which each counts as news.

Pure but for the session: what is stored does not depend on how it was fetched.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session

from bot.feeds.types import ParsedEntry
from config.schema import Articles
from models import Article, Feed, Revision, Seen
from models.article import find_article, seen_entries


def store_entries(
    session: Session, feed: Feed, entries: Sequence[ParsedEntry], articles: Articles, now: datetime
) -> tuple[int, int]:
    """Store entries never seen in this feed, and note edits of those that were; returns how many of each."""
    return store_found(session, [(feed, entry) for entry in entries], articles, now)


def store_found(
    session: Session, found: Sequence[tuple[Feed, ParsedEntry]], articles: Articles, now: datetime
) -> tuple[int, int]:
    """The same for entries of several feeds, which are stored in the order given."""
    seen = seen_entries(session, [(feed.id, entry.entry_key) for feed, entry in found])
    new = edited = 0
    for feed, entry in found:
        known = seen.get((feed.id, entry.entry_key))
        if known is None:
            seen[feed.id, entry.entry_key] = _store_new(session, feed, entry, articles, now)
            new += 1
        elif known.content_hash != entry.content_hash:
            edited += _store_edit(session, known, entry, articles, now)
    return new, edited


def _store_new(session: Session, feed: Feed, entry: ParsedEntry, articles: Articles, now: datetime) -> Seen:
    news_at, backlog = date_of_news(entry, feed, articles, now)
    session.add(
        Article(
            feed_id=feed.id,
            entry_key=entry.entry_key,
            url=entry.url,
            canonical_url=entry.canonical_url,
            title=entry.title,
            summary=entry.summary,
            text=entry.text,
            content_hash=entry.content_hash,
            published_at=entry.published_at,
            news_at=news_at,
            seen_at=now,
            backlog=backlog,
        )
    )
    seen = Seen(feed_id=feed.id, entry_key=entry.entry_key, content_hash=entry.content_hash, seen_at=now)
    session.add(seen)
    return seen


def date_of_news(entry: ParsedEntry, feed: Feed, articles: Articles, now: datetime) -> tuple[datetime, bool]:
    """When an entry counts as news, and whether it is backlog that must ring nothing. Pure.

    A believable date counts. Without one, an entry that turns up in a feed we follow is news from now, because it was
    not there at the last look; at first contact, or when that look was long ago, it may be of any age: backlog.
    """
    horizon = timedelta(hours=articles.horizon_hours)
    if entry.published_at is None:
        following = feed.last_read_at is not None and now - feed.last_read_at <= horizon
        return now, not following
    return entry.published_at, now - entry.published_at > horizon


def _store_edit(session: Session, known: Seen, entry: ParsedEntry, articles: Articles, now: datetime) -> int:
    """A later version is read again, but only so often: some publishers change a counter in every poll."""
    known.content_hash = entry.content_hash
    if known.edits >= articles.max_edits:
        return 0
    known.edits += 1
    article = find_article(session, known.feed_id, known.entry_key)
    if article is None:  # retention deleted it: an edit of forgotten news is not news
        return 0
    article.unread_revision = known.edits
    session.add(
        Revision(
            article_id=article.id,
            number=known.edits,
            title=entry.title,
            summary=entry.summary,
            text=entry.text,
            content_hash=entry.content_hash,
            seen_at=now,
        )
    )
    return 1
