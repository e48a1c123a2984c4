"""Paragraphs and a width in, lines of measured pieces out.

Measured with the DejaVu fonts that come with matplotlib, so that every machine breaks lines alike; a picture stretches
each piece to the width measured here, whatever font its reader has.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font, LoadFlags

from pictures.markup import Paragraph, Run

FACES = {
    (): "DejaVuSans",
    ("bold",): "DejaVuSans-Bold",
    ("italic",): "DejaVuSans-Oblique",
    ("bold", "italic"): "DejaVuSans-BoldOblique",
    ("code",): "DejaVuSansMono",
}
NARROWER = 0.88  # phones' own fonts (Roboto, San Francisco) run about an eighth narrower than DejaVu
PICTOGRAM = 1.25  # em, what the colour fonts of phones take
_FIRST_PICTOGRAM = 0x2600
_BREAKABLE = re.compile(r"[^\S\xa0]+|[\S\xa0]*?-+|[\S\xa0]+")  # blanks, what ends in a hyphen, the rest of a word


@dataclass(frozen=True, slots=True)
class Piece:
    """Text in one style with its place from the left of the line and its width, px."""

    text: str
    style: tuple[str, ...]
    x: float
    width: float
    pictogram: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """Pieces from left to right; of one that is read from the right, from right to left, x counted from the right."""

    pieces: tuple[Piece, ...]
    from_right: bool = False

    @property
    def width(self) -> float:
        """From its beginning to the end of its last piece, px."""
        return max((piece.x + piece.width for piece in self.pieces), default=0.0)

    @property
    def text(self) -> str:
        """As it is read."""
        return "".join(piece.text for piece in self.pieces)


def width_of(text: str, size: float, style: tuple[str, ...] = ()) -> float:
    """How wide `text` is at `size` px, px."""
    return sum(_advance(letter, _face(style)) for letter in text) * size


def lines_of(paragraphs: Sequence[Paragraph], size: float, width: float) -> list[Line]:
    """Every paragraph broken at blanks and hyphens, and within words that are wider than a line by themselves."""
    return [line for paragraph in paragraphs for line in _broken(paragraph, size, width)]


def cut(text: str, size: float, width: float, style: tuple[str, ...] = ()) -> str:
    """`text` as far as it fits one line, with an ellipsis when something was cut."""
    if width_of(text, size, style) <= width:
        return text
    kept = text
    while kept and width_of(f"{kept}…", size, style) > width:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


# Breaking -------------------------------------------------------------------------------------------------------------


def _broken(paragraph: Paragraph, size: float, width: float) -> Iterator[Line]:
    from_right = _reads_from_right("".join(run.text for run in paragraph))
    held: list[Run] = []
    used = 0.0
    for word in _words(paragraph, size, width):
        blank = _is_blank(word[0].text[0])
        if held and not blank and used + _wide(word, size) > width:
            yield _set(held, size, from_right)
            held, used = [], 0.0
        if held or not blank:  # a line does not begin with the blank at which it was broken
            held += word
            used += _wide(word, size)
    yield _set(held, size, from_right)


def _words(paragraph: Paragraph, size: float, width: float) -> Iterator[list[Run]]:
    """What must not be parted: a word may change its style within; one wider than a line is parted even so."""
    word: list[Run] = []
    for run in paragraph:
        for text in _BREAKABLE.findall(run.text):
            if word and (_is_blank(text[0]) or _is_blank(word[-1].text[-1]) or word[-1].text[-1] == "-"):
                yield word
                word = []
            for part in _parts(text, run.style, size, width):
                if word and _wide([*word, Run(part, run.style)], size) > width:
                    yield word
                    word = []
                word.append(Run(part, run.style))
    if word:
        yield word


def _wide(runs: Sequence[Run], size: float) -> float:
    return sum(width_of(run.text, size, run.style) for run in runs)


def _parts(text: str, style: tuple[str, ...], size: float, width: float) -> Iterator[str]:
    """`text`, in as many parts as make each fit a line."""
    while width_of(text, size, style) > width:
        kept = 1
        while width_of(text[: kept + 1], size, style) <= width:
            kept += 1
        yield text[:kept]
        text = text[kept:]
    yield text


def _set(runs: Sequence[Run], size: float, from_right: bool) -> Line:
    pieces: list[Piece] = []
    x = 0.0
    for style, text in _merged(runs):
        for pictogram, letters in groupby(text, _is_pictogram):
            part = "".join(letters)
            wide = width_of(part, size, style)
            if part.strip():
                ahead = width_of(part[: len(part) - len(part.lstrip())], size, style)
                pieces.append(Piece(part, style, x + ahead, width_of(part.strip(), size, style), pictogram))
            x += wide
    return Line(tuple(pieces), from_right)


def _merged(runs: Sequence[Run]) -> Iterator[tuple[tuple[str, ...], str]]:
    for style, group in groupby(runs, lambda run: run.style):
        yield style, "".join(run.text for run in group)


def _reads_from_right(text: str) -> bool:
    """By the first letter that has a direction, as Telegram decides it."""
    first = next((way for letter in text if (way := unicodedata.bidirectional(letter)) in ("L", "R", "AL")), "L")
    return first != "L"


# Measuring ------------------------------------------------------------------------------------------------------------


def _is_blank(letter: str) -> bool:
    """Whether a line may be broken there."""
    return letter.isspace() and letter != "\xa0"


def _is_pictogram(letter: str) -> bool:
    """Whether phones draw it in colour; joiners belong to what they join."""
    if letter in "\u200d\ufe0f":
        return True
    return letter in "⏳⏸" or (ord(letter) >= _FIRST_PICTOGRAM and unicodedata.category(letter) in ("So", "Sk"))


def _face(style: tuple[str, ...]) -> str:
    known = tuple(word for word in style if word in ("bold", "italic", "code"))
    return FACES.get(known, FACES[()])


@cache
def _font(face: str) -> FT2Font:
    return FT2Font(str(Path(get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"))


@cache
def _advance(letter: str, face: str) -> float:
    """How far `letter` moves on, em."""
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf" or letter == "\ufe0f":
        return 0.0
    if _is_pictogram(letter):
        return PICTOGRAM
    font = _font(face)
    if not font.get_char_index(ord(letter)):
        return 1.0  # scripts that DejaVu lacks are mostly square
    return float(font.load_char(ord(letter), flags=LoadFlags.NO_SCALE).horiAdvance / font.units_per_EM) * NARROWER
