"""In how many texts of the corpus each stemmed word stands: what is common in this kind of news even on a quiet day.

Without it the first articles of a fresh database would be judged as if "Ukrainian" were as rare as "sofa".
`python -m benchmarks clustering --count-words` writes the file anew.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

COUNTED = Path(__file__).with_name("word_counts.tsv")
FEWEST = 12  # texts; what stands in fewer is as good as unknown


@dataclass(frozen=True, slots=True)
class WordCounts:
    """`texts` were counted; `holders` says how many of them hold a word (0 to `texts`; none: fewer than FEWEST)."""

    texts: int
    holders: dict[str, int]


def count_words(texts: Iterable[Iterable[str]]) -> WordCounts:
    """Texts as their different words -> how many hold each."""
    number, holders = 0, Counter[str]()
    for words in texts:
        number += 1
        holders.update(set(words))
    kept = sorted((word, count) for word, count in holders.items() if count >= FEWEST)
    return WordCounts(number, dict(kept))


def write_counts(counts: WordCounts, path: Path = COUNTED) -> None:
    """One line a word, the number of texts first."""
    lines = [f"\t{counts.texts}", *(f"{word}\t{count}" for word, count in counts.holders.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@cache
def read_counts(path: Path = COUNTED) -> WordCounts:
    """What `write_counts` wrote."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    (_, texts), *words = rows
    return WordCounts(int(texts), {word: int(count) for word, count in words})
