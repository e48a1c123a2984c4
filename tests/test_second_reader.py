"""The second reader's labels: every text is still in the corpus, and kappa is what Cohen defined."""

from pathlib import Path

import pytest

from benchmarks.second_reader import NEWER, TEST, Labels, kappa, read_pairs, read_test, signal_kappas, signals_f1
from config.errors import ModelError


def test_at_least_five_hundred_texts_of_the_corpus_have_a_second_reader() -> None:
    assert len(read_pairs()) >= 500
    assert len(read_pairs(NEWER)) >= 390


def test_the_whole_frozen_test_has_a_second_reader() -> None:
    pairs = read_test()
    differing = sum(first != second for first, second in pairs)
    assert differing == len(TEST.read_text(encoding="utf-8").splitlines()) > 2_000 and len(pairs) > 10_000


def test_kappa_is_agreement_beyond_chance() -> None:
    # Cohen (1960): (observed - expected) / (1 - expected); here observed 3/4, expected 1/2.
    assert kappa(["a", "a", "b", "b"], ["a", "a", "b", "a"]) == pytest.approx(0.5)


def test_signals_agree_as_far_as_both_readers_gave_them() -> None:
    first = Labels("escalation", 1, "asserted", frozenset({"threat", "sanctions"}))
    second = Labels("escalation", 1, "asserted", frozenset({"threat"}))
    assert signals_f1([(first, second)]) == pytest.approx(2 / 3)


def test_each_signal_has_a_kappa_of_its_own_the_best_agreed_first() -> None:
    def labels(*signals: str) -> Labels:
        return Labels("none", 0, "asserted", frozenset(signals))

    first = [labels("threat", "sanctions"), labels("threat"), labels("sanctions"), labels()]
    second = [labels("threat"), labels("threat"), labels("sanctions"), labels()]
    kappas = signal_kappas(list(zip(first, second, strict=True)))
    assert list(kappas.items()) == [("threat", 1.0), ("sanctions", pytest.approx(0.5))]


def test_a_text_that_left_the_corpus_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(
        '{"text": "No such text", "signals": [], "direction": "none", "severity": 0, "status": "asserted"}\n'
    )
    with pytest.raises(ModelError, match=r"labels\.jsonl:1: not in classifiers/corpus"):
        read_pairs(path)
