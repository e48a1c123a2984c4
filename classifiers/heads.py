"""feature rows -> calibrated probabilities of direction, level, status and signals for each sentence.

Every head is linear. `Heads` stacks their weights into one matrix, so that reading a batch is one product; calibration
is fitted on logits of sentences that the weights had not seen, and folded into the weights.
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
    """Stacked weights (features x columns, float32) and intercepts of all heads, calibrated."""

    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]

    def read(self, rows: sparse.csr_matrix) -> Readings:
        """Probabilities for feature rows."""
        return readings_from(np.asarray(rows @ self.weights + self.intercepts, dtype=np.float64))


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
) -> tuple[Heads, Readings]:
    """Fit on the rows that have targets (the first ones; others are only read).

    Calibrates on, and returns, what each fold's rows read as when they were held out.
    """
    steps, known = len(folds) + 1, len(targets)
    unseen = np.zeros((rows.shape[0], targets.shape[1]))
    for number, held in enumerate(folds, 1):
        rest = np.setdiff1d(np.arange(known), held)
        weights, intercepts = _fit(rows[rest], targets[rest], seed)
        unseen[held] = rows[held] @ weights + intercepts
        progress("heads", number, steps)
    weights, intercepts = _fit(rows[:known], targets, seed)
    progress("heads", steps, steps)
    for columns, turn, shift in _calibrations(unseen[:known], targets, seed):
        weights[:, columns] = weights[:, columns] @ turn
        intercepts[columns] = intercepts[columns] @ turn + shift
        unseen[:, columns] = unseen[:, columns] @ turn + shift
    return Heads(weights.astype(np.float32), intercepts.astype(np.float32)), readings_from(unseen)


def _fit(rows: sparse.csr_matrix, targets: NDArray[np.int64], seed: int) -> tuple[Floats, Floats]:
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
    """Per head: columns, and the linear map of logits that makes held-out probabilities honest."""
    from sklearn.linear_model import LogisticRegression

    for name, columns in COLUMNS.items():
        if name in ("direction", "status"):
            classes = targets[:, columns].argmax(axis=1)
            present = np.unique(classes)
            if len(present) < columns.stop - columns.start:
                continue
            model = LogisticRegression(C=1.0, max_iter=1000, random_state=seed).fit(unseen[:, columns], classes)
            yield columns, model.coef_.T, model.intercept_
        else:
            for column in range(columns.start, columns.stop):
                slope, shift = fit_one(unseen[:, [column]], targets[:, column], 1.0, seed)
                if slope[0] > 0:
                    yield [column], slope.reshape(1, 1), np.array([shift])
