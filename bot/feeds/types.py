"""The values of a poll: limits and a request go in; a result, then a parsed feed, or an error comes out.

FetchLimits + FetchRequest -> FetchResult -> ParsedFeed(ParsedEntry, ...)
                  any step -> FetchError(failure)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from config.errors import FeedError

MAX_TITLE_CHARS = 500
MAX_SUMMARY_CHARS = 2_000
MAX_TEXT_CHARS = 20_000
MAX_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one fetch may cost. Times are seconds; `max_bytes` counts after decompression."""

    connect_s: float = 10.0  #: name lookup, TCP and TLS together
    read_s: float = 20.0  #: the longest silence between two pieces of an answer
    total_s: float = 45.0  #: the whole fetch with its redirects, not counting the wait for a free slot
    max_bytes: int = 5 * 2**20
    max_redirects: int = 5
    per_host: int = 2  #: requests at once to one host
    concurrency: int = 20  #: requests at once in all
    allow_addresses: tuple[str, ...] = ()  #: networks that may be reached although they are not public ("127.0.0.0/8")
    user_agent: str = "Tocsin/0.1 (news feed reader)"


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """A feed's address and what its last good answer left behind; the latter three make the request conditional."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None


@dataclass(frozen=True, slots=True)
class FetchResult:
    """A good answer (2xx or 304); its `etag`, `last_modified` and `body_hash` belong into the next request."""

    changed: bool  #: False after 304 or when the body is the one already known; `body` is then empty
    body: bytes  #: decompressed, still in the feed's own character set
    headers: Mapping[str, str]  #: of the last answer, names in lower case
    final_url: str
    permanent_url: str | None  #: where a chain of nothing but 301 and 308 led; the feed has moved there
    etag: str | None
    last_modified: str | None
    body_hash: str | None  #: sha256 in hex; None only when the server said 304 and no hash was known
    max_age_s: int | None  #: how long the server calls this answer fresh (Cache-Control, else Expires)


class FetchFailure(StrEnum):
    """Why a poll gave nothing; `bot.feeds.schedule` has one policy for each."""

    GONE = "gone"  #: 410: the publisher says it will not come back
    NOT_FOUND = "not_found"  #: 404
    DENIED = "denied"  #: 401, 403, 451
    THROTTLED = "throttled"  #: 429, 503
    SERVER = "server"  #: any other answer that is neither a success nor a redirect
    NETWORK = "network"  #: name lookup, connection, TLS, or an answer that broke off
    TIMEOUT = "timeout"  #: one of the three deadlines passed
    TOO_LARGE = "too_large"  #: more than `max_bytes`
    BLOCKED_ADDRESS = "blocked_address"  #: a URL or an address that may not be contacted; nothing was sent
    REDIRECTS = "redirects"  #: too many, in a circle, or leading nowhere
    UNREADABLE = "unreadable"  #: an answer that is not a feed


class FetchError(FeedError):
    """A feed could not be fetched or read; `failure` says what to do about it, `str(error)` what to tell people.

    `retry_after_s` is what the server asked for (seconds, not negative, not capped), `status` the HTTP status if any.
    """

    def __init__(
        self, failure: FetchFailure, message: str, *, retry_after_s: int | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.retry_after_s = retry_after_s
        self.status = status

    def __reduce__(self) -> tuple[Callable[..., "FetchError"], tuple[object, ...]]:
        # The parser raises this in another process, and the inherited way to pickle knows one argument only.
        return _rebuild_error, (self.failure, str(self), self.retry_after_s, self.status)


def _rebuild_error(failure: FetchFailure, message: str, retry_after_s: int | None, status: int | None) -> FetchError:
    return FetchError(failure, message, retry_after_s=retry_after_s, status=status)


class DateProblem(StrEnum):
    """Why an entry has no usable date. Such an entry must never be taken for a new one on the strength of its date."""

    MISSING = "missing"  #: the feed gives none
    UNREADABLE = "unreadable"  #: there is one, in no known format
    TOO_OLD = "too_old"  #: before 1990: a default value of the publisher's software
    FUTURE = "future"  #: more than 24 hours ahead


@dataclass(frozen=True, slots=True)
class ParsedEntry:
    """One entry as plain text: no markup, no control characters, whitespace collapsed. "" stands for nothing."""

    entry_key: str  #: 32 hex digits, the same at every poll: from the guid, else the link, else title and date
    url: str  #: http or https, or ""
    canonical_url: str  #: `bot.feeds.urls.canonical_url` of it, or ""
    title: str  #: at most 500 characters
    summary: str  #: at most 2,000 characters; "" when it only repeats the title or the text
    text: str  #: at most 20,000 characters, one line per paragraph
    published_at: datetime | None  #: aware UTC, never after `now`
    date_problem: DateProblem | None  #: set exactly when `published_at` is None
    content_hash: str  #: 32 hex digits of the normalised title, summary and text; changes with an edit


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A feed's entries in the order of the document."""

    title: str
    ttl_s: int | None  #: how long the feed asks to be left alone (RSS ttl, sy:updatePeriod)
    entries: tuple[ParsedEntry, ...]
    skipped: int  #: entries left out: over the limit, empty, or repeated
    problem: str | None  #: what was wrong with a feed that could be used nevertheless
