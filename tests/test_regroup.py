"""How articles part into events, and how those are found that look alike without a word in common."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.pipeline.likeness import crowd, log_odds_of, probability, told_again, unit_vector
from bot.pipeline.nearest import NearestVectors
from bot.pipeline.regroup import ALWAYS, NEVER, Group, named, part
from bot.pipeline.story_index import PARTED, REGROUPED, Entry, StoryIndex
from bot.pipeline.story_words import story_words

HOUR = timedelta(hours=1)
WINDOW = 72 * HOUR


def matrix(size: int, **pairs: float) -> np.ndarray:
    """Log-odds of -5 but for the pairs that are named, as in p01=3.0."""
    odds = np.full((size, size), -5.0)
    for name, value in pairs.items():
        one, other = int(name[1]), int(name[2])
        odds[one, other] = odds[other, one] = value
    return odds


def parted(odds: np.ndarray, least: float = 0.0) -> list[set[int]]:
    groups: dict[int, set[int]] = {}
    for article, number in enumerate(part(odds, least)):
        groups.setdefault(number, set()).add(article)
    return sorted(groups.values(), key=min)


def test_the_surest_go_together_first_and_what_stood_between_them_follows() -> None:
    """1 looked like 0 until 2 came."""
    assert parted(matrix(2, p01=1.0)) == [{0, 1}]
    assert parted(matrix(3, p01=1.0, p12=4.0)) == [{0}, {1, 2}]


def test_groups_become_one_by_the_average_of_their_articles() -> None:
    assert parted(matrix(3, p01=2.0, p12=1.0, p02=-0.5)) == [{0, 1, 2}]
    assert parted(matrix(3, p01=2.0, p12=1.0, p02=-1.5)) == [{0, 1}, {2}]


def test_what_may_never_be_one_keeps_apart_what_is_sure_of_both() -> None:
    assert parted(matrix(3, p01=NEVER, p02=9.0, p12=8.0)) == [{0, 2}, {1}]


def test_what_stays_together_stays_so_whatever_comes() -> None:
    assert parted(matrix(3, p01=ALWAYS, p12=2.0)) == [{0, 1}, {2}]


def test_one_article_is_a_group_and_none_are_none() -> None:
    assert part(matrix(1), 0.0) == [0]
    assert part(matrix(0), 0.0) == []


@given(st.integers(2, 12), st.integers(0, 2**32 - 1), st.floats(-4, 4))
def test_the_order_of_articles_does_not_matter_to_who_goes_with_whom(size: int, seed: int, least: float) -> None:
    rng = np.random.default_rng(seed)
    odds = rng.normal(0.0, 3.0, (size, size))
    odds = odds + odds.T
    order = rng.permutation(size)
    again = [{int(order[each]) for each in group} for group in parted(odds[np.ix_(order, order)], least)]
    assert sorted(again, key=min) == parted(odds, least)


def test_a_group_goes_on_the_story_that_most_of_it_is_of_and_no_story_goes_on_twice() -> None:
    story_of = {1: 10, 2: 10, 3: 20, 4: 20, 5: 20}
    groups = named([1, 2, 3, 4, 5, 6], [7, 8, 8, 8, 9, 9], story_of, firm=())
    assert groups == [Group(10, (1,)), Group(20, (2, 3, 4)), Group(None, (5, 6))]


def test_of_stories_with_as_many_the_older_goes_on_but_for_one_that_was_told() -> None:
    assert named([1, 2], [1, 1], {1: 20, 2: 10}, firm=()) == [Group(10, (1, 2))]
    assert named([1, 2, 3], [1, 1, 1], {1: 20, 2: 10, 3: 10}, firm={20}) == [Group(20, (1, 2, 3))]


class NoTies:
    """Nothing is known of any story but some that were told."""

    def __init__(self, *firm: int) -> None:
        self.firm = firm

    def is_firm(self, story_id: int) -> bool:
        return story_id in self.firm

    def may_be_one(self, one: int, other: int) -> bool:
        return True


def toward(*shares: float) -> Entry:
    """An article without a word in common with any, that tells of events so far."""
    vector = unit_vector(shares)
    return Entry(0, START, {f"w{shares}": 1.0}, event=vector)


START = datetime.fromisoformat("2026-03-12T09:30:00+00:00")
FIRST, BETWEEN, SECOND = toward(1.0, 0.0), toward(0.6, 0.8), toward(-0.2, 0.98)


def gathered(*entries: Entry, told: int = 0) -> list[int]:
    """The story of each article in the end, stories numbered as they are opened; story `told` keeps its articles."""
    index, opened = StoryIndex(), 0
    for number, entry in enumerate(entries, 1):
        groups = index.regroup(number, entry, index.matches(entry, WINDOW), WINDOW, 0.22, NoTies(told))
        for group in groups:
            opened += group.story_id is None
            for article in group.articles:
                if article in index:
                    index.move(article, group.story_id or opened)
                else:
                    index.add(article, Entry(group.story_id or opened, entry.news_at, entry.words, entry.actors,
                                             event=entry.event))  # fmt: skip
    return [index.story_of(number) for number in range(1, len(entries) + 1)]


def test_an_article_that_joined_early_moves_when_its_own_event_is_told() -> None:
    assert gathered(FIRST, BETWEEN) == [1, 1]
    assert gathered(FIRST, BETWEEN, SECOND) == [1, 2, 2]


def test_no_article_leaves_a_story_that_was_told() -> None:
    assert gathered(FIRST, BETWEEN, SECOND, told=1)[:2] == [1, 1]


def test_an_article_without_a_word_in_common_is_found_by_its_vector() -> None:
    index = StoryIndex()
    index.add(1, Entry(4, START, {"besieged": 1.0}, event=unit_vector([1.0, 0.1])))
    found = index.matches(Entry(0, START, {"encircled": 1.0}, event=unit_vector([1.0, 0.0])), WINDOW)
    assert [match.story_id for match in found] == [4]


def test_articles_are_parted_anew_at_a_bounded_cost() -> None:
    index = StoryIndex()
    for number in range(300):
        index.add(number, Entry(number % 3, START, story_words(f"Shells fall on Havrin {number}", "")))
    new = Entry(9, START, story_words("Shells fall on Havrin 77 78 79", ""))
    matches, before = index.matches(new, WINDOW), index.work.compared
    index.regroup(1000, new, matches, WINDOW, 1e-9, NoTies())
    most = REGROUPED * PARTED + 1
    assert 0 < index.work.compared - before <= most * (most - 1) // 2


def test_a_story_is_as_sure_after_its_index_was_rebuilt() -> None:
    one, other = StoryIndex(), StoryIndex()
    entries = [(number, Entry(number, START, story_words(f"Shells fall on Havrin {number}", ""), frozenset({"GY"})))
               for number in range(20)]  # fmt: skip
    for number, entry in entries:
        one.add(number, entry)
    for number, entry in reversed(entries):
        other.add(number, entry)
    new = Entry(0, START, story_words("Shells fall on Havrin", ""), frozenset({"GY"}))
    assert one.matches(new, WINDOW) == other.matches(new, WINDOW)


def test_the_more_news_of_a_party_the_less_it_says_and_the_more_of_it_is_told_again_the_more() -> None:
    assert crowd(0) == crowd(1) == 0.0 < crowd(2) < crowd(200)
    assert told_again(100, 100) < told_again(100, 60) < told_again(100, 20)
    assert told_again(0, 0) == pytest.approx(0.0)


@given(st.floats(0.001, 0.999))
def test_log_odds_and_probability_undo_each_other(value: float) -> None:
    assert probability(log_odds_of(value)) == pytest.approx(value)


def vector(*values: float) -> np.ndarray:
    found = unit_vector(values)
    assert found is not None
    return found


def test_the_nearest_vectors_come_first_and_of_like_ones_the_last_that_came() -> None:
    vectors = NearestVectors()
    for key, values in enumerate([(1, 0), (0, 1), (1, 1), (1, 0)]):
        vectors.add(key, vector(*values))
    assert vectors.nearest(vector(1, 0), 3) == [3, 0, 2]
    vectors.remove(3)
    vectors.remove(77)
    assert vectors.nearest(vector(1, 0), 9) == [0, 2, 1]
    assert NearestVectors().nearest(vector(1, 0), 9) == []


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_of_the_vectors_that_were_not_removed_the_last_are_kept(steps: list[tuple[bool, int]]) -> None:
    vectors, slots = NearestVectors(kept=4), list[int]()
    for adds, key in steps:
        slots = [each if each != key else -1 for each in slots]
        if adds:
            vectors.add(key, vector(1, key))
            slots = [*slots, key][-4:]
        else:
            vectors.remove(key)
    held = {each for each in slots if each >= 0}
    assert set(vectors.nearest(vector(1, 0), 9)) == held
    assert len(vectors) == len(held)
