"""A source of articles and how fetching it stands. Which feeds exist is config's word; this is what we know of each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import JSON
from sqlmodel import Field, Session, SQLModel, col, func, select

from config.schema import FeedEntry, Feeds
from config.sites import site_of
from models.columns import text_enum

LONGEST_WAIT = timedelta(days=8)


class FeedHealth(StrEnum):
    """What polling this feed has come to. Admins are told when it changes, and only then."""

    NEW = "new"  #: never read yet
    HEALTHY = "healthy"  #: the last poll went well
    SHAKY = "shaky"  #: a few polls failed in a row; tried less often
    BROKEN = "broken"  #: failing for long; tried daily, never given up
    GONE = "gone"  #: its server says it is no more (410); asked again weekly


class Feed(SQLModel, table=True):
    """One address polled; validators and body hash are those of the last answer that was read."""

    id: int = Field(default=None, primary_key=True)
    url: str = Field(unique=True)
    title: str = ""
    publisher: str = ""
    family: str = ""
    aligned: str = ""
    regions: list[str] = Field(default_factory=list, sa_type=JSON)
    topics: list[str] = Field(default_factory=list, sa_type=JSON)
    weight: float = 1.0
    interval_minutes: int | None = None
    enabled: bool = True
    health: FeedHealth = Field(default=FeedHealth.NEW, sa_type=text_enum(FeedHealth))
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    moved_to: str | None = None
    interval_s: int | None = None
    next_fetch_at: datetime = Field(index=True)
    first_read_at: datetime | None = None
    last_read_at: datetime | None = None
    last_new_at: datetime | None = None
    failures: int = 0
    last_error: str | None = None
    failed_at: datetime | None = None

    @property
    def address(self) -> str:
        """Where to ask: the place a permanent redirect led to, or the configured address."""
        return self.moved_to or self.url

    @property
    def source(self) -> str:
        """Whom this feed counts as when independent sources are counted: its publisher family, else its site."""
        return self.family or self.publisher or site_of(self.url) or self.url


def sync_feeds(session: Session, feeds: Feeds, now: datetime) -> None:
    """Make the table match config: new feeds are due at once, dropped and paused ones are disabled but remembered."""
    known = {feed.url: feed for feed in session.exec(select(Feed)).all()}
    wanted = {entry.url: entry for entry in feeds.feeds}
    for url, feed in known.items():
        if url not in wanted:
            feed.enabled = False
    for url, entry in wanted.items():
        feed = known.get(url) or Feed(url=url, next_fetch_at=now)
        _describe(feed, entry, feeds, now)
        session.add(feed)


def _describe(feed: Feed, entry: FeedEntry, feeds: Feeds, now: datetime) -> None:
    family = feeds.families.get(entry.family)
    if entry.paused:
        feed.enabled = False
    elif not feed.enabled:  # added again: what was learned of it may be long out of date
        feed.enabled, feed.moved_to, feed.next_fetch_at = True, None, min(feed.next_fetch_at, now)
    feed.title = entry.title or feed.title
    feed.publisher = entry.publisher or (family.name if family else "")
    feed.family = entry.family
    feed.aligned = family.aligned if family else ""
    feed.regions = list(entry.regions)
    feed.topics = list(entry.topics)
    feed.weight = entry.weight
    feed.interval_minutes = entry.interval_minutes


def due_feeds(session: Session, now: datetime, limit: int) -> Sequence[Feed]:
    """Enabled feeds whose time has come, longest overdue first."""
    # No wait is longer than a week: a later date was set by a clock that was ahead.
    time_has_come = (col(Feed.next_fetch_at) <= now) | (col(Feed.next_fetch_at) > now + LONGEST_WAIT)
    due = select(Feed).where(col(Feed.enabled), time_has_come)
    return session.exec(due.order_by(col(Feed.next_fetch_at)).limit(limit)).all()


def failing_since_last_answer(session: Session) -> set[int]:
    """Ids of enabled feeds whose last try failed after any feed last answered."""
    answered = session.exec(select(func.max(col(Feed.last_read_at))).where(col(Feed.enabled))).one()
    failing = select(Feed.id).where(col(Feed.enabled), col(Feed.failed_at).is_not(None))
    if answered is not None:
        failing = failing.where(col(Feed.failed_at) > answered)
    return set(session.exec(failing).all())


def feeds_by_url(session: Session) -> dict[str, Feed]:
    """Enabled feeds under the address that config has."""
    return {feed.url: feed for feed in session.exec(select(Feed).where(col(Feed.enabled)))}
