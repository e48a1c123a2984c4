"""A feed's bytes in any character set go in; UTF-8 XML without declarations and beyond-limit entries comes out.

What is checked here is exactly what is parsed afterwards: both see the text after decoding, so that no character set
(UTF-16, UTF-7, EBCDIC) can hide a declaration from the check.
"""

import re
from collections.abc import Mapping
from typing import Any

from feedparser.encodings import convert_to_utf8

from bot.feeds.types import FetchError, FetchFailure

_DECLARATION = re.compile(rb"<!ENTITY", re.IGNORECASE)
# Wide characters show in the first bytes. feedparser alone tries UTF-8 first, and ASCII letters in UTF-16 pass for it.
_WIDE_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_ENTRY_END = re.compile(rb"</(?:[A-Za-z][\w.-]{0,20}:)?(?:item|entry)\s*>", re.IGNORECASE)


def readable_xml(body: bytes, headers: Mapping[str, str], max_entries: int) -> tuple[bytes, int]:
    """`body` in UTF-8 with at most `max_entries` entries, and how many were cut off the end.

    Entries are taken from the top, where feeds put the newest; `max_entries` is at least 1. `headers` (lower-case
    names) may name the character set. Raises FetchError UNREADABLE for a body that is empty or
    declares entities: a few hundred bytes of those become megabytes of title. In an article's own text the declaration
    never stands unescaped, so there is no need to tell the prolog from the rest, which is where such checks are fooled.
    """
    if b"\0" not in body[:8]:  # in UTF-16 a stripped byte would be half a character
        body = body.lstrip()
    if not body:
        raise FetchError(FetchFailure.UNREADABLE, "the feed is empty")
    findings: dict[str, Any] = {}  # where feedparser notes the character set it found; the text is UTF-8 from here on
    xml: bytes = convert_to_utf8({"content-type": _content_type(body, headers)}, body, findings)
    if _DECLARATION.search(xml):
        raise FetchError(FetchFailure.UNREADABLE, "the feed declares XML entities, which is refused")
    return _without_surplus(xml, max_entries)


def _content_type(body: bytes, headers: Mapping[str, str]) -> str:
    for mark, charset in _WIDE_MARKS:
        if body.startswith(mark):
            return f"application/xml; charset={charset}"
    # Servers that add "charset=iso-8859-1" to everything are common; text that is valid UTF-8 by accident is not.
    if not body.isascii() and b"\0" not in body and _is_utf8(body):
        return "application/xml; charset=utf-8"
    return headers.get("content-type", "") or "application/xml"


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _without_surplus(xml: bytes, max_entries: int) -> tuple[bytes, int]:
    # Before parsing, because that is what an entry costs: 20,000 of them take feedparser four seconds.
    ends = [found.end() for found in _ENTRY_END.finditer(xml)]
    if len(ends) <= max_entries:
        return xml, 0
    return xml[: ends[max_entries - 1]] + xml[ends[-1] :], len(ends) - max_entries
