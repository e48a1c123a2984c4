"""Feeds follow the settings, decisions not to tell are counted, and what was seen is found again by the thousand."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from config.schema import Family, FeedEntry, Feeds
from models import Direction, Feed, FeedHealth, Seen, Story, Suppression, SuppressionReason
from models.alert import suppress
from models.article import seen_entries
from models.database import Database
from models.feed import due_feeds, feeds_by_url, sync_feeds
from tests.rows import add_feed

A, B, C = (f"https://{name}.example/rss" for name in "abc")


# Feeds ----------------------------------------------------------------------------------------------------------------


def sync(database: Database, now: datetime, *entries: FeedEntry) -> dict[str, Feed]:
    with database.write() as session:
        families = {"one": Family(name="One Ltd", aligned="QA")}
        sync_feeds(session, Feeds(families=families, feeds=entries), now)
        session.flush()
        return {feed.url: feed for feed in session.exec(select(Feed))}


def test_a_new_feed_is_due_at_once_with_what_its_entry_says(database: Database, now: datetime) -> None:
    entry = FeedEntry(
        url=A, title="A", family="one", regions=("africa",), topics=("un",), weight=0.5, interval_minutes=9
    )
    feed = sync(database, now, entry, FeedEntry(url=B, publisher="B Media"))[A]
    assert (feed.title, feed.publisher, feed.family, feed.aligned) == ("A", "One Ltd", "one", "QA")
    assert (feed.regions, feed.topics, feed.weight, feed.interval_minutes) == (["africa"], ["un"], 0.5, 9)
    assert (feed.enabled, feed.health, feed.next_fetch_at) == (True, FeedHealth.NEW, now)
    with database.read() as session:
        assert {feed.url: feed.source for feed in due_feeds(session, now, 9)} == {A: "one", B: "B Media"}
        assert due_feeds(session, now - timedelta(seconds=1), 9) == []


def test_a_dropped_feed_rests_and_comes_back_where_it_stood(database: Database, now: datetime) -> None:
    both = (FeedEntry(url=A), FeedEntry(url=B))
    feed_id = sync(database, now, *both)[A].id
    later = now + timedelta(hours=5)
    with database.write() as session:
        feed = session.get_one(Feed, feed_id)
        feed.etag, feed.health, feed.next_fetch_at = '"v1"', FeedHealth.SHAKY, later
    assert not sync(database, now, FeedEntry(url=B))[A].enabled
    with database.read() as session:
        assert [feed.url for feed in due_feeds(session, later, 9)] == [B]
        assert list(feeds_by_url(session)) == [B]
    feed = sync(database, later, *both)[A]
    assert (feed.id, feed.enabled, feed.etag, feed.health) == (feed_id, True, '"v1"', FeedHealth.SHAKY)
    assert feed.next_fetch_at == later


def test_a_title_from_the_feed_stays_where_the_settings_give_none(sqlite_database: Database, now: datetime) -> None:
    sync(sqlite_database, now, FeedEntry(url=A, family="one"))
    with sqlite_database.write() as session:
        session.exec(select(Feed)).one().title = "its own"
    feed = sync(sqlite_database, now, FeedEntry(url=A))[A]
    assert (feed.title, feed.family, feed.aligned, feed.source) == ("its own", "", "", "a.example")
    assert sync(sqlite_database, now, FeedEntry(url=A, title="mine"))[A].title == "mine"


def test_settings_without_feeds_switch_all_off(sqlite_database: Database, now: datetime) -> None:
    sync(sqlite_database, now, FeedEntry(url=A), FeedEntry(url=B))
    assert [feed.enabled for feed in sync(sqlite_database, now).values()] == [False, False]


def test_of_due_feeds_the_longest_overdue_come_first(database: Database, now: datetime) -> None:
    with database.write() as session:
        for url, minutes in ((A, 1), (B, 3), (C, 2)):
            add_feed(session, now - timedelta(minutes=minutes), url=url)
        add_feed(session, now + timedelta(minutes=1))
        assert [feed.url for feed in due_feeds(session, now, 2)] == [B, C]
    with database.read() as session:
        assert len(due_feeds(session, now, 9)) == 3


# Suppressions ---------------------------------------------------------------------------------------------------------


def not_told(story: Story, at: datetime, **values: Any) -> Suppression:
    defaults: dict[str, Any] = {"level": 1, "score": 36.0, "direction": Direction.ESCALATION, "subscriber_id": 0}
    reason = values.pop("reason", SuppressionReason.BELOW_THRESHOLD)
    return Suppression(story_id=story.id, reason=reason, first_at=at, last_at=at, **defaults | values)


def a_story(session: Session, now: datetime) -> Story:
    story = Story(title="x", first_seen_at=now, last_seen_at=now)
    session.add(story)
    session.flush()
    return story


def test_the_same_decision_again_is_counted_with_its_highest_score_and_last_time(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        story = a_story(session, now)
        for minute, score in enumerate((36.0, 38.5, 37.0)):
            suppress(session, not_told(story, now + timedelta(minutes=minute), score=score))
    with database.read() as session:
        row = session.exec(select(Suppression)).one()
        assert (row.times, row.score) == (3, 38.5)
        assert (row.first_at, row.last_at) == (now, now + timedelta(minutes=2))


@pytest.mark.parametrize(
    "other",
    [
        {"level": 2},
        {"direction": Direction.DEESCALATION},
        {"reason": SuppressionReason.QUIET},
        {"subscriber_id": 5},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_decision_that_differs_is_a_row_of_its_own(database: Database, now: datetime, other: dict[str, Any]) -> None:
    with database.write() as session:
        story = a_story(session, now)
        suppress(session, not_told(story, now))
        suppress(session, not_told(story, now, **other))
        suppress(session, not_told(story, now))
    with database.read() as session:
        assert sorted(row.times for row in session.exec(select(Suppression))) == [1, 2]


# Seen -----------------------------------------------------------------------------------------------------------------


def test_two_thousand_entries_are_looked_up_at_once_and_only_in_their_feed(database: Database, now: datetime) -> None:
    keys = [f"key {number}" for number in range(2000)]
    with database.write() as session:
        feed, other = add_feed(session, now), add_feed(session, now)
        for key in keys[::2]:
            session.add(Seen(feed_id=feed.id, entry_key=key, content_hash=key, seen_at=now))
        session.add(Seen(feed_id=other.id, entry_key=keys[1], content_hash="x", seen_at=now))
    with database.read() as session:
        found = seen_entries(session, [(feed.id, key) for key in keys])
        assert sorted(found) == sorted((feed.id, key) for key in keys[::2])
        assert all(row.content_hash == key for (_, key), row in found.items())
        assert seen_entries(session, []) == {}


def test_a_paused_feed_rests_and_a_resumed_one_is_due_at_once(sqlite_database: Database, now: datetime) -> None:
    entry = FeedEntry(url="https://example.org/rss.xml")
    resting = Feeds(feeds=(entry.model_copy(update={"paused": True}),))
    with sqlite_database.write() as session:
        for feeds, due in ((Feeds(feeds=(entry,)), 1), (resting, 0), (resting, 0), (Feeds(feeds=(entry,)), 1)):
            sync_feeds(session, feeds, now)
            assert len(due_feeds(session, now, 10)) == due
