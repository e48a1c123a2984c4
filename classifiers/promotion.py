"""a new model and the live one -> whether the new one may take its place, and why.

It must beat the live one on the validation split (texts that were held out from it) and pass no fewer hard pairs. Both
must have been validated on the same corpus. A live model that cannot be loaded is beaten by any that can.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifiers.artifact import read_manifest
from classifiers.classifier import Classifier, load_classifier
from classifiers.hard_cases import read_pairs, try_pairs
from config.errors import ModelError

GAINS = ("direction_f1", "notable_ap", "status_f1", "signals_f1")
LOSSES = ("pole_flips",)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figure name -> (live, new), shares 0-1; `overall` is the mean of the gains less the losses, on validation.

    `unloadable` says why the live model cannot be loaded; its side of the figures is 0 then.
    """

    figures: dict[str, tuple[float, float]]
    overall: tuple[float, float]
    hard_pairs: tuple[float, float]
    same_corpus: bool
    unloadable: str = ""

    @property
    def better(self) -> bool:
        """Whether the new model may be promoted."""
        return not self.objection

    @property
    def objection(self) -> str:
        """Why the new model may not be promoted; empty when it may."""
        if self.unloadable:
            return ""
        if not self.same_corpus:
            return "the two were validated on different corpora, so their figures do not compare"
        if self.overall[1] <= self.overall[0]:
            return "it is no better on validation"
        return "it passes fewer hard pairs" if self.hard_pairs[1] < self.hard_pairs[0] else ""

    def __str__(self) -> str:
        rows = [*self.figures.items(), ("overall", self.overall), ("hard pairs", self.hard_pairs)]
        lines = [f"{'validation':<16}{'live':>8}{'new':>8}"]
        lines += [f"{name:<16}{live:>8.3f}{new:>8.3f}" for name, (live, new) in rows]
        if self.unloadable:
            lines.append(f"The live model cannot be loaded and counts as beaten: {self.unloadable}")
        elif not self.same_corpus:
            lines.append("The two were validated on different corpora: only the hard pairs compare.")
        return "\n".join(lines)


def compare(live: Path, new: Path) -> Comparison:
    """Two artifact folders by their manifests' validation figures, and the hard pairs read by both now.

    A live model made before validation figures were kept counts as 0 there. Raises ModelError when the new one is
    damaged.
    """
    after, manifest = load_classifier(new), read_manifest(new)
    try:
        before, was = load_classifier(live), read_manifest(live)
    except ModelError as error:
        return _compared([{}, manifest], (0.0, _hard(after)), str(error))
    return _compared([was, manifest], (_hard(before), _hard(after)))


def _compared(manifests: Sequence[dict[str, Any]], hard: tuple[float, float], unloadable: str = "") -> Comparison:
    figures: dict[str, tuple[float, float]] = {}
    for name in (*GAINS, *LOSSES):
        was, now = (float(manifest.get("figures", {}).get(f"validation_{name}", 0.0)) for manifest in manifests)
        figures[name] = (was, now)
    overall = [
        sum(figures[name][side] for name in GAINS) / len(GAINS) - sum(figures[name][side] for name in LOSSES)
        for side in (0, 1)
    ]
    same = manifests[0].get("corpus_sha256") == manifests[1].get("corpus_sha256")
    return Comparison(figures, (overall[0], overall[1]), hard, same, unloadable)


def _hard(classifier: Classifier) -> float:
    return try_pairs(classifier.judge, read_pairs()).rate
