"""feature rows -> calibrated probabilities of direction, level, status and signals for each sentence.

Every head is linear, once on the sparse features and once on the encoder's vectors; `Heads` stacks their weights, so
that reading a batch is two products. What the two sides make of a sentence goes to a small net a head (`net.py`), which
joins and calibrates them; it is fitted on logits of sentences that neither had seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, softmax

from classifiers.labels import DIRECTIONS, LEVELS, POLES, SIGNALS, STATUSES
from classifiers.net import Net, fit_net, mean_net

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

ONE_OF = ("direction", "status")
"""Heads of which exactly one column is true; of the others any number."""

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
class Side:
    """Linear heads on one kind of features: weights (features x columns) and intercepts, float32."""

    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads on sparse features, those on the encoder's vectors (None without an encoder), and a net a head."""

    words: Side
    vectors: Side | None
    nets: tuple[Net, ...]

    def read(self, rows: sparse.csr_matrix, vectors: NDArray[np.float32]) -> Readings:
        """Probabilities for feature rows and the vectors of the same sentences."""
        said = [rows @ self.words.weights + self.words.intercepts]
        if self.vectors:
            said.append(vectors @ self.vectors.weights + self.vectors.intercepts)
        return readings_from(_joined(self.nets, np.concatenate(said, axis=1)))


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

    Also returns what each fold's rows read as when heads and nets had not seen them.
    """
    known, steps = np.arange(len(targets)), iter(range(1, 2 * len(folds) + 3))

    def done() -> None:
        progress("heads", next(steps), 2 * len(folds) + 2)

    by_words = read_held_out_rows(rows, targets, folds, seed, done)
    words = _side(*fit_columns(rows[known], targets, seed))
    done()
    said = np.concatenate([by_words, encoded.unseen], axis=1) if encoded else by_words
    unseen = np.zeros_like(by_words)
    for held in folds:
        rest = np.setdiff1d(known, held)
        unseen[held] = _joined(_fit_nets(said[rest], targets[rest], seed), said[held])
        done()
    nets = _fit_nets(said[known], targets, seed)
    done()
    vectors = _side(encoded.weights, encoded.intercepts) if encoded else None
    return Heads(words, vectors, nets), readings_from(unseen)


def read_held_out_rows(
    rows: Any, targets: NDArray[np.int64], folds: Sequence[NDArray[np.int64]], seed: int, done: Callable[[], None]
) -> Floats:
    """Logits of each fold's rows by linear heads fitted on the targets of the others; `done` is called after each."""
    unseen = np.zeros((rows.shape[0], targets.shape[1]))
    for held in folds:
        rest = np.setdiff1d(np.arange(len(targets)), held)
        weights, intercepts = fit_columns(rows[rest], targets[rest], seed)
        unseen[held] = rows[held] @ weights + intercepts
        done()
    return unseen


def _side(weights: Floats, intercepts: Floats) -> Side:
    return Side(weights.astype(np.float32), intercepts.astype(np.float32))


def _fit_nets(said: Floats, targets: NDArray[np.int64], seed: int) -> tuple[Net, ...]:
    """A net a head, in the order of COLUMNS; where a column never varies, the mean of what the sides say."""
    width = targets.shape[1]
    nets = []
    for name, columns in COLUMNS.items():
        target = targets[:, columns]
        if (target.min(axis=0) == target.max(axis=0)).any():
            nets.append(mean_net(said.shape[1] // width, np.arange(width)[columns], width))
        else:
            nets.append(fit_net(said, target, name in ONE_OF, seed))
    return tuple(nets)


def _joined(nets: Sequence[Net], said: Floats) -> Floats:
    """What the sides say (rows x sides * columns) -> logits in stacked order."""
    return np.concatenate([net.logits(said) for net in nets], axis=1)


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
