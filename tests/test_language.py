"""The catalogues of other languages: complete, without leftovers, with the same placeholders, and used."""

import ast
from calendar import month_abbr
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages.alert import signal_name
from bot.messages.joining import welcome
from bot.messages.language import ENGLISH, LANGUAGES, catalogue, in_language, language_of, read_po
from bot.messages.menu import ADMIN_COMMAND, COMMANDS, DESCRIPTION, SHORT_DESCRIPTION
from bot.messages.names import region_name
from bot.messages.replies import help_text
from bot.messages.settings import Offer, settings_page
from config.load import load_file
from config.schema import WEEKDAYS, Settings, SignalName
from models import Direction, Level, Subscriber

BOT = Path(__file__).parents[1] / "bot"
NOW = datetime(2022, 2, 17, 12, 0, tzinfo=UTC)
OTHERS = [code for code in LANGUAGES if code != ENGLISH]


def shipped_regions() -> set[str]:
    return {region for feed in load_file(BOT.parent / "config", "feeds").feeds for region in feed.regions}


def said() -> Iterator[str]:
    """Every English text that the program says in the reader's language."""
    yield from (COMMANDS | ADMIN_COMMAND).values()
    yield from (DESCRIPTION, SHORT_DESCRIPTION)
    yield from map(signal_name, get_args(SignalName))
    yield from WEEKDAYS
    yield from month_abbr[1:]
    yield from map(region_name, shipped_regions())
    for path in BOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if name == "say":
                    yield node.args[0].value


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_has_a_translation_and_no_translation_lacks_its_text(language: str) -> None:
    assert set(catalogue(language).words) == set(said())


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_placeholders_and_commands_of_its_text(language: str) -> None:
    for english, other in catalogue(language).words.items():
        assert _fields(other) == _fields(english)
        assert [word for word in other.split() if word[0] == "/"] == [
            word for word in english.split() if word[0] == "/"
        ]


def _fields(text: str) -> set[tuple[str, str | None]]:
    return {(name, form) for _, name, form, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_a_menu_entry_fits_into_what_telegram_takes(language: str) -> None:
    assert all(3 <= len(in_language(language)(what)) <= 256 for what in (COMMANDS | ADMIN_COMMAND).values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_descriptions_fit_into_what_telegram_takes(language: str) -> None:
    say = in_language(language)
    assert len(say(DESCRIPTION)) <= 512 and len(say(SHORT_DESCRIPTION)) <= 120


@pytest.mark.parametrize("page", ["main", "levels", "quiet", "zone", "budget", "digest", "looks", "signals", "done"])
def test_a_page_of_settings_speaks_the_chats_language_and_its_buttons_do_the_same(page: str) -> None:
    values = {"chat_id": 1, "created_at": NOW, "changed_at": NOW, "quiet_from": "23:00", "quiet_until": "07:00"}
    english, french = (
        settings_page(page, Offer(Subscriber(**values, language=code), Settings(), [], [])) for code in ("en", "fr")
    )
    assert french.plain != english.plain
    assert [[b.data for b in row] for row in french.buttons] == [[b.data for b in row] for row in english.buttons]


@pytest.mark.parametrize(
    ("language", "first", "button"),
    [
        ("en", "You are subscribed", "Choose what you hear"),
        ("fr", "Cette discussion est abonnée", "Choisir ce que vous recevez"),
    ],
)
def test_the_welcome_leads_to_the_choices_in_the_chats_language(language: str, first: str, button: str) -> None:
    levels = {Direction.ESCALATION: Level.WARNING, Direction.DEESCALATION: Level.WATCH}
    said = welcome(levels, in_language(language))
    assert said.plain.startswith(first)
    assert "warning" in said.plain and "watch" in said.plain and "/settings" in said.plain
    assert [(each.text, each.data) for row in said.buttons for each in row] == [(button, "set:main")]


def test_a_language_there_is_no_catalogue_of_is_english() -> None:
    assert [language_of(code) for code in ("fr-CA", "FR", "tlh", "", None)] == ["fr", "fr", "en", "en", "en"]
    assert in_language("tlh")("Done") == "Done"
    assert "/settings – niveaux" in help_text(in_language("fr")).plain


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1)))
def test_what_a_catalogue_says_is_read_as_it_was_written(words: dict[str, str]) -> None:
    written = "".join(f'#: here\nmsgid {_quoted(key)}\nmsgstr ""\n{_quoted(value)}\n\n' for key, value in words.items())
    assert read_po(written) == words


def _quoted(text: str) -> str:
    escaped = "".join(f"\\U{ord(char):08x}" if ord(char) < 32 or ord(char) > 126 else char for char in _safe(text))
    return f'"{escaped}"'


def _safe(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


@pytest.mark.parametrize("text", ['msgstr "a"', "msgid a", 'msgid "a" + 1', "msgid b'a'", 'msgid "a', 'plural "a"'])
def test_a_broken_catalogue_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        read_po(f"# a comment\n{text}\n")
