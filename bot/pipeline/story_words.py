"""A headline and its lead -> the stemmed words and the figures that stories are compared by."""

import re
from collections import Counter
from functools import lru_cache

import snowballstemmer

TITLE_WEIGHT = 1.6
_WORD = re.compile(r"[^\W_]+(?:[.’'-][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OUTLET_SUFFIX = re.compile(r"\s+[-–—|]\s+[^-–—|]{2,40}$")
_STOP_WORDS = """
    a about after again against all also an and any are as at be because been before being between both but by can
    could did do does during each for from further had has have he her here his how if in into is it its itself just
    more most my new no nor not now of off on once only or other our out over own per said same say says she should
    so some such than that the their them then there these they this those through to too under until up very was we
    were what when where which while who whom why will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())


def story_words(title: str, lead: str) -> dict[str, float]:
    """Stemmed words of a headline and lead with their weights; the headline counts more. Deterministic."""
    counts: Counter[str] = Counter()
    for word in _stems(_OUTLET_SUFFIX.sub("", title)):
        counts[word] = max(counts[word], TITLE_WEIGHT)  # type: ignore[assignment]
    for word in _stems(lead):
        counts[word] = max(counts[word], 1.0)  # type: ignore[assignment]
    return dict(counts)


def numbers_in(text: str) -> frozenset[str]:
    """The figures of a text as they are written."""
    return frozenset(_NUMBER.findall(text))


def _stems(text: str) -> list[str]:
    words = (word.lower().replace("’", "'").removesuffix("'s") for word in _WORD.findall(text))
    return [_stem(word) for word in words if len(word) > 1 and word not in _STOP]


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return str(snowballstemmer.stemmer("english").stemWord(word))
