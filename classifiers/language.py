"""text -> ISO 639-1 code of its language ("und" where there is nothing to tell by), careful with short headlines.

A wrong "not English" silences an alert, so short Latin text counts as English unless the detector is sure.
"""

import re
from functools import cache
from typing import Protocol, cast

from classifiers.passages import well_formed

ENGLISH = "en"
UNKNOWN = "und"

CANDIDATES = (
    "ar be bg bn cs da de el en es et fa fi fr he hi hr hu hy id it ja ka kk ko lt lv mk ms nl no pl ps pt ro ru sk sl "
    "sq sr sv sw ta th tr uk ur uz vi zh"
)
"""Languages that a world-news feed plausibly carries; a closed list keeps three-word headlines out of Quechua."""

_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_ENGLISH_WORDS = re.compile(
    r"\b(?:the|of|and|to|in|for|on|with|as|at|by|from|after|over|says?|said|is|are|was|has|have|will|not|new|"
    r"against|amid|into|us|uk|un)\b",
    re.IGNORECASE,
)
_SHORT = 60
_SURE_WHEN_SHORT = 0.75
_SURE_WHEN_LONG = 0.60


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...


@cache
def _identifier() -> _Identifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(CANDIDATES.split())
    return cast(_Identifier, identifier)


def language_of(text: str) -> str:
    """Language of a headline or article; reads the first thousand characters."""
    sample = well_formed(text[:1000]).strip()
    letters = len(_LETTER.findall(sample))
    if letters < 3:
        return UNKNOWN
    latin = len(_LATIN.findall(sample)) / letters
    if latin > 0.9 and _reads_as_english(sample):
        return ENGLISH
    # The detector learned from ordinary case; capitals alone make it guess.
    code, probability = _identifier().classify(sample.lower() if sample.isupper() else sample)
    if latin < 0.5:
        return str(code) if code != ENGLISH else UNKNOWN
    sure = _SURE_WHEN_SHORT if len(sample) < _SHORT else _SURE_WHEN_LONG
    return str(code) if probability >= sure else ENGLISH


def _reads_as_english(sample: str) -> bool:
    words = len(sample.split())
    return len(_ENGLISH_WORDS.findall(sample)) >= max(2, words // 6)
