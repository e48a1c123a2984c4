"""labelled texts -> the gate with its threshold, and how much of what it lets pass or stops.

The threshold belongs to the recipe that ships: it is taken from logits of texts that their gate had not seen.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.artifact import Gate
from classifiers.corpus_files import Labelled
from classifiers.features import TfidfBlock
from classifiers.heads import fit_one

GATE_RECALL = 0.995
"""Least share of in-scope texts that the gate lets pass, of those it was not fitted on."""

_STRENGTH = 4.0
_FEWEST = 20
Floats = NDArray[np.float64]


def in_scope(text: Labelled) -> bool:
    """Whether a labelled text is about tension at all."""
    return bool(text.signals) or text.direction != "none"


def fit_gate(
    words: TfidfBlock,
    texts: Sequence[Labelled],
    folds: Sequence[NDArray[np.int64]],
    fit_words: Callable[[Sequence[str]], TfidfBlock],
    seed: int,
) -> tuple[Gate, dict[str, float]]:
    """The gate on features `words`, fitted on all texts, and its figures on held-out ones.

    `fit_words` makes such features from fewer texts. Rows of `folds` beyond the texts are passed over.
    """
    weights, intercept = _fit(words, texts, seed)
    logits = _held_out_logits(texts, folds, fit_words, seed)
    inside = np.array([in_scope(text) for text in texts])
    gate = Gate(weights.astype(np.float32), intercept, threshold(logits[inside]))
    return gate, _shares("held_out", logits >= gate.least, inside)


def threshold(in_scope_logits: Floats) -> float:
    """The highest logit that at least 99.5 % of in-scope texts reach."""
    return float(np.quantile(in_scope_logits, 1 - GATE_RECALL, method="lower"))


def gate_figures(passed: NDArray[np.bool_], texts: Sequence[Labelled]) -> dict[str, float]:
    """Shares 0-1 of test texts: in scope and let pass, out of scope and stopped, and the latter file by file.

    A file of fewer than 20 such texts has no share of its own.
    """
    inside = np.array([in_scope(text) for text in texts])
    stopped: defaultdict[str, list[bool]] = defaultdict(list)
    for text, passes, counts in zip(texts, passed, inside, strict=True):
        if not counts:
            stopped[text.source].append(not passes)
    by_file = {f"test_gate_stops_{name}": float(np.mean(s)) for name, s in sorted(stopped.items()) if len(s) >= _FEWEST}
    return _shares("test", passed, inside) | {name: round(share, 4) for name, share in by_file.items()}


def _shares(split: str, passed: NDArray[np.bool_], inside: NDArray[np.bool_]) -> dict[str, float]:
    shares = {"recall": passed[inside], "stops_out_of_scope": ~passed[~inside]}
    return {f"{split}_gate_{name}": round(float(rows.mean()), 4) for name, rows in shares.items() if len(rows)}


def _held_out_logits(
    texts: Sequence[Labelled],
    folds: Sequence[NDArray[np.int64]],
    fit_words: Callable[[Sequence[str]], TfidfBlock],
    seed: int,
) -> Floats:
    logits = np.zeros(len(texts))
    for rows in folds:
        held = rows[rows < len(texts)]
        rest = [texts[int(row)] for row in np.setdiff1d(np.arange(len(texts)), held)]
        words = fit_words([text.text for text in rest])
        weights, intercept = _fit(words, rest, seed)
        logits[held] = words.transform([texts[int(row)].text for row in held]) @ weights + intercept
    return logits


def _fit(words: TfidfBlock, texts: Sequence[Labelled], seed: int) -> tuple[Floats, float]:
    rows = words.transform([text.text for text in texts])
    return fit_one(rows, np.array([in_scope(text) for text in texts], dtype=np.int64), _STRENGTH, seed)
