"""a classifier and labelled JSON Lines -> one table of figures with bootstrap intervals, beside a keyword list.

A record has "text" or "title" and any of the codebook's fields. Rows that carry "agree": false are left out (two
codebooks disagree about them). A file in which no record is "none" is measured as a forced choice between the poles.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.baselines import keyword_judgements
from classifiers.classifier import Classifier
from classifiers.judgement import Document, Judgement
from classifiers.labels import DIRECTIONS, LIKELY_SIGNAL, POLES, SIGNALS, STATUSES
from config.errors import ModelError

RESAMPLES = 500
WATCH = 40.0
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """A share 0-1 with the 95 % interval of its bootstrap."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Row:
    """One system on one file; `figures` by column name, absent where the file lacks the labels."""

    file: str
    system: str
    records: int
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Table:
    """All rows, and their text: one line a row, columns as in COLUMNS."""

    rows: tuple[Row, ...]

    def __str__(self) -> str:
        head = ["file", "system", "n", *COLUMNS]
        body = [
            [row.file, row.system, str(row.records), *(str(row.figures.get(name, "-")) for name in COLUMNS)]
            for row in self.rows
        ]
        widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in [head, *body]
        ]
        return "\n".join(line.rstrip() for line in lines)


@dataclass(frozen=True, slots=True)
class _Sample:
    """Labels and readings as arrays of equal length; what a file does not label is None."""

    direction: NDArray[np.int64]
    read_direction: NDArray[np.int64]
    largest: NDArray[np.float64]
    severity: NDArray[np.int64] | None
    status: NDArray[np.int64] | None
    read_status: NDArray[np.int64]
    signals: NDArray[np.bool_] | None
    read_signals: NDArray[np.bool_]


def evaluate(classifier: Classifier, files: Sequence[Path], seed: int = 0, resamples: int = RESAMPLES) -> Table:
    """Measure the classifier and the keyword list on every file; raises ModelError for a file that cannot be read."""
    rows = []
    for path in files:
        records = read_records(path)
        texts = [record.get("text") or record["title"] for record in records]
        documents = [
            Document(text, source=str(record.get("source", ""))) for text, record in zip(texts, records, strict=True)
        ]
        for system, judged in (
            (f"model {classifier.version}", classifier.judge(documents)),
            ("keywords", keyword_judgements(texts)),
        ):
            sample = _sample(records, judged)
            rows.append(Row(path.stem, system, len(records), _figures(sample, seed, resamples)))
    return Table(tuple(rows))


def read_records(path: Path) -> list[dict[str, Any]]:
    """Labelled records of a JSON Lines file, without those that two codebooks disagree about."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON Lines: {error}") from error
    kept = [record for record in records if record.get("agree", True)]
    if not kept or not all((record.get("text") or record.get("title")) and "direction" in record for record in kept):
        raise ModelError(f"{path}: every record needs a text or title, and a direction")
    return kept


def _sample(records: Sequence[dict[str, Any]], judged: Sequence[Judgement]) -> _Sample:
    forced = all(record["direction"] != "none" for record in records)
    choices = POLES if forced else DIRECTIONS
    labelled = records[0].keys()
    return _Sample(
        direction=np.array([choices.index(record["direction"]) for record in records]),
        read_direction=np.array([int(np.argmax([each.direction[name] for name in choices])) for each in judged]),
        largest=np.array([max(each.escalation, each.deescalation) for each in judged]),
        severity=np.array([record["severity"] for record in records]) if "severity" in labelled else None,
        status=np.array([STATUSES.index(record["status"]) for record in records]) if "status" in labelled else None,
        read_status=np.array([STATUSES.index(each.status) for each in judged]),
        signals=np.array([[s in record["signals"] for s in SIGNALS] for record in records])
        if "signals" in labelled
        else None,
        read_signals=np.array([[each.signals[s] >= LIKELY_SIGNAL for s in SIGNALS] for each in judged]),
    )


def _direction_f1(sample: _Sample, rows: NDArray[np.int64]) -> float:
    return _macro_f1(sample.direction[rows], sample.read_direction[rows])


def _pole_flips(sample: _Sample, rows: NDArray[np.int64]) -> float:
    truth, read = sample.direction[rows], sample.read_direction[rows]
    poled = truth < len(POLES)
    return float(((read != truth) & (read < len(POLES)))[poled].mean()) if poled.any() else float("nan")


def _notable_precision(sample: _Sample, rows: NDArray[np.int64]) -> float:
    from sklearn.metrics import average_precision_score

    if sample.severity is None or not (sample.severity[rows] >= 2).any():
        return float("nan")
    return float(average_precision_score(sample.severity[rows] >= 2, sample.largest[rows]))


def _false_alarms(sample: _Sample, rows: NDArray[np.int64]) -> float:
    if sample.severity is None or sample.signals is None:
        return float("nan")
    outside = (sample.severity[rows] == 0) & ~sample.signals[rows].any(axis=1)
    return float((sample.largest[rows][outside] >= WATCH).mean()) if outside.any() else float("nan")


def _status_f1(sample: _Sample, rows: NDArray[np.int64]) -> float:
    if sample.status is None:
        return float("nan")
    return _macro_f1(sample.status[rows], sample.read_status[rows])


def _signals_f1(sample: _Sample, rows: NDArray[np.int64]) -> float:
    if sample.signals is None:
        return float("nan")
    counted = sample.signals.sum(axis=0) >= _FEWEST
    truth, read = sample.signals[rows][:, counted], sample.read_signals[rows][:, counted]
    hits = 2.0 * (truth & read).sum(axis=0)
    return float(np.mean(hits / np.maximum(truth.sum(axis=0) + read.sum(axis=0), 1)))


COLUMNS: dict[str, Callable[[_Sample, NDArray[np.int64]], float]] = {
    "direction F1": _direction_f1,
    "pole flips": _pole_flips,
    "AP severity>=2": _notable_precision,
    "out of scope >=40": _false_alarms,
    "status F1": _status_f1,
    "signals F1": _signals_f1,
}
"""Column name -> how it is computed on chosen rows of a sample; not-a-number where the labels are missing."""


def _figures(sample: _Sample, seed: int, resamples: int) -> dict[str, Figure]:
    count = len(sample.direction)
    everything = np.arange(count)
    draws = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    figures = {}
    for name, measure in COLUMNS.items():
        value = measure(sample, everything)
        if np.isnan(value):
            continue
        values = [measure(sample, rows) for rows in draws] or [value]
        low, high = np.nanquantile(values, [0.025, 0.975])
        figures[name] = Figure(value, float(low), float(high))
    return figures


def _macro_f1(truth: NDArray[np.int64], read: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur in the truth."""
    scores = []
    for name in np.unique(truth):
        hits = 2.0 * ((truth == name) & (read == name)).sum()
        scores.append(hits / ((truth == name).sum() + (read == name).sum()))
    return float(np.mean(scores))
