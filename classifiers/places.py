"""text -> the states in which the places lie that it names: "Shelling near Sloviansk" names no party, but says where.

Names come from `places.toml` (provinces, contested land, villages known from wars; checked by hand) and `towns.tsv`
(GeoNames). A place is no party: what happens in a state need not be its doing.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from classifiers.towns import TOWNS_FILE, folded, read_towns

PLACES_FILE = Path(__file__).with_name("places.toml")

_WORD = re.compile(r"[^\W\d_]+")
_SIDES = r"(?:north|south|east|west|central)(?:[- ]?(?:east|west))?(?:ern)?"
_BEFORE = re.compile(
    rf"\b(?:in|at|near|around|outside|inside|into|towards?|across|beyond|{_SIDES}|{_SIDES} of|(?:city|town|village) of)"
    r"\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"[\s-]+(?:air(?:port|field|strip|base| base)|region|province|district|governorate|oblast|county|city|town|village"
    r"|port|harbou?r|road|highway|bridge|market|bazaar|front|camp|prison|jail|hospital|peninsula|islands?|valley|border"
    r"|crossing|dam|refinery|garrison|barracks|suburbs?|corridor|pocket|enclave|checkpoint)\b",
    re.IGNORECASE,
)
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """One place in a text where a place is named, and the states in which it lies (ISO 3166 alpha-2, one to three)."""

    name: str
    states: tuple[str, ...]
    start: int
    end: int


class Places:
    """Finds places by name; a name that might be a person's or another's counts only beside words that go with one."""

    def __init__(self, listed: Path = PLACES_FILE, towns: Path = TOWNS_FILE) -> None:
        known, (sure, doubtful) = read_places(listed), read_towns(towns)
        self._doubtful = doubtful.keys() - known.keys()
        self._states = {name: (state,) for name, state in (doubtful | sure).items()} | known
        self._by_word: defaultdict[str, list[str]] = defaultdict(list)  # names of more than one word, by their first
        for name in self._states:
            first = _WORD.search(name)
            if first and first.group() != name:
                self._by_word[first.group()].append(name)
        for names in self._by_word.values():
            names.sort(key=len, reverse=True)

    def find(self, text: str, taken: Iterable[Span] = ()) -> list[Place]:
        """Places in order, the longest name first, none of them within what is `taken` (parties that were found)."""
        shouted = text.isupper()
        haystack = folded(text.title() if shouted else text)
        if len(haystack) != len(text):
            return []
        spans = list(taken)
        found: list[Place] = []
        for word in _WORD.finditer(haystack):
            if found and word.start() < found[-1].end:
                continue
            place = self._named_at(haystack, word, shouted)
            if place and not any(start < place.end and place.start < end for start, end in spans):
                found.append(place)
        return found

    def _named_at(self, text: str, word: re.Match[str], shouted: bool) -> Place | None:
        start = word.start()
        for name in (*self._by_word.get(word.group(), ()), word.group()):
            end, states = start + len(name), self._states.get(name)
            if not states or not text.startswith(name, start) or text[end : end + 1].isalnum():
                continue
            beside = name in self._doubtful
            if beside and (shouted or not (_BEFORE.search(text[:start]) or _AFTER.match(text, end))):
                continue
            return Place(name, states, start, end)
        return None


def read_places(path: Path = PLACES_FILE) -> dict[str, tuple[str, ...]]:
    """Name, folded -> states; without any where the name is listed as no place."""
    listed = _listed(path)
    places = {folded(name): tuple(states.split()) for name, states in listed["shared"].items()}
    for state, names in listed["states"].items():
        places |= {folded(name): (state,) for name in split_names(names)}
    return places | {folded(name): () for name in split_names(listed["no_place"]["names"])}


def split_names(listed: str) -> tuple[str, ...]:
    """ "Idlib, Deir ez-Zor," -> the names that a table lists."""
    return tuple(name.strip() for name in listed.split(",") if name.strip())


def with_homes(codes: Iterable[str]) -> frozenset[str]:
    """Codes of parties and states, and with each armed group the states that it is at home in."""
    homes = _homes()
    return frozenset(each for code in codes for each in (code, *homes.get(code, ())))


@cache
def _homes() -> dict[str, tuple[str, ...]]:
    return {group: tuple(states.split()) for group, states in _listed(PLACES_FILE)["homes"].items()}


@cache
def _listed(path: Path) -> dict[str, dict[str, str]]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def known_places() -> Places:
    """The shipped names, read once."""
    return Places()
