"""feedparser's loose dictionaries go in, entries with stable keys, safe links and believable dates come out."""

import calendar
import hashlib
import re
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.feeds.text import plain_text
from bot.feeds.types import MAX_SUMMARY_CHARS, MAX_TEXT_CHARS, MAX_TITLE_CHARS, DateProblem, ParsedEntry
from bot.feeds.urls import canonical_url, safe_url

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_CLOCK_SLACK = timedelta(hours=24)  # wrong time zones reach 14 hours ahead; beyond a day it is no mistake of that kind
_TEXT_TYPE = re.compile(r"text/|application/xhtml", re.IGNORECASE)
_REVISION_MARK = re.compile(r"#\d+$")
_BORROWED_TITLE_CHARS = 120


def parsed_entries(raw_entries: Sequence[Any], now: datetime) -> tuple[ParsedEntry, ...]:
    """The usable ones of `raw_entries` in their order; left out are those without any text, and repeated ones."""
    ids = Counter(_stable_id(raw) for raw in raw_entries)
    found: dict[str, ParsedEntry] = {}
    for raw in raw_entries:
        entry = _parsed(raw, now, id_is_its_own=ids[_stable_id(raw)] == 1)
        if entry is not None:
            found.setdefault(entry.entry_key, entry)
    return tuple(found.values())


def _parsed(raw: Any, now: datetime, *, id_is_its_own: bool) -> ParsedEntry | None:
    title, summary, text = _words(raw)
    if not title:
        return None
    url = safe_url(_string(raw, "feedburner_origlink") or _string(raw, "link")) or ""
    canonical = canonical_url(url)
    published_at, problem = _date(raw, now)
    return ParsedEntry(
        entry_key=_key(raw, canonical, title, id_is_its_own=id_is_its_own),
        url=url,
        canonical_url=canonical,
        title=title,
        summary=summary,
        text=text,
        published_at=published_at,
        date_problem=problem,
        content_hash=_short_hash("\n".join((title, summary, text)).casefold()),
    )


def _words(raw: Any) -> tuple[str, str, str]:
    """Title, summary and text. A missing title is borrowed from what follows; a summary that repeats is dropped."""
    title = plain_text(_string(raw, "title"), MAX_TITLE_CHARS)
    description, content = _string(raw, "summary"), _content(raw)
    summary = plain_text(description, MAX_SUMMARY_CHARS)
    text = plain_text(content, MAX_TEXT_CHARS, paragraphs=True)
    if not text and len(description) > MAX_SUMMARY_CHARS:
        text = plain_text(description, MAX_TEXT_CHARS, paragraphs=True)
    title = title or plain_text(summary or text, _BORROWED_TITLE_CHARS)
    same = {title.casefold(), " ".join(text.split())[: len(summary) + 1].casefold()}
    return title, "" if summary.casefold() in same else summary, text


def _content(raw: Any) -> str:
    """The longest of the entry's full texts (content:encoded, Atom content)."""
    texts = [part for part in raw.get("content") or [] if _TEXT_TYPE.match(str(part.get("type") or "text/html"))]
    return max((str(part.get("value") or "") for part in texts), key=len, default="")


def _key(raw: Any, canonical: str, title: str, *, id_is_its_own: bool) -> str:
    identity = _stable_id(raw)
    if identity and id_is_its_own:
        return _short_hash(f"id {identity}")
    # Some publishers give all their entries one guid; the link must then tell them apart.
    if canonical:
        return _short_hash(f"link {canonical}")
    return _short_hash(f"title {title} {_string(raw, 'published') or _string(raw, 'updated')}")


def _stable_id(raw: Any) -> str:
    """The guid, without what changes when a site moves to https or (as the BBC does with #0, #1) revises a text."""
    identity = _string(raw, "id").strip()
    if not identity.lower().startswith(("http://", "https://")):
        return identity
    address, mark, fragment = _REVISION_MARK.sub("", identity).partition("#")
    return (canonical_url(address) or address) + mark + fragment


def _date(raw: Any, now: datetime) -> tuple[datetime | None, DateProblem | None]:
    """When it was published, else last updated; a time up to 24 hours ahead counts as `now`."""
    for name in ("published", "updated", "created"):
        if _string(raw, name):
            return _believable(dict.get(raw, f"{name}_parsed"), now)
    return None, DateProblem.MISSING


def _believable(parsed: time.struct_time | None, now: datetime) -> tuple[datetime | None, DateProblem | None]:
    try:
        moment = datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, OSError):
        moment = None
    if moment is None:
        return None, DateProblem.UNREADABLE
    if moment < _EARLIEST:
        return None, DateProblem.TOO_OLD
    if moment > now + _CLOCK_SLACK:
        return None, DateProblem.FUTURE
    return min(moment, now), None


def _string(raw: Any, name: str) -> str:
    # dict.get, because feedparser's own one answers `updated` with `published` and warns about it.
    value = dict.get(raw, name)
    return value if isinstance(value, str) else ""


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
