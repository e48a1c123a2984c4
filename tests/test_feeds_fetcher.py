"""The fetcher against a real server on loopback: what it returns, what it refuses, and how it names each failure."""

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.feeds.fetcher import Fetcher
from bot.feeds.types import FetchError, FetchFailure, FetchLimits, FetchRequest, FetchResult
from tests.feed_server import FeedServer, Reply, gzipped, redirect, rss

LIMITS = FetchLimits(allow_addresses=("127.0.0.0/8",), max_bytes=100_000)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY = rss("<title>Talks resume</title>")


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


async def fetch(url: str, limits: FetchLimits = LIMITS, **known: str) -> FetchResult:
    async with Fetcher(limits, clock=lambda: NOW) as fetcher:
        return await fetcher.fetch(FetchRequest(url, **known))


async def failure_of(url: str, limits: FetchLimits = LIMITS) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await fetch(url, limits)
    return caught.value


async def test_a_feed_arrives_with_its_validators(server: FeedServer) -> None:
    reply = Reply(
        BODY, etag='"v1"', last_modified="Sun, 01 Mar 2026 10:00:00 GMT", headers={"Cache-Control": "max-age=600"}
    )
    got = await fetch(server.script("/feed", reply))
    assert (got.changed, got.body, got.etag, got.max_age_s) == (True, BODY, '"v1"', 600)
    assert got.last_modified == "Sun, 01 Mar 2026 10:00:00 GMT"
    assert got.final_url == server.url("/feed")
    assert got.permanent_url is None


async def test_the_request_says_who_asks_and_carries_no_cookie(server: FeedServer) -> None:
    url = server.script("/feed", Reply(BODY, headers={"Set-Cookie": "a=b"}))
    async with Fetcher(replace(LIMITS, user_agent="Tocsin/test")) as fetcher:
        await fetcher.fetch(FetchRequest(url))
        await fetcher.fetch(FetchRequest(url))
    assert server.seen[1].headers["user-agent"] == "Tocsin/test"
    assert "cookie" not in server.seen[1].headers


async def test_proxies_and_passwords_of_the_environment_are_ignored(
    server: FeedServer, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    await fetch(server.script("/feed", Reply(BODY)))
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize(
    "known",
    [{"etag": '"v1"'}, {"last_modified": "Sun, 01 Mar 2026 10:00:00 GMT"}],
    ids=["etag", "last-modified"],
)
async def test_a_feed_not_modified_keeps_what_was_known(server: FeedServer, known: dict[str, str]) -> None:
    url = server.script("/feed", Reply(BODY, etag=known.get("etag"), last_modified=known.get("last_modified")))
    got = await fetch(url, body_hash="abc", **known)
    assert (got.changed, got.body, got.body_hash) == (False, b"", "abc")
    assert {"etag": got.etag} == {"etag": known.get("etag")}
    assert got.last_modified == known.get("last_modified")


async def test_the_same_body_without_validators_counts_as_unchanged(server: FeedServer) -> None:
    url = server.script("/feed", Reply(BODY))
    first = await fetch(url)
    again = await fetch(url, body_hash=first.body_hash or "")
    assert (again.changed, again.body, again.body_hash) == (False, b"", first.body_hash)


async def test_304_that_was_not_asked_for_is_a_failure(server: FeedServer) -> None:
    error = await failure_of(server.script("/feed", Reply(status=304)))
    assert (error.failure, error.status) == (FetchFailure.SERVER, 304)


RAW_DEFLATE = zlib.compressobj(wbits=-15)
ENCODINGS = {
    "gzip": ("gzip", gzip.compress(BODY)),
    "two-gzip-parts": ("gzip", gzip.compress(BODY[:20]) + gzip.compress(BODY[20:])),
    "gzip-with-padding": ("gzip", gzip.compress(BODY) + b"\0" * 64),
    "zlib": ("deflate", zlib.compress(BODY)),
    "raw-deflate": ("deflate", RAW_DEFLATE.compress(BODY) + RAW_DEFLATE.flush()),
    "identity": ("identity", BODY),
}


@pytest.mark.parametrize(("encoding", "packed"), ENCODINGS.values(), ids=ENCODINGS.keys())
async def test_compressed_bodies_are_unpacked(server: FeedServer, encoding: str, packed: bytes) -> None:
    url = server.script("/feed", Reply(packed, headers={"Content-Encoding": encoding}))
    assert (await fetch(url)).body == BODY


DAMAGED = {
    "cut-gzip": ("gzip", gzip.compress(BODY * 50)[:-20], FetchFailure.NETWORK),
    "empty-deflate": ("deflate", b"x", FetchFailure.NETWORK),
    "not-gzip": ("gzip", b"plain text", FetchFailure.UNREADABLE),
    "brotli": ("br", b"\x0b\x02\x80", FetchFailure.UNREADABLE),
    "gzip-in-many-parts": ("gzip", gzip.compress(b"") * 40, FetchFailure.UNREADABLE),
}


@pytest.mark.parametrize(("encoding", "packed", "failure"), DAMAGED.values(), ids=DAMAGED.keys())
async def test_damaged_compression_is_named(
    server: FeedServer, encoding: str, packed: bytes, failure: FetchFailure
) -> None:
    error = await failure_of(server.script("/feed", Reply(packed, headers={"Content-Encoding": encoding})))
    assert error.failure is failure


BOMB = gzip.compress(b"\0" * 20_000_000)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"x" * 100_001),
        gzipped(b"x" * 100_001),
        Reply(BOMB, headers={"Content-Encoding": "gzip"}),
        Reply(zlib.compress(b"\0" * 20_000_000), headers={"Content-Encoding": "deflate"}),
        Reply(gzip.compress(b"x") + b"\0" * 200_000, headers={"Content-Encoding": "gzip"}),
    ],
    ids=["plain", "gzip", "gzip-bomb", "deflate-bomb", "padding"],
)
async def test_a_body_past_the_cap_is_refused(server: FeedServer, reply: Reply) -> None:
    error = await failure_of(server.script("/feed", reply))
    assert error.failure is FetchFailure.TOO_LARGE


