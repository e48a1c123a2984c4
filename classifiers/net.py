"""what all heads say of a sentence, from words and from the encoder -> what one of them makes of it: a small net.

A hidden layer sees what sums cannot: that a text denies turns "armed attack" round, that the two sides disagree. It is
scikit-learn's MLPClassifier, fitted on logits of sentences that neither side had seen; here only its arrays are kept.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

_HIDDEN, _NETS = 64, 4  # each fitted from another start; their logits are averaged
_DECAY, _EPOCHS, _BATCH = 0.3, 12, 256
_LEAST = 1e-3


@dataclass(frozen=True, slots=True)
class Net:
    """Weights of inputs x hidden and hidden x outputs, with what is added to each; float32."""

    inner: Floats32
    inner_shift: Floats32
    outer: Floats32
    outer_shift: Floats32

    def logits(self, rows: Floats) -> Floats:
        """Rows of inputs -> rows of outputs."""
        hidden = np.maximum(rows.astype(np.float32) @ self.inner + self.inner_shift, 0.0)
        return np.asarray(hidden @ self.outer + self.outer_shift, dtype=np.float64)


def fit_net(rows: Floats, target: NDArray[np.int64], one_of: bool, seed: int) -> Net:
    """Fit on rows of inputs and 0/1 columns, of which each row has exactly one (`one_of`) or any number.

    Every column must occur in some row and be missing in another.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    spread, middle = rows.std(axis=0) + _LEAST, rows.mean(axis=0)
    scaled = (rows - middle) / spread
    wanted = target.argmax(axis=1) if one_of else target
    fitted = []
    for number in range(_NETS):
        net = MLPClassifier(
            (_HIDDEN,),
            alpha=_DECAY,
            batch_size=min(_BATCH, len(rows)),
            max_iter=_EPOCHS,
            random_state=seed + number,
        )
        with warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):  # one order of adding: one result
            warnings.simplefilter("ignore", ConvergenceWarning)  # that so few epochs have not converged is meant
            fitted.append(net.fit(scaled, wanted))
    return _side_by_side(fitted, middle, spread)


def _side_by_side(fitted: Sequence[Any], middle: Floats, spread: Floats) -> Net:
    """One net whose logits are the mean of theirs, on inputs as they come."""
    inner = np.concatenate([net.coefs_[0] for net in fitted], axis=1) / spread[:, None]
    shift = np.concatenate([net.intercepts_[0] for net in fitted])
    outer = np.concatenate([net.coefs_[1] for net in fitted]) / len(fitted)
    outer_shift = np.mean([net.intercepts_[1] for net in fitted], axis=0)
    parts = (inner, shift - middle @ inner, outer, outer_shift)
    return Net(*(part.astype(np.float32) for part in parts))


def mean_net(sides: int, outputs: NDArray[np.int64], inputs: int) -> Net:
    """The mean over the sides of `outputs` (columns of a side's `inputs`): where there is too little to fit on."""
    chosen = np.zeros((sides * inputs, len(outputs)), dtype=np.float32)
    for side in range(sides):
        chosen[side * inputs + outputs, np.arange(len(outputs))] = 1.0 / sides
    half = np.concatenate([np.eye(len(outputs)), -np.eye(len(outputs))]).astype(np.float32)
    nothing = np.zeros(2 * len(outputs), dtype=np.float32)
    return Net(np.concatenate([chosen, -chosen], axis=1), nothing, half, nothing[: len(outputs)])
