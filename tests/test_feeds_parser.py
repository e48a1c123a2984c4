"""Feeds of every kind and condition through the real feedparser, in this process and in the other one."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.feeds import parser as parser_module
from bot.feeds.parser import ParsePool, parse_feed
from bot.feeds.types import DateProblem, FetchError, FetchFailure, ParsedEntry, ParsedFeed
from tests.feed_server import rss

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://example.org/feed"

RSS_1 = b"""<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">
<channel rdf:about="x"><title>Feed</title><sy:updatePeriod>hourly</sy:updatePeriod>
<sy:updateFrequency>2</sy:updateFrequency></channel>
<item rdf:about="https://example.org/a"><title>Talks resume</title><link>https://example.org/a</link>
<description>In short</description><dc:date>2026-03-01T10:00:00Z</dc:date></item></rdf:RDF>"""

RSS_2 = rss(
    "<title>Talks resume</title><link>https://example.org/a</link><description>In short</description>"
    "<pubDate>Sun, 01 Mar 2026 10:00:00 GMT</pubDate>",
    head="<ttl>30</ttl>",
)

ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">
<title>Feed</title><sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>
<entry><id>https://example.org/a</id><title type="html">Talks &lt;b&gt;resume&lt;/b&gt;</title>
<link rel="alternate" href="/a"/><summary>In short</summary>
<updated>2026-03-01T11:00:00+01:00</updated></entry></feed>"""


def parse(body: bytes, headers: dict[str, str] | None = None, **more: Any) -> ParsedFeed:
    return parse_feed(body, headers or {}, URL, NOW, **more)


def only(item: str) -> ParsedEntry:
    (entry,) = parse(rss(item)).entries
    return entry


def refusal(body: bytes, headers: dict[str, str] | None = None) -> str:
    with pytest.raises(FetchError) as caught:
        parse(body, headers)
    assert caught.value.failure is FetchFailure.UNREADABLE
    return str(caught.value)


@pytest.mark.parametrize("body", [RSS_1, RSS_2, ATOM], ids=["rss1", "rss2", "atom"])
def test_every_format_gives_the_same_entry(body: bytes) -> None:
    feed = parse(body)
    (entry,) = feed.entries
    assert (feed.title, feed.ttl_s, feed.skipped, feed.problem) == ("Feed", 1800, 0, None)
    assert (entry.title, entry.summary, entry.text) == ("Talks resume", "In short", "")
    assert entry.url == entry.canonical_url == "https://example.org/a"
    assert (entry.published_at, entry.date_problem) == (NOW - timedelta(hours=2), None)


def test_the_full_text_is_kept_beside_the_summary() -> None:
    entry = only(
        "<title>T</title><description>Short.</description><content:encoded "
        "xmlns:content='http://purl.org/rss/1.0/modules/content/'>&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two.&lt;/p&gt;</content:encoded>"
    )
    assert (entry.summary, entry.text) == ("Short.", "One.\nTwo.")


def test_a_long_description_is_a_summary_and_a_text() -> None:
    entry = only(f"<title>T</title><description>{'many words ' * 1000}</description>")
    assert len(entry.summary) <= 2000 < len(entry.text)


@pytest.mark.parametrize("summary", ["Talks resume", "TALKS &lt;i&gt;resume&lt;/i&gt;"], ids=["same", "dressed-up"])
def test_a_summary_that_repeats_the_title_is_dropped(summary: str) -> None:
    assert only(f"<title>Talks resume</title><description>{summary}</description>").summary == ""


def test_a_missing_title_is_borrowed_from_the_summary() -> None:
    assert only("<description>Troops are leaving the border.</description>").title == "Troops are leaving the border."


def test_entries_without_any_words_are_skipped() -> None:
    feed = parse(rss("<link>https://example.org/a</link>", "<title>B</title>"))
    assert ([entry.title for entry in feed.entries], feed.skipped) == (["B"], 1)


def test_every_field_is_cut_to_its_limit() -> None:
    long = "word " * 20_000
    entry = only(f"<title>{long}</title><description>{long}</description>")
    assert (len(entry.title), len(entry.summary), len(entry.text)) <= (500, 2000, 20_000)


