"""Corpus in, artifact out; what is not the artifact its manifest describes is refused."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.artifact import DEFAULT_ARTIFACT, MANIFEST_FILE, MODEL_FILE, read_manifest
from classifiers.classifier import load_classifier
from classifiers.corpus_files import CORPUS, SPLITS, Corpus, Labelled, near_copies, read_corpus, split_of
from classifiers.evaluate import evaluate, evaluate_new
from classifiers.gate_fit import GATE_RECALL, gate_figures, threshold
from classifiers.hard_cases import read_pairs
from classifiers.judgement import Document
from classifiers.rivals import keyword_list, live_model
from classifiers.train import SEED, TrainReport, folds_of, train
from config.errors import ModelError

TITLES = ["Russian missiles strike Ukrainian port, kill four", "Truce signed at dawn", "Cup final goes to penalties"]


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for name, every in (("wire.jsonl", 5), ("everyday.jsonl", 8), ("articles_b.jsonl", 8)):
        lines = (CORPUS / name).read_text(encoding="utf-8").splitlines()[::every]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@dataclass
class Trained:
    folder: Path
    report: TrainReport
    told: list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def trained(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    out = tmp_path_factory.mktemp("model")
    told: list[tuple[str, int, int]] = []
    return Trained(out, train(small_corpus, out, seed=1, progress=lambda *step: told.append(step), encoder=None), told)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return read_corpus()


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_ARTIFACT, tmp_path / "model"))


def test_training_reports_progress_and_figures(trained: Trained) -> None:
    assert {stage for stage, _, _ in trained.told} >= {"corpus", "features", "gate", "heads", "combiner", "test"}
    assert all(done <= total for _, done, total in trained.told)
    assert trained.report.model == load_classifier(trained.folder).version
    assert 0 < trained.report.figures["test_direction_f1"] <= 1


def test_the_same_corpus_and_seed_give_the_same_model(small_corpus: Path, trained: Trained, tmp_path: Path) -> None:
    again = train(small_corpus, tmp_path, seed=1, encoder=None)
    assert again.model == trained.report.model
    assert again.figures == trained.report.figures
    documents = [Document(title) for title in TITLES]
    assert load_classifier(tmp_path).judge(documents) == load_classifier(trained.folder).judge(documents)


def test_even_a_small_model_tells_the_directions(trained: Trained) -> None:
    strike, truce, cup = load_classifier(trained.folder).judge([Document(title) for title in TITLES])
    assert strike.escalation > strike.deescalation
    assert truce.deescalation > truce.escalation
    assert max(cup.escalation, cup.deescalation) < 40


def test_no_family_straddles_two_splits(corpus: Corpus) -> None:
    sizes = dict.fromkeys(SPLITS, 0)
    topics: dict[str, set[str]] = {}
    for article in corpus.articles:
        topics.setdefault(article.topic, set()).add(split_of(article.family))
    for text in corpus.texts:
        sizes[split_of(text.family)] += 1
    assert all(len(splits) == 1 for topic, splits in topics.items() if topic)
    assert sizes["train"] > 3 * sizes["validation"] > 0
    assert sizes["test"] > 1000
    folds = folds_of([text.family for text in corpus.texts], SEED)
    assert np.array_equal(np.sort(np.concatenate(folds)), np.arange(len(corpus.texts)))


def test_the_seed_decides_draws_and_never_the_split(small_corpus: Path, trained: Trained, tmp_path: Path) -> None:
    other = train(small_corpus, tmp_path, seed=2, encoder=None)
    assert [text.text for text in other.test] == [text.text for text in trained.report.test]
    assert other.texts == trained.report.texts
    assert read_manifest(tmp_path)["seed"] == 2


def test_the_gate_keeps_its_promise_on_texts_it_was_not_fitted_on(trained: Trained) -> None:
    figures = trained.report.figures
    assert figures["held_out_gate_recall"] >= GATE_RECALL
    assert 0 < figures["test_gate_recall"] <= 1
    files = {name: share for name, share in figures.items() if name.startswith("test_gate_stops_")}
    assert {"test_gate_stops_out_of_scope", "test_gate_stops_everyday"} <= set(files)
    assert all(0 <= share <= 1 for share in files.values())


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=400))
def test_the_threshold_lets_995_of_1000_pass(logits: list[float]) -> None:
    rows = np.array(logits)
    assert (rows >= threshold(rows)).mean() >= GATE_RECALL


def test_what_a_file_has_stopped_is_told_where_it_has_enough_out_of_scope() -> None:
    def text(source: str, *signals: str) -> Labelled:
        return Labelled("x", signals, "none", 0, "asserted", source)

    texts = [text("a")] * 20 + [text("b")] * 19 + [text("b", "threat")] * 2
    passed = np.array([True] * 5 + [False] * 34 + [True, False])
    assert gate_figures(passed, texts) == {
        "test_gate_recall": 0.5,
        "test_gate_stops_out_of_scope": round(34 / 39, 4),
        "test_gate_stops_a": 0.75,
    }


def test_near_copies_are_alike_but_for_a_few_words() -> None:
    known = ["Valdoria pulls its tank brigades back from the Kessara border", "Cup final goes to penalties"]
    texts = ["Valdoria pulls its tank brigades back from the Kessara frontier", "Rain delays the harvest", known[1]]
    assert near_copies(texts, known) == [True, False, True]
    assert near_copies(texts, []) == [False] * 3
    assert near_copies([], known) == []


def test_labels_of_texts_like_the_test_or_a_hard_pair_are_left_out(
    small_corpus: Path, trained: Trained, tmp_path: Path
) -> None:
    (hard, *_), (tested, *_) = read_pairs()[0].texts, trained.report.test
    texts = [f"{hard['text']} today", f"{tested.text} today", "Zorblax fires at the gate"]
    extra = [
        Labelled(text, (), "escalation", 1, "asserted", "verdict", family=number) for number, text in enumerate(texts)
    ]
    taught = train(small_corpus, tmp_path, seed=1, encoder=None, extra=extra)
    assert (taught.labels, taught.texts["train"]) == (1, trained.report.texts["train"] + 1)
    assert read_manifest(tmp_path)["verdicts"] == 1


def test_contrast_families_stay_together(corpus: Corpus) -> None:
    members = [text.family for text in corpus.texts if text.source == "contrast"]
    assert all(len(set(members[start : start + 5])) == 1 for start in range(0, len(members), 5))


def test_a_tampered_model_is_refused(artifact: Path) -> None:
    with (artifact / MODEL_FILE).open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\1\2\3")
    with pytest.raises(ModelError, match=r"sha256 differs.*git.*models rollback"):
        load_classifier(artifact)


@pytest.mark.parametrize("name", [MODEL_FILE, MANIFEST_FILE])
def test_a_missing_file_is_refused(artifact: Path, name: str) -> None:
    (artifact / name).unlink()
    with pytest.raises(ModelError, match=r"missing.*git.*models rollback"):
        load_classifier(artifact)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 999}, "format"),
        ({"versions": {"scikit-learn": "0.1.0"}}, "scikit-learn 0.1.0"),
        ({"lexicon": "0" * 64}, "concepts.toml"),
        ({"files": {}}, "does not list"),
        ({"files": "model.skops"}, "does not list"),
        ({"format": 999}, r"run\.sh train"),
        ({"files": {}}, "git"),
    ],
    ids=["format", "scikit-learn", "lexicon", "no-files", "files-no-table", "format: remedy", "files: remedy"],
)
def test_a_manifest_that_does_not_fit_is_refused(artifact: Path, change: dict[str, object], reason: str) -> None:
    path = artifact / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=reason):
        load_classifier(artifact)


@pytest.mark.parametrize("content", ["", "[]", "{", '"x"'], ids=["empty", "list", "cut", "text"])
def test_an_unreadable_manifest_is_refused(artifact: Path, content: str) -> None:
    (artifact / MANIFEST_FILE).write_text(content)
    with pytest.raises(ModelError, match=r"cannot be read.*git.*models rollback"):
        load_classifier(artifact)


def test_a_file_of_another_kind_is_refused_even_with_its_sha256(artifact: Path) -> None:
    import hashlib

    (artifact / MODEL_FILE).write_bytes(b"PK not a model")
    path = artifact / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    manifest["files"][MODEL_FILE] = hashlib.sha256(b"PK not a model").hexdigest()
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_classifier(artifact)


def test_a_model_that_brings_its_own_code_is_refused(artifact: Path) -> None:
    import hashlib
    import os

    import skops.io

    model = artifact / MODEL_FILE
    skops.io.dump({"blocks": os.system}, model)
    path = artifact / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    manifest["files"][MODEL_FILE] = hashlib.sha256(model.read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_classifier(artifact)


def test_a_broken_corpus_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('\n{"text": \n')
    with pytest.raises(ModelError, match=r"bad\.jsonl:2"):
        read_corpus(tmp_path)


def test_an_empty_folder_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="corpus"):
        read_corpus(tmp_path)


def test_the_shipped_manifest_tells_how_it_was_made(corpus: Corpus) -> None:
    manifest = json.loads((DEFAULT_ARTIFACT / MANIFEST_FILE).read_text())
    assert manifest["corpus_sha256"] == corpus.sha256
    assert manifest["seed"] == SEED
    assert "train" in manifest["command"]
    assert (DEFAULT_ARTIFACT / MODEL_FILE).stat().st_size < 25_000_000


def test_evaluation_prints_model_and_keywords_side_by_side(tmp_path: Path) -> None:
    records = [
        {
            "title": "Russia masses troops near Ukraine",
            "direction": "escalation",
            "severity": 2,
            "status": "asserted",
        },
        {"title": "Truce signed at dawn", "direction": "deescalation", "severity": 2, "status": "asserted"},
        {"title": "Cup final goes to penalties", "direction": "none", "severity": 0, "status": "asserted"},
    ]
    signals = [["troop_buildup"], ["ceasefire"], []]
    path = tmp_path / "sample.jsonl"
    lines = [json.dumps(record | {"signals": s}) for record, s in zip(records, signals, strict=True)]
    path.write_text("\n".join(lines * 6))
    table = evaluate([live_model(), keyword_list()], [path], resamples=20)
    model, keywords = table.rows
    assert (model.records, keywords.system) == (18, "keyword list")
    assert model.figures["direction F1"].value == 1.0
    assert model.figures["out of scope >=40"].value == 0.0
    assert all(f.low <= f.value <= f.high for row in table.rows for f in row.figures.values())
    assert "sample" in str(table)


def test_a_new_model_is_measured_like_any_other_beside_the_live_one(trained: Trained, corpus: Corpus) -> None:
    report = replace(trained.report, test_articles=corpus.articles[:5])
    table = evaluate_new(report, [live_model(), keyword_list()])
    names = [f"model {trained.report.model}", live_model().name, "keyword list"]
    assert [(row.file, row.system) for row in table.rows] == [("frozen test", name) for name in names]
    assert all(row.records == trained.report.texts["test"] for row in table.rows)
    assert list(table.hard) == list(table.articles) == names
    assert table.articles[names[0]].articles == 5
    assert all(words in str(table) for words in ("hard pairs passed", "test articles", "claims found, recall"))


def test_a_file_without_negatives_is_a_forced_choice(tmp_path: Path) -> None:
    path = tmp_path / "forced.jsonl"
    rows = [
        {"text": "Troops mass on the border", "direction": "escalation", "agree": True},
        {"text": "Truce signed at dawn", "direction": "deescalation", "agree": True},
        {"text": "They met", "direction": "escalation", "agree": False},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    row = evaluate([live_model()], [path], resamples=5).rows[0]
    assert row.records == 2
    assert set(row.figures) == {"direction F1", "pole flips", "calibration error"}


def test_evaluation_refuses_a_file_without_labels(tmp_path: Path) -> None:
    path = tmp_path / "plain.jsonl"
    path.write_text('{"title": "x"}\n')
    with pytest.raises(ModelError, match="direction"):
        evaluate([keyword_list()], [path])
