"""sentence probabilities of one document -> its two scores 0-100, and how many points each sentence gave to each.

Two fitted steps. `Scale` turns the probabilities of one sentence into a score for one pole: the anchor of severity to
be expected, from three regressions with non-negative weights (severity at least 1, 2, 3). So a sentence reaches 12.5,
40 and 70, halfway between two anchors, where it is as likely above as below. `Mix` joins the scores of a document's
sentences: a non-negative sum of title, lead, strongest, mean of the three strongest, and mean.
Both can only rise when a sentence reads as more severe, and the mix is a sum, so that each sentence's share is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from scipy.special import expit, logit

from classifiers.heads import Readings
from classifiers.labels import ANCHORS, CUTS, DIRECTIONS, LEVELS, POLES, STATUSES

Floats = NDArray[np.float64]

_LEAST = 1e-3
_USUAL_LENGTH = 8
_BACKGROUND = STATUSES.index("background")


@dataclass(frozen=True, slots=True)
class Scale:
    """Weights (severity at least 1, 2, 3 x evidence) for one pole, and what evidence makes each as likely as not."""

    weights: Floats
    cuts: Floats

    def score(self, evidence: Floats) -> Floats:
        """Evidence rows (`evidence_for`) -> the expected anchor, stretched above 70 so that certainty scores 100."""
        chances = np.minimum.accumulate(expit(evidence @ self.weights.T - self.cuts), axis=1)
        expected = chances @ np.diff(ANCHORS)
        return np.asarray(np.interp(expected, [0.0, CUTS[-1], ANCHORS[-1]], [0.0, CUTS[-1], 100.0]))


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of title, lead, strongest sentence, mean of the three strongest, and mean of all."""

    weights: Floats

    def shares(self, scores: Floats) -> Floats:
        """Scores of a document's sentences in order -> points each adds to its score (their sum, at most 100)."""
        if len(scores) == 1:
            return scores
        shares = _parts(scores) @ self.weights
        return np.asarray(shares * min(1.0, 100.0 / max(shares.sum(), 1e-9)))


@dataclass(frozen=True, slots=True)
class Combiner:
    """Scales and mixes for escalation and de-escalation, in the order of POLES."""

    scales: tuple[Scale, ...]
    mixes: tuple[Mix, ...]

    def sentence_scores(self, readings: Readings) -> Floats:
        """Scores 0-100 (sentences x poles) of each sentence by itself."""
        columns = [scale.score(evidence_for(readings, pole)) for pole, scale in enumerate(self.scales)]
        return np.column_stack(columns) if len(readings) else np.zeros((0, len(POLES)))

    def shares(self, scores: Floats) -> Floats:
        """Sentence scores of one document -> points (sentences x poles); the column sums are the document's scores."""
        return np.column_stack([mix.shares(scores[:, pole]) for pole, mix in enumerate(self.mixes)])


def evidence_for(readings: Readings, pole: int) -> Floats:
    """Log-odds of each severity level and of the direction, and how little the text is mere background."""
    levels = readings.levels[:, pole, :]
    direction = readings.direction[:, DIRECTIONS.index(POLES[pole])]
    odds = logit(np.clip(np.column_stack([levels, direction]), _LEAST, 1 - _LEAST))
    return np.column_stack([odds, 1.0 - readings.status[:, _BACKGROUND]])


def fit_scale(evidence: Floats, severity: NDArray[np.int64], importance: Floats) -> Scale:
    """Logistic regressions with weights of at least 0, one a level; `severity` is 0-3 for this pole."""
    levels = [_fit_level(evidence, severity >= level, importance / importance.sum()) for level in LEVELS]
    return Scale(np.array([weights for weights, _ in levels]), np.array([cut for _, cut in levels]))


def _fit_level(evidence: Floats, reached: NDArray[np.bool_], importance: Floats) -> tuple[Floats, float]:
    def loss(values: Floats) -> tuple[float, Floats]:
        weights, cut = values[:-1], values[-1]
        latent = evidence @ weights - cut
        surprise = np.logaddexp(0.0, np.where(reached, -latent, latent))
        slope = importance * (expit(latent) - reached)
        gradient = np.append(evidence.T @ slope + 2e-4 * weights, -slope.sum())
        return float(importance @ surprise + 1e-4 * (weights**2).sum()), gradient

    width = evidence.shape[1]
    start = np.append(np.full(width, 0.3), 1.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * width + [(None, None)])
    return found.x[:-1], float(found.x[-1])


def fit_mix(documents: Sequence[Floats], targets: Floats) -> Mix:
    """Non-negative least squares from documents' sentence scores (of one pole) to the labelled scores 0-100."""
    sums = np.array([_parts(scores).sum(axis=0) for scores in documents])
    return Mix(np.asarray(nnls(sums, targets)[0]))


def _parts(scores: Floats) -> Floats:
    """Each sentence's contribution (rows) to title, lead, strongest, mean of three strongest and mean (columns).

    The means of a shorter document are taken as if quiet sentences followed, so that one sentence counts about once.
    """
    count = len(scores)
    order = np.argsort(-scores, kind="stable")
    parts = np.zeros((count, 5))
    parts[0, 0] = scores[0]
    parts[min(1, count - 1), 1] = scores[min(1, count - 1)]
    parts[order[0], 2] = scores[order[0]]
    top = order[:3]
    parts[top, 3] = scores[top] / 3
    parts[:, 4] = scores / max(count, _USUAL_LENGTH)
    return parts
