"""OPML in and out: what was written is read back, and what is hostile is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.opml import MAX_BYTES, OpmlFeed, read_opml, write_opml
from bot.feeds.text import plain_text
from config.errors import FeedError


def document(body: str, prolog: str = '<?xml version="1.0"?>') -> bytes:
    return f'{prolog}<opml version="2.0"><head><title>x</title></head><body>{body}</body></opml>'.encode()


def test_folders_become_categories() -> None:
    data = document(
        '<outline text="World"><outline text="Europe"><outline type="rss" text="A" xmlUrl="https://a.example/feed"/></outline>'
        '<outline title="B" xmlUrl="http://b.example/feed"/></outline><outline text="C" XMLURL="https://c.example/f"/>'
        '<outline text="D" xmlUrl="https://d.example/f" category="/Asia/East,/War"/>'
    )
    assert read_opml(data) == [
        OpmlFeed("https://a.example/feed", "A", "World/Europe"),
        OpmlFeed("http://b.example/feed", "B", "World"),
        OpmlFeed("https://c.example/f", "C", ""),
        OpmlFeed("https://d.example/f", "D", "Asia/East"),
    ]


def test_what_is_left_out_is_reported() -> None:
    told: list[str] = []
    data = document(
        '<outline text="A" xmlUrl="javascript:alert(1)"/><outline text="B" xmlUrl="https://b.example/"/>'
        '<outline text="B again" xmlUrl="https://b.example/"/>'
    )
    assert [feed.title for feed in read_opml(data, told.append)] == ["B"]
    assert told == [
        "left out 'javascript:alert(1)': not an http or https address",
        "left out https://b.example/: listed twice",
    ]


def test_markup_in_a_title_is_stripped() -> None:
    data = document('<outline text="&lt;script&gt;x&lt;/script&gt;A &amp;amp; B" xmlUrl="https://a.example/"/>')
    assert read_opml(data)[0].title == "A & B"


BOMB = '<!DOCTYPE opml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
HOSTILE = {
    "empty": (b"", "not well-formed"),
    "not-xml": (b"feeds: 3", "not well-formed"),
    "half": (document("")[:-9], "not well-formed"),
    "html": (b"<html></html>", "not OPML: its first element is <html>"),
    "bomb": (document('<outline text="&b;"/>', BOMB), "document type"),
    "bomb-utf-16": (document('<outline text="&b;"/>', BOMB).decode().encode("utf-16"), "document type"),
    "external": (document("", '<!DOCTYPE opml SYSTEM "file:///etc/passwd">'), "document type"),
    "large": (b" " * (MAX_BYTES + 1), "at most"),
    "deep": (document("<outline text='x'>" * 2_000), "nests"),
    "unknown-charset": (document("", '<?xml version="1.0" encoding="x-none"?>'), "not well-formed"),
    "many": (document("".join(f'<outline xmlUrl="http://e.org/{n}"/>' for n in range(5_001))), "more than 5,000"),
}


@pytest.mark.parametrize(("data", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_an_unusable_file_is_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(FeedError, match=words):
        read_opml(data)


@given(st.binary(max_size=200) | st.text(max_size=100).map(document))
def test_arbitrary_bytes_raise_nothing_but_feed_error(data: bytes) -> None:
    try:
        read_opml(data, lambda _: None)
    except FeedError as error:
        assert "OPML" in str(error)


words = st.text(max_size=30).map(lambda text: plain_text(text, 100)).filter(lambda text: plain_text(text, 100) == text)
folders = st.lists(words.map(lambda text: text.replace("/", "").strip()).filter(bool), max_size=3).map("/".join)
feeds = st.builds(
    OpmlFeed,
    url=st.integers(0, 9_999).map("https://example.org/{}?a=1&b=2".format),
    title=words.filter(bool),
    category=folders,
)


@given(st.lists(feeds, unique_by=lambda feed: feed.url, max_size=8))
def test_what_is_written_is_read_back(listed: list[OpmlFeed]) -> None:
    assert read_opml(write_opml(listed)) == listed


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_title_makes_a_readable_file(title: str, category: str) -> None:
    assert [feed.url for feed in read_opml(write_opml([OpmlFeed("https://e.org/", title, category)]))] == [
        "https://e.org/"
    ]
