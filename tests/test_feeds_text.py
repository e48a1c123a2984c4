"""Markup in, words out: nothing that runs, hides or misleads is left."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.feeds.text import plain_text

CASES = {
    "tags": ("<b>Talks</b> <i>resume</i>", "Talks resume"),
    "script": ("Talks<script>alert(1)</script> resume", "Talks resume"),
    "style": ("<style>p{}</style>Talks", "Talks"),
    "handler": ('<img src=x onerror="alert(1)">Talks', "Talks"),
    "entities": ("Q&amp;A: 5 &lt; 6 &nbsp;&#8211; caf&eacute;", "Q&A: 5 < 6 – café"),
    "unescaped-once": ("AT&amp;amp;T", "AT&amp;T"),
    "escaped-twice": ("&lt;script&gt;alert(1)&lt;/script&gt;Talks &lt;b&gt;resume&lt;/b&gt;", "Talks resume"),
    "comment": ("Talks<!-- hidden --> resume", "Talks resume"),
    "unclosed": ("Talks <b resume", "Talks"),
    "less-than": ("a < b and c > d", "a < b and c > d"),
    "bidi": ("safe\u202etxt.exe\u2066x\u2069", "safetxt.exex"),
    "zero-width": ("tr\u200boops\ufeff", "troops"),
    "control": ("a\x00b\x07c\x1b[31m", "abc[31m"),
    "whitespace": ("  a \t\r\n b\u00a0\u2003c ", "a b c"),
    "joiner-kept": ("می\u200cخواهم", "می\u200cخواهم"),
    "blocks-apart": ("<p>One.</p><p>Two</p>three<br>four", "One. Two three four"),
    "empty": ("", ""),
}


@pytest.mark.parametrize(("markup", "text"), CASES.values(), ids=CASES.keys())
def test_plain_text_of(markup: str, text: str) -> None:
    assert plain_text(markup, 500) == text


def test_paragraphs_can_keep_their_lines() -> None:
    markup = "<div><h2>Talks</h2>\n\n<p>One\ntwo.</p> <ul><li>three<li>four</ul></div>"
    assert plain_text(markup, 500, paragraphs=True) == "Talks\nOne\ntwo.\nthree\nfour"


def test_a_long_text_is_cut_between_words() -> None:
    assert plain_text("troops moved to the border", 20) == "troops moved to the"


def test_an_endless_word_is_cut_at_the_limit() -> None:
    assert plain_text("a" * 1000, 20) == "a" * 20


markup_like = st.lists(
    st.sampled_from(["<b>", "</b>", "<script>", "</script>", "<!--", "-->", "<![CDATA[", "]]>", "<p", "<svg/onload=x"])
    | st.sampled_from(["&lt;", "&gt;", "&amp;", "&#60;", "&#x3c;", "&#x200b;", "\u202e", "<", ">", "a", "/", " "])
    | st.text(max_size=6)
).map("".join)


@given(markup_like, st.integers(1, 60), st.booleans())
@example("&amp;lt;script&amp;gt;", 60, False)
@example("<&lt;b>x", 60, False)
@example("<\u200bb>x", 60, False)
def test_no_tag_and_no_control_character_is_left(markup: str, limit: int, paragraphs: bool) -> None:
    text = plain_text(markup, limit, paragraphs=paragraphs)
    assert len(text) <= limit
    assert text == text.strip()
    assert not re.search(r"<[A-Za-z/!?]", text)
    allowed = {"\n"} if paragraphs else set()
    assert not [char for char in text if unicodedata.category(char) in {"Cc", "Cs"} and char not in allowed]
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
