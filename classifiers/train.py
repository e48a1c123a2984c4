"""labelled corpus -> a trained artifact and a report of its figures; deterministic for a seed and a corpus.

Families of texts are split into train, validation and a frozen test, always alike. Settings were chosen on validation;
the shipped weights are fitted on train and validation, and the test is read once, for the report.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.actors import Gazetteer
from classifiers.artifact import DEFAULT_ARTIFACT, Parts, recipes, save_parts
from classifiers.classifier import Classifier
from classifiers.combiner import Combiner, evidence_for, fit_mix, fit_scale
from classifiers.corpus_files import (
    CORPUS,
    SPLITS,
    Corpus,
    Labelled,
    LabelledArticle,
    near_copies,
    read_corpus,
    split_of,
)
from classifiers.encoder import load_encoder
from classifiers.features import WORDS, TfidfBlock, fit_block, join
from classifiers.gate_fit import fit_gate, gate_figures, in_scope
from classifiers.hard_cases import read_pairs, suite_sha256, try_pairs
from classifiers.heads import COLUMNS, ONE_OF, Readings, fit_heads, targets_of
from classifiers.heldout import Kept, encoded, keep_encoder, texts_known
from classifiers.judgement import Document
from classifiers.labels import LIKELY_SIGNAL, POLES
from config.errors import ModelError

Progress = Callable[[str, int, int], None]
Rows = NDArray[np.int64]
Tune = Callable[[Sequence[str], Rows, Sequence[Rows], Path, int, Progress], dict[str, float]]

SEED = 20260101
_FOLDS = 3
_OUT_OF_SCOPE = 0.7  # share of a news stream that bears on no conflict
_SUMMARY = 3  # title and two sentences: what most feeds carry of an article
_SIZES = ({"fewest": 2, "most": 40_000}, {"fewest": 3, "most": 45_000}, {"fewest": 3, "most": 15_000})


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What came out: the model's version, sizes of the splits, and figures by name (shares 0-1, scores 0-100).

    `labels` counts the extra texts that were learned from; `test` and `test_articles` are the frozen test.
    """

    model: str
    artifact: Path
    texts: dict[str, int]
    figures: dict[str, float] = field(default_factory=dict)
    labels: int = 0
    test: Sequence[Labelled] = field(default=(), repr=False)
    test_articles: Sequence[LabelledArticle] = field(default=(), repr=False)


def train(
    corpus: Path = CORPUS,
    out: Path = DEFAULT_ARTIFACT,
    seed: int = SEED,
    progress: Progress | None = None,
    encoder: Path | Tune | None = DEFAULT_ARTIFACT,
    extra: Sequence[Labelled] = (),
    command: str = "./run.sh train",
) -> TrainReport:
    """Fit gate, heads and combiner and write the artifact to `out`, with the `command` that makes it again.

    `encoder` is the folder of a model whose encoder is kept, or what makes a new one (None: TF-IDF alone). `extra`
    texts, what admins judged, are trained on but never measured with; what is a near-copy of the test or of a hard pair
    is left out. `seed` decides draws, never the split. `progress` is told stage, steps done, steps in all.
    Raises ModelError when the corpus cannot be read, or the kept encoder is damaged or knows texts of the test.
    """
    tell = progress or (lambda stage, done, total: None)
    data = read_corpus(corpus)
    split = splits_of(data)
    labels = _apart(extra, data, [*split["test"], *split["validation"]])
    split["train"] += labels
    tell("corpus", 1, 1)
    known = _Known.of([*split["train"], *split["validation"]], data, seed)
    articles = articles_of(data, "test")
    with tempfile.TemporaryDirectory() as scratch:
        if encoder is None or isinstance(encoder, Path):
            kept = _kept(encoder, [*(text.text for text in split["test"]), *(article.title for article in articles)])
        else:
            figures = encoder(known.raw, targets_of(known.texts), known.folds, Path(scratch), seed, tell)
            kept = Kept(Path(scratch), figures, command)
        parts, unseen, figures = _fit(known, seed, tell, kept.folder)
        figures |= kept.figures | _validation(known, unseen, split["validation"])
        figures |= _measured(Classifier(parts, "", Gazetteer()), parts, split["test"], articles)
        tell("test", 1, 1)
        sizes = {name: len(texts) for name, texts in split.items()}
        facts = {"seed": seed, "command": command, "texts": sizes, "verdicts": len(labels), "figures": figures}
        manifest = save_parts(parts, out, facts | _origin(data, kept), kept.files)
    return TrainReport(manifest["model"], out, sizes, figures, len(labels), split["test"], articles)


