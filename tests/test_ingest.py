"""Polling through the front door: a feed server on loopback in, articles and feed states out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlmodel import Session, select

from bot.feeds.fetcher import Fetcher
from bot.feeds.parser import ParsePool
from bot.feeds.types import FetchLimits
from bot.pipeline.ingest import Ingested, fetch_due_feeds
from config.schema import Articles, FeedEntry, Feeds, Fetching, Service, Settings, Telegram
from models import Article, Delivery, Feed, FeedHealth, Revision, Seen
from models.database import Database
from models.feed import sync_feeds
from tests.feed_server import FeedServer, Reply, redirect, rss

ADMIN = 4242


def item(title: str, at: datetime | None, guid: str = "", link: str = "https://news.example/a") -> str:
    date = f"<pubDate>{format_datetime(at)}</pubDate>" if at else ""
    return f"<title>{title}</title><link>{link}</link><guid>{guid or title}</guid>{date}"


@dataclass
class Polling:
    """A server, a database and a clock that the test moves."""

    server: FeedServer
    database: Database
    fetcher: Fetcher
    parser: ParsePool
    now: datetime
    settings: Settings

    def follow(self, *paths: str, **values: object) -> None:
        entries = tuple(FeedEntry(url=self.server.url(path), publisher=path, **values) for path in paths)  # type: ignore[arg-type]
        with self.database.write() as session:
            sync_feeds(session, Feeds(feeds=entries), self.now)

    async def poll(self, later: timedelta = timedelta(0)) -> Ingested:
        self.now += later
        return await fetch_due_feeds(self.database, self.fetcher, self.parser, self.settings, lambda: self.now)

    async def poll_when_due(self) -> Ingested:
        self.now = max(self.now, self.feed().next_fetch_at)
        return await self.poll()

    def feed(self) -> Feed:
        with self.database.read() as session:
            return session.exec(select(Feed).order_by(Feed.id)).first()  # type: ignore[arg-type,return-value]

    def articles(self) -> list[Article]:
        with self.database.read() as session:
            return list(session.exec(select(Article).order_by(Article.id)).all())  # type: ignore[arg-type]

    def told(self) -> list[str]:
        with self.database.read() as session:
            return [row.message["plain"] for row in session.exec(select(Delivery).order_by(Delivery.id))]  # type: ignore[arg-type]


@pytest.fixture
async def polling(database: Database, now: datetime) -> AsyncIterator[Polling]:
    settings = Settings(
        service=Service(fetch=Fetching(), articles=Articles(max_edits=2)), telegram=Telegram(admins=(ADMIN,))
    )
    limits = FetchLimits(allow_addresses=("127.0.0.0/8",), read_s=5, total_s=10)
    async with FeedServer() as server, Fetcher(limits) as fetcher, ParsePool() as parser:
        yield Polling(server, database, fetcher, parser, now, settings)


async def test_an_entry_is_stored_once_however_often_its_feed_is_polled(polling: Polling) -> None:
    polling.server.script("/a", Reply(rss(item("Tanks at the border", polling.now))))
    polling.follow("/a")
    assert (await polling.poll()).new == 1
    assert (await polling.poll_when_due()).new == 0
    assert [article.title for article in polling.articles()] == ["Tanks at the border"]


async def test_first_contact_stores_old_entries_as_read_and_only_fresh_ones_as_news(polling: Polling) -> None:
    old, fresh = polling.now - timedelta(days=3), polling.now - timedelta(hours=2)
    polling.server.script("/a", Reply(rss(item("Old", old), item("Fresh", fresh), item("Undated", None))))
    polling.follow("/a")
    await polling.poll()
    assert {article.title: article.backlog for article in polling.articles()} == {
        "Old": True,
        "Fresh": False,
        "Undated": True,
    }


async def test_an_undated_entry_that_turns_up_later_is_news_from_now(polling: Polling) -> None:
    polling.server.script("/a", Reply(rss(item("One", None))), Reply(rss(item("Two", None), item("One", None))))
    polling.follow("/a")
    await polling.poll()
    await polling.poll_when_due()
    later = polling.articles()[1]
    assert (later.title, later.backlog, later.news_at) == ("Two", False, polling.now)


@pytest.mark.parametrize(
    "date", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)], ids=["epoch", "years ahead"]
)
async def test_an_absurd_date_never_makes_first_contact_entries_news(polling: Polling, date: datetime) -> None:
    polling.server.script("/a", Reply(rss(item("Odd", date))))
    polling.follow("/a")
    await polling.poll()
    assert [(article.backlog, article.published_at) for article in polling.articles()] == [(True, None)]


async def test_an_edit_keeps_the_first_text_and_is_read_again_at_most_so_often(polling: Polling) -> None:
    versions = [
        Reply(rss(f"<description>{number} dead</description>" + item("Blast", polling.now, "g1")))
        for number in range(5)
    ]
    polling.server.script("/a", *versions)
    polling.follow("/a")
    counts = [(await polling.poll_when_due()).edited for _ in range(5)]
    assert counts == [0, 1, 1, 0, 0]
    (article,) = polling.articles()
    assert (article.summary, article.unread_revision) == ("0 dead", 2)
    with polling.database.read() as session:
        assert [row.summary for row in session.exec(select(Revision))] == ["1 dead", "2 dead"]


async def test_validators_are_sent_back_and_an_unchanged_feed_is_not_parsed(polling: Polling) -> None:
    polling.server.script("/a", Reply(rss(item("One", polling.now)), etag='"v1"'))
    polling.follow("/a")
    await polling.poll()
    await polling.poll_when_due()
    assert polling.server.seen[1].headers["if-none-match"] == '"v1"'
    assert polling.feed().last_read_at == polling.now


async def test_a_permanent_redirect_is_remembered_and_a_temporary_one_is_not(polling: Polling) -> None:
    polling.server.script("/old", redirect("/new", 301))
    polling.server.script("/new", Reply(rss(item("One", polling.now))))
    polling.follow("/old")
    await polling.poll()
    assert polling.feed().moved_to == polling.server.url("/new")
    await polling.poll_when_due()
    assert [seen.path for seen in polling.server.seen] == ["/old", "/new", "/new"]


async def test_a_failing_feed_is_never_given_up_and_admins_hear_of_it_only_when_its_health_changes(
    polling: Polling,
) -> None:
    polling.server.script("/a", *[Reply(status=500)] * 12, Reply(rss(item("Back", polling.now))))
    polling.follow("/a")
    waits = []
    for _ in range(12):
        await polling.poll_when_due()
        waits.append(polling.feed().next_fetch_at - polling.now)
    assert polling.feed().health is FeedHealth.BROKEN
    assert max(waits) <= timedelta(days=1)
    before = len(polling.told())
    await polling.poll_when_due()
    assert polling.feed().health is FeedHealth.HEALTHY
    assert polling.told()[-1].startswith("Feed is back")
    assert len(polling.told()) == before + 1 <= 3


async def test_retry_after_is_obeyed(polling: Polling) -> None:
    polling.server.script("/a", Reply(status=429, headers={"Retry-After": "7200"}))
    polling.follow("/a")
    await polling.poll()
    assert polling.feed().next_fetch_at >= polling.now + timedelta(seconds=7200)


async def test_when_everything_fails_at_once_the_feeds_are_not_blamed(polling: Polling) -> None:
    paths = [f"/{number}" for number in range(6)]
    for path in paths:
        polling.server.script(path, Reply(raw=b""))
    polling.follow(*paths)
    assert (await polling.poll()).failed == 6
    assert (polling.feed().failures, polling.feed().health) == (0, FeedHealth.NEW)
    assert polling.told() == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html><body>Service unavailable</body></html>"),
        Reply(b'<!DOCTYPE x [<!ENTITY a "b">]><rss><channel><item><title>&a;</title></item></channel></rss>'),
        Reply(b"/etc/passwd"),
        Reply(b"x" * (6 * 2**20)),
        Reply(b""),
        Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<rss>"),
    ],
    ids=["a web page", "entities", "a path", "too large", "nothing", "cut off"],
)
async def test_a_bad_feed_costs_only_itself(polling: Polling, reply: Reply) -> None:
    polling.server.script("/bad", reply)
    polling.server.script("/good", Reply(rss(item("Good", polling.now))))
    polling.follow("/bad", "/good")
    result = await polling.poll()
    assert (result.failed, result.new) == (1, 1)
    assert polling.feed().last_error


async def test_headers_that_are_no_text_harm_nobody(polling: Polling) -> None:
    raw = b'HTTP/1.1 200 OK\r\nETag: "\xff\xfe"\r\nLast-Modified: \xff\r\nConnection: close\r\n\r\n'
    polling.server.script("/odd", Reply(raw=raw + rss(item("Odd", polling.now))))
    polling.server.script("/good", Reply(rss(item("Good", polling.now))))
    polling.follow("/odd", "/good")
    assert (await polling.poll()).new == 2
    await polling.poll_when_due()
    assert "if-none-match" not in polling.server.seen[-1].headers


async def test_an_answer_that_cannot_be_stored_costs_only_its_feed(
    polling: Polling, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.pipeline import ingest

    for path in ("/a", "/b"):
        polling.server.script(path, Reply(rss(item(path, polling.now))))
    polling.follow("/a", "/b")
    store = ingest.store_entries

    def fail_for_a(session: Session, feed: Feed, *rest: Any) -> tuple[int, int]:
        if feed.publisher == "/a":
            raise ValueError("surrogates not allowed")
        return store(session, feed, *rest)

    monkeypatch.setattr(ingest, "store_entries", fail_for_a)
    result = await polling.poll()
    assert (result.new, result.failed) == (1, 1)
    assert "cannot be stored" in (polling.feed().last_error or "")


async def test_an_undated_entry_after_long_silence_is_backlog(polling: Polling) -> None:
    polling.server.script("/a", Reply(rss(item("One", None))), Reply(rss(item("Two", None), item("One", None))))
    polling.follow("/a")
    await polling.poll()
    await polling.poll(timedelta(days=21))
    assert [(article.title, article.backlog) for article in polling.articles()] == [("One", True), ("Two", True)]


async def test_an_outage_of_our_line_is_known_though_feeds_are_polled_one_by_one(polling: Polling) -> None:
    paths = [f"/{number}" for number in range(12)]
    for path in paths:
        polling.server.script(path, Reply(rss(item(path, polling.now))), *[Reply(raw=b"")] * 30)
    polling.follow(*paths)
    await polling.poll()
    for _ in range(120):
        await polling.poll(timedelta(minutes=10))
    with polling.database.read() as session:
        feeds = session.exec(select(Feed)).all()
    assert len(polling.told()) == 1
    assert sum(feed.failures for feed in feeds) < len(feeds)


def cut_off(polling: Polling, *paths: str) -> None:
    """Every connection breaks off from now on."""
    for path in paths:
        polling.server.script(path, *[Reply(raw=b"")] * 40)


def connect(polling: Polling, *paths: str) -> None:
    """Every feed answers from now on."""
    for path in paths:
        polling.server.script(path, Reply(rss(item(path, polling.now))))


async def test_an_outage_of_our_line_is_told_once_it_lasts_and_once_when_it_is_over(polling: Polling) -> None:
    paths = [f"/{number}" for number in range(6)]
    polling.follow(*paths)
    cut_off(polling, *paths)
    await polling.poll()
    await polling.poll(timedelta(minutes=25))
    assert polling.told() == []
    await polling.poll(timedelta(minutes=6))
    await polling.poll(timedelta(minutes=30))
    (told,) = polling.told()
    assert "No feed answers since 12 Mar 09:30 UTC" in told
    connect(polling, *paths)
    await polling.poll(timedelta(minutes=6))
    await polling.poll(timedelta(hours=3))
    assert polling.told()[1:] == ["Feeds answer again. None did since 12 Mar 09:30 UTC."]


async def test_outages_that_are_soon_over_are_told_to_nobody(polling: Polling) -> None:
    paths = [f"/{number}" for number in range(6)]
    polling.follow(*paths)
    cut_off(polling, *paths)
    await polling.poll()
    connect(polling, *paths)
    await polling.poll(timedelta(minutes=20))
    cut_off(polling, *paths)
    await polling.poll(timedelta(hours=3))
    assert polling.told() == []


async def test_a_permanent_redirect_that_leads_nowhere_is_undone(polling: Polling) -> None:
    polling.server.script("/old", redirect("/new", 301), Reply(rss(item("Two", polling.now))))
    polling.server.script("/new", Reply(rss(item("One", polling.now))), *[Reply(status=404)] * 9)
    polling.follow("/old")
    for _ in range(5):
        await polling.poll_when_due()
    assert [article.title for article in polling.articles()] == ["One", "Two"]
    assert polling.feed().health is FeedHealth.HEALTHY


async def test_a_clock_that_was_ahead_does_not_silence_the_feeds(polling: Polling) -> None:
    polling.server.script("/a", Reply(rss(item("One", polling.now))))
    polling.follow("/a")
    right = polling.now
    await polling.poll(timedelta(days=400))
    polling.now = right
    assert (await polling.poll(timedelta(days=1))).polled == 1


async def test_hostile_markup_is_stored_as_plain_text(polling: Polling) -> None:
    title = "&lt;script&gt;alert(1)&lt;/script&gt;Tanks &lt;b&gt;roll&lt;/b&gt;"
    polling.server.script("/a", Reply(rss(item(title, polling.now, "g", "javascript:alert(1)"))))
    polling.follow("/a")
    await polling.poll()
    (article,) = polling.articles()
    assert (article.title, article.url) == ("Tanks roll", "")


async def test_a_crash_between_two_feeds_leaves_each_feed_whole(
    polling: Polling, monkeypatch: pytest.MonkeyPatch
) -> None:
    polling.server.script("/a", Reply(rss(item("One", polling.now), item("Two", polling.now))))
    polling.follow("/a")
    with monkeypatch.context() as patched:
        patched.setattr("bot.pipeline.ingest._plan_next", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await polling.poll()
    with polling.database.read() as session:
        assert session.exec(select(Article)).all() == session.exec(select(Seen)).all() == []
    assert (await polling.poll()).new == 2


async def test_feeds_added_together_are_not_due_together_ever_after(polling: Polling) -> None:
    paths = [f"/{number}" for number in range(8)]
    for path in paths:
        polling.server.script(path, Reply(rss(item("One", polling.now))))
    polling.follow(*paths)
    await polling.poll()
    with polling.database.read() as session:
        moments = {feed.next_fetch_at for feed in session.exec(select(Feed))}
    assert len(moments) >= 7
