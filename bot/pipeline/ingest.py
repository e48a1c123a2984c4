"""feeds -> articles: feeds that are due are fetched, each entry is stored once, and the feed learns when to come back.

A feed's articles and its new state are one transaction, so a crash costs at most one poll and never half of one.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from bot.feeds.fetcher import Fetcher
from bot.feeds.parser import ParsePool
from bot.feeds.schedule import (
    IntervalBounds,
    came_through,
    is_own_outage,
    next_after_failure,
    next_health,
    next_interval,
    spread,
    worth_telling,
)
from bot.feeds.types import FetchError, FetchFailure, FetchRequest, FetchResult, ParsedFeed
from bot.messages.lines import one_line
from bot.messages.message import notice
from bot.notices import tell_admins, tell_trouble
from bot.pipeline.store import store_entries
from config.schema import Fetching, Settings
from models import Feed, FeedHealth, Trouble
from models.database import Database
from models.feed import due_feeds, failing_since_last_answer

log = logging.getLogger(__name__)

FAILURES_BEFORE_OLD_ADDRESS = 3
OUTAGE = "feeds"
OUTAGE_PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Poll:
    """What asking one feed gave: an answer with its entries (None when unchanged), or an error."""

    feed: Feed
    result: FetchResult | None = None
    parsed: ParsedFeed | None = None
    error: FetchError | None = None


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one round of polling came to."""

    polled: int = 0
    failed: int = 0
    new: int = 0
    edited: int = 0


async def fetch_due_feeds(
    database: Database, fetcher: Fetcher, parser: ParsePool, settings: Settings, clock: Callable[[], datetime]
) -> Ingested:
    """Poll every feed whose time has come and store what is new."""
    feeds = await asyncio.to_thread(_due, database, clock())
    asking = [asyncio.create_task(ask(feed, fetcher, parser, settings, clock())) for feed in feeds]
    failed: list[Poll] = []
    new = edited = 0
    try:
        for finished in asyncio.as_completed(asking):
            poll = await finished
            if poll.error is not None:
                failed.append(poll)  # whose fault it was shows when all have answered
                continue
            try:
                stored = await asyncio.to_thread(_store, database, poll, settings, clock())
            except (ValueError, DBAPIError) as error:  # what cannot be stored must not stop the feeds after it
                log.exception("feed_not_stored feed=%s", poll.feed.url)
                reason = FetchError(FetchFailure.UNREADABLE, f"cannot be stored: {type(error).__name__}")
                failed.append(Poll(poll.feed, error=reason))
                continue
            new, edited = new + stored[0], edited + stored[1]
        await asyncio.to_thread(_store_failures, database, failed, len(feeds), settings, clock())
    finally:
        for task in asking:
            task.cancel()
    return Ingested(polled=len(feeds), failed=len(failed), new=new, edited=edited)


async def ask(feed: Feed, fetcher: Fetcher, parser: ParsePool, settings: Settings, now: datetime) -> Poll:
    """Fetch and parse one feed; nothing is stored."""
    request = FetchRequest(feed.address, feed.etag, feed.last_modified, feed.body_hash)
    try:
        result = await fetcher.fetch(request)
        if not result.changed:
            return Poll(feed, result)
        limit = settings.service.fetch.max_entries
        parsed = await parser.parse(result.body, result.headers, result.final_url, now, limit)
    except FetchError as error:
        return Poll(feed, error=error)
    return Poll(feed, result, parsed)


def _due(database: Database, now: datetime) -> Sequence[Feed]:
    with database.read() as session:
        return due_feeds(session, now, limit=500)


def _store(database: Database, poll: Poll, settings: Settings, now: datetime) -> tuple[int, int]:
    """One feed, one transaction; returns how many articles are new and how many were edited."""
    with _changing(database, poll, settings, now) as (session, feed):
        return _record_answer(session, feed, poll, settings, now)


@contextmanager
def _changing(database: Database, poll: Poll, settings: Settings, now: datetime) -> Iterator[tuple[Session, Feed]]:
    """The feed of a poll in a transaction of its own; admins are told when its health is another at the end."""
    with database.write() as session:
        feed = session.get_one(Feed, poll.feed.id)
        before = feed.health
        yield session, feed
        if worth_telling(before, feed.health):
            _tell_health(session, feed, settings, now)


def _store_failures(database: Database, failed: Sequence[Poll], asked: int, settings: Settings, now: datetime) -> None:
    errors = [poll.error.failure for poll in failed if poll.error]
    with database.read() as session:
        silent = len(failing_since_last_answer(session) - {poll.feed.id for poll in failed})
    results = [*errors, *[None] * (asked - len(failed))]
    outage = is_own_outage(results, silent)
    if outage or came_through(results):
        _tell_outage(database, outage, failed, settings, now)
    if outage:
        log.warning(
            "own_outage feeds=%s minutes=%s: every feed failed at once, so no feed is blamed; is there a connection? "
            "Trying again then",
            asked,
            settings.service.fetch.min_interval_minutes,
        )
    for poll in failed:
        if poll.error is not None:
            with _changing(database, poll, settings, now) as (_session, feed):
                _record_failure(feed, poll.error, settings.service.fetch, outage, now)


