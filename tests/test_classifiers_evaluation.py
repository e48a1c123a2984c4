"""Figures mean what their names say; hard pairs pass only whole; rivals are measured in the same run."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.article_measures import Found, article_figures
from classifiers.corpus_files import LabelledArticle, read_corpus
from classifiers.evaluate import HARD, Table, evaluate
from classifiers.hard_cases import HARD_CASES, Pair, read_pairs, try_pairs
from classifiers.judgement import Claim, Document, Judgement
from classifiers.labels import DIRECTIONS, SIGNALS, STATUSES
from classifiers.measures import (
    BINS,
    calibration_error,
    confusion,
    pole_flips,
    precision_by_pace,
    sample_of,
    severity_calibration_error,
)
from classifiers.plots import draw
from classifiers.rivals import System, keyword_list, vader
from config.errors import ModelError
from tests.command_line import command_line

RECORDS = [
    {"title": "a", "direction": "escalation", "severity": 2, "status": "asserted", "signals": ["armed_attack"]},
    {"title": "b", "direction": "deescalation", "severity": 2, "status": "planned", "signals": ["ceasefire"]},
    {"title": "c", "direction": "none", "severity": 0, "status": "asserted", "signals": []},
    {"title": "d", "direction": "none", "severity": 0, "status": "asserted", "signals": []},
]


def judged(direction: str, chance: float = 1.0, score: float = 0.0) -> Judgement:
    rest = (1.0 - chance) / 2
    return Judgement(
        escalation=score,
        deescalation=0.0,
        direction={name: chance if name == direction else rest for name in DIRECTIONS},
        severity=0,
        status="asserted",
        signals=dict.fromkeys(SIGNALS, 0.0),
    )


def everything(count: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.arange(count)


def test_a_reader_as_sure_as_right_has_no_calibration_error() -> None:
    records = [RECORDS[0]] * 8 + [RECORDS[2]] * 2
    honest = sample_of(records, [judged("escalation", 0.8)] * 10)
    boastful = sample_of(records, [judged("escalation", 1.0)] * 10)
    assert calibration_error(honest, everything(10)) == pytest.approx(0.0)
    assert calibration_error(boastful, everything(10)) == pytest.approx(0.2)


def test_only_the_opposite_pole_is_a_flip() -> None:
    sample = sample_of(RECORDS, [judged("deescalation"), judged("none"), judged("escalation"), judged("none")])
    assert pole_flips(sample, everything(4)) == 0.5
    assert confusion(sample).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 1]]


def test_precision_by_pace_rings_the_highest_scores_first() -> None:
    scores = [judged("escalation", score=score) for score in (90.0, 10.0, 50.0, 1.0)]
    paces = precision_by_pace(sample_of(RECORDS, scores), days=2.0)
    assert paces == [(0.5, 1.0), (1.0, 0.5), (1.5, pytest.approx(2 / 3)), (2.0, 0.5)]


@given(st.lists(st.tuples(st.sampled_from(DIRECTIONS), st.sampled_from(DIRECTIONS), st.floats(0.34, 1.0)), min_size=1))
def test_calibration_error_is_a_share(rows: list[tuple[str, str, float]]) -> None:
    records = [{"text": "x", "direction": truth} for truth, _, _ in rows]
    sample = sample_of(records, [judged(read, chance) for _, read, chance in rows])
    assert 0.0 <= calibration_error(sample, everything(len(rows))) <= 1.0
    assert BINS == 10


def test_there_are_400_hard_pairs_under_twelve_rules_and_none_is_known_to_training() -> None:
    pairs = read_pairs()
    counts = Counter(pair.rule for pair in pairs)
    texts = [text["text"] for pair in pairs for text in pair.texts]
    assert len(pairs) >= 400
    assert len(counts) == 12 and min(counts.values()) >= 30
    assert len(set(texts)) == len(texts)
    assert not set(texts) & {text.text for text in read_corpus().texts}
    for text in (text for pair in pairs for text in pair.texts):
        assert text["direction"] in DIRECTIONS
        assert text.get("status", "asserted") in STATUSES


def test_a_pair_passes_only_if_both_texts_are_read_right() -> None:
    pairs = [
        Pair("negation", ({"text": "Troops left", "direction": "deescalation"}, {"text": "n", "direction": "none"})),
        Pair("negation", ({"text": "x", "direction": "none"}, {"text": "y", "direction": "none"})),
        Pair("planned", ({"text": "z", "direction": "none", "status": "planned"},)),
    ]
    told = try_pairs(lambda documents: [judged("none") for _ in documents], pairs)
    assert told.passed == {"negation": (1, 2), "planned": (0, 1)}
    assert told.rate == pytest.approx(1 / 3)
    assert told.failures == (
        "negation: Troops left (none, not deescalation)",
        "planned: z (asserted, not planned)",
    )


def test_hard_pairs_have_a_column_with_an_interval_over_pairs(tmp_path: Path) -> None:
    path = tmp_path / "four.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in RECORDS))
    pairs = [Pair("x", ({"text": "t", "direction": name},)) for name in ("none", "none", "none", "escalation")]
    calm = System("calm", lambda documents: [judged("none") for _ in documents])
    table = evaluate([calm], [path], pairs, resamples=200)
    figure = table.rows[0].figures[HARD]
    assert (table.hard["calm"].outcomes, figure.value) == ((True, True, True, False), 0.75)
    assert figure.low < 0.75 < figure.high
    assert HARD in str(table).splitlines()[0] and str(figure) in str(table).splitlines()[1]


def test_a_system_is_warm_before_its_pace_is_taken(tmp_path: Path) -> None:
    path, sizes = tmp_path / "four.jsonl", list[int]()

    def slow_at_first(documents: Sequence[Document]) -> list[Judgement]:
        if not sizes:
            time.sleep(0.4)
        sizes.append(len(documents))
        return [judged("none") for _ in documents]

    path.write_text("\n".join(json.dumps(record) for record in RECORDS))
    (row,) = evaluate([System("slow", slow_at_first)], [path], resamples=1).rows
    assert sizes == [1, 4]
    assert row.pace > 4 / 0.4


def test_scores_that_mean_what_they_promise_have_no_calibration_error_of_severity() -> None:
    records = [RECORDS[0]] * 5 + [RECORDS[2]] * 5
    halfway, sure = (sample_of(records, [judged("none", score=score)] * 10) for score in (40.0, 90.0))
    assert severity_calibration_error(halfway, everything(10)) == pytest.approx(0.0)
    assert severity_calibration_error(sure, everything(10)) == pytest.approx(0.5)
    bare = sample_of([{"text": "x", "direction": "none"}], [judged("none")])
    assert np.isnan(severity_calibration_error(bare, everything(1)))


ARTICLE = LabelledArticle(
    title="Moscow and Kyiv trade accusations",
    sentences=("Shells fell, Kyiv said.", "Moscow denied it.", "It rained."),
    escalation=60.0,
    deescalation=0.0,
    contested=("armed_attack",),
    topic="",
    labels=(
        {"text": "Shells fell, Kyiv said.", "signals": ["armed_attack"], "claimant": "Ukraine", "stance": "affirm"},
        {"text": "Moscow denied it.", "signals": ["armed_attack"], "claimant": "the Kremlin", "stance": "deny"},
        {"text": "It rained.", "signals": []},
    ),
)


def test_articles_are_measured_by_scores_claims_and_what_is_contested() -> None:
    claims = (
        Claim("Ukraine", "threat", "affirm", "Shells fell,  Kyiv said."),
        Claim("Russia", "armed_attack", "deny", "Moscow denied it."),
        Claim("Russia", "armed_attack", "deny", "It rained."),
    )
    read = replace(judged("none", score=50.0), claims=claims, contested=("armed_attack", "threat"))
    told = article_figures([ARTICLE, replace(ARTICLE, escalation=0.0)], [read, judged("none", score=10.0)])
    assert told.errors == {"escalation": 10.0, "deescalation": 0.0}
    assert told.anchors["escalation"] == {0.0: (1, 10.0), 25.0: (0, 0.0), 55.0: (1, 50.0), 85.0: (0, 0.0)}
    assert told.contested == Found(same=1, read=2, labelled=2)
    assert told.claims == Found(same=2, read=3, labelled=4)
    assert told.right == {"claimant": 2, "signal": 1, "stance": 2}
    lines = dict(told.lines())
    assert lines["contested signals, precision"] == "0.50 (1 of 2)"
    assert lines["claims found, recall"] == "0.50 (2 of 4)"
    assert lines["  signal right"] == "0.50 (1 of 2)"


def test_several_files_may_follow_one_external(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bot = command_line(tmp_path, monkeypatch, capsys)
    for name in ("a.jsonl", "b.jsonl"):
        Path(name).write_text("\n".join(json.dumps(record) for record in RECORDS))
    calls: list[list[str]] = []

    def measure(systems: Sequence[System], files: Sequence[Path], *_: object, **__: object) -> Table:
        calls.append([path.name for path in files])
        return Table((), {})

    monkeypatch.setattr("classifiers.evaluate.evaluate", measure)
    monkeypatch.setattr("bot.commands.learn._frozen_test", lambda scratch: (scratch / "test.jsonl", []))
    assert bot("evaluate", "--quick", "--external", "a.jsonl", "b.jsonl").code == 0
    assert bot("evaluate", "--quick", "--external", "a.jsonl", "--external", "b.jsonl").code == 0
    assert calls == [["test.jsonl", "a.jsonl", "b.jsonl"]] * 2
    assert "c.jsonl cannot be read" in bot("evaluate", "--external", "a.jsonl", "c.jsonl").err


def test_a_broken_suite_is_named(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"rule": "x"}\n')
    with pytest.raises(ModelError, match=r"pairs\.jsonl"):
        read_pairs(tmp_path / "pairs.jsonl")


def test_vader_reads_dread_as_escalation_and_delight_as_calm() -> None:
    dread, delight, fact = vader().read(
        [Document("Terrible massacre, horrible war"), Document("Wonderful peace, happy agreement"), Document("A table")]
    )
    assert dread.escalation > 40 and max(dread.direction, key=dread.direction.__getitem__) == "escalation"
    assert delight.deescalation > 40 and max(delight.direction, key=delight.direction.__getitem__) == "deescalation"
    assert max(fact.direction, key=fact.direction.__getitem__) == "none"
    assert sum(dread.direction.values()) == pytest.approx(1.0)


def test_every_system_is_measured_on_every_file_and_drawn(tmp_path: Path) -> None:
    def oracle(documents: Sequence[Document]) -> list[Judgement]:
        wanted = {str(record["title"]): record for record in RECORDS}
        return [
            replace(
                judged(
                    str(wanted[document.title]["direction"]),
                    score=25.0 * float(str(wanted[document.title]["severity"])),
                ),
                status=str(wanted[document.title]["status"]),
            )
            for document in documents
        ]

    path = tmp_path / "four.jsonl"
    dates = [{"published": f"2022-04-0{day}T00:00:00+00:00"} for day in (1, 1, 2, 3)]
    path.write_text("\n".join(json.dumps(row | date) for row, date in zip(RECORDS, dates, strict=True)))
    table = evaluate([System("oracle", oracle, 5_000_000), keyword_list()], [path], resamples=5)
    first, second = table.rows
    assert (first.system, second.system, first.days) == ("oracle", "keyword list", 3.0)
    assert first.figures["direction F1"].value == first.figures["AP severity>=2"].value == 1.0
    assert "5.0" in str(table).splitlines()[1]
    drawn = draw(table, tmp_path / "plots")
    assert {path.name for path in drawn} == {"reliability-four.png", "confusion-four.png", "pace-four.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_hard_cases_ship_with_the_package() -> None:
    assert HARD_CASES.is_file()