def test_a_hostile_title_is_stripped_and_a_hostile_link_dropped() -> None:
    entry = only("<title>&lt;script&gt;x&lt;/script&gt;Talks</title><link>javascript:alert(1)</link>")
    assert (entry.title, entry.url, entry.canonical_url) == ("Talks", "", "")


# Keys and hashes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<guid>7</guid><title>A</title>", "<guid>7</guid><title>B</title><link>https://example.org/b</link>"),
        ("<title>A</title><link>http://example.org/a?utm_source=x</link>", "<title>B</title><link>https://example.org/a</link>"),
        ("<title>A</title><guid>http://example.org/a#0</guid>", "<title>A</title><guid>https://www.example.org/a#1</guid>"),
        ("<title>A</title><pubDate>d</pubDate>", "<title>A</title><pubDate>d</pubDate><description>x</description>"),
    ],
    ids=["guid", "link", "guid-is-a-link", "title-and-date"],
)  # fmt: skip
def test_an_entry_keeps_its_key(before: str, after: str) -> None:
    assert only(before).entry_key == only(after).entry_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<guid>7</guid><title>A</title>", "<guid>8</guid><title>A</title>"),
        ("<title>A</title><link>https://example.org/a</link>", "<title>A</title><link>https://example.org/b</link>"),
        ("<title>A</title><guid>https://e.org/live#post-1</guid>", "<title>A</title><guid>https://e.org/live#post-2</guid>"),
        ("<title>A</title><pubDate>d</pubDate>", "<title>A</title><pubDate>e</pubDate>"),
    ],
    ids=["guid", "link", "anchor", "date"],
)  # fmt: skip
def test_two_entries_have_two_keys(one: str, other: str) -> None:
    assert len(parse(rss(one, other)).entries) == 2


def test_a_guid_shared_by_all_entries_is_not_trusted() -> None:
    items = [f"<guid>1</guid><title>{name}</title><link>https://example.org/{name}</link>" for name in "abc"]
    assert len(parse(rss(*items)).entries) == 3


def test_a_repeated_entry_is_counted_as_skipped() -> None:
    feed = parse(rss("<guid>1</guid><title>A</title>", "<guid>1</guid><title>A</title>"))
    assert (len(feed.entries), feed.skipped) == (1, 1)


def test_the_content_hash_changes_with_the_words_and_not_with_their_dress() -> None:
    plain = only("<title>Talks resume</title>").content_hash
    assert only("<title>&lt;b&gt;TALKS&lt;/b&gt;   resume </title>").content_hash == plain
    assert only("<title>Talks fail</title>").content_hash != plain


# Dates


@pytest.mark.parametrize(
    ("date", "hours"),
    [
        ("<pubDate>Sun, 01 Mar 2026 10:00:00 GMT</pubDate>", -2),
        ("<pubDate>Sun, 01 Mar 2026 10:00:00 +0200</pubDate>", -4),
        ("<pubDate>2026-03-01T10:00:00</pubDate>", -2),
        ("<pubDate>Mon, 02 Mar 2026 11:00:00 GMT</pubDate>", 0),
    ],
    ids=["rfc822", "offset", "no-zone-is-utc", "slightly-ahead-is-now"],
)
def test_a_believable_date_is_utc(date: str, hours: int) -> None:
    entry = only(f"<title>A</title>{date}")
    assert (entry.published_at, entry.date_problem) == (NOW + timedelta(hours=hours), None)


@pytest.mark.parametrize(
    ("date", "problem"),
    [
        ("", DateProblem.MISSING),
        ("<pubDate>yesterday</pubDate>", DateProblem.UNREADABLE),
        ("<pubDate>Thu, 01 Jan 1970 00:00:00 GMT</pubDate>", DateProblem.TOO_OLD),
        ("<pubDate>Tue, 03 Mar 2026 12:00:00 GMT</pubDate>", DateProblem.FUTURE),
        ("<pubDate>Fri, 31 Dec 9999 23:59:59 GMT</pubDate>", DateProblem.FUTURE),
        ("<pubDate>0000-00-00T00:00:00Z</pubDate>", DateProblem.UNREADABLE),
    ],
    ids=["missing", "unreadable", "epoch", "future", "far-future", "zeros"],
)
def test_an_absurd_date_is_none_and_says_why(date: str, problem: DateProblem) -> None:
    entry = only(f"<title>A</title>{date}")
    assert (entry.published_at, entry.date_problem) == (None, problem)


