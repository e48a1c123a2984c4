"""What two articles share in, how sure that both tell of one event out: a logistic regression.

Its weights were fitted on pairs of articles of the labelled weeks' tuning half; `python -m benchmarks clustering --fit`
prints them. One set is for pairs of which the encoder has read both articles, the other for the rest.
"""

import math
from dataclasses import dataclass
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float32]

MOST_NUMBERS = 2
_HEADLINE = 10  # distinct words, at most


class Shared(NamedTuple):
    """What a pair of articles has in common; every field is 0 where it tells nothing.

    `words`: square root of the cosine of their rarity-weighted words, 0-1. `event`: cosine of their event vectors, -1
    to 1. `both`: the product of these. `parties`: 1 when a party, or a state where it happens, is in both.
    `other_parties`: 1 when both name some, and none of them is in both. `other_kinds`: 1 when both report signals, and
    none of them is in both.
    `numbers`: how many figures stand in both, at most 2. `hours`: the time between them. `kinds_apart`: how unlike the
    signals are that they report (1 less the cosine of their probabilities), times `telling` of the shorter one.
    """

    words: float = 0.0
    event: float = 0.0
    both: float = 0.0
    parties: float = 0.0
    other_parties: float = 0.0
    other_kinds: float = 0.0
    numbers: float = 0.0
    hours: float = 0.0
    kinds_apart: float = 0.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Log-odds that two articles tell of one event: `start`, and what each unit of a field adds."""

    start: float
    shared: Shared

    def log_odds(self, shared: Shared) -> float:
        """0 where it is as likely as not."""
        return sum(map(mul, self.shared, shared), self.start)


#: Log-odds that go with each e-fold of (1 + articles that name the rarest party in common): to be of Guyana, too, says
#: much, to be of a war that fills the news hardly anything, and one of its many events is easily taken for another.
CROWD = 0.9
#: How often news of a party tells of an event that is known counts, too: where ten outlets print one wire story that is
#: likely, where one outlet tells of each event once it is not. So many articles, of which so many told of a known
#: event, are taken for granted.
GRANTED, GRANTED_AGAIN = 6.0, 3.0

# Set by hand: `kinds_apart`, because the labelled weeks hold headlines alone, `other_kinds` of the first, and the start
# of the second (fitted: -1.46), which keeps as much apart where no vector and often no party says which event it is.
WITH_VECTORS = Weights(-2.93, Shared(3.78, 5.74, 2.05, 2.04, -1.66, -3.70, 0.31, -0.13, -1.0))
WITHOUT_VECTORS = Weights(-2.71, Shared(6.76, 0.0, 0.0, 2.58, -1.63, -1.06, 0.19, -0.13, -1.0))


def crowd(articles: int) -> float:
    """Log-odds, to be taken away, that go with so many articles that name a party which two have in common."""
    return CROWD * math.log(max(articles, 1))


def told_again(articles: int, stories: int) -> float:
    """Log-odds that another article about a party tells of a known event, where so many articles tell in so many
    stories."""
    return log_odds_of((articles - stories + GRANTED_AGAIN) / (articles + GRANTED))


def log_odds_of(probability: float) -> float:
    """Probability, above 0 and below 1 -> log-odds."""
    return math.log(probability / (1.0 - probability))


def telling(words: int) -> float:
    """How much the signals read in a text of so many distinct words say about which event it is, from 0: those of a
    headline nothing, since two tellings of one event are often read differently; those of a page more with its length,
    where two events of one crisis share most words."""
    return math.log(max(words, _HEADLINE) / _HEADLINE)


def probability(log_odds: float) -> float:
    """Log-odds -> probability, 0-1."""
    return 1.0 / (1.0 + math.exp(-log_odds))


def unit_vector(values: ArrayLike) -> Vector | None:
    """Values as a vector of length 1; None where all are 0."""
    vector = np.asarray(values, dtype=np.float64)
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length else None


def vector_of(stored: bytes | None) -> Vector | None:
    """A reading's event vector at length 1; None where none was stored."""
    return unit_vector(np.frombuffer(stored, dtype=np.int8)) if stored else None
