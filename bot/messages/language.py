"""English words in, the same in another language out: gettext's .po files in bot/messages/languages/, read at need.

What has no translation stays English. Names of levels do everywhere: alerts carry them, and people type them.
"""

import ast
import gettext
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

Say = Callable[[str], str]
ENGLISH = "en"
_FOLDER = Path(__file__).parent / "languages"
#: Codes as Telegram and people use them (ISO 639-1) -> the language's own name.
LANGUAGES: Mapping[str, str] = {ENGLISH: "English", "fr": "français"}


class Catalogue(gettext.NullTranslations):
    """One language's words; the .po file is small enough to do without a compiled one."""

    def __init__(self, words: Mapping[str, str]) -> None:
        super().__init__()
        self.words = words

    def gettext(self, message: str) -> str:
        """`message` in this language, or as it is."""
        return self.words.get(message, message)


def language_of(code: str | None) -> str:
    """ "fr-CA" -> "fr"; a language there is no catalogue of -> "en"."""
    short = (code or "").partition("-")[0].lower()
    return short if short in LANGUAGES else ENGLISH


@cache
def catalogue(language: str) -> Catalogue:
    """The words of a language by its code; those of English are empty, as are those of an unknown one."""
    if language_of(language) == ENGLISH:
        return Catalogue({})
    return Catalogue(read_po((_FOLDER / f"{language_of(language)}.po").read_text(encoding="utf-8")))


def in_language(language: str) -> Say:
    """What says an English text in `language`."""
    return catalogue(language).gettext


def read_po(text: str) -> dict[str, str]:
    """msgid -> msgstr of the entries that have both. Raises ValueError with the line that is no .po (no plurals)."""
    entries: list[dict[str, str]] = []
    field = ""
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith("#"):
            continue
        keyword, _, quoted = ("", "", line) if line.startswith('"') else line.partition(" ")
        if keyword == "msgid":
            entries.append({"msgid": "", "msgstr": ""})
        if keyword not in ("", "msgid", "msgstr") or not entries:
            raise ValueError(f"line {number}: msgid, msgstr or a quoted string expected, got {line[:40]!r}")
        field = keyword or field
        entries[-1][field] += _unquoted(quoted, number)
    return {entry["msgid"]: entry["msgstr"] for entry in entries if entry["msgid"] and entry["msgstr"]}


def _unquoted(quoted: str, number: int) -> str:
    try:
        value = ast.literal_eval(quoted)
    except (ValueError, SyntaxError):
        value = None
    if not isinstance(value, str) or not quoted.startswith('"'):
        raise ValueError(f"line {number}: a quoted string expected, got {quoted[:40]!r}")
    return value
