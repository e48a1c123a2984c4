"""The nets that join what all heads say: what they can learn, how honestly they are fitted, what they fall back to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from classifiers.heads import COLUMNS, Encoded, fit_heads
from classifiers.net import fit_net, mean_net

WIDTH = max(columns.stop for columns in COLUMNS.values())


def quiet(stage: str, done: int, total: int) -> None:
    assert 0 < done <= total


def test_a_net_sees_what_no_sum_does() -> None:
    """Of two things said exactly one is true, as with a denial of an attack."""
    rng = np.random.default_rng(1)
    said = rng.normal(size=(3000, 2))
    either = ((said[:, 0] > 0) ^ (said[:, 1] > 0)).astype(np.int64)
    target = np.column_stack([either, 1 - either])
    net = fit_net(said[:2000], target[:2000], one_of=False, seed=1)
    right = (net.logits(said[2000:])[:, 0] > 0) == either[2000:]
    assert right.mean() > 0.9


def test_a_net_is_the_same_for_the_same_seed_and_rows() -> None:
    rng = np.random.default_rng(2)
    said, target = rng.normal(size=(300, 4)), np.eye(3, dtype=np.int64)[rng.integers(0, 3, 300)]
    one, other, third = (fit_net(said, target, True, seed) for seed in (5, 5, 6))
    assert np.array_equal(one.logits(said), other.logits(said))
    assert not np.array_equal(one.logits(said), third.logits(said))


@given(arrays(np.float64, (5, 8), elements=st.floats(-20, 20, width=32)))
def test_where_there_is_too_little_to_fit_on_the_sides_count_alike(said: np.ndarray) -> None:
    mean = (said[:, [1, 3]] + said[:, [5, 7]]) / 2
    assert mean_net(2, np.array([1, 3]), 4).logits(said) == pytest.approx(mean, abs=1e-4)


def random_targets(rng: np.random.Generator, count: int) -> np.ndarray:
    out = rng.integers(0, 2, (count, WIDTH))
    for name in ("direction", "status"):
        columns = COLUMNS[name]
        out[:, columns] = np.eye(columns.stop - columns.start, dtype=np.int64)[
            rng.integers(0, columns.stop - columns.start, count)
        ]
    return out


@pytest.mark.parametrize("with_encoder", [False, True])
def test_readings_of_what_was_held_out_know_nothing_of_labels_drawn_by_lot(with_encoder: bool) -> None:
    """The nets, fitted on all rows, know some by heart; what is returned as unseen must not."""
    rng = np.random.default_rng(3)
    count = 240
    targets = random_targets(rng, count)
    rows = sparse.csr_matrix(rng.normal(size=(count, 30)))
    folds = [np.arange(start, count, 3) for start in range(3)]
    brought = Encoded(rng.normal(size=(4, WIDTH)), np.zeros(WIDTH), rng.normal(size=(count, WIDTH)))
    heads, unseen = fit_heads(rows, targets, folds, 1, quiet, brought if with_encoder else None)
    right = unseen.direction.argmax(axis=1) == targets[:, COLUMNS["direction"]].argmax(axis=1)
    assert right.mean() < 0.45
    read = heads.read(rows, rng.normal(size=(count, 4)).astype(np.float32))
    assert read.direction.sum(axis=1) == pytest.approx(1.0)
    assert len(read) == count
    assert (heads.vectors is not None) is with_encoder


def test_a_class_that_never_occurs_leaves_its_head_the_mean_of_what_the_sides_say() -> None:
    rng = np.random.default_rng(4)
    targets = random_targets(rng, 90)
    targets[:, COLUMNS["status"]] = [1, 0, 0, 0, 0]
    rows = sparse.csr_matrix(rng.normal(size=(90, 10)))
    _, unseen = fit_heads(rows, targets, [np.arange(start, 90, 3) for start in range(3)], 1, quiet)
    assert (unseen.status.argmax(axis=1) == 0).all()
