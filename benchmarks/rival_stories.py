"""Labelled headlines -> stories by simpler rules than ours: same title, TF-IDF alone, a sentence encoder alone.

The vector rules are the usual leader clustering: in order of time an article joins the story whose mean vector is most
like its own, among those with news within the window, or opens one. Their one parameter, the least likeness, is chosen
on the tuning half, as ours are; TF-IDF is even fitted on the texts it is measured on.
"""

import re
import tempfile
from collections.abc import Callable, Hashable, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.agreement import b_cubed
from benchmarks.labelled_stories import Headline
from classifiers.classifier import DEFAULT_ARTIFACT
from classifiers.encoder import load_encoder

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
WINDOW = timedelta(hours=72)
SWEEP = tuple(float(value) for value in np.arange(0.04, 0.96, 0.02))


def by_title(headlines: Sequence[Headline]) -> list[Hashable]:
    """One story for each headline as it stands, but for case and punctuation."""
    return [" ".join(re.findall(r"\w+", one.title.casefold())) for one in headlines]


def tf_idf(texts: Sequence[str]) -> Vectors:
    """Rows of scikit-learn's TF-IDF of words, without English stop words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = TfidfVectorizer(stop_words="english", sublinear_tf=True, dtype=np.float32).fit_transform(texts)
    return np.asarray(rows.toarray(), dtype=np.float32)


def shipped_encoder() -> Embed:
    """The encoder of the shipped model, by signal: what the heads read."""
    return load_encoder(DEFAULT_ARTIFACT).embed


def event_vectors() -> Embed:
    """The second output of the same encoder, by event."""
    return load_encoder(DEFAULT_ARTIFACT).embed_events


def untuned_encoder() -> Embed:
    """The same encoder before it was fine-tuned, in the same 8 bits; ModelError names what is not installed."""
    from classifiers.export import export
    from classifiers.finetune import untuned

    with tempfile.TemporaryDirectory() as scratch:
        export(untuned(), Path(scratch))
        return load_encoder(Path(scratch)).embed


def lead_clusters(headlines: Sequence[Headline], vectors: Vectors, least: float) -> list[Hashable]:
    """The story of each headline (in order of time) at a least likeness, cosine."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    sums = np.zeros_like(unit)
    last = np.full(len(headlines), np.datetime64("1900-01-01", "s"))
    stories = list[Hashable]()
    for number, one in enumerate(headlines):
        now = np.datetime64(one.published.replace(tzinfo=None), "s")
        open_ = np.flatnonzero(now - last[: len(sums)] <= np.timedelta64(WINDOW))
        likeness = sums[open_] @ unit[number] / np.maximum(np.linalg.norm(sums[open_], axis=1), 1e-9)
        story = number
        if len(open_) and likeness.max() >= least:
            story = int(open_[int(likeness.argmax())])
        sums[story] += unit[number]
        last[story] = now
        stories.append(story)
    return stories


def best_likeness(headlines: Sequence[Headline], vectors: Vectors) -> float:
    """The least likeness of the sweep with the highest B-cubed F1 on these headlines."""
    events = [one.story for one in headlines]
    return max(SWEEP, key=lambda least: b_cubed(events, lead_clusters(headlines, vectors, least)).f1)
