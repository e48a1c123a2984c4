"""A feed's address and validators go in; its body, or a FetchError that says what kind of failure it was, comes out.

Redirects are followed here and not by aiohttp, because a feed that has moved for good must be told from one that was
lent out for a day, and because each hop waits for a free slot at its own host.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from urllib.parse import urljoin
from weakref import WeakValueDictionary

import aiohttp
from yarl import URL

from bot.feeds.address_guard import guarded_socket_factory, was_blocked
from bot.feeds.body import ACCEPT_ENCODING, read_capped
from bot.feeds.http_headers import max_age_s, retry_after_s
from bot.feeds.types import FetchError, FetchFailure, FetchLimits, FetchRequest, FetchResult

_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/rdf+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
)
_PERMANENT = frozenset({301, 308})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FAILURES = {
    401: FetchFailure.DENIED,
    403: FetchFailure.DENIED,
    404: FetchFailure.NOT_FOUND,
    410: FetchFailure.GONE,
    429: FetchFailure.THROTTLED,
    451: FetchFailure.DENIED,
    503: FetchFailure.THROTTLED,
}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Fetcher:
    """Fetches feeds within `limits`: `async with Fetcher(limits) as fetcher: await fetcher.fetch(request)`.

    Keeps no cookies, reads no proxy or password from the environment, retries nothing, parses nothing. `clock` gives
    the time that a Retry-After or Expires date is measured from when the server sends no Date.
    """

    def __init__(self, limits: FetchLimits, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._limits = limits
        self._clock = clock
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._host_slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        limits = self._limits
        self._session = aiohttp.ClientSession(
            # The slots above already bound the connections; a wait in aiohttp's pool would count against the deadline.
            connector=aiohttp.TCPConnector(limit=0, socket_factory=guarded_socket_factory(limits.allow_addresses)),
            timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_s, sock_read=limits.read_s),
            headers={"User-Agent": limits.user_agent, "Accept": _ACCEPT, "Accept-Encoding": ACCEPT_ENCODING},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(self, request: FetchRequest) -> FetchResult:
        """The feed behind `request.url`, after at most `max_redirects` redirects. Raises only FetchError."""
        url, permanent, left_s = request.url, True, self._limits.total_s
        for _ in range(self._limits.max_redirects + 1):
            target = _checked(url)
            answer, took_s = await self._take_turn(target, request, left_s)
            left_s -= took_s
            if answer.status not in _REDIRECTS:
                return self._result(request, url, url if permanent and url != request.url else None, answer)
            came_from, url = url, _next_hop(url, answer)
            permanent = permanent and answer.status in _PERMANENT and not _loses_tls(came_from, url)
        raise FetchError(FetchFailure.REDIRECTS, f"more than {self._limits.max_redirects} redirects, the last to {url}")

    async def _take_turn(self, url: URL, request: FetchRequest, left_s: float) -> tuple[_Answer, float]:
        # The host's slot first: feeds that wait for one slow host must not hold the slots of all others.
        host = self._host_slots.setdefault(url.host or "", asyncio.Semaphore(self._limits.per_host))
        async with host, self._slots:
            loop = asyncio.get_running_loop()
            start = loop.time()
            answer = await self._exchange_or_explain(url, request, left_s)
            return answer, loop.time() - start

    async def _exchange_or_explain(self, url: URL, request: FetchRequest, left_s: float) -> _Answer:
        try:
            async with asyncio.timeout(left_s):
                return await self._exchange(url, request)
        except TimeoutError as error:
            raise FetchError(FetchFailure.TIMEOUT, f"{url.host} did not answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _translated(url, error) from error

    async def _exchange(self, url: URL, request: FetchRequest) -> _Answer:
        if self._session is None:
            raise RuntimeError("use Fetcher in `async with`")
        async with self._session.get(url, headers=_validators(request), allow_redirects=False) as response:
            headers = {_storable(name).lower(): _storable(value) for name, value in response.headers.items()}
            # The body of an error or a redirect says nothing we use; not reading it also spares its size and its traps.
            body = b""
            if response.status // 100 == 2:
                pieces = response.content.iter_chunked(65_536)
                body = await read_capped(pieces, headers.get("content-encoding", ""), self._limits.max_bytes)
            return _Answer(response.status, headers, body)

    def _result(self, request: FetchRequest, url: str, permanent_url: str | None, answer: _Answer) -> FetchResult:
        known = answer.status == 304 and any((request.etag, request.last_modified, request.body_hash))
        if not known and answer.status // 100 != 2:
            raise _failure(url, answer, self._clock())
        body_hash = request.body_hash if known else hashlib.sha256(answer.body).hexdigest()
        changed = not known and body_hash != request.body_hash
        return FetchResult(
            changed=changed,
            body=answer.body if changed else b"",
            headers=answer.headers,
            final_url=url,
            permanent_url=permanent_url,
            etag=answer.headers.get("etag", request.etag if known else None),
            last_modified=answer.headers.get("last-modified", request.last_modified if known else None),
            body_hash=body_hash,
            max_age_s=max_age_s(answer.headers, self._clock()),
        )


def _storable(text: str) -> str:
    """Bytes of a header that are no UTF-8 arrive as half surrogates, which no database and no log can write."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _checked(url: str) -> URL:
    try:
        parsed = URL(url)
        port = parsed.port
    except ValueError as error:
        raise FetchError(FetchFailure.BLOCKED_ADDRESS, f"{url[:200]!r} is not a usable address: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host or not port:
        raise FetchError(FetchFailure.BLOCKED_ADDRESS, f"{url[:200]!r} is not an http or https address")
    if parsed.user is not None or parsed.password is not None:
        raise FetchError(FetchFailure.BLOCKED_ADDRESS, f"the address at {parsed.host} carries a user name or password")
    return parsed


def _validators(request: FetchRequest) -> dict[str, str]:
    asked = {"If-None-Match": request.etag, "If-Modified-Since": request.last_modified}
    return {name: value for name, value in asked.items() if value and value.isascii()}


def _next_hop(url: str, answer: _Answer) -> str:
    location = answer.headers.get("location", "").strip()
    if not location:
        raise FetchError(FetchFailure.REDIRECTS, f"{url} redirects to nowhere", status=answer.status)
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchError(FetchFailure.REDIRECTS, f"{url} redirects to an unusable address: {error}") from error


def _loses_tls(before: str, after: str) -> bool:
    # To follow such a redirect once is the publisher's choice; to give up https for good is ours.
    return before.startswith("https:") and not after.startswith("https:")


def _failure(url: str, answer: _Answer, now: datetime) -> FetchError:
    failure = _FAILURES.get(answer.status, FetchFailure.SERVER)
    wait = retry_after_s(answer.headers, now)
    return FetchError(failure, f"{url} answered {answer.status}", retry_after_s=wait, status=answer.status)


def _translated(url: URL, error: Exception) -> FetchError:
    if was_blocked(error) or isinstance(error, aiohttp.InvalidURL):
        return FetchError(FetchFailure.BLOCKED_ADDRESS, f"{url.host} may not be contacted: {error}")
    detail = str(error) or type(error).__name__
    return FetchError(FetchFailure.NETWORK, f"{url.host} could not be reached: {detail[:300]}")
