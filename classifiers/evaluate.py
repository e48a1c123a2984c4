"""systems and labelled JSON Lines -> one table of figures with bootstrap intervals, hard cases by rule, articles.

A record has "text" or "title" and any of the codebook's fields. Rows that carry "agree": false are left out (two
codebooks disagree about them). A file in which no record is "none" is measured as a forced choice between the poles.
"""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from classifiers.article_measures import ArticleFigures, article_figures, documents_of
from classifiers.corpus_files import Labelled, LabelledArticle
from classifiers.hard_cases import HardCases, Pair, read_pairs, try_pairs
from classifiers.judgement import Document, Judgement
from classifiers.measures import COLUMNS, Figure, Sample, figures_of, sample_of, share_figure
from classifiers.rivals import System, live_model
from classifiers.train import TrainReport
from config.errors import ModelError

RESAMPLES = 500
HARD = "hard pairs"
TEST_FILE = "frozen test.jsonl"
_FIELDS = ("text", "signals", "direction", "severity", "status")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One system on one file; `figures` by column name, absent where the file lacks the labels; `pace` in texts/s.

    The column HARD is the share of hard pairs passed, the same for every file.
    `days` is the span of the file's dates (0: it has none), `size` the bytes the system reads to run.
    """

    file: str
    system: str
    records: int
    figures: dict[str, Figure]
    pace: float = 0.0
    size: int = 0
    sample: Sample | None = field(default=None, repr=False)
    days: float = 0.0


@dataclass(frozen=True, slots=True)
class Table:
    """All rows and, by system, the hard cases and the articles.

    As text: one line a row, columns as in COLUMNS and HARD; then rule by rule; then measure by measure.
    """

    rows: tuple[Row, ...]
    hard: dict[str, HardCases] = field(default_factory=dict)
    articles: dict[str, ArticleFigures] = field(default_factory=dict)

    def __str__(self) -> str:
        head = ["file", "system", "n", *COLUMNS, HARD, "texts/s", "MB"]
        blocks = [_aligned([head, *map(_cells, self.rows)])]
        blocks += [self._rules()] if self.hard else []
        blocks += [self._articles()] if self.articles else []
        return "\n\n".join(blocks)

    def _articles(self) -> str:
        columns = [figures.lines() for figures in self.articles.values()]
        lines = [[rows[0][0], *(figure for _, figure in rows)] for rows in zip(*columns, strict=True)]
        return _aligned([["test articles", *self.articles], *lines])

    def _rules(self) -> str:
        systems = list(self.hard)
        rules = list(self.hard[systems[0]].passed)
        lines = [[rule, *(_share(*self.hard[name].passed[rule]) for name in systems)] for rule in rules]
        total = ["all", *(f"{self.hard[name].rate:.3f}" for name in systems)]
        return _aligned([["hard pairs passed", *systems], *lines, total])


def evaluate(
    systems: Sequence[System],
    files: Sequence[Path],
    pairs: Sequence[Pair] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Progress = lambda stage, done, total: None,
    articles: Sequence[LabelledArticle] = (),
) -> Table:
    """Measure every system on every file, on the hard pairs and on whole articles.

    Raises ModelError for a file that cannot be read.
    """
    read = [(path, read_records(path)) for path in files]
    hard: dict[str, HardCases] = {}
    for done, system in enumerate(systems if pairs else ()):
        progress("hard pairs", done, len(systems))
        hard[system.name] = try_pairs(system.read, pairs)
    passed = {name: {HARD: share_figure(cases.outcomes, seed, resamples)} for name, cases in hard.items()}
    rows: list[Row] = []
    for path, records in read:
        for system in systems:
            progress("reading and measuring", len(rows), len(read) * len(systems))
            judged, pace = _timed(system, records)
            sample = sample_of(records, judged)
            figures = figures_of(sample, seed, resamples) | passed.get(system.name, {})
            rows.append(Row(path.stem, system.name, len(records), figures, pace, system.size, sample, days_of(records)))
    documents = documents_of(articles)
    on_articles = {each.name: article_figures(articles, each.read(documents)) for each in systems if articles}
    return Table(tuple(rows), hard, on_articles)


def evaluate_new(
    report: TrainReport, others: Sequence[System], progress: Progress = lambda stage, done, total: None
) -> Table:
    """The model of a report beside others, on its frozen test and on the hard pairs."""
    new = live_model(report.artifact)
    systems = [new, *(other for other in others if other.name != new.name)]
    with tempfile.TemporaryDirectory() as scratch:
        files = [write_records(report.test, Path(scratch) / TEST_FILE)] if report.test else []
        return evaluate(systems, files, read_pairs(), progress=progress, articles=report.test_articles)


def write_records(texts: Sequence[Labelled], path: Path) -> Path:
    """Labelled texts as JSON Lines, the form in which every file is measured; returns `path`."""
    lines = (json.dumps({name: getattr(text, name) for name in _FIELDS}) for text in texts)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _timed(system: System, records: Sequence[dict[str, Any]]) -> tuple[list[Judgement], float]:
    """What a system reads in records, and at what pace (texts/s) once it is warm."""
    documents = [Document(text_of(record), source=str(record.get("source", ""))) for record in records]
    system.read(documents[:1])
    start = time.perf_counter()
    judged = system.read(documents)
    return judged, len(records) / max(time.perf_counter() - start, 1e-9)


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


def days_of(records: Sequence[dict[str, Any]]) -> float:
    """Number of different days that records were published on; 0 where they have no dates."""
    return float(
        len({datetime.fromisoformat(record["published"]).date() for record in records if record.get("published")})
    )


def text_of(record: dict[str, Any]) -> str:
    """The text of a labelled record, or its headline."""
    return str(record.get("text") or record["title"])


def _cells(row: Row) -> list[str]:
    figures = [str(row.figures.get(name, "-")) for name in (*COLUMNS, HARD)]
    return [row.file, row.system, str(row.records), *figures, f"{row.pace:.0f}", f"{row.size / 1e6:.1f}"]


def _share(good: int, count: int) -> str:
    return f"{good} of {count}"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)
