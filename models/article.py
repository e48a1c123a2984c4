"""An entry of a feed as first seen, its later versions, and the memory that it was seen at all."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, Session, SQLModel, col, select

from models.feed import Feed
from models.pieces import pieces


class Article(SQLModel, table=True):
    """An entry as first seen, never rewritten: an edit becomes a `Revision`.

    `published_at` is the feed's date when it can be believed; `news_at` is when the article counts as news (its date,
    or when it first turned up in a feed we already followed). `backlog` marks what was there before we were: it is
    read, but rings nothing. `unread_revision` is the version that waits to be read (0 = as first seen), None when all
    is read.
    """

    __table_args__ = (
        Index("ix_article_page", "canonical_url", "news_at", "feed_id"),
        Index(
            "ix_article_unread",
            "news_at",
            sqlite_where=text("unread_revision IS NOT NULL"),
            postgresql_where=text("unread_revision IS NOT NULL"),
        ),
    )

    id: int = Field(default=None, primary_key=True)
    feed_id: int = Field(foreign_key="feed.id", index=True)
    entry_key: str = Field(max_length=64)
    url: str = ""
    canonical_url: str = ""
    title: str
    summary: str = ""
    text: str = ""
    content_hash: str = Field(max_length=64)
    published_at: datetime | None = None
    news_at: datetime = Field(index=True)
    seen_at: datetime
    backlog: bool = False
    unread_revision: int | None = 0


class Revision(SQLModel, table=True):
    """A later version of an article's text; `number` counts from 1."""

    article_id: int = Field(foreign_key="article.id", primary_key=True, ondelete="CASCADE")
    number: int = Field(primary_key=True)
    title: str
    summary: str = ""
    text: str = ""
    content_hash: str = Field(max_length=64)
    seen_at: datetime


class Seen(SQLModel, table=True):
    """That an entry was seen; kept when retention deletes the article, so that old news never comes back as new."""

    feed_id: int = Field(foreign_key="feed.id", primary_key=True)
    entry_key: str = Field(primary_key=True, max_length=64)
    content_hash: str = Field(max_length=64)
    edits: int = 0
    seen_at: datetime


def seen_entries(session: Session, entries: Sequence[tuple[int, str]]) -> dict[tuple[int, str], Seen]:
    """What is remembered of entries, named by feed and key."""
    found: dict[tuple[int, str], Seen] = {}
    for part in pieces(entries):
        feeds, keys = {feed_id for feed_id, _ in part}, [key for _, key in part]
        rows = session.exec(select(Seen).where(col(Seen.feed_id).in_(feeds), col(Seen.entry_key).in_(keys)))
        found.update({(row.feed_id, row.entry_key): row for row in rows})
    return found


def find_article(session: Session, feed_id: int, entry_key: str) -> Article | None:
    """The stored article of an entry, or None when retention deleted it."""
    return session.exec(select(Article).where(Article.feed_id == feed_id, Article.entry_key == entry_key)).first()


def unread_articles(session: Session, limit: int) -> Sequence[tuple[Article, Feed, Revision | None]]:
    """Articles that wait for a reading, oldest first, each with its feed and the edited text (None: as first seen)."""
    waiting = (
        select(Article, Feed, Revision)
        .join(Feed, col(Feed.id) == col(Article.feed_id))
        .join(
            Revision,
            (col(Revision.article_id) == col(Article.id)) & (col(Revision.number) == col(Article.unread_revision)),
            isouter=True,
        )
        .where(col(Article.unread_revision).is_not(None))
        .order_by(col(Article.news_at), col(Article.id))
        .limit(limit)
    )
    return session.exec(waiting).all()
