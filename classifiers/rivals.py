"""Other ways to read the same texts, to be measured beside the model: word list, VADER, TF-IDF only, frozen encoder.

The last two are trained on the spot on the same splits of the same corpus, so that they show what each part brings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.artifact import DEFAULT_ARTIFACT
from classifiers.baselines import keyword_judgements
from classifiers.classifier import load_classifier
from classifiers.corpus_files import CORPUS
from classifiers.encoder import HELD_OUT_FILE
from classifiers.heads import fit_columns, read_held_out_rows
from classifiers.heldout import HeldOut, keys_of
from classifiers.judgement import Document, Judgement
from classifiers.labels import DIRECTIONS, SIGNALS, severity_of
from classifiers.train import SEED, Progress, train
from config.errors import ModelError

Read = Callable[[Sequence[Document]], list[Judgement]]

VADER_NEUTRAL = 0.05
"""A compound score this near to 0 is neutral: the authors' own advice, https://github.com/cjhutto/vaderSentiment."""


@dataclass(frozen=True, slots=True)
class System:
    """Something that reads documents. `size` is in bytes: the files it needs to run."""

    name: str
    read: Read
    size: int = 0


def live_model(folder: Path = DEFAULT_ARTIFACT) -> System:
    """The model of an artifact folder."""
    classifier = load_classifier(folder)
    return System(f"model {classifier.version}", classifier.judge, _size(folder))


def keyword_list() -> System:
    """Words that feed filters look for."""
    return System("keyword list", lambda documents: keyword_judgements([document.title for document in documents]))


def vader() -> System:
    """Sentiment as tension: negative escalates, positive calms. Raises ModelError where vaderSentiment is missing."""
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError as error:
        raise ModelError(f"VADER is left out: pip install vaderSentiment ({error})") from error
    compound = SentimentIntensityAnalyzer().polarity_scores
    return System(
        "VADER sentiment",
        lambda documents: [_by_sentiment(compound(document.title)["compound"]) for document in documents],
    )


def tfidf_only(folder: Path, corpus: Path = CORPUS, progress: Progress | None = None) -> System:
    """Our pipeline without an encoder, trained into `folder`."""
    train(corpus, folder, SEED, progress, encoder=None)
    return System("TF-IDF only", load_classifier(folder).judge, _size(folder))


def frozen_encoder(folder: Path, corpus: Path = CORPUS, progress: Progress | None = None) -> System:
    """Our pipeline on the base encoder as it comes, without fine-tuning, trained into `folder`.

    Raises ModelError where the optional packages of `train --encoder` are missing.
    """
    train(corpus, folder, SEED, progress, encoder=_keep_frozen)
    return System("frozen encoder", load_classifier(folder).judge, _size(folder))


def _keep_frozen(
    texts: Sequence[str],
    targets: NDArray[np.int64],
    folds: Sequence[NDArray[np.int64]],
    folder: Path,
    seed: int,
    progress: Progress,
) -> dict[str, float]:
    """The base weights as they are, with linear heads on their vectors: the place of `tune.tune_encoder`."""
    from classifiers.encoder import load_encoder
    from classifiers.export import export
    from classifiers.finetune import untuned

    export(untuned(), folder)
    vectors = load_encoder(folder).embed(texts)
    steps = iter(range(1, len(folds) + 1))
    logits = read_held_out_rows(
        vectors, targets, folds, seed, lambda: progress("frozen encoder", next(steps), len(folds) + 1)
    )
    weights, intercepts = fit_columns(vectors[: len(targets)], targets, seed)
    HeldOut(keys_of(texts), *(part.astype(np.float32) for part in (logits, weights, intercepts))).save(folder)
    return {}


def _by_sentiment(compound: float) -> Judgement:
    points = 100.0 * abs(compound)
    pole = "none" if abs(compound) < VADER_NEUTRAL else "escalation" if compound < 0 else "deescalation"
    sure = 1.0 if pole == "none" else 0.5 + abs(compound) / 2
    return Judgement(
        escalation=points if compound < 0 else 0.0,
        deescalation=points if compound > 0 else 0.0,
        direction={name: sure if name == pole else (1.0 - sure) / 2 for name in DIRECTIONS},
        severity=severity_of(points),
        status="asserted",
        signals=dict.fromkeys(SIGNALS, 0.0),
        model="VADER",
    )


def _size(folder: Path) -> int:
    needed = [path for path in folder.iterdir() if path.name != HELD_OUT_FILE]
    return sum(path.stat().st_size for path in needed if path.suffix in (".skops", ".onnx", ".json"))
