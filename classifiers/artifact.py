"""A folder with a model and its manifest.json <-> the fitted parts of a classifier; whatever does not match is refused.

The parts are stored as plain dicts of arrays and strings, so loading runs no code: skops is given an empty list of
types to trust beyond its own defaults, and the manifest's sha256 is checked before skops sees a byte.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from classifiers.actors import Gazetteer
from classifiers.combiner import Combiner, Mix, Scale
from classifiers.concepts import ConceptReader, lexicon_sha256
from classifiers.encoder import ENCODER_FILE, HELD_OUT_FILE, TOKENIZER_FILE, SentenceEncoder, load_encoder
from classifiers.features import CHARACTERS, WORDS, Recipe, TfidfBlock, concepts
from classifiers.heads import Heads, Side
from classifiers.net import Net
from config.errors import ModelError

FORMAT = 4
ARTIFACTS = Path(__file__).with_name("artifacts")
DEFAULT_ARTIFACT = ARTIFACTS / "shipped"
MODEL_FILE = "model.skops"
MANIFEST_FILE = "manifest.json"
_FIX = "make a fitting one with ./run.sh train"
_AGAIN = "take it from git again, or go back to a model that is whole: ./run.sh models rollback"
_LARGEST = 100 * 1024 * 1024


@dataclass(frozen=True)
class Gate:
    """A linear filter on word features: a sentence whose logit is below `least` is out of scope and read no further."""

    weights: NDArray[np.float32]
    intercept: float
    least: float

    def passes(self, words: Any) -> NDArray[np.bool_]:
        """Rows of word features (sparse) -> whether each sentence is read on."""
        return np.asarray(np.asarray(words @ self.weights).ravel() + self.intercept >= self.least)


@dataclass(frozen=True)
class Parts:
    """Everything that was fitted. The gate reads the first block of features, `words`; the heads read all."""

    words: TfidfBlock
    others: tuple[TfidfBlock, ...]
    gate: Gate
    heads: Heads
    combiner: Combiner
    encoder: SentenceEncoder | None = None


def save_parts(parts: Parts, folder: Path, facts: dict[str, Any], files: Sequence[Path] = ()) -> dict[str, Any]:
    """Write model and manifest; `facts` (seed, corpus sha256, figures, ...) join the manifest, which is returned.

    `files` (of the encoder) are copied beside the model unless they lie there already.
    """
    import shutil
    import zipfile

    import skops.io

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MODEL_FILE
    plain = _to_plain(parts)
    skops.io.dump(plain, path, compression=zipfile.ZIP_DEFLATED, compresslevel=9)
    for file in files:
        if file.parent.resolve() != folder.resolve():
            shutil.copyfile(file, folder / file.name)
    digests = {file.name: _sha256(file) for file in files}
    manifest = {
        "format": FORMAT,
        "model": _fingerprint(plain | {"encoder": digests.get(ENCODER_FILE, "")})[:12],
        "files": {MODEL_FILE: _sha256(path), **digests},
        "lexicon": lexicon_sha256(),
        "versions": _versions(),
        **facts,
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return manifest


def load_parts(folder: Path, gazetteer: Gazetteer) -> tuple[Parts, dict[str, Any]]:
    """Check the folder against its manifest and load it; raises ModelError that says what differs."""
    manifest = read_manifest(folder)
    import skops.io

    encoder = load_encoder(folder) if ENCODER_FILE in manifest["files"] else None
    try:
        stored = skops.io.load(folder / MODEL_FILE, trusted=[])
        return _from_plain(stored, gazetteer, encoder), manifest
    except Exception as error:
        raise ModelError(f"{folder / MODEL_FILE} cannot be loaded ({error}): {_FIX}") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, all files of which are what it says; raises ModelError that says what differs."""
    path, manifest = folder / MANIFEST_FILE, _manifest(folder)
    if manifest.get("format") != FORMAT:
        raise ModelError(f"{path} is not of format {FORMAT}: {_FIX}")
    if MODEL_FILE not in _files(folder, manifest):
        raise ModelError(f"{path} does not list {MODEL_FILE}: {_AGAIN}")
    _check_all_listed(folder, manifest)
    _check_files(folder, _files(folder, manifest))
    _check_versions(path, manifest)
    return manifest


