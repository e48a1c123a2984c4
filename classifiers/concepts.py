"""text -> the kinds of act, thing and setting it strings together: ARMY CROSS BORDER, DENY FUTURE ATTACK.

The words behind each concept stand in `concepts.toml`; named parties become STATE, ORGANISATION or GROUP, so that a
pair of states that no training text ever named reads like any other.
"""

import hashlib
import re
import tomllib
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from classifiers.actors import Gazetteer

CONCEPTS_FILE = Path(__file__).with_name("concepts.toml")

_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d+|[?:\"]")
_YEAR = re.compile(r"1[89]\d\d|20[0-2]\d")
_MARKS = {"?": "QUESTION", ":": "COLON", '"': "QUOTE"}
_CURLY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})
_SHORTEST_STEM = 3
_REACH = 5


class ConceptReader:
    """Knows the lexicon and the parties; gives the terms that a concept block counts."""

    def __init__(self, gazetteer: Gazetteer, lexicon: Path = CONCEPTS_FILE) -> None:
        self._gazetteer = gazetteer
        self._words: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        for concept, words in tomllib.loads(lexicon.read_text(encoding="utf-8")).items():
            for word in words.split():
                table, key = (self._stems, word[:-1]) if word.endswith("*") else (self._words, word)
                table.setdefault(key, concept)
        self._concept = lru_cache(maxsize=50_000)(self._look_up)

    def sequence(self, text: str) -> list[str]:
        """Concepts in the order of the text; words without one are left out."""
        straight = text.translate(_CURLY)
        named = [(m.start, m.end, self._gazetteer.kinds[m.actor.code].upper()) for m in self._gazetteer.find(straight)]
        out: list[str] = []
        for token in _TOKEN.finditer(straight):
            while named and named[0][1] <= token.start():
                del named[0]
            if named and named[0][0] <= token.start():
                if token.start() == named[0][0]:
                    out.append(named[0][2])
                continue
            concept = self._concept(token.group().casefold())
            if concept:
                out.append(concept)
        return out

    def terms(self, text: str) -> list[str]:
        """Concepts, runs of two and three, and pairs with others between them ("STOP~ATTACK")."""
        chain = ["^", *self.sequence(text)]
        pairs = [f"{one}_{two}" for one, two in pairwise(chain)]
        triples = [f"{pair}_{three}" for pair, three in zip(pairs, chain[2:], strict=False)]
        apart = [f"{one}~{two}" for start, one in enumerate(chain) for two in chain[start + 2 : start + _REACH]]
        return [*chain, *pairs, *triples, *apart]

    def _look_up(self, word: str) -> str:
        if word[0].isdigit():
            return "YEAR" if _YEAR.fullmatch(word) else "NUMBER"
        if word in _MARKS:
            return _MARKS[word]
        if word in self._words:
            return self._words[word]
        for length in range(len(word), _SHORTEST_STEM - 1, -1):
            if word[:length] in self._stems:
                return self._stems[word[:length]]
        parts = word.removesuffix("'s").split("-")
        return next(filter(None, map(self._look_up, filter(None, parts))), "") if parts != [word] else ""


def lexicon_sha256(lexicon: Path = CONCEPTS_FILE) -> str:
    """Digest that ties a model to the lexicon it was trained with."""
    return hashlib.sha256(lexicon.read_bytes()).hexdigest()
