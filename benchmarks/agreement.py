"""Which event each article tells of and which story it was put into -> how well the two agree, 0-1.

B-cubed: Bagga and Baldwin, "Entity-based cross-document coreferencing" (1998): for each article, the share of its story
that is of its event, and the share of its event that is in its story. Pairs: of all pairs of articles put together the
share that belongs together, and of all that belong together the share that was put together.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Precision and recall, 0-1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Their harmonic mean, 0 where both are 0."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def b_cubed(events: Sequence[Hashable], stories: Sequence[Hashable]) -> Agreement:
    """Agreement article by article; `events` and `stories` have one entry an article, at least one."""
    of_event, of_story, of_both = _counts(events, stories)
    precision = sum(count * count / of_story[story] for (_, story), count in of_both.items())
    recall = sum(count * count / of_event[event] for (event, _), count in of_both.items())
    return Agreement(precision / len(events), recall / len(events))


def pairs(events: Sequence[Hashable], stories: Sequence[Hashable]) -> Agreement:
    """Agreement pair by pair; where nothing was put together precision is 1, where nothing belongs together recall."""
    of_event, of_story, of_both = (_pairs_in(counts) for counts in _counts(events, stories))
    return Agreement(of_both / of_story if of_story else 1.0, of_both / of_event if of_event else 1.0)


def _counts(
    events: Sequence[Hashable], stories: Sequence[Hashable]
) -> tuple[Counter[Hashable], Counter[Hashable], Counter[tuple[Hashable, Hashable]]]:
    return Counter(events), Counter(stories), Counter(zip(events, stories, strict=True))


def _pairs_in(counts: Counter[Hashable] | Counter[tuple[Hashable, Hashable]]) -> int:
    return sum(count * (count - 1) // 2 for count in counts.values())