def test_published_wins_over_updated() -> None:
    body = ATOM.replace(b"</updated>", b"</updated><published>2026-02-28T12:00:00Z</published>")
    assert parse(body).entries[0].published_at == NOW - timedelta(days=1)


# Character sets

TEXT = "<rss version='2.0'><channel><title>Feed</title><item><title>Путь к миру</title></item></channel></rss>"
CHARSETS: dict[str, tuple[bytes, dict[str, str]]] = {
    "utf-8": (TEXT.encode(), {}),
    "utf-8-bom": (TEXT.encode("utf-8-sig"), {}),
    "utf-8-under-a-wrong-header": (TEXT.encode(), {"content-type": "text/xml; charset=iso-8859-1"}),
    "utf-8-as-html": (TEXT.encode(), {"content-type": "text/html"}),
    "utf-16": (TEXT.encode("utf-16"), {}),
    "utf-16-be-prolog": (f'<?xml version="1.0" encoding="utf-16"?>{TEXT} \n'.encode("utf-16-be"), {}),
    "prolog": (f'<?xml version="1.0" encoding="windows-1251"?>{TEXT}'.encode("cp1251"), {}),
    "header": (TEXT.encode("koi8-r"), {"content-type": "application/rss+xml; charset=koi8-r"}),
    "utf-16-of-ascii-letters": (TEXT.replace("Feed", "Feed" * 50).encode("utf-16-be"), {}),
    "blank-lines-first": (b"\n\n  <?xml version='1.0'?>" + TEXT.encode(), {}),
}


@pytest.mark.parametrize(("body", "headers"), CHARSETS.values(), ids=CHARSETS.keys())
def test_the_character_set_is_found(body: bytes, headers: dict[str, str]) -> None:
    feed = parse(body, headers)
    assert (feed.entries[0].title, feed.problem) == ("Путь к миру", None)


# Broken and hostile documents


def test_entries_of_a_damaged_feed_are_kept_with_its_problem() -> None:
    feed = parse(rss("<title>A & B</title>", "<title>C</title>")[:-10])
    assert [entry.title for entry in feed.entries] == ["A & B", "C"]
    assert feed.problem


def test_an_empty_feed_is_a_feed() -> None:
    assert parse(rss()).entries == ()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<!DOCTYPE html><html><body>Consent</body></html>", "web page"),
        (b'{"version": "https://jsonfeed.org/version/1.1"}', "not a feed"),
        (b"\x00\xff\x13binary", "not a feed"),
        (b'<?xml version="1.0" encoding="utf-7"?><rss>+2AA-</rss>', "cannot be parsed"),
    ],
    ids=["empty", "blank", "html", "json", "binary", "half-a-character"],
)
def test_what_is_no_feed_is_refused_by_name(body: bytes, words: str) -> None:
    assert words in refusal(body)


BOMB = (
    '<?xml version="1.0"{}?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    "<rss version='2.0'><channel><item><title>&b;</title></item></channel></rss>"
)
BOMBS = {
    "utf-8": BOMB.format("").encode(),
    "utf-16": BOMB.format(' encoding="utf-16"').encode("utf-16"),
    "utf-16-be": BOMB.format("").encode("utf-16-be"),
    "utf-32": BOMB.format("").encode("utf-32"),
    "utf-7": b'<?xml version="1.0" encoding="utf-7"?>' + BOMB.format("").replace("<!ENT", "+ADw-!ENT").encode(),
    "ebcdic": BOMB.format(' encoding="cp037"').encode("cp037"),
    "behind-a-comment": BOMB.format("").replace("<!DOCTYPE", "<!-- <rss> --><!DOCTYPE").encode(),
    "behind-a-system-name": BOMB.format("").replace("rss [", "rss SYSTEM '<!--' [").encode(),
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS.keys())
def test_entity_declarations_are_refused_in_every_character_set(body: bytes) -> None:
    assert "entities" in refusal(body)


