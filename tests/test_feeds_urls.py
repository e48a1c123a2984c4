"""One article, one canonical URL; and no link that runs code or hides its host."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.feeds.urls import canonical_url, safe_url

ARTICLE = "https://example.org/world/talks-resume"

SAME = {
    "as-is": "https://example.org/world/talks-resume",
    "http": "http://example.org/world/talks-resume",
    "www": "https://www.example.org/world/talks-resume",
    "case": "HTTPS://Example.ORG/world/talks-resume",
    "trailing-slash": "https://example.org/world/talks-resume/",
    "fragment": "https://example.org/world/talks-resume#comments",
    "port": "https://example.org:443/world/talks-resume",
    "port-80": "http://example.org:80/world/talks-resume",
    "root-dot": "https://example.org./world/talks-resume",
    "dots": "https://example.org/sport/../world/./talks-resume",
    "utm": "https://example.org/world/talks-resume?utm_source=rss&utm_medium=feed",
    "bbc": "https://example.org/world/talks-resume?at_medium=RSS&at_campaign=KARANGA",
    "social": "https://example.org/world/talks-resume?fbclid=x&CMP=share_btn_tw",
    "source-rss": "https://example.org/world/talks-resume?source=rss",
    "mobile": "https://m.example.org/world/talks-resume",
    "mobile-long": "https://mobile.example.org/world/talks-resume",
    "amp-host": "https://amp.example.org/world/talks-resume",
    "amp-end": "https://www.example.org/world/talks-resume/amp/",
    "amp-front": "https://www.example.org/amp/world/talks-resume",
    "amp-dot": "https://www.example.org/world/talks-resume.amp",
    "amp-query": "https://www.example.org/world/talks-resume?amp=1",
    "amp-bare-query": "https://www.example.org/world/talks-resume?amp",
    "amp-cache": "https://www-example-org.cdn.ampproject.org/c/s/www.example.org/world/talks-resume?amp",
    "amp-google": "https://www.google.com/amp/s/www.example.org/world/talks-resume/amp",
    "session": "https://example.org/world/talks-resume;jsessionid=0A1B",
    "spaces": "  https://example.org/world/talks-resume\n",
}


@pytest.mark.parametrize("url", SAME.values(), ids=SAME.keys())
def test_every_spelling_is_one_article(url: str) -> None:
    assert canonical_url(url) == ARTICLE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org/?p=1", "https://example.org/?p=2"),
        ("https://example.org/a?m=20260301", "https://example.org/a?m=20260302"),
        ("https://example.org/a?source=army", "https://example.org/a"),
        ("https://example.org/Amphibious", "https://example.org/hibious"),
        ("https://example.org:8080/a", "https://example.org/a"),
        ("https://de.example.org/a", "https://fr.example.org/a"),
        ("https://example.org/A", "https://example.org/a"),
    ],
    ids=["query", "month", "source", "amp-in-word", "port", "language", "path-case"],
)
def test_different_articles_stay_apart(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://en.m.wikipedia.org/wiki/Treaty", "https://en.wikipedia.org/wiki/Treaty"),
        ("https://m.com/a", "https://m.com/a"),
        ("https://example.org", "https://example.org/"),
        ("https://example.org/amp", "https://example.org/amp"),
        ("https://example.org/?b=2&a=1", "https://example.org/?a=1&b=2"),
        ("https://example.org/перемирие", "https://example.org/%D0%BF%D0%B5%D1%80%D0%B5%D0%BC%D0%B8%D1%80%D0%B8%D0%B5"),
        ("https://пример.рф/a", "https://xn--e1afmkfd.xn--p1ai/a"),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_canonical_url_of(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical


HOSTILE = {
    "javascript": "javascript:alert(1)",
    "javascript-spaced": " \tjava\nscript:alert(1)",
    "data": "data:text/html,<script>",
    "file": "file:///etc/passwd",
    "ftp": "ftp://example.org/",
    "relative": "/a",
    "scheme-relative": "//example.org/a",
    "no-host": "http:///a",
    "userinfo": "https://bank.example@evil.example/",
    "bad-port": "http://example.org:port/",
    "bad-ipv6": "http://[::1/",
    "space-in-host": "http://exa mple.org/",
    "quote-in-host": 'http://example.org"onclick=x/',
    "long": "http://example.org/" + "a" * 3000,
}


@pytest.mark.parametrize("url", HOSTILE.values(), ids=HOSTILE.keys())
def test_an_unsafe_link_is_dropped(url: str) -> None:
    assert safe_url(url) is None


@pytest.mark.parametrize("url", ["http://example.org/a?b=c#d", "https://[2606:4700::1111]:8443/", "http://1.2.3.4/x"])
def test_a_safe_link_stays_as_it_is(url: str) -> None:
    assert safe_url(url) == url


def test_a_safe_link_has_no_quotes_or_brackets_left() -> None:
    assert safe_url('http://example.org/"><script>') == "http://example.org/%22%3E%3Cscript%3E"


url_like = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP://www.", "https://m.", "https://www.google.com/amp/s/", ""]),
    st.sampled_from(
        ["example.org", "m.example.co.uk", "amp.m.example.org", "[::1]", "user@example.org", "x.amp.example.org"]
    ),
    st.sampled_from(["", ":80", ":443", ":8080", "."]),
    st.text(st.sampled_from("/amp.html-_%2fAé;=~ ..") | st.characters(), max_size=30),
    st.sampled_from(["", "?utm_a=1&b=2", "?amp", "?&&=&a=%zz", "#x", "?m=1;n=2"]),
)


@given(url_like | st.text())
@example("https://example.org/a.amp.amp/amp/amp//")
@example("https://example.org/a/%252561")
def test_canonicalising_twice_changes_nothing(url: str) -> None:
    once = canonical_url(url)
    assert canonical_url(once) == once


@given(url_like | st.text())
def test_a_safe_link_is_ascii_http(url: str) -> None:
    safe = safe_url(url)
    assert safe is None or (
        safe.isascii() and safe.startswith(("http://", "https://")) and not set(safe) & set('<>" \n')
    )
