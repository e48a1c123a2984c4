"""labelled corpus -> a trained artifact and a report of its figures; deterministic for a seed and a corpus.

Families of texts are split into train, validation and a frozen test. Settings and the gate's threshold were chosen on
validation; the shipped weights are fitted on train and validation, and the test is read once, for the report.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.actors import Gazetteer
from classifiers.artifact import DEFAULT_ARTIFACT, Gate, Parts, read_manifest, recipes, save_parts
from classifiers.classifier import Classifier
from classifiers.combiner import Combiner, Floats, evidence_for, fit_mix, fit_scale
from classifiers.corpus_files import CORPUS, SPLITS, Corpus, Labelled, LabelledArticle, read_corpus, split_of
from classifiers.encoder import load_encoder
from classifiers.features import WORDS, TfidfBlock, fit_block, join
from classifiers.hard_cases import read_pairs, suite_sha256, try_pairs
from classifiers.heads import COLUMNS, Readings, fit_heads, fit_one, targets_of
from classifiers.heldout import ENCODER_FILES, encoded
from classifiers.judgement import Document
from classifiers.labels import LIKELY_SIGNAL, POLES
from config.errors import ModelError

Progress = Callable[[str, int, int], None]
Rows = NDArray[np.int64]
Tune = Callable[[Sequence[str], Rows, Sequence[Rows], Path, int, Progress], dict[str, float]]

SEED = 20260101
GATE_RECALL = 0.995
_FOLDS = 3
_SUMMARY = 3  # title and two sentences: what most feeds carry of an article
_SIZES = ({"fewest": 2, "most": 40_000}, {"fewest": 3, "most": 50_000}, {"fewest": 3, "most": 15_000})


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
    encoder: Path | None = DEFAULT_ARTIFACT,
    tune: Tune | None = None,
    extra: Sequence[Labelled] = (),
) -> TrainReport:
    """Fit gate, heads and combiner and write the artifact to `out`; raises ModelError when the corpus cannot be read.

    `encoder` is the folder whose encoder is kept (None: TF-IDF alone), unless `tune` makes a new one. `extra` texts,
    what admins judged, are trained on but never measured with. `progress` is told stage, steps done, steps in all.
    """
    tell = progress or (lambda stage, done, total: None)
    data = read_corpus(corpus)
    split = _splits(data, extra, seed)
    tell("corpus", 1, 1)
    gazetteer = Gazetteer()
    known = _Known.of([*split["train"], *split["validation"]], data, seed)
    with tempfile.TemporaryDirectory() as scratch:
        figures: dict[str, float] = {}
        if tune:
            encoder = Path(scratch)
            figures = tune(known.raw, targets_of(known.texts), known.folds, encoder, seed, tell)
        elif encoder:
            figures = _check_seed(encoder, seed)
        least, gate_figures = _gate_threshold(split["train"], split["validation"], seed)
        parts, unseen = _fit(known, least, gazetteer, seed, tell, encoder)
        classifier = Classifier(parts, "", gazetteer)
        figures |= gate_figures
        figures |= _validation(known, unseen, split["validation"])
        figures["hard_pairs"] = round(try_pairs(classifier.judge, read_pairs()).rate, 4)
        figures |= _test(classifier, split["test"], _articles(data, seed, "test"))
        tell("test", 1, 1)
        sizes = {name: len(texts) for name, texts in split.items()}
        facts = {"seed": seed, "corpus_sha256": data.sha256, "texts": sizes, "figures": figures}
        facts |= {"hard_cases_sha256": suite_sha256(), "verdicts": len(extra)}
        if encoder:
            facts["encoder_command"] = _command(seed, True)
        files = [encoder / name for name in ENCODER_FILES] if encoder else []
        manifest = save_parts(parts, out, facts | {"command": _command(seed, tune is not None)}, files)
    return TrainReport(manifest["model"], out, sizes, figures)


@dataclass(frozen=True, slots=True)
class _Known:
    """What may be fitted on: labelled texts, whole articles (their titles are rows after the texts), and the folds."""

    texts: Sequence[Labelled]
    articles: Sequence[LabelledArticle]
    folds: Sequence[NDArray[np.int64]]

    @classmethod
    def of(cls, texts: Sequence[Labelled], data: Corpus, seed: int) -> "_Known":
        articles = [*_articles(data, seed, "train"), *_articles(data, seed, "validation")]
        families = [text.family for text in texts] + [article.family for article in articles]
        return cls(texts, articles, folds_of(families, seed))

    @property
    def raw(self) -> list[str]:
        return [*(text.text for text in self.texts), *(article.title for article in self.articles)]


def _check_seed(folder: Path, seed: int) -> dict[str, float]:
    """Figures of the encoder that is kept; refuses one that another split lets know the test."""
    manifest = read_manifest(folder)
    if manifest.get("seed") != seed:
        raise ModelError(f"the encoder in {folder} was fine-tuned with seed {manifest.get('seed')}: add --encoder")
    return {name: value for name, value in manifest["figures"].items() if "encoder" in name}


def _splits(data: Corpus, extra: Sequence[Labelled], seed: int) -> dict[str, list[Labelled]]:
    """Texts by split. An extra text that stands in the corpus already is left out: it may be in the frozen test."""
    split = {name: [t for t in data.texts if split_of(t.family, seed) == name] for name in SPLITS}
    known = {text.text for text in data.texts}
    split["train"] += [text for text in extra if text.text not in known]
    return split


def _command(seed: int, fine_tune: bool) -> str:
    return f"./run.sh train{' --encoder' if fine_tune else ''} --seed {seed}"


def _articles(data: Corpus, seed: int, split: str) -> list[LabelledArticle]:
    return [article for article in data.articles if split_of(article.family, seed) == split]


def _fit(
    known: _Known, least: float, gazetteer: Gazetteer, seed: int, tell: Progress, encoder: Path | None
) -> tuple[Parts, Readings]:
    """The parts, and what each known text and title reads as when its fold was held out."""
    texts = [text.text for text in known.texts]
    blocks = [fit_block(recipe, texts, **size) for recipe, size in zip(recipes(gazetteer), _SIZES, strict=True)]
    tell("features", 1, 1)
    weights, intercept = _gate_weights(blocks[0], known.texts, seed)
    vectors = encoded(encoder, known.raw) if encoder else None
    rows = join(blocks, known.raw)
    heads, unseen = fit_heads(rows, targets_of(known.texts), known.folds, seed, tell, vectors)
    combiner = _fit_combiner(known.texts, known.articles, unseen)
    tell("combiner", 1, 1)
    gate = Gate(weights.astype(np.float32), intercept, least)
    encoding = load_encoder(encoder) if encoder else None
    return Parts(blocks[0], tuple(blocks[1:]), gate, heads, combiner, encoding), unseen


def folds_of(families: Sequence[int], seed: int) -> list[NDArray[np.int64]]:
    """Row numbers of each fold; a family never straddles two."""
    members = np.array([(family + seed) % _FOLDS for family in families])
    return [np.flatnonzero(members == fold) for fold in range(_FOLDS)]


def in_scope(text: Labelled) -> bool:
    """Whether a labelled text is about tension at all."""
    return bool(text.signals) or text.direction != "none"


def _gate_weights(words: TfidfBlock, texts: Sequence[Labelled], seed: int) -> tuple[Floats, float]:
    rows = words.transform([text.text for text in texts])
    return fit_one(rows, np.array([in_scope(text) for text in texts], dtype=np.int64), 4.0, seed)


def _gate_threshold(
    texts: Sequence[Labelled], validation: Sequence[Labelled], seed: int
) -> tuple[float, dict[str, float]]:
    """The logit that 99.5 % of in-scope validation texts reach, from a gate fitted on the train split alone."""
    words = fit_block(WORDS, [text.text for text in texts], **_SIZES[0])
    weights, intercept = _gate_weights(words, texts, seed)
    logits = words.transform([text.text for text in validation]) @ weights + intercept
    inside = np.array([in_scope(text) for text in validation])
    least = float(np.quantile(logits[inside], 1 - GATE_RECALL, method="lower"))
    passed = logits >= least
    return least, {
        "validation_gate_recall": round(float(passed[inside].mean()), 4),
        "validation_gate_stops_out_of_scope": round(float(1 - passed[~inside].mean()), 4),
    }


def _fit_combiner(texts: Sequence[Labelled], articles: Sequence[LabelledArticle], unseen: Readings) -> Combiner:
    labelled = unseen[: len(texts)]
    importance = np.array([_importance(text) for text in texts])
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


def _importance(text: Labelled) -> float:
    """Weights that bring the corpus to the mix of a news stream, and count a missed critical event more."""
    if not in_scope(text):
        return 3.0
    return 2.5 if text.severity == 3 else 1.0


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
    return _read_figures("validation", unseen[rows], validation) if len(rows) else {}


def _test(classifier: Classifier, texts: Sequence[Labelled], articles: Sequence[LabelledArticle]) -> dict[str, float]:
    if not texts:
        return {}
    readings = classifier.sentence_readings([text.text for text in texts])
    return _read_figures("test", readings, texts) | _article_figures(classifier, articles)


def _read_figures(split: str, readings: Readings, texts: Sequence[Labelled]) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, f1_score

    targets = targets_of(texts)
    figures = {}
    for head in ("direction", "status"):
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