@dataclass(frozen=True, slots=True)
class _Known:
    """What may be fitted on: labelled texts, whole articles (their titles are rows after the texts), and the folds."""

    texts: Sequence[Labelled]
    articles: Sequence[LabelledArticle]
    folds: Sequence[NDArray[np.int64]]

    @classmethod
    def of(cls, texts: Sequence[Labelled], data: Corpus, seed: int) -> "_Known":
        articles = [*articles_of(data, "train"), *articles_of(data, "validation")]
        families = [text.family for text in texts] + [article.family for article in articles]
        return cls(texts, articles, folds_of(families, seed))

    @property
    def raw(self) -> list[str]:
        return [*(text.text for text in self.texts), *(article.title for article in self.articles)]


def _kept(folder: Path | None, test: Sequence[str]) -> Kept:
    """The encoder of a folder, if it has one; refuses one that knows texts it would be measured with."""
    kept = keep_encoder(folder) if folder else Kept()
    count = texts_known(kept.folder, test) if kept.folder else 0
    if count:
        raise ModelError(
            f"the encoder in {kept.folder} was fine-tuned on {count} texts that are in the frozen test of this corpus: "
            "make a new one with ./run.sh train --encoder"
        )
    return kept


def _origin(data: Corpus, kept: Kept) -> dict[str, str]:
    """What a model's manifest says of the files that it came from."""
    made = {"encoder_command": kept.command} if kept.folder else {}
    return {"corpus_sha256": data.sha256, "hard_cases_sha256": suite_sha256()} | made


def splits_of(data: Corpus) -> dict[str, list[Labelled]]:
    """By split, but for near-copies of the hard pairs: nothing is trained on these."""
    texts = _unlike(data.texts, [text["text"] for pair in read_pairs() for text in pair.texts])
    return {name: [text for text in texts if split_of(text.family) == name] for name in SPLITS}


def _apart(extra: Sequence[Labelled], data: Corpus, measured: Sequence[Labelled]) -> list[Labelled]:
    """Extra texts but for those that the corpus holds and near-copies of what a model is measured with."""
    known = {text.text for text in data.texts}
    fresh = [text for text in extra if text.text not in known]
    frozen = [*(text.text for text in measured), *(text["text"] for pair in read_pairs() for text in pair.texts)]
    return _unlike(fresh, frozen)


def _unlike(texts: Sequence[Labelled], others: Sequence[str]) -> list[Labelled]:
    copies = near_copies([text.text for text in texts], others)
    return [text for text, copy in zip(texts, copies, strict=True) if not copy]


def articles_of(data: Corpus, split: str) -> list[LabelledArticle]:
    """The whole articles of a split."""
    return [article for article in data.articles if split_of(article.family) == split]


def _fit(known: _Known, seed: int, tell: Progress, encoder: Path | None) -> tuple[Parts, Readings, dict[str, float]]:
    """The parts, what each known text and title reads as when its fold was held out, and the gate's figures."""
    texts = [text.text for text in known.texts]
    blocks = [fit_block(r, texts, **size) for r, size in zip(recipes(Gazetteer()), _SIZES, strict=True)]
    tell("features", 1, 1)
    gate, figures = fit_gate(blocks[0], known.texts, known.folds, _fit_words, seed)
    tell("gate", 1, 1)
    vectors = encoded(encoder, known.raw) if encoder else None
    heads, unseen = fit_heads(join(blocks, known.raw), targets_of(known.texts), known.folds, seed, tell, vectors)
    combiner = _fit_combiner(known.texts, known.articles, unseen)
    tell("combiner", 1, 1)
    encoding = load_encoder(encoder) if encoder else None
    return Parts(blocks[0], tuple(blocks[1:]), gate, heads, combiner, encoding), unseen, figures


def _fit_words(texts: Sequence[str]) -> TfidfBlock:
    return fit_block(WORDS, texts, **_SIZES[0])


