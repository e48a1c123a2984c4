"""Retention forgets old articles with all that hangs on them, never that they were seen, nor what is yet to be sent."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, SQLModel, func, select

from bot.feeds.types import ParsedEntry
from bot.pipeline.retain import BATCH, forget_old
from bot.pipeline.store import store_entries
from config.schema import Articles
from models import (
    Alert,
    AlertKind,
    Article,
    Delivery,
    DeliveryState,
    Digest,
    Direction,
    Reading,
    Revision,
    Seen,
    Story,
    Suppression,
    SuppressionReason,
)
from models.database import Database
from tests.rows import add_article, add_feed, add_reading, add_subscriber

DAY = timedelta(days=1)
KEPT = Articles(retention_days=30)


def entry(key: str, at: datetime, version: str = "1") -> ParsedEntry:
    address = f"https://a.example/{key}"
    return ParsedEntry(key, address, address, f"{key} {version}", "", "", at, None, f"{key} {version}")


def tidy(database: Database, now: datetime) -> int:
    with database.write() as session:
        return forget_old(session, KEPT, now)


def count(session: Session, table: type[SQLModel]) -> int:
    return session.exec(select(func.count()).select_from(table)).one()


def test_an_old_article_goes_with_its_readings_and_revisions_but_was_still_seen(
    database: Database, now: datetime
) -> None:
    long_ago = now - 31 * DAY
    with database.write() as session:
        feed = add_feed(session, now)
        assert store_entries(session, feed, [entry("old", long_ago)], KEPT, long_ago) == (1, 0)
        assert store_entries(session, feed, [entry("old", long_ago, "2")], KEPT, long_ago) == (0, 1)
        article = session.exec(select(Article)).one()
        session.add(
            Reading(
                article_id=article.id,
                model="m",
                title="x",
                escalation=1,
                deescalation=1,
                severity=1,
                status="asserted",
                news_at=long_ago,
                read_at=long_ago,
            )
        )
    assert tidy(database, now) == 1
    with database.write() as session:
        assert [count(session, table) for table in (Article, Reading, Revision, Seen)] == [0, 0, 0, 1]
        again = [entry("old", long_ago), entry("old", long_ago, "3"), entry("new", now)]
        assert store_entries(session, feed, again[:1], KEPT, now) == (0, 0)
        assert store_entries(session, feed, again[1:2], KEPT, now) == (0, 0)
        assert store_entries(session, feed, again[2:], KEPT, now) == (1, 0)
        assert [article.entry_key for article in session.exec(select(Article))] == ["new"]


@pytest.mark.parametrize(
    ("news_age", "seen_age", "stays"),
    [(31, 31, False), (29, 29, True), (31, 1, True), (29, 31, True)],
    ids=["old", "recent", "old news seen lately", "dated after it was seen"],
)
def test_an_article_goes_only_when_both_its_news_and_our_sight_of_it_are_old(
    sqlite_database: Database, now: datetime, news_age: int, seen_age: int, stays: bool
) -> None:
    with sqlite_database.write() as session:
        feed = add_feed(session, now)
        add_article(session, feed, now - news_age * DAY, "x", seen_at=now - seen_age * DAY)
    assert tidy(sqlite_database, now) == (0 if stays else 1)


def test_what_one_round_leaves_the_next_takes(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.write() as session:
        feed = add_feed(session, now)
        old: dict[str, Any] = {
            "feed_id": feed.id,
            "content_hash": "",
            "news_at": now - 99 * DAY,
            "seen_at": now - 99 * DAY,
        }
        session.add_all(Article(entry_key=str(number), title="x", **old) for number in range(BATCH + 5))
    assert [tidy(sqlite_database, now) for _ in range(3)] == [BATCH, 5, 0]


# Stories, alerts, messages --------------------------------------------------------------------------------------------


def old_story(session: Session, at: datetime, **values: Any) -> Story:
    story = Story(title="x", first_seen_at=at, last_seen_at=at, **values)
    session.add(story)
    session.flush()
    silence = Suppression(
        story_id=story.id,
        direction=Direction.ESCALATION,
        level=1,
        reason=SuppressionReason.OLD,
        score=1,
        first_at=at,
        last_at=at,
    )
    session.add(silence)
    return story


def old_alert(session: Session, story: Story, at: datetime) -> Alert:
    alert = Alert(
        story_id=story.id,
        kind=AlertKind.NEW,
        direction=Direction.ESCALATION,
        level=1,
        score=50,
        rule="r",
        created_at=at,
    )
    session.add(alert)
    session.flush()
    return alert


def old_delivery(session: Session, at: datetime, state: DeliveryState, **values: Any) -> None:
    chat = add_subscriber(session, at)
    session.add(Delivery(subscriber_id=chat.id, key="k", state=state, send_after=at, created_at=at, **values))
    session.flush()


def left(database: Database) -> list[int]:
    """How many stories, suppressions, alerts, digests and deliveries there are."""
    with database.read() as session:
        return [count(session, table) for table in (Story, Suppression, Alert, Digest, Delivery)]


def _nothing_more(session: Session, story: Story, now: datetime) -> None:
    """The story stands alone."""


def _a_reading(session: Session, story: Story, now: datetime) -> None:
    add_reading(session, add_feed(session, now), now, "recent", story_id=story.id)


def _a_waiting_message(session: Session, story: Story, now: datetime) -> None:
    alert = old_alert(session, story, now - 40 * DAY)
    old_delivery(session, now - 40 * DAY, DeliveryState.WAITING, alert_id=alert.id)


def _a_message_being_sent(session: Session, story: Story, now: datetime) -> None:
    alert = old_alert(session, story, now - 40 * DAY)
    old_delivery(session, now - 40 * DAY, DeliveryState.SENDING, alert_id=alert.id)


def _a_recent_alert(session: Session, story: Story, now: datetime) -> None:
    old_alert(session, story, now - DAY)


def _a_sent_message(session: Session, story: Story, now: datetime) -> None:
    alert = old_alert(session, story, now - 40 * DAY)
    old_delivery(session, now - 40 * DAY, DeliveryState.SENT, alert_id=alert.id)


@pytest.mark.parametrize(
    ("with_it", "remains"),
    [
        (_nothing_more, [0, 0, 0, 0, 0]),
        (_a_sent_message, [0, 0, 0, 0, 0]),
        (_a_reading, [1, 1, 0, 0, 0]),
        (_a_recent_alert, [1, 1, 1, 0, 0]),
        (_a_waiting_message, [1, 1, 1, 0, 1]),
        (_a_message_being_sent, [1, 1, 1, 0, 1]),
    ],
    ids=["alone", "all told", "recent reading", "recent alert", "message waits", "message under way"],
)
def test_an_old_story_goes_unless_something_still_needs_it(
    database: Database, now: datetime, with_it: Callable[[Session, Story, datetime], None], remains: list[int]
) -> None:
    with database.write() as session:
        with_it(session, old_story(session, now - 40 * DAY), now)
    tidy(database, now)
    assert left(database) == remains


@pytest.mark.parametrize(
    ("state", "remains"), [(DeliveryState.SENT, 0), (DeliveryState.FAILED, 0), (DeliveryState.WAITING, 1)]
)
def test_an_old_digest_goes_unless_its_message_waits(
    sqlite_database: Database, now: datetime, state: DeliveryState, remains: int
) -> None:
    at = now - 40 * DAY
    with sqlite_database.write() as session:
        digest = Digest(since=at - 7 * DAY, until=at, created_at=at)
        session.add(digest)
        session.flush()
        old_delivery(session, at, state, digest_id=digest.id)
    tidy(sqlite_database, now)
    assert left(sqlite_database) == [0, 0, 0, remains, remains]


def test_what_is_recent_stays(database: Database, now: datetime) -> None:
    with database.write() as session:
        story = old_story(session, now - 29 * DAY)
        alert = old_alert(session, story, now - 29 * DAY)
        old_delivery(session, now - 29 * DAY, DeliveryState.SENT, alert_id=alert.id)
        session.add(Digest(since=now - 36 * DAY, until=now - 29 * DAY, created_at=now))
    assert tidy(database, now) == 0
    assert left(database) == [1, 1, 1, 1, 1]