async def test_a_body_of_exactly_the_cap_is_read(server: FeedServer) -> None:
    assert len((await fetch(server.script("/feed", gzipped(b"x" * 100_000)))).body) == 100_000


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, FetchFailure.SERVER),
        (401, FetchFailure.DENIED),
        (403, FetchFailure.DENIED),
        (404, FetchFailure.NOT_FOUND),
        (410, FetchFailure.GONE),
        (429, FetchFailure.THROTTLED),
        (451, FetchFailure.DENIED),
        (500, FetchFailure.SERVER),
        (503, FetchFailure.THROTTLED),
        (504, FetchFailure.SERVER),
    ],
)
async def test_each_status_is_a_class_of_failure(server: FeedServer, status: int, failure: FetchFailure) -> None:
    error = await failure_of(server.script("/feed", Reply(b"sorry", status=status)))
    assert (error.failure, error.status) == (failure, status)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": "Sun, 01 Mar 2026 12:05:00 GMT", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"}, 300),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
    ids=["seconds", "date", "nonsense", "unsaid"],
)
async def test_a_throttled_answer_carries_its_wish(
    server: FeedServer, headers: dict[str, str], wait: int | None
) -> None:
    error = await failure_of(server.script("/feed", Reply(status=429, headers=headers)))
    assert error.retry_after_s == wait


CUT_OFF = {
    "no-answer": b"",
    "half-a-header": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "short-body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    "broken-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "not-http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "endless-header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
}


@pytest.mark.parametrize("raw", CUT_OFF.values(), ids=CUT_OFF.keys())
async def test_an_answer_that_breaks_off_is_a_network_failure(server: FeedServer, raw: bytes) -> None:
    error = await failure_of(server.script("/feed", Reply(raw=raw)))
    assert error.failure is FetchFailure.NETWORK


async def test_a_closed_port_is_a_network_failure(server: FeedServer) -> None:
    error = await failure_of("http://127.0.0.1:1/feed")
    assert error.failure is FetchFailure.NETWORK
    assert "127.0.0.1" in str(error)


async def test_a_plain_server_behind_https_is_a_network_failure(server: FeedServer) -> None:
    error = await failure_of(server.url().replace("http:", "https:"))
    assert error.failure is FetchFailure.NETWORK


@pytest.mark.parametrize("limits", [{"read_s": 0.05}, {"total_s": 0.05}], ids=["read", "total"])
async def test_a_silent_server_times_out(server: FeedServer, limits: dict[str, float]) -> None:
    never = asyncio.Event()
    error = await failure_of(server.script("/feed", Reply(BODY, hold=never)), replace(LIMITS, **limits))
    assert error.failure is FetchFailure.TIMEOUT


async def test_a_server_that_never_finishes_its_handshake_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = await failure_of(f"https://127.0.0.1:{port}/feed", replace(LIMITS, connect_s=0.05))
    assert error.failure is FetchFailure.TIMEOUT


async def test_a_dripping_server_cannot_outlast_the_total_deadline(server: FeedServer) -> None:
    error = await failure_of(server.script("/feed", Reply(drip=True)), replace(LIMITS, read_s=5, total_s=0.1))
    assert error.failure is FetchFailure.TIMEOUT