def folds_of(families: Sequence[int], seed: int) -> list[NDArray[np.int64]]:
    """Row numbers of each fold; a family never straddles two."""
    members = np.array([(family + seed) % _FOLDS for family in families])
    return [np.flatnonzero(members == fold) for fold in range(_FOLDS)]


def _fit_combiner(texts: Sequence[Labelled], articles: Sequence[LabelledArticle], unseen: Readings) -> Combiner:
    labelled = unseen[: len(texts)]
    importance = _importance(texts)
    scales = tuple(
        fit_scale(evidence_for(labelled, pole), _severities(texts, name), importance) for pole, name in enumerate(POLES)
    )
    combiner = Combiner(scales, ())
    scores = combiner.sentence_scores(unseen)
    by_article = _rows_by_article(texts, articles)
    mixes = []
    for pole, name in enumerate(POLES):
        documents = [scores[rows[:length], pole] for length in (None, _SUMMARY) for rows in by_article]
        mixes.append(fit_mix(documents, np.array([getattr(article, name) for article in articles] * 2)))
    return Combiner(scales, tuple(mixes))


def _importance(texts: Sequence[Labelled]) -> NDArray[np.float64]:
    """Weights that bring the corpus to the mix of a news stream, and count a missed critical event more."""
    outside = np.array([not in_scope(text) for text in texts])
    weights = np.array([2.5 if text.severity == 3 else 1.0 for text in texts])
    others = float(weights[~outside].sum())
    weights[outside] = others * _OUT_OF_SCOPE / (1 - _OUT_OF_SCOPE) / max(int(outside.sum()), 1)
    return weights


def _severities(texts: Sequence[Labelled], pole: str) -> NDArray[np.int64]:
    return np.array([text.severity if text.direction == pole else 0 for text in texts], dtype=np.int64)


def _rows_by_article(texts: Sequence[Labelled], articles: Sequence[LabelledArticle]) -> list[list[int]]:
    """For each article: the row of its title (these follow the texts) and of its sentences."""
    row_of = {text.text: row for row, text in enumerate(texts) if text.article >= 0}
    return [
        [len(texts) + number, *(row_of[sentence] for sentence in article.sentences if sentence in row_of)]
        for number, article in enumerate(articles)
    ]


def _validation(known: _Known, unseen: Readings, validation: Sequence[Labelled]) -> dict[str, float]:
    """Figures of the validation texts as they read when held out: what one model is compared with another by."""
    chosen = {id(text) for text in validation}
    rows = np.array([row for row, text in enumerate(known.texts) if id(text) in chosen], dtype=np.int64)
    return read_figures("validation", unseen[rows], validation) if len(rows) else {}


def _measured(
    classifier: Classifier, parts: Parts, texts: Sequence[Labelled], articles: Sequence[LabelledArticle]
) -> dict[str, float]:
    """Figures of hard pairs and of the frozen test."""
    figures = {"hard_pairs": round(try_pairs(classifier.judge, read_pairs()).rate, 4)}
    if not texts:
        return figures
    raw = [text.text for text in texts]
    figures |= read_figures("test", classifier.sentence_readings(raw), texts)
    figures |= gate_figures(parts.gate.passes(parts.words.transform(raw)), texts)
    return figures | _article_figures(classifier, articles)


def read_figures(split: str, readings: Readings, texts: Sequence[Labelled]) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, f1_score

    targets = targets_of(texts)
    figures = {}
    for head in ONE_OF:
        truth = targets[:, COLUMNS[head]].argmax(axis=1)
        guess = getattr(readings, head).argmax(axis=1)
        figures[f"{head}_f1"] = f1_score(truth, guess, average="macro", zero_division=0)
        if head == "direction":
            poled = truth < len(POLES)
            figures["pole_flips"] = ((guess != truth) & (guess < len(POLES)))[poled].mean()
    figures["signals_f1"] = f1_score(
        targets[:, COLUMNS["signals"]], readings.signals >= LIKELY_SIGNAL, average="macro", zero_division=0
    )
    notable = np.array([text.severity >= 2 for text in texts])
    figures["notable_ap"] = average_precision_score(notable, readings.levels[:, :, 1].max(axis=1))
    return {f"{split}_{name}": round(float(value), 4) for name, value in figures.items()}


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