def _tell_outage(database: Database, outage: bool, failed: Sequence[Poll], settings: Settings, now: datetime) -> None:
    """Admins hear of an outage of ours that lasts, and of its end; a round like those before it writes nothing."""
    with database.read() as session:
        known = session.get(Trouble, OUTAGE)
    if not outage and known is None:
        return
    since = f"{known.since if known else now:%d %b %H:%M} UTC"
    text = f"Feeds answer again. None did since {since}."
    if outage:
        text = (
            f"No feed answers since {since}. Is there a connection? The last error: "
            f"{one_line(str(failed[-1].error), 200)}\nAll are tried again by themselves, and none is blamed."
        )
    with database.write() as session:
        tell_trouble(session, settings, OUTAGE, outage, notice(text, "Feeds"), now, OUTAGE_PATIENCE)


def _record_answer(session: Session, feed: Feed, poll: Poll, settings: Settings, now: datetime) -> tuple[int, int]:
    result = poll.result
    if result is None:
        return 0, 0
    entries = poll.parsed.entries if poll.parsed else ()
    new, edited = store_entries(session, feed, entries, settings.service.articles, now)
    if result.permanent_url and result.permanent_url != feed.address:
        log.info("feed_moved feed=%s to=%s", feed.url, result.permanent_url)
        feed.moved_to = result.permanent_url
    feed.title = feed.title or (poll.parsed.title if poll.parsed else "")
    feed.etag, feed.last_modified = result.etag, result.last_modified
    feed.body_hash = result.body_hash or feed.body_hash
    feed.first_read_at = feed.first_read_at or now
    feed.last_read_at = now
    feed.last_new_at = now if new else feed.last_new_at
    feed.health, feed.failures, feed.last_error = FeedHealth.HEALTHY, 0, None
    _plan_next(feed, poll, new, settings.service.fetch, now)
    return new, edited


def _plan_next(feed: Feed, poll: Poll, new: int, fetching: Fetching, now: datetime) -> None:
    first = feed.interval_s is None
    dates = [entry.published_at for entry in (poll.parsed.entries if poll.parsed else ()) if entry.published_at]
    feed.interval_s = next_interval(
        dates,
        now,
        feed.interval_s or _wanted_interval_s(feed, fetching),
        _bounds(feed, fetching),
        new_entries=new,
        ttl_s=poll.parsed.ttl_s if poll.parsed else None,
        max_age_s=poll.result.max_age_s if poll.result else None,
    )
    # The first wait differs from feed to feed, so that a hundred added together are not due together ever after.
    wait = max(spread(feed.id, feed.interval_s), 60) if first else feed.interval_s
    feed.next_fetch_at = now + timedelta(seconds=wait)


def _wanted_interval_s(feed: Feed, fetching: Fetching) -> int:
    return (feed.interval_minutes or fetching.interval_minutes) * 60


def _bounds(feed: Feed, fetching: Fetching) -> IntervalBounds:
    """An interval the admin set for one feed is its fastest pace; the rest may go down to the general bound."""
    shortest = feed.interval_minutes or fetching.min_interval_minutes
    return IntervalBounds(shortest * 60, max(shortest, fetching.max_interval_minutes) * 60)


def _record_failure(feed: Feed, error: FetchError, fetching: Fetching, outage: bool, now: datetime) -> None:
    feed.last_error = str(error)
    feed.failed_at = now
    if outage:
        feed.next_fetch_at = now + timedelta(minutes=fetching.min_interval_minutes)
        return
    feed.failures += 1
    if feed.failures >= FAILURES_BEFORE_OLD_ADDRESS:  # a permanent redirect can be a mistake of a day
        feed.moved_to = None
    feed.health = next_health(feed.health, feed.failures, error.failure)
    jitter = random.Random(f"{feed.url} {feed.failures}")  # noqa: S311 - spreads load, guards nothing
    bounds = _bounds(feed, fetching)
    wait = next_after_failure(error.failure, feed.failures, bounds, jitter, error.retry_after_s)
    feed.next_fetch_at = now + timedelta(seconds=wait)
    log.info("feed_failed feed=%s failures=%s failure=%s error=%s", feed.url, feed.failures, error.failure, error)


def _tell_health(session: Session, feed: Feed, settings: Settings, now: datetime) -> None:
    name = feed.title or feed.url
    if feed.health is FeedHealth.HEALTHY:
        text = f"Feed is back: {name}\n{feed.url}"
    else:
        text = f"Feed {feed.health}: {name}\n{feed.url}\n{feed.last_error}\nIt is still tried, less often."
    tell_admins(session, settings, f"feed:{feed.id}:{feed.health}:{now:%Y%m%d%H%M%S}", notice(text, "Feeds"), now)
