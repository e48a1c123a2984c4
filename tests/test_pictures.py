"""Pictures of messages in docs/: every word and label is there, nothing stands over, and they are what the bot says."""

import asyncio
import io
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from bot.demo.play import SimulatedClock
from pictures.chat import Picture, opened
from pictures.drawing import BUBBLE, EDGE, PADDING, SIZE, TEXT_WIDTH, WIDTH, Bubble, draw
from pictures.lines import cut, lines_of, width_of
from pictures.markup import Run, paragraphs, plain
from pictures.month import AFTERWARDS, chosen, live

DOCS = Path(__file__).parents[1] / "docs"
PHONE = DOCS / "images" / "phone"
SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str, name: str = "text") -> list[Element]:
    return list(fromstring(svg).iter(f"{SVG}{name}"))


def words(text: str) -> Counter[str]:
    """Its letters, whatever blanks and line breaks are between them."""
    return Counter("".join(text.split()))


def wording(bubbles: tuple[Bubble, ...]) -> str:
    texts = [run.text for bubble in bubbles for paragraph in bubble.text for run in paragraph]
    return "".join([*texts, *(label for bubble in bubbles for row in bubble.buttons for label in row)])


# Markup and lines -----------------------------------------------------------------------------------------------------


def test_markup_is_read_as_telegram_reads_it() -> None:
    read = paragraphs('<b>A &amp; <i>B</i></b>\n\n• <a href="https://x.example/?a=1&amp;b=2">Wire</a>, 12')
    assert read == [
        (Run("A & ", ("bold",)), Run("B", ("bold", "italic"))),
        (),
        (Run("• "), Run("Wire", ("link",)), Run(", 12")),
    ]


@pytest.mark.parametrize("html", ["<b>x", "x</b>", "<b><i>x</b></i>"])
def test_markup_that_does_not_close_is_refused(html: str) -> None:
    with pytest.raises(ValueError, match="clos"):
        paragraphs(html)


@given(st.lists(st.tuples(st.text(max_size=60), st.sampled_from([(), ("bold",), ("link",), ("code",)])), max_size=6))
@example([("a", ("bold",)), ("b" * 90, ()), ("🟠🇺🇦 " * 20, ())])
@settings(max_examples=150, deadline=None)
def test_no_line_is_wider_than_its_bubble_and_no_letter_is_lost(runs: list[tuple[str, tuple[str, ...]]]) -> None:
    paragraph = tuple(Run(text, style) for text, style in runs if text)
    lines = lines_of([paragraph], SIZE, TEXT_WIDTH)
    assert all(line.width <= TEXT_WIDTH + 0.01 for line in lines)
    assert words("".join(line.text for line in lines)) == words("".join(run.text for run in paragraph))


@pytest.mark.parametrize(
    ("text", "unbroken"),
    [
        ("word " * 12 + "escalation\u00a040\u00a0↑\u00a080", "escalation\u00a040\u00a0↑\u00a080"),
        ("a " * 50 + "cease-fire", "fire"),
    ],
    ids=["no-break spaces", "hyphen"],
)
def test_lines_are_broken_where_a_phone_breaks_them(text: str, unbroken: str) -> None:
    assert any(unbroken in line.text for line in lines_of(plain(text), SIZE, TEXT_WIDTH))


def test_a_cut_label_ends_in_an_ellipsis_and_fits() -> None:
    assert cut("Why?", SIZE, 100) == "Why?"
    shortened = cut("a label that is much too long", SIZE, 100)
    assert shortened.endswith("…") and width_of(shortened, SIZE) <= 100


# Drawing --------------------------------------------------------------------------------------------------------------


def test_what_is_read_from_the_right_begins_there() -> None:
    (text, *_) = drawn(draw([Bubble(plain("שלום עולם"))], "t"))
    assert text.get("direction") == "rtl"
    assert float(text.get("x", "0")) == EDGE + BUBBLE - PADDING


def test_words_of_articles_stay_words() -> None:
    svg = draw([Bubble(plain('<script>alert("x")</script> & "quotes"'), buttons=[["</svg>"]])], "</title>")
    assert drawn(svg, "script") == []
    assert "</svg>" in [text.text for text in drawn(svg)]


def test_a_picture_is_embedded_at_two_pixels_to_one() -> None:
    png = io.BytesIO()
    Image.new("RGB", (1080, 675), "white").save(png, "png")
    (image,) = drawn(draw([Bubble((), photo=png.getvalue())], "t"), "image")
    assert image.get("href", "").startswith("data:image/png;base64,")
    assert (image.get("width"), image.get("height")) == (str(BUBBLE), "217.5")


# Those in docs --------------------------------------------------------------------------------------------------------


def test_the_page_shows_every_picture() -> None:
    page = (DOCS / "messages.md").read_text(encoding="utf-8")
    for path in PHONE.iterdir():
        title = fromstring(path.read_text(encoding="utf-8")).findtext(f"{SVG}title")
        assert f"![{title}](images/phone/{path.name})" in page
    assert page.count("](images/phone/") == len(list(PHONE.iterdir()))


@pytest.mark.parametrize("path", sorted(PHONE.iterdir()), ids=lambda path: path.stem)
def test_nothing_stands_over_the_edge_and_no_label_is_cut(path: Path) -> None:
    for text in drawn(path.read_text(encoding="utf-8")):
        assert float(text.get("x", "0")) + float(text.get("textLength", "0")) <= WIDTH - EDGE
        assert "label" not in text.get("class", "") or "…" not in (text.text or "")


async def test_settings_look_as_the_page_shows_them(tmp_path: Path) -> None:
    """What depends on words alone: a reworded choice, or another button, is drawn anew with ./run.sh pictures."""
    async with opened(tmp_path, SimulatedClock(AFTERWARDS)) as (_app, chat):
        pictures = await chosen(chat)
    for picture in pictures:
        assert draw(picture.bubbles, picture.title, picture.group) == (PHONE / f"{picture.name}.svg").read_text(
            encoding="utf-8"
        )


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    with (tmp_path_factory.mktemp("month") / "terminal.txt").open("w") as terminal:
        return asyncio.run(live(tmp_path_factory.mktemp("database"), Console(file=terminal)))


@pytest.mark.timeout(1800)  # a minute on an idle machine
def test_the_command_draws_the_pictures_of_the_page_with_all_that_the_messages_say(month: list[Picture]) -> None:
    assert {picture.name for picture in month} == {path.stem for path in PHONE.iterdir()}
    for picture in month:
        texts = "".join(text.text or "" for text in drawn(draw(picture.bubbles, picture.title, picture.group)))
        missing = words(wording(picture.bubbles)) - words(texts)
        assert not missing, picture.name
