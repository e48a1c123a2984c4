"""Telegram's HTML in, paragraphs of runs out: https://core.telegram.org/bots/api#html-style"""

from dataclasses import dataclass
from html.parser import HTMLParser

STYLES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strike",
    "del": "strike",
    "code": "code",
    "pre": "code",
    "a": "link",
}


@dataclass(frozen=True, slots=True)
class Run:
    """Text in one style: the words of `STYLES` that hold for it, sorted."""

    text: str
    style: tuple[str, ...] = ()


Paragraph = tuple[Run, ...]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.paragraphs: list[list[Run]] = [[]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise ValueError(f"</{tag}> closes nothing that is open")

    def handle_data(self, data: str) -> None:
        style = tuple(sorted({STYLES[tag] for tag in self.open if tag in STYLES}))
        first, *others = data.split("\n")
        self.paragraphs[-1] += [Run(first, style)] if first else []
        self.paragraphs += [[Run(text, style)] if text else [] for text in others]


def paragraphs(html: str) -> list[Paragraph]:
    """One paragraph a line of the message, an empty one for an empty line. Raises ValueError for unbalanced tags."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    if reader.open:
        raise ValueError(f"<{reader.open[-1]}> is not closed")
    return [tuple(runs) for runs in reader.paragraphs]


def plain(text: str) -> list[Paragraph]:
    """Text without markup, as paragraphs."""
    return [(Run(line),) if line else () for line in text.split("\n")]
