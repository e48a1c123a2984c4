"""HTML from a stranger goes in, plain text that is safe to store, to classify and to escape comes out."""

import html
import re
import unicodedata

import nh3

# Dropped with everything inside them; of all other elements only the tags go.
_DROP_WHOLE = frozenset({"script", "style", "noscript", "template", "iframe", "object", "svg", "math", "head"})
_BLOCK = re.compile(
    r"<(?=/?(?:address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|h[1-6]|header|hr|li|main|nav|ol|p|"
    r"pre|section|table|td|th|tr|ul)\b)",
    re.IGNORECASE,
)
_TAG_LIKE = re.compile(r"<+(?=[A-Za-z/!?])")
_LINE_BREAKS = re.compile(r"\s*\n\s*")
_SPACES = re.compile(r"[^\S\n]+")

# Characters that show nothing and can make text read other than it is: control and format characters, lone surrogates,
# private and unassigned ones. The joiners stay, because Persian, Indic scripts and emoji are misspelt without them.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_KEPT = frozenset("\n\u200c\u200d")

# Markup is seldom longer than this many times its text, and a whole page is not worth parsing for its first lines.
_MARKUP_RATIO = 10


def plain_text(markup: str, limit: int, *, paragraphs: bool = False) -> str:
    """The visible text of `markup`, at most `limit` characters, cut between words where that is possible.

    No tags, no contents of scripts and styles, entities resolved, no control, bidirectional-override or zero-width
    characters, NFC. Runs of whitespace become one space; with `paragraphs`, block elements start a new line.
    """
    text = markup[: limit * _MARKUP_RATIO]
    text = _without_tags(_BLOCK.sub("\n<", text))
    text = _visible(unicodedata.normalize("NFC", text))
    # Whatever still looks like a tag was escaped or broken up on purpose: keep the word, drop the bracket.
    text = _TAG_LIKE.sub("", text)
    text = _SPACES.sub(" ", _LINE_BREAKS.sub("\n" if paragraphs else " ", text)).strip()
    return _cut(text, limit)


def _without_tags(markup: str) -> str:
    # A second round, because feeds that escape twice show their readers <b>, and attackers <script>.
    text = _clean(markup)
    if _TAG_LIKE.search(text):
        text = _clean(text)
    return text


def _clean(markup: str) -> str:
    return html.unescape(nh3.clean(markup, tags=set(), clean_content_tags=set(_DROP_WHOLE)))


def _visible(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").replace("\x85", "\n")
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(char for char in text if char in _KEPT or unicodedata.category(char) not in _INVISIBLE)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head = text[: limit + 1]
    at = max(head.rfind(" "), head.rfind("\n"))
    # A language without spaces, or one endless word: cut it where the limit is.
    return head[: at if at > limit // 2 else limit].rstrip()
