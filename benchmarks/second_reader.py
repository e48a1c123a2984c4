"""A second reader's labels of texts drawn from the corpus -> how far the two agree, field by field.

    python -m benchmarks second_reader

The second reader had the texts and the codebook, not the first labels. Kappa: Cohen, "A coefficient of agreement for
nominal scales" (1960), agreement beyond what chance gives, at most 1; for severity also weighted by squared distance.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rich.table import Table
from sklearn.metrics import cohen_kappa_score

from benchmarks.measure import console, read_jsonl
from classifiers.corpus_files import Labelled, read_corpus, split_of
from config.errors import ModelError

SECOND_LABELS = Path(__file__).with_name("second_labels.jsonl")
#: Of the files that came after those.
NEWER = Path(__file__).with_name("second_labels_newer.jsonl")
#: Of the frozen test, where a third reader has settled what differed: both readings of such texts, the others' is one.
TEST = Path(__file__).with_name("second_labels_test.jsonl")
FIELDS = ("direction", "severity", "status")


@dataclass(frozen=True, slots=True)
class Labels:
    """What one reader made of one text."""

    direction: str
    severity: int
    status: str
    signals: frozenset[str]


def read_pairs(path: Path = SECOND_LABELS) -> list[tuple[Labels, Labels]]:
    """First and second reader's labels of each text; ModelError names a text that the corpus no longer holds."""
    first = {one.text: labels for one, labels in _headlines_and_sentences()}
    pairs = []
    for number, record in enumerate(read_jsonl(path), 1):
        if record["text"] not in first:
            raise ModelError(
                f"{path.name}:{number}: not in classifiers/corpus: take the line out, or put the text back"
            )
        pairs.append((first[record["text"]], _labels(record)))
    return pairs


def read_test(path: Path = TEST) -> list[tuple[Labels, Labels]]:
    """First and second reader's labels of every text of the frozen test, articles left out."""
    differ = {row["text"]: (_labels(row["first"]), _labels(row["second"])) for row in read_jsonl(path)}
    return [
        differ.get(one.text, (labels, labels))
        for one, labels in _headlines_and_sentences()
        if split_of(one.family) == "test"
    ]


def _labels(record: dict[str, Any]) -> Labels:
    return Labels(record["direction"], record["severity"], record["status"], frozenset(record["signals"]))


def kappa(first: Sequence[str | int], second: Sequence[str | int], weights: str | None = None) -> float:
    """Cohen's kappa of two readers, -1 to 1; `weights` "quadratic" forgives near misses of ordered labels."""
    return float(cohen_kappa_score(first, second, weights=weights))


def signals_f1(pairs: Sequence[tuple[Labels, Labels]]) -> float:
    """Agreement on signals: twice those both gave, over all that either gave, 0-1."""
    both = sum(len(first.signals & second.signals) for first, second in pairs)
    return 2 * both / max(sum(len(first.signals) + len(second.signals) for first, second in pairs), 1)


def signal_kappas(pairs: Sequence[tuple[Labels, Labels]]) -> dict[str, float]:
    """Kappa of "has this signal", by each signal that either reader gave; the best agreed first."""
    given = {signal for first, second in pairs for signal in first.signals | second.signals}
    kappas = {
        signal: kappa(
            [signal in first.signals for first, _ in pairs], [signal in second.signals for _, second in pairs]
        )
        for signal in given
    }
    return dict(sorted(kappas.items(), key=lambda item: (-item[1], item[0])))


def main() -> None:
    """Print a table for each sample and one for the frozen test."""
    for path in (SECOND_LABELS, NEWER):
        _show(path.stem, read_pairs(path))
    _show(TEST.stem, read_test())


def _show(name: str, pairs: Sequence[tuple[Labels, Labels]]) -> None:
    table = Table("field", title=f"{name}: {len(pairs)} texts, two readers", title_justify="left")
    for heading in ("same", "kappa", "most often differing (first, second)"):
        table.add_column(heading)
    for field in FIELDS:
        first, second = ([getattr(labels, field) for labels in side] for side in zip(*pairs, strict=True))
        same = sum(one == other for one, other in zip(first, second, strict=True)) / len(pairs)
        differing = Counter((one, other) for one, other in zip(first, second, strict=True) if one != other)
        often = ", ".join(f"{one}/{other} {count}" for (one, other), count in differing.most_common(3))
        table.add_row(field, f"{same:.3f}", f"{kappa(first, second):.3f}", often)
        if field == "severity":
            table.add_row("  by distance", "", f"{kappa(first, second, 'quadratic'):.3f}", "")
    console().print(table)
    kappas = signal_kappas(pairs)
    mean, (best, *_, worst) = sum(kappas.values()) / len(kappas), kappas.values()
    console().print(f"signals: F1 of one reader against the other {signals_f1(pairs):.3f};", highlight=False)
    console().print(f"kappa of each signal {mean:.3f} in the mean, {worst:.3f} to {best:.3f}:", highlight=False)
    console().print("  " + ", ".join(f"{name} {value:.3f}" for name, value in kappas.items()), highlight=False)


@cache
def _headlines_and_sentences() -> list[tuple[Labelled, Labels]]:
    """Texts outside articles with the corpus's labels of them; read once for all samples."""
    return [
        (one, Labels(one.direction, one.severity, one.status, frozenset(one.signals)))
        for one in read_corpus().texts
        if one.article < 0
    ]


if __name__ == "__main__":
    main()
