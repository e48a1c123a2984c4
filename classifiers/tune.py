"""labelled texts in folds -> a folder with the fine-tuned encoder, and what it reads of each text while held out.

One encoder a fold, fine-tuned on the other folds, reads the fold's texts; the one that ships is fine-tuned on all of
them. The first fold's encoder is also exported, to see what fewer bits cost on texts it has not seen. Where labels
changed little, the one that ships can be made anew alone, in a third of the time.
"""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from classifiers.encoder import load_encoder
from classifiers.export import export
from classifiers.finetune import EPOCHS, Tuned, fine_tune, in_half_precision, untuned
from classifiers.heads import COLUMNS
from classifiers.heldout import HeldOut, keep_encoder, keys_of, read_held_out
from classifiers.train import Progress, Rows, Tune
from config.errors import ModelError


def tune_encoder(
    texts: Sequence[str],
    targets: Rows,
    folds: Sequence[Rows],
    folder: Path,
    seed: int,
    progress: Progress,
    epochs: int = EPOCHS,
) -> dict[str, float]:
    """Write encoder and held-out readings to `folder`; the first texts have targets, the others are only read.

    Returns figures of the encoder in 16 and in 8 bits beside the exact one, on held-out texts.
    """
    logits = np.zeros((len(texts), targets.shape[1]), dtype=np.float32)
    figures: dict[str, float] = {}
    known = np.arange(len(targets))
    kept = untuned().embed(texts[: len(targets)])

    def tuned_on(rows: Rows, stage: str) -> Tuned:
        some = [texts[int(row)] for row in rows]
        return fine_tune(some, targets[rows], kept[rows], seed, epochs, partial(progress, stage))

    for number, held in enumerate(folds, 1):
        tuned = tuned_on(np.setdiff1d(known, held), f"encoder without part {number} of {len(folds)}")
        logits[held] = tuned.read([texts[int(row)] for row in held])
        if number == 1:
            figures = _cost_of_fewer_bits(tuned, texts, targets, np.intersect1d(held, known))
    final = tuned_on(known, "encoder")
    export(final, folder)
    HeldOut(keys_of(texts), logits, final.weights, final.intercepts).save(folder)
    return figures


def retune_encoder(live: Path) -> Tune:
    """A way to tune that fine-tunes only the encoder that ships, on the texts that the one in `live` was fine-tuned on.

    What those texts were read as while held out stays what the forerunner's encoders read. Raises ModelError, when
    called, where `live` has no whole encoder.
    """

    def tune(
        texts: Sequence[str], targets: Rows, folds: Sequence[Rows], folder: Path, seed: int, progress: Progress
    ) -> dict[str, float]:
        if not keep_encoder(live).folder:
            raise ModelError(f"{live} has no encoder to go on from: train with --encoder alone")
        held = read_held_out(live)
        keys = keys_of(texts)
        rows = np.flatnonzero(np.isin(keys[: len(targets)], held.keys))
        some = [texts[int(row)] for row in rows]
        final = fine_tune(some, targets[rows], untuned().embed(some), seed, EPOCHS, partial(progress, "encoder"))
        export(final, folder)
        still = np.isin(held.keys, keys)
        HeldOut(held.keys[still], held.logits[still], final.weights, final.intercepts).save(folder)
        return {}

    return tune


def _cost_of_fewer_bits(tuned: Tuned, texts: Sequence[str], targets: Rows, rows: Rows) -> dict[str, float]:
    """How like the exact vectors those of weights in 16 and in 8 bits are, and what each make of the direction."""
    from sklearn.metrics import f1_score

    some = [texts[int(row)] for row in rows]
    exact = tuned.embed(some)
    with tempfile.TemporaryDirectory() as folder:
        export(tuned, Path(folder))
        small = load_encoder(Path(folder)).embed(some)
    truth = targets[rows][:, COLUMNS["direction"]].argmax(axis=1)
    weights, intercepts = (part[..., COLUMNS["direction"]] for part in (tuned.weights, tuned.intercepts))
    figures: dict[str, float] = {}
    for name, vectors in (("float32", exact), ("float16", in_half_precision(tuned).embed(some)), ("int8", small)):
        norms = np.linalg.norm(exact, axis=1) * np.linalg.norm(vectors, axis=1)
        read = (vectors @ weights + intercepts).argmax(axis=1)
        figures[f"held_out_encoder_cosine_{name}"] = float(((exact * vectors).sum(axis=1) / norms).mean())
        figures[f"held_out_encoder_direction_f1_{name}"] = float(f1_score(truth, read, average="macro"))
    return {name: round(value, 4) for name, value in figures.items()}