async def test_the_total_deadline_counts_all_hops_together(server: FeedServer) -> None:
    never = asyncio.Event()
    server.script("/slow", Reply(BODY, hold=never))
    error = await failure_of(server.script("/feed", redirect("/slow")), replace(LIMITS, total_s=0.05))
    assert error.failure is FetchFailure.TIMEOUT


@pytest.mark.parametrize(
    ("hops", "moved"),
    [([301], True), ([308, 301], True), ([302], False), ([301, 302], False), ([307, 308], False), ([303], False)],
    ids=str,
)
async def test_only_a_chain_of_permanent_redirects_moves_the_feed(
    server: FeedServer, hops: list[int], moved: bool
) -> None:
    for number, status in enumerate(hops):
        server.script(f"/{number}", redirect(f"/{number + 1}", status))
    server.script(f"/{len(hops)}", Reply(BODY))
    got = await fetch(server.url("/0"))
    assert got.final_url == server.url(f"/{len(hops)}")
    assert got.permanent_url == (got.final_url if moved else None)


async def test_validators_travel_along_a_redirect(server: FeedServer) -> None:
    server.script("/new", Reply(BODY, etag='"v1"'))
    got = await fetch(server.script("/feed", redirect("/new", 301)), etag='"v1"')
    assert (got.changed, got.permanent_url) == (False, server.url("/new"))


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (redirect("/feed"), FetchFailure.REDIRECTS),
        (Reply(status=302), FetchFailure.REDIRECTS),
        (redirect("http://[bad/"), FetchFailure.REDIRECTS),
        (redirect("file:///etc/passwd"), FetchFailure.BLOCKED_ADDRESS),
        (redirect("ftp://example.org/x"), FetchFailure.BLOCKED_ADDRESS),
        (redirect("http://user:pw@127.0.0.1/"), FetchFailure.BLOCKED_ADDRESS),
        (redirect("http://169.254.169.254/latest/meta-data/"), FetchFailure.BLOCKED_ADDRESS),
        (redirect("http://[::ffff:10.0.0.1]/"), FetchFailure.BLOCKED_ADDRESS),
    ],
    ids=["circle", "no-location", "bad-location", "file", "ftp", "userinfo", "metadata", "mapped"],
)
async def test_a_redirect_to_nowhere_good_is_not_followed(
    server: FeedServer, reply: Reply, failure: FetchFailure
) -> None:
    assert (await failure_of(server.script("/feed", reply))).failure is failure


@pytest.mark.parametrize(
    "url",
    [
        "",
        "feed",
        "file:///etc/passwd",
        "http://",
        "http://u:p@example.org/",
        "http://example.org:99999/",
        "http://\ud800/",
    ],
    ids=["empty", "relative", "file", "no-host", "userinfo", "port", "surrogate"],
)
async def test_an_unusable_address_is_refused_before_anything_is_sent(url: str) -> None:
    assert (await failure_of(url)).failure is FetchFailure.BLOCKED_ADDRESS


async def test_one_host_gets_no_more_requests_at_once_than_allowed(server: FeedServer) -> None:
    gate = asyncio.Event()
    urls = [server.script(f"/{number}", Reply(BODY, hold=gate)) for number in range(6)]
    async with Fetcher(LIMITS) as fetcher:
        fetches = [asyncio.create_task(fetcher.fetch(FetchRequest(url))) for url in urls]
        await server.until_busy(LIMITS.per_host)
        gate.set()
        await asyncio.gather(*fetches)
    assert server.most_at_once == LIMITS.per_host


async def test_a_stuck_host_does_not_hold_up_another(server: FeedServer) -> None:
    gate = asyncio.Event()
    stuck = [server.script(f"/{number}", Reply(BODY, hold=gate)) for number in range(6)]
    server.script("/quick", Reply(BODY))
    async with Fetcher(replace(LIMITS, concurrency=3)) as fetcher:
        waiting = [asyncio.create_task(fetcher.fetch(FetchRequest(url))) for url in stuck]
        got = await fetcher.fetch(FetchRequest(server.url("/quick", host="localhost")))
        gate.set()
        await asyncio.gather(*waiting)
    assert got.changed


async def test_waiting_for_a_slot_does_not_count_against_the_deadline(server: FeedServer) -> None:
    gate = asyncio.Event()
    first = server.script("/first", Reply(BODY, hold=gate))
    second = server.script("/second", Reply(BODY))
    async with Fetcher(replace(LIMITS, per_host=1, total_s=0.2)) as fetcher:
        blocked = asyncio.create_task(fetcher.fetch(FetchRequest(first)))
        queued = asyncio.create_task(fetcher.fetch(FetchRequest(second)))
        with pytest.raises(FetchError, match="in time"):
            await blocked
        assert (await queued).changed
