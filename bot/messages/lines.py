"""Somebody's words in, lines of a message out: each as HTML and as plain text, made safe, and cut to fit."""

import unicodedata
from collections.abc import Sequence
from html import escape

from bot.messages.message import TEXT_LIMIT, clip, units

#: One line, or a block of them, as HTML and as plain text that says the same.
Line = tuple[str, str]
_LONGEST_ADDRESS = 1000
#: Controls that reorder or hide what follows them; joiners inside emoji and some scripts stay.
_REORDERING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u2028\u2029")

#: Classes of letters written from right to left, and of the controls that make others so.
_FROM_RIGHT = frozenset(("R", "AL", "RLE", "RLO", "RLI"))
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def one_line(text: str, limit: int = 80) -> str:
    """Somebody's name or title as a short line that cannot pass for more than that."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") or c in _REORDERING else c for c in text)
    return clip(" ".join(kept.split()), limit)


def isolated(text: str) -> str:
    """Somebody's words for a sentence of ours, fenced off where they are written from right to left.

    Without the fence what follows them, a date or a bracket, would be drawn on their other side.
    """
    if not any(unicodedata.bidirectional(c) in _FROM_RIGHT for c in text):
        return text
    own = "".join(c for c in text if c not in _REORDERING)  # of which one could close the fence
    return f"{_FIRST_STRONG_ISOLATE}{own}{_POP_ISOLATE}"


def quoted(text: str, limit: int) -> str:
    """What an article says, between marks; cut at a word to at most `limit` UTF-16 units."""
    return f"“{isolated(clip(text, limit))}”"


def line(text: str, bold: bool = False) -> Line:
    """Words of which none can become markup."""
    safe = escape(text, quote=False)
    return (f"<b>{safe}</b>" if bold and text else safe), text


def heading(text: str) -> Line:
    """A bold line after an empty one."""
    return f"\n<b>{escape(text, quote=False)}</b>", f"\n{text}"


def linked(before: str, text: str, url: str, after: str = "") -> Line:
    """`text` as a link between two pieces of plain words; an address that is no web address, or too long, is left out.

    The plain form names no address: append it where there is room.
    """
    text = isolated(text)
    safe = escape(text, quote=False)
    if is_linkable(url):
        safe = f'<a href="{escape(url)}">{safe}</a>'
    return f"{escape(before, quote=False)}{safe}{escape(after, quote=False)}", f"{before}{text}{after}"


def is_linkable(url: str) -> bool:
    """Whether readers may be led there."""
    return url.startswith(("http://", "https://")) and len(url) <= _LONGEST_ADDRESS


def fitting(lines: Sequence[Line]) -> list[Line]:
    """Drop lines from the end until both forms fit one message; Telegram counts less than all of the HTML."""
    kept = list(lines)
    while len(kept) > 2 and max(units(form) for form in joined(kept)) > TEXT_LIMIT:
        kept.pop()
    return kept


def joined(lines: Sequence[Line]) -> Line:
    """The lines below one another."""
    return "\n".join(html for html, _plain in lines), "\n".join(plain for _html, plain in lines)
