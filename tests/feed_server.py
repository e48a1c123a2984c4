"""Scripted replies go in, a real HTTP server on loopback that gives them in order comes out.

async with FeedServer() as server:
    server.script("/feed", Reply(status=503), Reply(b"<rss/>"))   # the last one is repeated
    await fetcher.fetch(FetchRequest(server.url("/feed")))
    assert server.seen[0].headers["user-agent"] ...
"""

import asyncio
import contextlib
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web


@dataclass(frozen=True)
class Reply:
    """One answer. With `etag` or `last_modified` a matching conditional request gets 304 instead of the body."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    last_modified: str | None = None
    hold: asyncio.Event | None = None  #: answer only once this is set
    raw: bytes | None = None  #: sent as it is, then the connection is cut; b"" drops it without a word
    drip: bool = False  #: the body one byte at a time, a hundredth of a second apart, without end


@dataclass(frozen=True)
class Seen:
    """A request as it arrived, header names in lower case."""

    path: str
    headers: Mapping[str, str]


def redirect(to: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": to})


def gzipped(body: bytes) -> Reply:
    return Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})


def rss(*items: str, head: str = "") -> bytes:
    """An RSS 2.0 document around `items` (the inside of each <item>) and `head` (elements of the channel)."""
    inside = "".join(f"<item>{item}</item>" for item in items)
    return f'<rss version="2.0"><channel><title>Feed</title>{head}{inside}</channel></rss>'.encode()


class FeedServer:
    """Listens on a free port of 127.0.0.1 while the `async with` block runs; unknown paths get 404."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.at_once = 0  #: requests being answered now; `busy` tells of each change
        self.busy = asyncio.Condition()
        self.most_at_once = 0
        self._scripts: dict[str, list[Reply]] = {}
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def url(self, path: str = "/feed", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def script(self, path: str, *replies: Reply) -> str:
        """Answer `path` with these replies in turn, the last one for ever; returns the URL."""
        self._scripts[path] = list(replies)
        return self.url(path)

    async def until_busy(self, requests: int) -> None:
        """Wait until this many requests are being answered at once."""
        async with self.busy:
            await self.busy.wait_for(lambda: self.at_once >= requests)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(Seen(request.path, {name.lower(): value for name, value in request.headers.items()}))
        async with self.busy:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.busy.notify_all()
        try:
            replies = self._scripts.get(request.path, [Reply(status=404)])
            return await _give(replies.pop(0) if len(replies) > 1 else replies[0], request)
        finally:
            self.at_once -= 1


async def _give(reply: Reply, request: web.BaseRequest) -> web.StreamResponse:
    if reply.hold is not None:
        await reply.hold.wait()
    if reply.raw is not None:
        return _cut_off(reply.raw, request)
    if reply.drip:
        return await _drip(reply, request)
    validators = {"ETag": reply.etag, "Last-Modified": reply.last_modified}
    headers = {**reply.headers, **{name: value for name, value in validators.items() if value}}
    unchanged = (reply.etag and request.headers.get("If-None-Match") == reply.etag) or (
        reply.last_modified and request.headers.get("If-Modified-Since") == reply.last_modified
    )
    if unchanged:
        return web.Response(status=304, headers=headers)
    return web.Response(body=reply.body, status=reply.status, headers=headers)


def _cut_off(raw: bytes, request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.write(raw)
    request.transport.close()
    return web.Response()  # never arrives: the connection is closed


async def _drip(reply: Reply, request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers=reply.headers)
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)
    return response
