"""labels and readings of one file, as arrays -> figures: shares 0-1, by name; not-a-number where labels are missing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.judgement import Judgement
from classifiers.labels import ANCHORS, DIRECTIONS, LIKELY_SIGNAL, POLES, SIGNALS, STATUSES

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

WATCH = 40.0
BINS = 10
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """Labels and readings as arrays of equal length; what a file does not label is None.

    `direction` counts into DIRECTIONS (into POLES where `forced`), `confidence` is the probability of the direction
    read, `largest` the larger of the two scores, 0-100.
    """

    direction: Rows
    read_direction: Rows
    confidence: Floats
    largest: Floats
    severity: Rows | None
    status: Rows | None
    read_status: Rows
    signals: NDArray[np.bool_] | None
    read_signals: NDArray[np.bool_]
    forced: bool


def sample_of(records: Sequence[dict[str, Any]], judged: Sequence[Judgement]) -> Sample:
    """Labelled records and what was read in them; a file in which none is "none" is a forced choice of the poles."""
    forced = all(record["direction"] != "none" for record in records)
    choices = POLES if forced else DIRECTIONS
    chances = np.array([[each.direction[name] for name in choices] for each in judged])
    labelled = records[0].keys()
    return Sample(
        direction=np.array([choices.index(record["direction"]) for record in records]),
        read_direction=chances.argmax(axis=1),
        confidence=chances.max(axis=1) / np.maximum(chances.sum(axis=1), 1e-9),
        largest=np.array([max(each.escalation, each.deescalation) for each in judged]),
        severity=np.array([record["severity"] for record in records]) if "severity" in labelled else None,
        status=np.array([STATUSES.index(record["status"]) for record in records]) if "status" in labelled else None,
        read_status=np.array([STATUSES.index(each.status) for each in judged]),
        signals=np.array([[s in record["signals"] for s in SIGNALS] for record in records])
        if "signals" in labelled
        else None,
        read_signals=np.array([[each.signals[s] >= LIKELY_SIGNAL for s in SIGNALS] for each in judged]),
        forced=forced,
    )


def direction_f1(sample: Sample, rows: Rows) -> float:
    """Macro-F1 of the likeliest direction."""
    return _macro_f1(sample.direction[rows], sample.read_direction[rows])


def pole_flips(sample: Sample, rows: Rows) -> float:
    """Share of texts with a pole that read as the other one."""
    truth, read = sample.direction[rows], sample.read_direction[rows]
    poled = truth < len(POLES)
    return float(((read != truth) & (read < len(POLES)))[poled].mean()) if poled.any() else float("nan")


def notable_precision(sample: Sample, rows: Rows) -> float:
    """Average precision of the larger score for "worth passing on": severity 2 or more."""
    from sklearn.metrics import average_precision_score

    if sample.severity is None or not (sample.severity[rows] >= 2).any():
        return float("nan")
    return float(average_precision_score(sample.severity[rows] >= 2, sample.largest[rows]))


def false_alarms(sample: Sample, rows: Rows) -> float:
    """Share of out-of-scope texts (severity 0, no signal) with a score of WATCH or more."""
    if sample.severity is None or sample.signals is None:
        return float("nan")
    outside = (sample.severity[rows] == 0) & ~sample.signals[rows].any(axis=1)
    return float((sample.largest[rows][outside] >= WATCH).mean()) if outside.any() else float("nan")


def status_f1(sample: Sample, rows: Rows) -> float:
    """Macro-F1 of the likeliest status."""
    return float("nan") if sample.status is None else _macro_f1(sample.status[rows], sample.read_status[rows])


def signals_f1(sample: Sample, rows: Rows) -> float:
    """Macro-F1 over the signals that occur at least five times in the file."""
    if sample.signals is None:
        return float("nan")
    counted = sample.signals.sum(axis=0) >= _FEWEST
    if not counted.any():
        return float("nan")
    truth, read = sample.signals[rows][:, counted], sample.read_signals[rows][:, counted]
    hits = 2.0 * (truth & read).sum(axis=0)
    return float(np.mean(hits / np.maximum(truth.sum(axis=0) + read.sum(axis=0), 1)))


def calibration_error(sample: Sample, rows: Rows) -> float:
    """Expected calibration error of the direction (Guo et al. 2017): mean gap of confidence and hit rate, 10 bins."""
    return float(sum(bin.share * abs(bin.confidence - bin.right) for bin in reliability(sample, rows)))


def severity_calibration_error(sample: Sample, rows: Rows) -> float:
    """The same of "severity 2 or more": mean gap of the chance that a score stands for and of what came true, 10 bins.

    A score is halfway between severity 1 (25) and 2 (55) where either is as likely: there the chance is one half.
    """
    if sample.severity is None:
        return float("nan")
    chance = np.interp(sample.largest[rows], ANCHORS[1:3], [0.0, 1.0])
    return float(sum(bin.share * abs(bin.confidence - bin.right) for bin in _bins(chance, sample.severity[rows] >= 2)))


COLUMNS: dict[str, Callable[[Sample, Rows], float]] = {
    "direction F1": direction_f1,
    "pole flips": pole_flips,
    "AP severity>=2": notable_precision,
    "out of scope >=40": false_alarms,
    "signals F1": signals_f1,
    "status F1": status_f1,
    "calibration error": calibration_error,
    "calibration severity>=2": severity_calibration_error,
}
"""Column name -> how it is computed on chosen rows of a sample; not-a-number where the labels are missing."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Readings of like confidence: their share of all, their mean confidence, and how many of them are right (0-1)."""

    share: float
    confidence: float
    right: float