def read_manifest_for(folder: Path, names: Collection[str]) -> dict[str, Any]:
    """The manifest of a folder, of any format and versions; of the files it lists only `names` are checked.

    So that what still fits can be kept from a model that does not. Raises ModelError for a file that is damaged.
    """
    manifest = _manifest(folder)
    _check_all_listed(folder, manifest)
    _check_files(folder, {name: digest for name, digest in _files(folder, manifest).items() if name in names})
    return manifest


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"no model in {folder} ({MANIFEST_FILE} is missing): {_AGAIN}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}): {_AGAIN}") from error
    if not isinstance(manifest, dict):
        raise ModelError(f"{path} cannot be read (no JSON object): {_AGAIN}")
    return manifest


def _files(folder: Path, manifest: dict[str, Any]) -> dict[str, str]:
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise ModelError(f"{folder / MANIFEST_FILE} does not list its files: {_AGAIN}")
    return files


def _check_all_listed(folder: Path, manifest: dict[str, Any]) -> None:
    """What is read must be listed, else nobody would see that it was changed."""
    files = _files(folder, manifest)
    for name in (TOKENIZER_FILE, HELD_OUT_FILE) if ENCODER_FILE in files else ():
        if name not in files:
            raise ModelError(f"{folder / MANIFEST_FILE} does not list {name}: {_AGAIN}")


def _check_files(folder: Path, files: dict[str, str]) -> None:
    for name, digest in files.items():
        path = folder / Path(name).name
        if not path.is_file():
            raise ModelError(f"{path} is missing: {_AGAIN}")
        if path.stat().st_size > _LARGEST or _sha256(path) != digest:
            raise ModelError(f"{path} is not the file its manifest describes (sha256 differs): {_AGAIN}")


def _check_versions(path: Path, manifest: dict[str, Any]) -> None:
    made, here = manifest.get("versions", {}).get("scikit-learn", "?"), _versions()["scikit-learn"]
    if _minor(made) != _minor(here):
        raise ModelError(f"{path} was made with scikit-learn {made}, here is {here}: {_FIX}")

    if manifest.get("lexicon") != lexicon_sha256():
        raise ModelError(f"{path} was made with another concepts.toml: {_FIX}")


def _minor(version: str) -> list[str]:
    return str(version).split(".")[:2]


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("scikit-learn", "numpy", "skops")}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(plain: dict[str, Any]) -> str:
    """Digest of what was fitted, free of the archive's time stamps: the same training gives the same model version."""
    digest = hashlib.sha256()

    def feed(value: Any) -> None:
        if isinstance(value, dict | list):
            for item in value.items() if isinstance(value, dict) else value:
                feed(list(item) if isinstance(item, tuple) else item)
        else:
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())

    feed(plain)
    return digest.hexdigest()


def _to_plain(parts: Parts) -> dict[str, Any]:
    return {
        "blocks": [{"terms": "\n".join(b.terms), "idf": b.idf} for b in (parts.words, *parts.others)],
        "gate": {"weights": parts.gate.weights, "intercept": parts.gate.intercept, "least": parts.gate.least},
        "sides": [asdict(side) for side in (parts.heads.words, parts.heads.vectors) if side],
        "nets": [asdict(net) for net in parts.heads.nets],
        "scales": [{"weights": scale.weights, "cuts": scale.cuts} for scale in parts.combiner.scales],
        "mixes": [{"weights": mix.weights} for mix in parts.combiner.mixes],
    }


def _from_plain(stored: dict[str, Any], gazetteer: Gazetteer, encoder: SentenceEncoder | None) -> Parts:
    gate, (by_words, *by_vectors) = stored["gate"], (Side(**side) for side in stored["sides"])
    if [len(side.weights) for side in by_vectors] != ([encoder.width] if encoder else []):
        raise ValueError("its heads were fitted with another encoder")
    words, *others = (_block(r, b) for r, b in zip(recipes(gazetteer), stored["blocks"], strict=True))
    return Parts(
        words,
        tuple(others),
        Gate(gate["weights"], float(gate["intercept"]), float(gate["least"])),
        Heads(by_words, by_vectors[0] if by_vectors else None, tuple(Net(**net) for net in stored["nets"])),
        Combiner(
            tuple(Scale(scale["weights"], scale["cuts"]) for scale in stored["scales"]),
            tuple(Mix(mix["weights"]) for mix in stored["mixes"]),
        ),
        encoder,
    )


def _block(recipe: Recipe, stored: dict[str, Any]) -> TfidfBlock:
    return TfidfBlock(recipe, tuple(cast(str, stored["terms"]).split("\n")), stored["idf"])


def recipes(gazetteer: Gazetteer) -> tuple[Recipe, ...]:
    """The blocks of this format, in the order their weights are stacked; the first feeds the gate."""
    return WORDS, CHARACTERS, concepts(ConceptReader(gazetteer).terms)
