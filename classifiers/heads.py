"""feature rows -> calibrated probabilities of direction, level, status and signals for each sentence.

Every head is linear. `Heads` stacks their weights into one matrix for the sparse features and one for the encoder's
vectors, so that reading a batch is two products. How much each side counts, and the calibration, is fitted on logits of
sentences that neither had seen, and folded into the weights.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, softmax

from classifiers.labels import DIRECTIONS, LEVELS, POLES, SIGNALS, STATUSES

Floats = NDArray[np.float64]

_WIDTHS = {
    "direction": len(DIRECTIONS),
    "levels": len(POLES) * len(LEVELS),
    "status": len(STATUSES),
    "signals": len(SIGNALS),
}
_ENDS = np.cumsum(list(_WIDTHS.values())).tolist()
COLUMNS = {name: slice(end - width, end) for (name, width), end in zip(_WIDTHS.items(), _ENDS, strict=True)}
"""Which columns of the stacked weights belong to which head."""

STRENGTH = {"direction": 2.0, "levels": 3.0, "status": 10.0, "signals": 10.0}
"""Inverse regularisation by head, chosen on the validation split."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Probabilities, one row a sentence; `levels` is poles x 3: that the text escalates (calms) with severity >= k."""

    direction: Floats
    levels: Floats
    status: Floats
    signals: Floats

    def __getitem__(self, rows: object) -> "Readings":
        return Readings(*(getattr(self, column.name)[rows] for column in fields(self)))

    def __len__(self) -> int:
        return len(self.direction)


