"""What more text and a deeper encoder bring: the encoder alone, fine-tuned on shares of the corpus or cut short.

    python -m benchmarks curve [--shares 0.125 0.25 0.5 1] [--layers 1 2 3 6] [--external FILE ...] [--plot FILE.png]

Each is fine-tuned on the train split and read with its own linear heads, without TF-IDF, in full precision: on the
validation split, on the hard pairs and on files of one's own. Needs the packages of `train --encoder`; about twenty
minutes on two cores with bfloat16.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.measure import console
from classifiers.corpus_files import Labelled, read_corpus, split_of
from classifiers.evaluate import read_records, text_of
from classifiers.finetune import Tuned, fine_tune, untuned
from classifiers.hard_cases import read_pairs
from classifiers.heads import Readings, readings_from, targets_of
from classifiers.labels import DIRECTIONS, POLES
from classifiers.train import SEED, read_figures

SHARES = (0.125, 0.25, 0.5, 1.0)
LAYERS = (1, 2, 3, 6)


@dataclass(frozen=True, slots=True)
class Point:
    """One encoder: what it was made of, `seconds` of fine-tuning, and figures by name (shares 0-1)."""

    layers: int
    share: float
    texts: int
    seconds: float
    figures: dict[str, float]


def points(shares: Sequence[float], layers: Sequence[int], external: Sequence[Path], seed: int) -> list[Point]:
    """Every share with the most layers, and all of the text with fewer layers."""
    texts = read_corpus().texts
    train = [text for text in texts if split_of(text.family) == "train"]
    validation = [text for text in texts if split_of(text.family) == "validation"]
    kept = untuned().embed([text.text for text in train])
    plan = [(max(layers), share) for share in sorted(shares)]
    plan += [(depth, max(shares)) for depth in sorted(layers) if depth != max(layers)]
    families = sorted({text.family for text in train})
    order = {family: rank for rank, family in enumerate(np.random.default_rng(seed).permutation(families).tolist())}
    found = []
    with Progress(console=Console(stderr=True)) as bar:
        for depth, share in plan:
            rows = [row for row, text in enumerate(train) if order[text.family] < share * len(families)]
            some = [train[row] for row in rows]
            task = bar.add_task(f"{depth} layers, {len(some):,} texts", total=1)

            def tell(done: int, total: int, task: object = task) -> None:
                bar.update(task, completed=done, total=total)  # type: ignore[arg-type]

            start = time.perf_counter()
            tuned = fine_tune([t.text for t in some], targets_of(some), kept[rows], seed, tell=tell, layers=depth)
            took = time.perf_counter() - start
            found.append(Point(depth, share, len(some), took, _figures(tuned, validation, external)))
    return found


def _figures(tuned: Tuned, validation: Sequence[Labelled], external: Sequence[Path]) -> dict[str, float]:
    read = _read(tuned, [text.text for text in validation])
    figures = read_figures("validation", read, validation)
    pairs = read_pairs()
    read = _read(tuned, [text["text"] for pair in pairs for text in pair.texts])
    wanted = [text["direction"] for pair in pairs for text in pair.texts]
    right = np.array([DIRECTIONS[row] for row in read.direction.argmax(axis=1)]) == np.array(wanted)
    figures["hard_pairs"] = float(right.reshape(-1, 2).all(axis=1).mean())
    for path in external:
        figures |= _external(tuned, path)
    return figures


def _external(tuned: Tuned, path: Path) -> dict[str, float]:
    """Macro-F1 of the direction (forced choice where no record is without one); precision of severity 2 or more."""
    from sklearn.metrics import average_precision_score, f1_score

    records = read_records(path)
    read = _read(tuned, [text_of(record) for record in records])
    wanted = [record["direction"] for record in records]
    names = DIRECTIONS if "none" in wanted else POLES
    guessed = [names[row] for row in read.direction[:, : len(names)].argmax(axis=1)]
    figures = {f"{path.stem}_f1": float(f1_score(wanted, guessed, average="macro"))}
    if "severity" in records[0]:
        notable = [record["severity"] >= 2 for record in records]
        figures[f"{path.stem}_ap"] = float(average_precision_score(notable, read.levels[:, :, 1].max(axis=1)))
    return figures


def _read(tuned: Tuned, texts: Sequence[str]) -> Readings:
    return readings_from(tuned.read(texts).astype(np.float64))


def table_of(found: Sequence[Point]) -> Table:
    """One row a point."""
    names = list(found[0].figures)
    table = Table("layers", "texts", "minutes", *(name.replace("_", " ") for name in names))
    for point in found:
        cells = (f"{point.figures[name]:.3f}" for name in names)
        table.add_row(str(point.layers), f"{point.texts:,}", f"{point.seconds / 60:.1f}", *cells)
    return table


def plot(found: Sequence[Point], path: Path) -> Path:
    """Figures against texts, and against layers, side by side."""
    from matplotlib.figure import Figure

    names = ["validation_direction_f1", "validation_signals_f1", "hard_pairs", *list(found[0].figures)[6:]]
    most = max(point.layers for point in found)
    full = max(point.texts for point in found)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    by_text, by_depth = figure.subplots(1, 2, sharey=True)
    for name in dict.fromkeys(names):
        some = [point for point in found if point.layers == most]
        by_text.plot([p.texts for p in some], [p.figures[name] for p in some], marker="o", label=name.replace("_", " "))
        some = sorted((point for point in found if point.texts == full), key=lambda point: point.layers)
        by_depth.plot([p.layers for p in some], [p.figures[name] for p in some], marker="o")
    by_text.set(xscale="log", xlabel=f"texts, {most} layers", ylabel="share")
    counts = [point.texts for point in found if point.layers == most]
    by_text.set_xticks(counts, [f"{count:,}" for count in counts])
    by_text.minorticks_off()
    by_depth.set(xlabel=f"layers, {full:,} texts", xticks=sorted({point.layers for point in found}))
    by_text.legend(fontsize=7)
    figure.savefig(path, dpi=110)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="shares of the train split, 0-1")
    parser.add_argument("--layers", type=int, nargs="+", default=LAYERS, help="how many of the base's six layers")
    parser.add_argument("--external", type=Path, nargs="*", default=(), help="labelled files to measure with")
    parser.add_argument("--plot", type=Path, help="draw the curve there, as PNG")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    found = points(given.shares, given.layers, given.external, given.seed)
    console().print(table_of(found))
    if given.plot:
        console().print(f"drawn: {plot(found, given.plot)}")


if __name__ == "__main__":
    main()