def reliability(sample: Sample, rows: Rows) -> list[Bin]:
    """The direction's confidence in BINS equal steps; empty steps are left out."""
    return _bins(sample.confidence[rows], sample.direction[rows] == sample.read_direction[rows])


def _bins(confidence: Floats, right: NDArray[np.bool_]) -> list[Bin]:
    step = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    members = [step == number for number in range(BINS)]
    return [Bin(float(m.mean()), float(confidence[m].mean()), float(right[m].mean())) for m in members if m.any()]


def confusion(sample: Sample) -> Rows:
    """Counts, labelled direction down and read direction across, in the order of the file's choices."""
    width = len(POLES) if sample.forced else len(DIRECTIONS)
    counts = np.zeros((width, width), dtype=np.int64)
    np.add.at(counts, (sample.direction, sample.read_direction), 1)
    return counts


def precision_by_pace(sample: Sample, days: float) -> list[tuple[float, float]]:
    """(alerts a day, share of them of severity 2 or more) if the k highest scores rang, for all k up to 20 a day."""
    if sample.severity is None:
        return []
    order = np.argsort(-sample.largest, kind="stable")
    hits = np.cumsum(sample.severity[order] >= 2)
    most = min(len(order), int(20 * days))
    return [((k + 1) / days, float(hits[k] / (k + 1))) for k in range(most)]


@dataclass(frozen=True, slots=True)
class Figure:
    """A share 0-1 with the 95 % interval of its bootstrap."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def figures_of(sample: Sample, seed: int, resamples: int) -> dict[str, Figure]:
    """Every column that the labels allow, with intervals from `resamples` draws of the records."""
    count = len(sample.direction)
    everything = np.arange(count)
    draws = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    figures = {}
    for name, measure in COLUMNS.items():
        value = measure(sample, everything)
        if not np.isnan(value):
            figures[name] = _figure(value, [measure(sample, rows) for rows in draws])
    return figures


def share_figure(hits: Sequence[bool], seed: int, resamples: int) -> Figure:
    """The share of hits (at least one), with its interval from `resamples` draws of them."""
    rows = np.array(hits, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, len(rows), size=(resamples, len(rows)))
    return _figure(float(rows.mean()), rows[draws].mean(axis=1).tolist())


def _figure(value: float, draws: Sequence[float]) -> Figure:
    low, high = np.nanquantile(draws or [value], [0.025, 0.975])
    return Figure(value, float(low), float(high))


def _macro_f1(truth: Rows, read: Rows) -> float:
    """Mean F1 over the classes that occur in the truth."""
    scores = []
    for name in np.unique(truth):
        hits = 2.0 * ((truth == name) & (read == name)).sum()
        scores.append(hits / ((truth == name).sum() + (read == name).sum()))
    return float(np.mean(scores))