@pytest.mark.parametrize("how", ["bytes", "text"])
def test_a_body_that_names_a_file_is_not_opened(tmp_path: Path, how: str) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_bytes(rss("<title>secret</title>"))
    name = str(secret).encode()
    assert feedparser.parse(name if how == "bytes" else str(secret)).entries, "feedparser no longer opens files"
    assert "not a feed" in refusal(name)


def test_external_entities_and_stylesheets_are_not_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    body = f'<!DOCTYPE rss SYSTEM "file://{secret}"><?xml-stylesheet href="file://{secret}"?>'.encode() + rss(
        "<title>A</title>"
    )
    assert [entry.title for entry in parse(body).entries] == ["A"]


@pytest.mark.parametrize(
    ("body", "start", "end"),
    [(RSS_1, b"<item ", b"</item>"), (RSS_2, b"<item>", b"</item>"), (ATOM, b"<entry>", b"</entry>")],
    ids=["rss1", "rss2", "atom"],
)
def test_entries_over_the_limit_are_cut_off_before_parsing(
    body: bytes, start: bytes, end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = body[body.index(start) : body.index(end) + len(end)]
    many = b"".join(entry.replace(b"org/a", b"org/%d" % number) for number in range(50))
    seen: list[int] = []
    real = feedparser.parse

    def spy(stream: io.BytesIO, **more: Any) -> Any:
        seen.append(len(stream.getvalue()))
        return real(stream, **more)

    monkeypatch.setattr(parser_module.feedparser, "parse", spy)
    feed = parse(body.replace(entry, many), max_entries=7)
    assert (len(feed.entries), feed.skipped, feed.problem) == (7, 43, None)
    assert seen[0] < len(body) + 7 * (len(entry) + 3)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), body=st.sampled_from([RSS_1, RSS_2, ATOM]))
def test_a_mutilated_feed_raises_nothing_but_fetch_error(data: st.DataObject, body: bytes) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        length = data.draw(st.integers(0, 30))
        body = body[:at] + data.draw(st.binary(max_size=12) | st.sampled_from(SNIPPETS)) + body[at + length :]
    try:
        feed = parse(body)
    except FetchError as error:
        assert error.failure is FetchFailure.UNREADABLE
    else:
        assert all((entry.published_at is None) != (entry.date_problem is None) for entry in feed.entries)


SNIPPETS = [
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"&#0;",
    b"&#xD800;",
    b"<!DOCTYPE x [",
    b"http://[::1",
    b"<item>",
    b"</item>",
    b"\xff\xfe",
]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_fetch_error(body: bytes) -> None:
    try:
        parse(body)
    except FetchError as error:
        assert error.failure is FetchFailure.UNREADABLE


# The other process


async def test_the_other_process_gives_the_same_answer() -> None:
    async with ParsePool() as pool:
        assert await pool.parse(RSS_2, {}, URL, NOW) == parse(RSS_2)
        with pytest.raises(FetchError, match="empty") as caught:
            await pool.parse(b"", {}, URL, NOW)
    assert caught.value.failure is FetchFailure.UNREADABLE


async def test_a_document_that_takes_too_long_costs_only_itself() -> None:
    slow = rss(*(f"<title>{number}</title>" for number in range(20_000)))
    async with ParsePool(deadline_s=0.3) as pool:
        with pytest.raises(FetchError, match=r"within 0\.3 s") as caught:
            await pool.parse(slow, {}, URL, NOW, max_entries=20_000)
        assert (await pool.parse(RSS_2, {}, URL, NOW)).title == "Feed"
    assert caught.value.failure is FetchFailure.UNREADABLE


async def test_a_pool_that_was_never_used_starts_no_process() -> None:
    async with ParsePool():
        pass
