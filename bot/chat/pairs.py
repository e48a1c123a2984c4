"""Words that people type in, the pair of parties they name out ("RU-UA"), or what they may have meant.

Unlike an article's text they are nothing but names: case, accents and what stands between names count for nothing.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path

from bot.messages import pair_replies
from bot.messages.language import Say
from bot.messages.message import Message
from bot.messages.names import party_names
from bot.model_shelf import extra_actors
from classifiers.actors import Gazetteer
from config.schema import Actors, Settings

_WORD = re.compile(r"[^\W_]+")
BETWEEN = frozenset(("and", "with", "vs", "versus", "v", "et", "avec", "contre"))
_NAME_FILES = (Path(__file__).parents[1] / "messages" / "languages" / "fr_parties.toml",)
_LONGEST = 120
_CLOSE = 0.75


@dataclass(frozen=True, slots=True)
class Pair:
    """What some words name: `codes` in order, two of them where they are a pair; the `rest` of the words, folded, and
    names they are spelled like."""

    codes: tuple[str, ...]
    rest: tuple[str, ...] = ()
    meant: tuple[str, ...] = ()

    @property
    def dyad(self) -> str | None:
        """As a story names the pair."""
        return "-".join(sorted(self.codes)) if len(self.codes) == 2 else None


@dataclass(frozen=True, slots=True)
class _Named:
    """A party named; the higher `doubt`, the more likely its word ("et", "us", "in") is none of a party."""

    code: str
    doubt: int = 0


class Parties:
    """Everything that parties are called, in English and in French."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        called = gazetteer.codes | _other_names(gazetteer.names)
        self._codes = {folded(name): code for name, code in called.items()}
        self._codes |= {folded(code): code for code in gazetteer.names}
        self._names = {folded(name): name for name in (*_other_names(gazetteer.names), *gazetteer.names.values())}
        self._longest = max(len(name.split()) for name in self._codes)

    def pair(self, text: str) -> Pair:
        """The two parties of a text; a doubtful word counts only where without it there would not be two."""
        named, unknown = self._read(text[:_LONGEST])
        rest = tuple(word.casefold() for run in unknown for word in run)
        for doubt in (0, 1, 2):
            codes = tuple(dict.fromkeys(each.code for each in named if each.doubt <= doubt))
            if len(codes) == 2:
                return Pair(codes, rest)
        codes = tuple(dict.fromkeys(each.code for each in named if each.doubt < 2))
        return Pair(codes, rest, tuple(dict.fromkeys(name for run in unknown for name in self._like(run))))

    def _read(self, text: str) -> tuple[list[_Named], list[list[str]]]:
        """The parties named, the longest name first at each word, and the runs of words that name none."""
        words = _WORD.findall(_without_accents(text))
        named, runs, at = list[_Named](), [list[str]()], 0
        while at < len(words):
            found, width = self._named_at(words, at)
            joins = width == 1 and 0 < at < len(words) - 1 and words[at].casefold() in BETWEEN
            if found:
                named.append(_Named(found.code, 2) if joins else found)
            if found or joins:
                runs.append([])
            else:
                runs[-1].append(words[at])
            at += width
        return named, [run for run in runs if run]

    def _named_at(self, words: list[str], at: int) -> tuple[_Named | None, int]:
        for width in range(min(self._longest, len(words) - at), 0, -1):
            code = self._codes.get(" ".join(words[at : at + width]).casefold())
            if code:
                short = width == 1 and len(words[at]) <= 2 and not words[at].isupper()
                return _Named(code, int(short)), width
        return None, 1

    def _like(self, words: list[str]) -> list[str]:
        """Names spelled nearly like all of `words` together, else like each of them."""
        for wanted in ([" ".join(words)], words):
            close = [get_close_matches(each.casefold(), self._names, n=1, cutoff=_CLOSE) for each in wanted]
            if any(close):
                return [self._names[name] for found in close for name in found]
        return []


@lru_cache(maxsize=4)
def parties_of(actors: Actors) -> Parties:
    """The parties that ship and the admin's own."""
    return Parties(Gazetteer(extra_actors(actors)))


def pair_or_reply(settings: Settings, words: Sequence[str], command: str, say: Say) -> str | Message:
    """The pair that somebody names after `command`, as a story names it, or what to answer."""
    text = " ".join(words)
    pair = parties_of(settings.actors).pair(text)
    return pair.dyad or no_pair(settings, text, pair, command, say)


def no_pair(settings: Settings, text: str, found: Pair, command: str, say: Say) -> Message:
    """What to answer where `found` is no pair."""
    names = party_names(settings.actors)
    return pair_replies.no_pair(text, command, [names[code] for code in found.codes], found.meant, say)


def folded(text: str) -> str:
    """A name as it is compared: "Côte d'Ivoire" -> "cote d ivoire", "AL_QAEDA" -> "al qaeda"."""
    return " ".join(_WORD.findall(_without_accents(text))).casefold()


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _other_names(known: Mapping[str, str]) -> dict[str, str]:
    """Names in other languages -> codes of the parties known."""
    return {name: code for name, code in _names_in_files() if code in known}


@cache
def _names_in_files() -> tuple[tuple[str, str], ...]:
    listed = [tomllib.loads(file.read_text(encoding="utf-8")) for file in _NAME_FILES]
    return tuple((name, code) for each in listed for code, names in each.items() for name in names.split(", "))
