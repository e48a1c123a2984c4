"""What a chat shows in, one SVG as wide as a phone out: bubbles, text as it was marked up, pictures, buttons.

Nothing is loaded from elsewhere; colours follow the reader's light or dark screen.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from PIL import Image

from pictures.lines import Line, Piece, cut, lines_of, width_of
from pictures.markup import Paragraph, Run

WIDTH = 390  # CSS px: most phones have 360 to 430
EDGE, GAP, PADDING = 8, 8, 11
BUBBLE = 348
TEXT_WIDTH = BUBBLE - 2 * PADDING
SIZE, LEADING = 16.0, 21.0
LABEL_SIZE, BUTTON_HEIGHT, BUTTON_GAP = 15.0, 40, 4
QUOTE_SIZE = 14.0
RADIUS = 12
PIXELS = 2 * BUBBLE  # of an embedded picture: two a CSS px, as phones have them
COLOURS = 48
_STYLE = """
text{font-family:system-ui,-apple-system,Roboto,'Segoe UI','Helvetica Neue',Arial,'DejaVu Sans',sans-serif;
font-size:16px;fill:#000}
.page{fill:#cfdbe3}.bubble{fill:#fff}.mine{fill:#e3fbd0}.button{fill:#88a0b2}.label{fill:#fff;font-size:15px}
.photo{clip-path:inset(0 round 12px 12px 0 0)}
.bar{fill:#3390d0}.quote{font-size:14px}.bold{font-weight:bold}.italic{font-style:italic}.link{fill:#1a7cc0}
.code{font-family:monospace}.underline{text-decoration:underline}.strike{text-decoration:line-through}
@media(prefers-color-scheme:dark){text{fill:#f2f4f5}.page{fill:#0e1621}.bubble{fill:#1d2b3a}.mine{fill:#2b5278}
.button{fill:#2a3d50}.label{fill:#f2f4f5}.link{fill:#6ab3f3}}
"""


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message: a picture (PNG) above its text, a keyboard of labels below; `mine` stands on the right.

    `answers` is the beginning of the message that it answers.
    """

    text: Sequence[Paragraph]
    buttons: Sequence[Sequence[str]] = ()
    photo: bytes = b""
    answers: str = ""
    mine: bool = False


def draw(bubbles: Iterable[Bubble], title: str, group: str = "") -> str:
    """The chat as an SVG document; `title` is read out to those who cannot see it, `group` stands above it."""
    root = Element("svg", xmlns="http://www.w3.org/2000/svg", width=str(WIDTH), role="img")
    SubElement(root, "title").text = title
    SubElement(root, "style").text = _STYLE
    page = SubElement(root, "rect", {"class": "page", "width": str(WIDTH)})
    top = _heading(root, group) if group else float(EDGE)
    for bubble in bubbles:
        top = _bubble(root, bubble, top) + GAP
    height = _px(top)
    page.set("height", height)
    root.set("height", height)
    root.set("viewBox", f"0 0 {WIDTH} {height}")
    indent(root, space="")
    return tostring(root, encoding="unicode") + "\n"


def _heading(root: Element, name: str) -> float:
    """The bar that phones show above a chat; returns where the messages begin."""
    _place(SubElement(root, "rect", {"class": "bubble"}), 0, 0, WIDTH, BUTTON_HEIGHT)
    (line,) = lines_of([(Run(cut(name, SIZE, TEXT_WIDTH, ("bold",)), ("bold",)),)], SIZE, TEXT_WIDTH)
    _line(root, line, EDGE + PADDING, BUTTON_HEIGHT / 2 + 6)
    return float(BUTTON_HEIGHT + GAP)


def _bubble(root: Element, bubble: Bubble, top: float) -> float:
    """Draw one; returns where it ends."""
    lines = lines_of(bubble.text, SIZE, TEXT_WIDTH)
    quote = lines_of([(Run(bubble.answers),)], QUOTE_SIZE, TEXT_WIDTH - 10)[:1] if bubble.answers else []
    full = bubble.buttons or bubble.photo or quote or any(line.from_right for line in lines)
    wide = BUBBLE if full else 2 * PADDING + max(line.width for line in lines)
    left = WIDTH - EDGE - wide if bubble.mine else EDGE
    box = SubElement(root, "rect", {"class": "mine" if bubble.mine else "bubble", "rx": str(RADIUS)})
    bottom = _picture(root, bubble.photo, left, top) if bubble.photo else top
    bottom = _quote(root, quote[0], left, bottom) if quote else bottom
    if lines:
        bottom += PADDING - 3
        for line in lines:
            _line(root, line, left + PADDING, bottom + SIZE)
            bottom += LEADING
        bottom += PADDING - 3
    _place(box, left, top, wide, bottom - top)
    return _keyboard(root, bubble.buttons, left, bottom)


def _line(root: Element, line: Line, left: float, baseline: float, size_class: str = "") -> None:
    for piece in line.pieces:
        _piece(root, piece, line.from_right, left, baseline, size_class)


def _piece(root: Element, piece: Piece, from_right: bool, left: float, baseline: float, size_class: str) -> None:
    """Text is stretched to what was measured; a pictogram stands in the middle of its place."""
    at = left + TEXT_WIDTH - piece.x if from_right else left + piece.x
    found = {"x": _px(at), "y": _px(baseline)}
    classes = " ".join([*piece.style, *([size_class] if size_class else [])])
    if classes:
        found["class"] = classes
    if piece.pictogram:
        middle = at - piece.width / 2 if from_right else at + piece.width / 2
        found |= {"x": _px(middle), "text-anchor": "middle"}
    else:
        found |= {"textLength": _px(piece.width), "lengthAdjust": "spacingAndGlyphs"}
        if from_right:
            found["direction"] = "rtl"
    SubElement(root, "text", found).text = piece.text.strip()


def _quote(root: Element, line: Line, left: float, top: float) -> float:
    bar = SubElement(root, "rect", {"class": "bar", "rx": "1.5"})
    _place(bar, left + PADDING, top + PADDING, 3, 20)
    _line(root, line, left + PADDING + 10, top + PADDING + 15, "quote")
    return top + PADDING + 20


def _picture(root: Element, photo: bytes, left: float, top: float) -> float:
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    height = image.height * PIXELS // image.width
    small = image.resize((PIXELS, height), Image.Resampling.LANCZOS).quantize(COLOURS, dither=Image.Dither.NONE)
    packed = io.BytesIO()
    small.save(packed, "png", optimize=True)
    data = f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}"
    shown = SubElement(root, "image", {"class": "photo", "href": data})
    _place(shown, left, top, BUBBLE, height / 2)
    return top + height / 2


def _keyboard(root: Element, rows: Sequence[Sequence[str]], left: float, top: float) -> float:
    for row in rows:
        top += BUTTON_GAP
        wide = (BUBBLE - BUTTON_GAP * (len(row) - 1)) / len(row)
        for place, label in enumerate(row):
            _button(root, label, left + place * (wide + BUTTON_GAP), top, wide)
        top += BUTTON_HEIGHT
    return top


def _button(root: Element, label: str, left: float, top: float, wide: float) -> None:
    """Phones cut a label that is too long; so does the picture, so that it shows."""
    _place(SubElement(root, "rect", {"class": "button", "rx": "8"}), left, top, wide, BUTTON_HEIGHT)
    text = cut(label, LABEL_SIZE, wide - 10)
    (line,) = lines_of([(Run(text),)], LABEL_SIZE, wide)
    start = left + (wide - width_of(text, LABEL_SIZE)) / 2
    for piece in line.pieces:
        _piece(root, piece, False, start, top + BUTTON_HEIGHT / 2 + 5, "label")


def _place(element: Element, x: float, y: float, width: float, height: float) -> None:
    for name, value in {"x": x, "y": y, "width": width, "height": height}.items():
        element.set(name, _px(value))


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
