"""Labelled texts -> those whose label the encoder finds least likely, read while it had not seen them: to re-read.

    python -m benchmarks doubts [--most 100] [--field direction|severity|signals|status] [--out FILE]

Labels are fallible, and one that disagrees with all that is like it is worth a second look (Northcutt, Jiang and
Chuang, "Confident Learning", 2021). Texts of the frozen test are left out: their labels are not to follow the model.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.special import expit, softmax

from benchmarks.measure import console
from classifiers.artifact import DEFAULT_ARTIFACT
from classifiers.corpus_files import Labelled, read_corpus, split_of
from classifiers.heads import COLUMNS, Floats
from classifiers.heldout import keys_of, read_held_out
from classifiers.labels import DIRECTIONS, LEVELS, LIKELY_SIGNAL, POLES, SIGNALS, STATUSES

NAMES = {"direction": DIRECTIONS, "severity": tuple(map(str, LEVELS)), "status": STATUSES}
FIELDS = (*NAMES, "signals")


@dataclass(frozen=True, slots=True)
class Doubt:
    """A text, what its label says and what was read instead; `likely` is the chance given to the label, 0-1."""

    text: Labelled
    label: str
    read: str
    likely: float


def doubts(field: str, most: int, folder: Path = DEFAULT_ARTIFACT) -> list[Doubt]:
    """The `most` least likely labels of a field of FIELDS, the least likely first."""
    known = [text for text in read_corpus().texts if split_of(text.family) != "test"]
    if field == "severity":  # 0 is what texts without a direction have
        known = [text for text in known if text.direction in POLES]
    held = read_held_out(folder)
    logits = dict(zip(map(int, held.keys), held.logits, strict=True))
    seen = [
        (text, logits[key])
        for text, key in zip(known, map(int, keys_of([t.text for t in known])), strict=True)
        if key in logits
    ]
    texts, read = [text for text, _ in seen], np.array([row for _, row in seen], dtype=np.float64)
    labels, guesses, likely = _signals(texts, read) if field == "signals" else _one_of(field, texts, read)
    return [
        Doubt(texts[row], labels[row], guesses[row], float(likely[row]))
        for row in np.argsort(likely, kind="stable")[:most]
    ]


def _one_of(field: str, texts: Sequence[Labelled], logits: Floats) -> tuple[list[str], list[str], Floats]:
    """Labels, the likeliest ones, and the chances of the labels, text by text."""
    names = NAMES[field]
    chances = _severities(texts, logits) if field == "severity" else softmax(logits[:, COLUMNS[field]], axis=1)
    labels = [str(getattr(text, field)) for text in texts]
    rows = [names.index(label) for label in labels]
    return labels, [names[best] for best in chances.argmax(axis=1)], chances[np.arange(len(texts)), rows]


def _signals(texts: Sequence[Labelled], logits: Floats) -> tuple[list[str], list[str], Floats]:
    """The same for sets of signals, as if each were there or not for itself."""
    chances = expit(logits[:, COLUMNS["signals"]])
    given = np.array([[name in text.signals for name in SIGNALS] for text in texts])
    likely = np.where(given, chances, 1 - chances).prod(axis=1)
    return _listed(given), _listed(chances >= LIKELY_SIGNAL), likely


def _listed(present: NDArray[np.bool_]) -> list[str]:
    return [", ".join(SIGNALS[at] for at in np.flatnonzero(row)) or "-" for row in present]


def _severities(texts: Sequence[Labelled], logits: Floats) -> Floats:
    """The chances of severity 1, 2 and 3, given the labelled direction."""
    reached = expit(logits[:, COLUMNS["levels"]]).reshape(-1, len(POLES), len(LEVELS))
    own = reached[np.arange(len(texts)), [POLES.index(text.direction) for text in texts]]
    least = np.minimum.accumulate(own, axis=1)
    chances = least - np.column_stack([least[:, 1:], np.zeros(len(texts))])
    return np.asarray(chances / np.maximum(least[:, :1], 1e-9))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=40, help="how many")
    parser.add_argument("--field", choices=sorted(FIELDS), default="direction")
    parser.add_argument("--out", type=Path, help="write them there as JSON Lines, to work through")
    given = parser.parse_args()
    found = doubts(given.field, given.most)
    table = Table("file", "label", "read as", "likely", "text", title=f"Least likely labels: {given.field}")
    for doubt in found:
        table.add_row(doubt.text.source, doubt.label, doubt.read, f"{doubt.likely:.3f}", doubt.text.text)
    console().print(table)
    if given.out:
        rows = ({"file": d.text.source, "text": d.text.text, "label": d.label, "read": d.read} for d in found)
        given.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
