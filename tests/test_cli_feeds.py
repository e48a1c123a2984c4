"""`feeds list | add | remove | import | export | test`: feeds.toml, the database and a server on loopback agree."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import select

from config.load import load_settings
from models import Change, Feed
from models.database import open_database
from tests.command_line import Bot, command_line, one_line, write
from tests.feed_server import FeedServer, Reply, rss

A, B = "https://a.example/rss", "https://b.example/rss"


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bot:
    return command_line(tmp_path, monkeypatch, capsys)


def urls() -> list[str]:
    return [feed.url for feed in load_settings(Path("config"), {}).feeds.feeds]


def test_feeds_are_added_listed_and_removed(bot: Bot) -> None:
    done = bot("feeds", "add", A, "--title", "The [bold]A[/bold]", "--publisher", "A Media")
    assert f"Added {A} to config/feeds.toml" in done.words
    assert f"{A} is in config/feeds.toml already." in bot("feeds", "add", A).words
    bot("feeds", "add", B)
    assert urls() == [A, B]
    done = bot("feeds", "list")
    assert "2 feeds" in done.words
    assert f"new The [bold]A[/bold] 30 min never {A}" in done.words or f"The [bold]A[/bold] - never {A}" in done.words
    assert f"Removed {A}." in bot("feeds", "remove", A).words
    assert urls() == [B]
    assert A not in bot("feeds", "list").out


def test_feeds_list_says_why_a_feed_fails(bot: Bot, now: datetime) -> None:
    bot("feeds", "add", A)
    assert "never" in bot("feeds", "list").words
    opened = open_database("sqlite:///tocsin.db", now)
    with opened.write() as session:
        assert session.exec(select(Feed)).all() == []  # looking changes nothing
        session.add(Feed(url=A, next_fetch_at=now, last_error="[500] no [/luck]"))
    opened.close()
    assert "[500] no [/luck]" in bot("feeds", "list").words


def test_feeds_go_out_as_opml_and_come_back(bot: Bot) -> None:
    for url in (A, B):
        bot("feeds", "add", url, "--title", "Ünï & <b>")
    assert "2 feeds written to out.opml." in bot("feeds", "export", "out.opml").words
    bot("feeds", "remove", A)
    assert "1 feeds added, 1 were there already." in bot("feeds", "import", "out.opml").words
    assert urls() == [B, A]


def test_a_feed_added_beside_one_of_its_site_is_the_same_publishers(bot: Bot) -> None:
    bot("feeds", "add", A, "--publisher", "A Media")
    bot("feeds", "add", "https://feeds.a.example/more")
    Path("more.opml").write_text(
        '<opml><body><outline text="World"><outline text="Middle East">'
        '<outline xmlUrl="https://www.a.example/most"/></outline></outline></body></opml>',
        encoding="utf-8",
    )
    bot("feeds", "import", "more.opml")
    feeds = load_settings(Path("config"), {}).feeds.feeds
    assert [feed.publisher for feed in feeds] == ["A Media"] * 3
    assert feeds[2].regions == ("world", "middle-east")


def test_an_opml_file_that_is_none_is_refused_and_bad_outlines_are_named(bot: Bot) -> None:
    Path("bad.opml").write_text("<html/", encoding="utf-8")
    assert "error: the OPML file is not well-formed XML" in one_line(bot("feeds", "import", "bad.opml"))
    Path("odd.opml").write_text(
        f'<opml><body><outline xmlUrl="javascript:x"/><outline xmlUrl="{A}" text="{"t" * 300}"/></body></opml>',
        encoding="utf-8",
    )
    done = bot("feeds", "import", "odd.opml")
    assert "left out 'javascript:x': not an http or https address" in done.words
    assert "1 feeds added" in done.words


async def test_feeds_test_shows_what_would_be_read_with_scores_and_stores_nothing(bot: Bot) -> None:
    write("service", '[fetch]\nallow_addresses = ["127.0.0.0/8"]\n')
    now = datetime.now(UTC)
    attack = (
        f"<title>Missiles strike [port] city, dozens killed</title><pubDate>{now:%a, %d %b %Y %H:%M:%S} GMT</pubDate>"
    )
    async with FeedServer() as server:
        url = server.script("/a", Reply(rss(attack, "<title>Cup final ends in draw</title>")))
        done = await asyncio.to_thread(bot, "feeds", "test", url)
        assert done.code == 0, done.err
        assert "Feed: 2 entries" in done.words
        assert "Missiles strike [port] city" in done.words
        assert "no date (missing)" in done.words
        assert "tocsin.db" not in os.listdir()  # noqa: PTH208 - Path's way is refused in async code

        lost = await asyncio.to_thread(bot, "feeds", "test", server.url("/lost"))
        assert f"error: {server.url('/lost')} answered 404" in one_line(lost)

        write("feeds", f'[[feeds]]\nurl = "{url}"\n[[feeds]]\nurl = "{server.url("/lost")}"\n')
        every = await asyncio.to_thread(bot, "feeds", "test")
        assert every.code == 1
        assert f"ok 2 {url}" in every.words
        assert f"failed - {server.url('/lost')}" in every.words


async def test_feeds_test_refuses_private_addresses_unless_allowed(bot: Bot) -> None:
    async with FeedServer() as server:
        url = server.script("/a", Reply(rss("<title>x</title>")))
        line = one_line(await asyncio.to_thread(bot, "feeds", "test", url))
        assert url in line
        assert server.seen == []


def test_every_edit_by_the_command_line_is_recorded(bot: Bot, now: datetime) -> None:
    bot("feeds", "add", A)
    bot("feeds", "pause", A)
    assert f"{A} is paused already." in bot("feeds", "pause", A).words
    assert "paused" in bot("feeds", "list").words
    bot("feeds", "resume", A)
    bot("feeds", "remove", A)
    opened = open_database("sqlite:///tocsin.db", now)
    with opened.read() as session:
        rows = [(row.who, row.key, row.before, row.after) for row in session.exec(select(Change))]
    opened.close()
    plain = {"url": A, "publisher": "a.example"}
    paused = plain | {"paused": True}
    steps = [(None, plain), (plain, paused), (paused, plain), (plain, None)]
    assert rows == [("command line", A, before, after) for before, after in steps]
