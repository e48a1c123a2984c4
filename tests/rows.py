"""Rows for tests: feeds, articles with their reading, subscribers. Every value has a default that does not matter."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.event import listen
from sqlmodel import Session

from config.schema import Rate
from models import Article, Feed, Outlet, Reading, Subscriber, SubscriberState

#: For a server that has none of Telegram's limits; Settings would not let it pass.
UNLIMITED = Rate.model_construct(per_second=1000.0, private_per_second=30.0, group_per_minute=1000.0)

_count = iter(range(10**9))


def add_feed(session: Session, now: datetime, **values: Any) -> Feed:
    """A feed that was read before."""
    number = next(_count)
    defaults: dict[str, Any] = {"url": f"https://feed{number}.example/rss", "publisher": f"Publisher {number}"}
    feed = Feed(**defaults | {"next_fetch_at": now, "first_read_at": now - timedelta(days=9)} | values)
    session.add(feed)
    session.flush()
    return feed


def add_article(session: Session, feed: Feed, at: datetime, title: str, **values: Any) -> Article:
    """An article that waits to be read."""
    number = next(_count)
    article = Article(
        **{
            "feed_id": feed.id,
            "entry_key": f"key{number}",
            "url": f"https://{feed.id}.example/{number}",
            "canonical_url": f"https://{feed.id}.example/{number}",
            "title": title,
            "content_hash": f"hash{number}",
            "news_at": at,
            "seen_at": at,
        }
        | values
    )
    session.add(article)
    session.flush()
    return article


def add_reading(
    session: Session, feed: Feed, at: datetime, title: str, escalation: float = 0.0, **values: Any
) -> Reading:
    """An article with its reading, which waits to be gathered. `backlog` and `url` go to the article."""
    of_article = {key: values.pop(key) for key in ("backlog", "url", "canonical_url") if key in values}
    article = add_article(session, feed, at, title, **of_article)
    article.unread_revision = None  # only now: a None in a new row would be replaced by the column's default
    reading = Reading(
        **{
            "article_id": article.id,
            "model": "test",
            "title": title,
            "escalation": escalation,
            "deescalation": 0.0,
            "severity": 0,
            "status": "asserted",
            "news_at": at,
            "read_at": at,
        }
        | values
    )
    session.add(reading)
    session.flush()
    return reading


def add_subscriber(session: Session, now: datetime, **values: Any) -> Subscriber:
    """An active Telegram chat that wants everything from watch on."""
    subscriber = Subscriber(
        **{
            "outlet": Outlet.TELEGRAM,
            "chat_id": 1000 + next(_count),
            "state": SubscriberState.ACTIVE,
            "level_escalation": 1,
            "level_deescalation": 1,
            "created_at": now,
            "changed_at": now,
        }
        | values
    )
    session.add(subscriber)
    session.flush()
    return subscriber


def statements(session: Session) -> list[str]:
    """Every statement that the session executes from now on."""
    seen: list[str] = []
    connection = session.connection()
    listen(connection, "before_cursor_execute", lambda _c, _cursor, text, *_rest: seen.append(text))
    return seen
