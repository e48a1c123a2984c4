"""labelled corpus -> a trained artifact and a report of its figures; deterministic for a seed and a corpus.

Families of texts are split into train, validation and a frozen test. Weights are fitted on train, the gate's threshold is
set on validation, and the test is read once, for the report.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.actors import Gazetteer
from classifiers.artifact import DEFAULT_ARTIFACT, Gate, Parts, save_parts
from classifiers.classifier import Classifier
from classifiers.combiner import Combiner, evidence_for, fit_mix, fit_scale
from classifiers.corpus_files import CORPUS, Corpus, Labelled, LabelledArticle, read_corpus, split_of
from classifiers.features import TfidfBlock, fit_block, join
from classifiers.heads import COLUMNS, Readings, fit_heads, fit_one, targets_of
from classifiers.judgement import Document
from classifiers.labels import POLES

Progress = Callable[[str, int, int], None]

SEED = 20260101
GATE_RECALL = 0.995
_FOLDS = 4
_WORDS = {"fewest": 2, "most": 40_000}
_CHARS = {"fewest": 3, "most": 60_000}


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What came out: the model's version, sizes of the splits, and figures by name (shares 0-1, scores 0-100)."""

    model: str
    artifact: Path
    texts: dict[str, int]
    figures: dict[str, float] = field(default_factory=dict)


def train(
    corpus: Path = CORPUS,
    out: Path = DEFAULT_ARTIFACT,
    seed: int = SEED,
    progress: Progress | None = None,
) -> TrainReport:
    """Fit gate, heads and combiner and write the artifact to `out`; raises ModelError for a corpus that cannot be read."""
    tell = progress or (lambda stage, done, total: None)
    data = read_corpus(corpus)
    split = {
        name: [t for t in data.texts if split_of(t.family, seed) == name] for name in ("train", "validation", "test")
    }
    tell("corpus", 1, 1)
    parts, figures = _fit(split["train"], split["validation"], _articles(data, seed, "train"), seed, tell)
    figures |= _figures(parts, split["test"], _articles(data, seed, "test"))
    tell("test", 1, 1)
    sizes = {name: len(texts) for name, texts in split.items()}
    facts = {"seed": seed, "corpus_sha256": data.sha256, "texts": sizes, "figures": figures, "command": _command(seed)}
    manifest = save_parts(parts, out, facts)
    return TrainReport(manifest["model"], out, sizes, figures)


def _command(seed: int) -> str:
    return f"./run.sh train --seed {seed}"


def _articles(data: Corpus, seed: int, split: str) -> list[LabelledArticle]:
    return [article for article in data.articles if split_of(article.family, seed) == split]


def _fit(
    texts: Sequence[Labelled],
    validation: Sequence[Labelled],
    articles: Sequence[LabelledArticle],
    seed: int,
    tell: Progress,
) -> tuple[Parts, dict[str, float]]:
    raw = [text.text for text in texts]
    words, chars = fit_block("word", raw, **_WORDS), fit_block("char", raw, **_CHARS)
    tell("features", 1, 1)
    gate, figures = _fit_gate(words, texts, validation, seed)
    titles = [article.title for article in articles]
    rows = join((words, chars), [*raw, *titles])
    families = [text.family for text in texts] + [article.family for article in articles]
    heads, unseen = fit_heads(rows, targets_of(texts), folds_of(families, seed), seed, tell)
    combiner = _fit_combiner(texts, articles, unseen)
    tell("combiner", 1, 1)
    return Parts(words, chars, gate, heads, combiner), figures


def folds_of(families: Sequence[int], seed: int) -> list[NDArray[np.int64]]:
    """Row numbers of each fold; a family never straddles two."""
    members = np.array([(family + seed) % _FOLDS for family in families])
    return [np.flatnonzero(members == fold) for fold in range(_FOLDS)]


def in_scope(text: Labelled) -> bool:
    """Whether a labelled text is about tension at all."""
    return bool(text.signals) or text.direction != "none"


