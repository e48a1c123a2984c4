"""texts -> what a fine-tuned encoder's heads read in each while it was held out; kept beside the encoder in a file.

The encoder knows by heart the texts it was fine-tuned on. Whoever fits anything on its readings needs those of
encoders that had not seen the text; with them in a file, the heads can be fitted again without fine-tuning again.
"""

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.artifact import read_manifest_for
from classifiers.encoder import ENCODER_FILE, HELD_OUT_FILE, TOKENIZER_FILE, load_encoder
from classifiers.heads import Encoded
from config.errors import ModelError

LICENCE_FILE = "LICENSE"
NOTICE_FILE = "NOTICE"
_STEPS = 8
ENCODER_FILES = (ENCODER_FILE, TOKENIZER_FILE, HELD_OUT_FILE, LICENCE_FILE, NOTICE_FILE)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """`logits` (texts x columns) of the texts whose digests are `keys`; the final encoder's `weights`, `intercepts`."""

    keys: NDArray[np.uint64]
    logits: NDArray[np.float32]
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]

    def save(self, folder: Path) -> Path:
        """Write held_out.npz, logits in steps of 1/8: what is fitted on them does not see the rest, and half as much
        is stored. LZMA packs it a seventh smaller than NumPy would, which reads it all the same."""
        path = folder / HELD_OUT_FILE
        stored: dict[str, NDArray[Any]] = {
            "keys": self.keys,
            "logits": (np.rint(self.logits * _STEPS) / _STEPS).astype(np.float16),
            "weights": self.weights,
            "intercepts": self.intercepts,
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as packed:
            for name, values in stored.items():
                with packed.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, values, allow_pickle=False)
        return path


@dataclass(frozen=True, slots=True)
class Kept:
    """An encoder to build on: its folder (None: there is none), figures of its making, and the command that made it."""

    folder: Path | None = None
    figures: dict[str, float] = field(default_factory=dict)
    command: str = ""

    @property
    def files(self) -> list[Path]:
        """What belongs beside a model that reads with it."""
        return [self.folder / name for name in ENCODER_FILES] if self.folder else []


def keep_encoder(folder: Path) -> Kept:
    """The encoder of a model, which need not fit this program otherwise.

    Raises ModelError for a folder without a manifest, and for files of the encoder that are not what it says.
    """
    manifest = read_manifest_for(folder, ENCODER_FILES)
    if ENCODER_FILE not in manifest["files"]:
        return Kept()
    figures = {name: value for name, value in manifest.get("figures", {}).items() if "encoder" in name}
    return Kept(folder, figures, str(manifest.get("encoder_command", "")))


def keys_of(texts: Sequence[str]) -> NDArray[np.uint64]:
    """A digest a text."""
    digests = (hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts)
    return np.array([int.from_bytes(digest) for digest in digests], dtype=np.uint64)


def texts_known(folder: Path, texts: Sequence[str]) -> int:
    """How many of `texts` the encoder in `folder` was fine-tuned on. Raises ModelError when that cannot be read."""
    return int(np.isin(keys_of(texts), read_held_out(folder).keys).sum())


def encoded(folder: Path, texts: Sequence[str]) -> Encoded:
    """Held-out logits of every text; one that came after the fine-tuning is read by the final encoder.

    Raises ModelError when the folder has no encoder that can be read.
    """
    held = read_held_out(folder)
    row_of = {int(key): row for row, key in enumerate(held.keys)}
    rows = np.array([row_of.get(int(key), -1) for key in keys_of(texts)], dtype=np.int64)
    unseen = held.logits[rows].astype(np.float64)
    late = np.flatnonzero(rows < 0)
    vectors = load_encoder(folder).embed([texts[int(index)] for index in late])
    unseen[late] = vectors @ held.weights + held.intercepts
    return Encoded(held.weights.astype(np.float64), held.intercepts.astype(np.float64), unseen)


def read_held_out(folder: Path) -> HeldOut:
    """What is kept beside the encoder in `folder`. Raises ModelError when that cannot be read."""
    path = folder / HELD_OUT_FILE
    try:
        with np.load(path, allow_pickle=False) as stored:
            return HeldOut(*(stored[name] for name in ("keys", "logits", "weights", "intercepts")))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read ({error}): take it from git, or train with --encoder") from error
