"""a new model and the live one -> whether the new one may take its place, and why.

It must beat the live one on the validation split (texts that were held out from it) and pass no fewer hard pairs.
"""

from dataclasses import dataclass
from pathlib import Path

from classifiers.artifact import read_manifest
from classifiers.classifier import load_classifier
from classifiers.hard_cases import read_pairs, try_pairs

GAINS = ("direction_f1", "notable_ap", "status_f1", "signals_f1")
LOSSES = ("pole_flips",)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figure name -> (live, new), shares 0-1; `overall` is the mean of the gains less the losses, on validation."""

    figures: dict[str, tuple[float, float]]
    overall: tuple[float, float]
    hard_pairs: tuple[float, float]
    same_corpus: bool

    @property
    def better(self) -> bool:
        """Whether the new model may be promoted."""
        return self.overall[1] > self.overall[0] and self.hard_pairs[1] >= self.hard_pairs[0]

    def __str__(self) -> str:
        rows = [*self.figures.items(), ("overall", self.overall), ("hard pairs", self.hard_pairs)]
        lines = [f"{'validation':<16}{'live':>8}{'new':>8}"]
        lines += [f"{name:<16}{live:>8.3f}{new:>8.3f}" for name, (live, new) in rows]
        if not self.same_corpus:
            lines.append("The two were validated on different corpora, so only the hard pairs compare exactly.")
        return "\n".join(lines)


def compare(live: Path, new: Path) -> Comparison:
    """Two artifact folders by their manifests' validation figures, and the hard pairs read by both now.

    A live model made before validation figures were kept counts as 0 there. Raises ModelError for a damaged folder.
    """
    manifests = [read_manifest(folder) for folder in (live, new)]
    figures: dict[str, tuple[float, float]] = {}
    for name in (*GAINS, *LOSSES):
        was, now = (float(manifest["figures"].get(f"validation_{name}", 0.0)) for manifest in manifests)
        figures[name] = (was, now)
    overall = [
        sum(figures[name][side] for name in GAINS) / len(GAINS) - sum(figures[name][side] for name in LOSSES)
        for side in (0, 1)
    ]
    hard = [try_pairs(load_classifier(folder).judge, read_pairs()).rate for folder in (live, new)]
    same = manifests[0].get("corpus_sha256") == manifests[1].get("corpus_sha256")
    return Comparison(figures, (overall[0], overall[1]), (hard[0], hard[1]), same)