def _fit_gate(
    words: TfidfBlock, texts: Sequence[Labelled], validation: Sequence[Labelled], seed: int
) -> tuple[Gate, dict[str, float]]:
    rows = words.transform([text.text for text in texts])
    target = np.array([in_scope(text) for text in texts], dtype=np.int64)
    weights, intercept = fit_one(rows, target, 4.0, seed)
    logits = words.transform([text.text for text in validation]) @ weights + intercept
    inside = np.array([in_scope(text) for text in validation])
    least = float(np.quantile(logits[inside], 1 - GATE_RECALL, method="lower")) if inside.any() else -9.0
    passed = logits >= least
    figures = {
        "gate_recall_validation": float(passed[inside].mean()) if inside.any() else 1.0,
        "gate_stopped_out_of_scope_validation": float(1 - passed[~inside].mean()) if (~inside).any() else 0.0,
    }
    return Gate(weights.astype(np.float32), intercept, least), figures


def _fit_combiner(texts: Sequence[Labelled], articles: Sequence[LabelledArticle], unseen: Readings) -> Combiner:
    labelled = unseen[: len(texts)]
    scales = tuple(fit_scale(evidence_for(labelled, pole), _severities(texts, name)) for pole, name in enumerate(POLES))
    combiner = Combiner(scales, ())
    scores = combiner.sentence_scores(unseen)
    by_article = _rows_by_article(texts, articles)
    mixes = []
    for pole, name in enumerate(POLES):
        documents = [scores[rows, pole] for rows in by_article]
        mixes.append(fit_mix(documents, np.array([getattr(article, name) for article in articles])))
    return Combiner(scales, tuple(mixes))


def _severities(texts: Sequence[Labelled], pole: str) -> NDArray[np.int64]:
    return np.array([text.severity if text.direction == pole else 0 for text in texts], dtype=np.int64)


def _rows_by_article(texts: Sequence[Labelled], articles: Sequence[LabelledArticle]) -> list[list[int]]:
    """For each article: the row of its title (these follow the texts) and of its sentences."""
    row_of = {text.text: row for row, text in enumerate(texts) if text.article >= 0}
    return [
        [len(texts) + number, *(row_of[sentence] for sentence in article.sentences if sentence in row_of)]
        for number, article in enumerate(articles)
    ]


def _figures(parts: Parts, texts: Sequence[Labelled], articles: Sequence[LabelledArticle]) -> dict[str, float]:
    from sklearn.metrics import f1_score

    if not texts:
        return {}
    classifier = Classifier(parts, "", Gazetteer())
    readings = classifier.sentence_readings([text.text for text in texts])
    targets = targets_of(texts)
    figures = {}
    for head in ("direction", "status"):
        truth = targets[:, COLUMNS[head]].argmax(axis=1)
        guess = getattr(readings, head).argmax(axis=1)
        figures[f"test_{head}_f1"] = f1_score(truth, guess, average="macro", zero_division=0)
        if head == "direction":
            poled = truth < len(POLES)
            figures["test_pole_flips"] = float(((guess != truth) & (guess < len(POLES)))[poled].mean())
    figures["test_signals_f1"] = f1_score(
        targets[:, COLUMNS["signals"]], readings.signals >= 0.5, average="macro", zero_division=0
    )
    return {name: round(float(value), 4) for name, value in figures.items()} | _article_figures(classifier, articles)


def _article_figures(classifier: Classifier, articles: Sequence[LabelledArticle]) -> dict[str, float]:
    if not articles:
        return {}
    judged = classifier.judge([Document(article.title, text="\n".join(article.sentences)) for article in articles])
    return {
        f"test_articles_{pole}_error": round(
            float(np.mean([abs(getattr(j, pole) - getattr(a, pole)) for j, a in zip(judged, articles, strict=True)])), 2
        )
        for pole in POLES
    }
