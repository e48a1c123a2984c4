"""A new article and those of the stories nearest to it -> how they part into events: average linkage.

What joins what is decided anew with every article, the surest first (Sokal and Michener, "A statistical method for
evaluating systematic relationships", 1958), so that an early mistake is put right when more is told. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Odds = NDArray[np.float64]

#: Log-odds of articles that can be of no one event, and of those that stay together.
NEVER, ALWAYS = -1e6, 1e6


class Group(NamedTuple):
    """Articles of one event; `story_id` is the story that it goes on, None for a new one."""

    story_id: int | None
    articles: tuple[int, ...]


def part(odds: Odds, least: float) -> list[int]:
    """Log-odds of every two of n articles that they tell of one event (n x n, symmetric) -> a group's number for each.
    Groups whose articles are on average at least as sure as `least` become one, the surest first."""
    from scipy.cluster.hierarchy import average, fcluster

    if len(odds) < 2:
        return [0] * len(odds)
    apart = ALWAYS - odds[np.triu_indices(len(odds), 1)]
    return [int(number) for number in fcluster(average(apart), ALWAYS - least, criterion="distance")]


def named(
    articles: Sequence[int], numbers: Sequence[int], story_of: Mapping[int, int], firm: Collection[int]
) -> list[Group]:
    """Which story each group goes on: one story each, those first that are `firm`, then by how many of its articles are
    in the group, then the older story. The groups are in the order of their first article."""
    groups = defaultdict[int, list[int]](list)
    for article, number in zip(articles, numbers, strict=True):
        groups[number].append(article)
    members = list(groups.values())
    shares = [
        (story not in firm, -count, story, place)
        for place, group in enumerate(members)
        for story, count in Counter(story_of[each] for each in group if each in story_of).items()
    ]
    name_of = dict[int, int]()
    for _, _, story, place in sorted(shares):
        if place not in name_of and story not in name_of.values():
            name_of[place] = story
    return [Group(name_of.get(place), tuple(group)) for place, group in enumerate(members)]
