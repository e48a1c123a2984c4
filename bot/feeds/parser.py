"""A feed's body goes in, its entries as plain text come out; off the event loop in a process of its own.

feedparser runs in a second process and not in a thread, for two reasons. It is pure Python: while a thread works
through a large feed (4 s for 20,000 items, measured) the loop gets only every second slice of time. And a thread cannot
be stopped: one document built to be slow would occupy it for good, a process can be ended. The price is a
second Python: 30 MB, and 0.1 s to start it at the first feed.
"""

import asyncio
import faulthandler
import io
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import feedparser

from bot.feeds.entries import parsed_entries
from bot.feeds.markup import readable_xml
from bot.feeds.text import plain_text
from bot.feeds.types import MAX_ENTRIES, MAX_TITLE_CHARS, FetchError, FetchFailure, ParsedFeed

_PERIODS_S = {"hourly": 3_600, "daily": 86_400, "weekly": 7 * 86_400, "monthly": 30 * 86_400, "yearly": 365 * 86_400}
_LONGEST_TTL_S = 7 * 86_400


def parse_feed(
    body: bytes, headers: Mapping[str, str], url: str, now: datetime, max_entries: int = MAX_ENTRIES
) -> ParsedFeed:
    """Parse RSS 0.9x, 1.0, 2.0 or Atom. Pure and CPU-bound: about 0.4 ms an entry.

    `headers` are the answer's, with lower-case names; `url` is what relative links start from; `now` is aware. Of more
    than `max_entries` entries the first are kept. Raises FetchError UNREADABLE for what is not a feed; a feed that is
    damaged but has entries is returned with its `problem`.
    """
    known = {"content-type": "application/xml; charset=utf-8", "content-location": url}
    try:
        xml, cut_off = readable_xml(body, headers, max_entries)
        # A stream and never the bytes themselves: feedparser takes bytes for the name of a file and opens it.
        parsed = feedparser.parse(
            io.BytesIO(xml), response_headers=known, sanitize_html=False, resolve_relative_uris=False
        )
        feed = _feed(parsed, now, cut_off)
    except FetchError:
        raise
    except Exception as error:  # feedparser documents none and lets through what its many helpers raise
        raise FetchError(FetchFailure.UNREADABLE, f"the feed cannot be parsed: {_one_line(error)}") from error
    if not feed.entries and not parsed.get("version"):
        raise FetchError(FetchFailure.UNREADABLE, _what_else(xml))
    return feed


def _feed(parsed: Any, now: datetime, cut_off: int) -> ParsedFeed:
    entries = parsed_entries(parsed.entries, now)
    about = parsed.feed
    return ParsedFeed(
        title=plain_text(str(about.get("title") or ""), MAX_TITLE_CHARS),
        ttl_s=_ttl_s(about),
        entries=entries,
        skipped=cut_off + len(parsed.entries) - len(entries),
        problem=_one_line(parsed.get("bozo_exception")) if parsed.bozo else None,
    )


def _ttl_s(about: Any) -> int | None:
    """RSS `ttl` in minutes, else sy:updatePeriod divided by sy:updateFrequency; at most a week, None if unsaid."""
    minutes = _number(about.get("ttl"))
    if minutes:
        return min(minutes * 60, _LONGEST_TTL_S)
    period = _PERIODS_S.get(str(about.get("sy_updateperiod") or "").strip().lower())
    return min(period // (_number(about.get("sy_updatefrequency")) or 1), _LONGEST_TTL_S) if period else None


def _number(value: Any) -> int:
    digits = str(value or "").strip()
    return int(digits) if re.fullmatch(r"[0-9]{1,9}", digits) else 0


def _what_else(xml: bytes) -> str:
    return (
        "it is a web page, not a feed" if re.search(rb"<(?:!doctype\s+)?html", xml[:2000], re.I) else "it is not a feed"
    )


def _one_line(error: object) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


class ParsePool:
    """One process that parses one feed after another: `async with ParsePool() as pool: await pool.parse(...)`.

    A document that takes longer than `deadline_s` ends the process, and the next feed gets a fresh one.
    """

    def __init__(self, deadline_s: float = 10.0) -> None:
        self._deadline_s = deadline_s
        self._turn = asyncio.Lock()
        self._process: ProcessPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            await asyncio.to_thread(self._process.shutdown, cancel_futures=True)
            self._process = None

    async def parse(
        self, body: bytes, headers: Mapping[str, str], url: str, now: datetime, max_entries: int = MAX_ENTRIES
    ) -> ParsedFeed:
        """`parse_feed` in the other process. Raises FetchError UNREADABLE also when it took too long or died of it."""
        async with self._turn:
            self._process = self._process or ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=_settle_in
            )
            work = (self._deadline_s, body, dict(headers), url, now, max_entries)
            try:
                return await asyncio.get_running_loop().run_in_executor(self._process, _parse_or_die, *work)
            except BrokenProcessPool as error:
                self._process.shutdown(wait=False)
                self._process = None
                message = f"the feed could not be parsed within {self._deadline_s:g} s, or broke the parser"
                raise FetchError(FetchFailure.UNREADABLE, message) from error


def _settle_in() -> None:
    # Ctrl-C reaches the whole group of processes; when to stop is the parent's decision ...
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # ... but a parent that was killed cannot decide any more.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _parse_or_die(
    deadline_s: float, body: bytes, headers: dict[str, str], url: str, now: datetime, max_entries: int
) -> ParsedFeed:
    with Path(os.devnull).open("w") as unread:
        # The one watchdog of the standard library that also ends a process stuck inside C code.
        faulthandler.dump_traceback_later(deadline_s, exit=True, file=unread)
        try:
            return parse_feed(body, headers, url, now, max_entries)
        finally:
            faulthandler.cancel_dump_traceback_later()
