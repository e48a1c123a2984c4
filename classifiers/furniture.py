"""The lines of a page -> the lines of its story: without captions, credits, listings of other stories, and stamps.

Whole lines are looked at before anything is split into sentences, because a caption and the credit that gives it away
are often two. Where a text came as one line, a caption is what stands between "FILE" or the sentence before, and the
credit.
"""

import re

MOST_LINES = 400
_MOST_LINE = 2_000
_LONGEST_CAPTION = 500
_AGENCY = r"(?:AP|AFP|EPA|EPA-EFE|Reuters|REUTERS|PA|Getty|Getty Images|Shutterstock|Alamy|Anadolu|Xinhua|TASS)"
_CREDIT = re.compile(
    rf"\((?:[^()]{{0,60}}/)?{_AGENCY}(?: Photo| Images?| Wire| video)?(?:/| via )[^()]{{0,80}}\)|"
    r"\([^()]{0,40}\b(?:Photo|Image|Picture|Handout|Photograph)\b(?: by| via|:)?[^()]{0,80}\)|"
    rf"\([^()]{{2,60}}(?:/| via ){_AGENCY}[^()]{{0,30}}\)|"
    rf"\[[^\[\]]{{2,60}}(?:/| via ){_AGENCY}[^\[\]]{{0,30}}\]|"
    r"\bReuters/[A-Z][\w.'’-]{0,30} [A-Z][\w.'’-]{1,30}(?:/[\w .]{2,30}$)?|"
    r"\b(?:REUTERS|AP Photo|EPA|AFP)\s?/\s?[A-Z][\w.'’-]{0,30}(?: [A-Z][\w.'’-]{1,30})?(?:/[\w .]{2,30}$)?|"
    rf"\b[A-Z][\w.'’-]{{1,20}} [A-Z][\w.'’-]{{1,20}}/{_AGENCY}\b(?: via Getty Images)?(?=[.\s]*$)|"
    r"\b(?:via|courtesy of) (?:Getty Images|Shutterstock|Alamy)\b"
)
_FILE = re.compile(r"(?:FILE(?:\s?PHOTO)?|File photo(?:graph)?)\s?[-–—:]\s?")
_CAPTION = re.compile(
    r"^(?:in this (?:\w+ ){0,3}?(?:photo|photograph|image|picture|frame|screengrab|handout)\b|"
    r"(?:image|photo|picture) (?:source|credit|caption)\b)",
    re.IGNORECASE,
)
_LISTING = (
    r"(?:more (?:top )?(?:stories|news|headlines|coverage)|(?:today'?s )?top (?:stories|headlines)|most (?:read|viewed|"
    r"popular|watched)|also on [\w ]{2,20}|"
    r"trending(?: now)?|you (?:may|might) also (?:like|be interested in)|related (?:stories|articles|"
    r"news|coverage|content|topics|links)|recommended(?: for you| stories| reading)|editors?['’]?s? picks?|"
    r"don['’]?t miss|more from [\w ]{2,30}|in other news|other stories|also in the news|elsewhere in the news|"
    r"what else is happening|popular (?:now|stories)|latest (?:news|headlines|stories))"
)
_OPENS_LISTING = re.compile(rf"(?:^|(?<=[.!?”\"] )){_LISTING}\s?(?::|$|[-–—|]\s)", re.IGNORECASE)
_ENDS_LIKE_PROSE = re.compile(r"[.!?…][\"”’)\]]*$")
_STAMP = re.compile(
    r"^\W{0,2}(?:[01]?\d|2[0-3])(?:[:.h][0-5]\d|[0-5]\d(?=:| GMT| UTC))\s?"
    r"(?:(?:am|pm|a\.m\.|p\.m\.|GMT|UTC|CET|EET|BST|EST|EDT|ET)\b\.?\s?)?[\])]?[:–—|-]?\s+",
)
_SPACE = re.compile(r"\s+")


def story_lines(text: str) -> list[str]:
    """Lines of running text that tell the story, whitespace made single, at most 400 lines of 2,000 characters read.

    A line that only opens a listing ("Most read") takes with it the next lines, up to one that ends as prose does.
    """
    lines = [_SPACE.sub(" ", line[:_MOST_LINE]).strip() for line in text.splitlines()[:MOST_LINES]]
    lines = [line for line in lines if line]
    out = []
    listing = False
    for line in lines:
        listing = listing and not _ENDS_LIKE_PROSE.search(line)
        kept = "" if listing else _without_captions(line, len(lines) > 1)
        opened = _OPENS_LISTING.search(kept)
        if opened:
            listing = listing or not kept[opened.end() :].strip()
            kept = kept[: opened.start()].strip()
        if kept := _STAMP.sub("", kept):
            out.append(kept)
    return out


def is_caption(sentence: str) -> bool:
    """Whether a sentence says of itself that it stands under a picture."""
    return bool(_CAPTION.search(sentence))


def _without_captions(line: str, of_many: bool) -> str:
    """A line without its captions; one `of_many` that begins with FILE or ends with a credit is a caption whole."""
    credit = _last_credit(line)
    ends = credit is not None and not line[credit.end() :].strip(" .)]")
    if of_many and len(line) <= _LONGEST_CAPTION and (ends or _FILE.match(line)):
        return ""
    kept = []
    start = 0
    for found in _CREDIT.finditer(line):
        kept.append(_before_caption(line[start : found.start()]))
        start = found.end()
    return " ".join(part for part in (*kept, _after_file(line[start:])) if part)


def _last_credit(line: str) -> re.Match[str] | None:
    return max(_CREDIT.finditer(line), key=lambda found: found.end(), default=None)


def _before_caption(text: str) -> str:
    """What stands before the caption that `text` ends with: before FILE, else before the last sentence."""
    file = _FILE.search(text)
    if file:
        return text[: file.start()].strip()
    return " ".join(_sentences(text)[:-1])


def _after_file(text: str) -> str:
    """`text` without the sentence that begins with FILE, a caption without a credit."""
    text = text.strip(" .)]") if not re.search(r"\w", text) else text.strip()
    return " ".join(_sentences(text)[1:]) if _FILE.match(text) else text


def _sentences(text: str) -> list[str]:
    from sentencex import segment

    return [piece.strip() for piece in segment("en", text) if piece.strip()]