@dataclass(frozen=True, slots=True)
class Heads:
    """Stacked weights (features x columns, float32) and intercepts of all heads, calibrated.

    `vector_weights` are those of the encoder's vectors; without an encoder they have no rows.
    """

    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    vector_weights: NDArray[np.float32]

    def read(self, rows: sparse.csr_matrix, vectors: NDArray[np.float32]) -> Readings:
        """Probabilities for feature rows and the vectors of the same sentences."""
        logits = rows @ self.weights + vectors @ self.vector_weights + self.intercepts
        return readings_from(np.asarray(logits, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a fine-tuned encoder brings: its own linear heads, and their logits of every row while it was held out."""

    weights: Floats
    intercepts: Floats
    unseen: Floats


def readings_from(logits: Floats) -> Readings:
    """Logits in stacked order -> probabilities; levels of one pole never rise with severity."""
    levels = expit(logits[:, COLUMNS["levels"]]).reshape(-1, len(POLES), len(LEVELS))
    levels = np.minimum.accumulate(levels, axis=2)
    return Readings(
        softmax(logits[:, COLUMNS["direction"]], axis=1),
        levels,
        softmax(logits[:, COLUMNS["status"]], axis=1),
        expit(logits[:, COLUMNS["signals"]]),
    )


def quiet_readings(count: int) -> Readings:
    """What a sentence that the gate kept back reads as: certainly out of scope."""
    direction = np.zeros((count, len(DIRECTIONS)))
    direction[:, DIRECTIONS.index("none")] = 1.0
    status = np.zeros((count, len(STATUSES)))
    status[:, STATUSES.index("asserted")] = 1.0
    return Readings(direction, np.zeros((count, len(POLES), len(LEVELS))), status, np.zeros((count, len(SIGNALS))))


def targets_of(labels: Sequence[Any]) -> NDArray[np.int64]:
    """Labelled sentences (`direction`, `severity`, `status`, `signals`) -> 0/1 targets in stacked order."""
    out = np.zeros((len(labels), _ENDS[-1]), dtype=np.int64)
    for row, label in enumerate(labels):
        levels = [label.direction == pole and label.severity >= level for pole in POLES for level in LEVELS]
        out[row] = [
            *(label.direction == name for name in DIRECTIONS),
            *levels,
            *(label.status == name for name in STATUSES),
            *(name in label.signals for name in SIGNALS),
        ]
    return out


def fit_heads(
    rows: sparse.csr_matrix,
    targets: NDArray[np.int64],
    folds: Sequence[NDArray[np.int64]],
    seed: int,
    progress: Callable[[str, int, int], None],
    encoded: Encoded | None = None,
) -> tuple[Heads, Readings]:
    """Fit on the rows that have targets (the first ones; others are only read).

    Joins with the encoder's heads and calibrates on, and returns, what each fold's rows read as when held out.
    """
    steps, known = len(folds) + 1, len(targets)
    unseen = np.zeros((rows.shape[0], targets.shape[1]))
    for number, held in enumerate(folds, 1):
        rest = np.setdiff1d(np.arange(known), held)
        weights, intercepts = fit_columns(rows[rest], targets[rest], seed)
        unseen[held] = rows[held] @ weights + intercepts
        progress("heads", number, steps)
    weights, intercepts = fit_columns(rows[:known], targets, seed)
    progress("heads", steps, steps)
    sides = [Encoded(weights, intercepts, unseen), *([encoded] if encoded else [])]
    turned = _calibrated(sides, targets, seed)
    vectors = turned[1].weights if encoded else np.zeros((0, targets.shape[1]))
    heads = Heads(*(part.astype(np.float32) for part in (turned[0].weights, turned[0].intercepts, vectors)))
    return heads, readings_from(turned[0].unseen)


def _calibrated(sides: Sequence[Encoded], targets: NDArray[np.int64], seed: int) -> list[Encoded]:
    """The sides' weights turned so that the sum of their logits is honest; the first side carries sum and intercept."""
    stacked = np.stack([side.unseen for side in sides])
    out = [Encoded(side.weights.astype(np.float64), np.zeros(targets.shape[1]), side.unseen) for side in sides]
    intercepts, unseen = np.zeros(targets.shape[1]), np.zeros_like(stacked[0])
    for columns, turns, shift in _calibrations(stacked[:, : len(targets)], targets, seed):
        intercepts[columns] = shift
        unseen[:, columns] = shift
        for number, (side, turn) in enumerate(zip(sides, turns, strict=True)):
            out[number].weights[:, columns] = side.weights[:, columns] @ turn
            intercepts[columns] += side.intercepts[columns] @ turn
            unseen[:, columns] += side.unseen[:, columns] @ turn
    return [Encoded(out[0].weights, intercepts, unseen), *out[1:]]


def fit_columns(rows: Any, targets: NDArray[np.int64], seed: int) -> tuple[Floats, Floats]:
    """Rows (sparse or dense) and stacked targets -> weights and intercepts, one logistic regression a column."""
    weights = np.zeros((rows.shape[1], targets.shape[1]))
    intercepts = np.zeros(targets.shape[1])
    for name, columns in COLUMNS.items():
        for column in range(columns.start, columns.stop):
            weights[:, column], intercepts[column] = fit_one(rows, targets[:, column], STRENGTH[name], seed)
    return weights, intercepts


def fit_one(rows: Any, target: NDArray[np.int64], strength: float, seed: int) -> tuple[Floats, float]:
    """Logistic regression of one 0/1 target -> weights and intercept; a target that never varies gets a constant."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if target.min() == target.max():
        return np.zeros(rows.shape[1]), 6.0 if target[0] else -6.0
    # The optimiser's vectors are too small to share: with more threads it waits ten times longer than it works.
    with threadpool_limits(limits=1, user_api="blas"):
        model = LogisticRegression(C=strength, max_iter=500, tol=1e-4, random_state=seed).fit(rows, target)
    return model.coef_[0], float(model.intercept_[0])


def _calibrations(unseen: Floats, targets: NDArray[np.int64], seed: int) -> Iterator[tuple[Any, Floats, Floats]]:
    """Per head: columns, and for each side the linear map of its held-out logits (sides x rows x columns), and a shift.

    Where held-out texts cannot tell (a class is missing), the sides count alike and nothing is shifted.
    """
    from sklearn.linear_model import LogisticRegression

    sides = len(unseen)
    for name, columns in COLUMNS.items():
        width = columns.stop - columns.start
        if name in ("direction", "status"):
            classes = targets[:, columns].argmax(axis=1)
            if len(np.unique(classes)) < width:
                yield columns, np.stack([np.eye(width) / sides] * sides), np.zeros(width)
                continue
            joined = np.concatenate(unseen[:, :, columns], axis=1)
            model = LogisticRegression(C=1.0, max_iter=1000, random_state=seed).fit(joined, classes)
            yield columns, model.coef_.T.reshape(sides, width, width), model.intercept_
        else:
            for column in range(columns.start, columns.stop):
                slopes, shift = fit_one(unseen[:, :, column].T, targets[:, column], 1.0, seed)
                if slopes.sum() <= 0:
                    slopes, shift = np.full(sides, 1 / sides), 0.0
                yield [column], slopes.reshape(sides, 1, 1), np.array([shift])
