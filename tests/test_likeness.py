"""How sure two articles tell of one event, by what they share."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.clustering import words_of_corpus
from bot.pipeline.likeness import (
    WITH_VECTORS,
    WITHOUT_VECTORS,
    Shared,
    Weights,
    probability,
    unit_vector,
    vector_of,
)
from bot.pipeline.story_index import Entry, StoryIndex
from bot.pipeline.story_words import numbers_in, story_words
from bot.pipeline.word_counts import read_counts

WINDOW = timedelta(hours=72)
share = st.floats(0.0, 1.0)
pairs = st.builds(
    lambda words, event, *rest: Shared(words, event, words * event, *rest),
    share,
    share,
    *[st.sampled_from([0.0, 1.0])] * 3,
    st.sampled_from([0.0, 1.0, 2.0]),
    st.floats(0.0, 72.0),
    st.floats(0.0, 3.0),
)
both_sets = pytest.mark.parametrize("weights", [WITH_VECTORS, WITHOUT_VECTORS], ids=["with vectors", "without"])


@both_sets
@given(shared=pairs, more=st.floats(0.0, 0.5))
def test_more_words_in_common_never_make_less_sure(weights: Weights, shared: Shared, more: float) -> None:
    words = min(shared.words + more, 1.0)
    richer = shared._replace(words=words, both=words * shared.event)
    assert weights.log_odds(richer) >= weights.log_odds(shared) - 1e-9


@both_sets
@pytest.mark.parametrize("field", ["parties", "numbers"])
def test_what_two_articles_share_speaks_for_one_event(weights: Weights, field: str) -> None:
    assert weights.log_odds(Shared(**{field: 1.0})) > weights.log_odds(Shared())


@both_sets
@pytest.mark.parametrize("field", ["other_parties", "other_kinds", "hours", "kinds_apart"])
def test_what_sets_two_articles_apart_speaks_against_it(weights: Weights, field: str) -> None:
    assert weights.log_odds(Shared(**{field: 1.0})) < weights.log_odds(Shared())


@given(st.floats(-50.0, 50.0), st.floats(0.0, 5.0))
def test_a_probability_rises_with_its_log_odds(odds: float, more: float) -> None:
    assert 0.0 <= probability(odds) <= probability(odds + more) <= 1.0


@given(st.lists(st.integers(-127, 127), min_size=1, max_size=8).filter(any))
def test_a_stored_vector_comes_back_with_its_direction_and_length_one(values: list[int]) -> None:
    vector = vector_of(np.array(values, dtype=np.int8).tobytes())
    assert vector is not None
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-5)
    assert float(vector @ np.array(values)) == pytest.approx(float(np.linalg.norm(values)), rel=1e-4)


def test_the_word_counts_are_those_of_the_corpus() -> None:
    """`python -m benchmarks clustering --count-words` brings them up to date."""
    assert words_of_corpus() == read_counts()


@pytest.mark.parametrize("stored", [None, b""])
def test_an_article_no_encoder_has_read_has_no_vector(stored: bytes | None) -> None:
    assert vector_of(stored) is None


def test_the_same_event_in_other_words_is_found_by_its_vector(now: datetime) -> None:
    """One word in common is not enough by itself."""
    here, there = (np.eye(2, dtype=np.float32)[row] for row in (0, 1))
    index = StoryIndex()
    index.add(1, Entry(1, now, story_words("Barge hits dam at Narva", ""), event=here))
    new = Entry(0, now, story_words("Explosion wakes both banks of the Narva", ""))
    like, unlike = (next(iter(index.matches(replace(new, event=event), WINDOW)), None) for event in (here, there))
    assert like is not None
    assert unlike is not None
    assert like.sure > 0.5 > unlike.sure


def test_other_signals_set_pages_apart_and_headlines_not(now: datetime) -> None:
    """A protest over troops and the troops it is over: the same parties, most of the same words."""
    troops, protest = (unit_vector(probabilities) for probabilities in ([0.9, 0.0], [0.5, 0.8]))
    page = " ".join(f"word{number} brigade{number}" for number in range(20))
    found = {}
    for name, text in (("headline", "Brigades at Pellin"), ("page", page)):
        for kinds in (troops, protest):
            index = StoryIndex()
            index.add(1, Entry(1, now, story_words(text, ""), kinds=troops))
            new = Entry(0, now, story_words(text, ""), kinds=kinds)
            found[name, kinds is troops] = index.shared(new, WINDOW)[1]
    assert found["headline", True] == found["headline", False]
    assert found["page", True].kinds_apart == pytest.approx(0.0, abs=1e-6)
    assert found["page", False].kinds_apart > 0.3


@given(st.lists(st.floats(0.0, 1.0, width=32), min_size=1, max_size=20))
def test_probabilities_become_a_vector_of_length_one_or_nothing(values: list[float]) -> None:
    vector = unit_vector(values)
    assert (vector is None) == (not any(values))
    assert vector is None or float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("At least 26 dead, 1,200 flee", {"26", "1,200"}), ("Up 3.5 points on the 9th", {"3.5", "9"}), ("None", set())],
)
def test_figures_are_taken_as_they_are_written(text: str, numbers: set[str]) -> None:
    assert numbers_in(text) == numbers
