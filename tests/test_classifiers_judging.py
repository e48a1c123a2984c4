"""Documents in, judgements out, with the model that ships."""

import itertools
import json
import math

import numpy as np
import pytest

from classifiers.actors import Gazetteer
from classifiers.claims import Spoken, claims_of, contested_of, speakers_of
from classifiers.classifier import Classifier, load_classifier
from classifiers.combiner import Combiner, Mix, Scale
from classifiers.heads import Readings
from classifiers.judgement import ActorEntry, Document, Judgement
from classifiers.labels import CUTS, SIGNALS
from classifiers.score import BATCH, BadLine, ScoredLine, score_lines
from classifiers.speech import Heard, claimant_of

INVASION = Document("Russian troops cross into Ukraine, missiles hit Kyiv")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier(extra_actors=[ActorEntry("X1", "Valdoria", ("Valdorian",)), ActorEntry("X2", "Kessara")])


def judge(classifier: Classifier, title: str, **more: str) -> Judgement:
    return classifier.judge([Document(title, **more)])[0]  # type: ignore[arg-type]


def test_an_invasion_is_critical(classifier: Classifier) -> None:
    judged = classifier.judge([INVASION])[0]
    assert judged.escalation >= 80
    assert judged.severity == 3
    assert judged.dyad == ("RU", "UA")
    assert judged.signals["armed_attack"] > 0.5


def test_a_signed_ceasefire_is_strong_easing(classifier: Classifier) -> None:
    judged = judge(classifier, "Moscow and Kyiv sign comprehensive ceasefire")
    assert judged.deescalation >= 60
    assert judged.escalation < 20
    assert judged.evidence[0].signal == "ceasefire"


@pytest.mark.parametrize("title", ["Minister denies plans to attack", "Kremlin denies planning an invasion"])
def test_a_denied_attack_is_no_alarm(classifier: Classifier, title: str) -> None:
    assert judge(classifier, title).escalation < 40


@pytest.mark.parametrize(
    "title",
    [
        "Rangers strike late to sink City in cup thriller",
        "Markets rally as inflation cools for a third month",
        "Council approves new bus lanes despite shopkeepers' protest",
        "Singer announces farewell tour dates",
        "Man held after knife attack outside nightclub",
        "Storm batters coast, thousands without power",
    ],
    ids=["sport", "markets", "local", "culture", "crime", "weather"],
)
def test_everyday_news_stays_below_watch(classifier: Classifier, title: str) -> None:
    judged = judge(classifier, title)
    assert max(judged.escalation, judged.deescalation) < 40


def test_another_language_is_named_and_not_scored(classifier: Classifier) -> None:
    judged = judge(classifier, "Les troupes russes entrent en Ukraine, selon le ministère de la Défense")
    assert (judged.language, judged.escalation, judged.deescalation) == ("fr", 0.0, 0.0)
    assert judged.direction == {"escalation": 0.0, "deescalation": 0.0, "none": 1.0}
    assert not any(judged.signals.values())
    assert not judged.evidence
    assert not judged.actors
    assert not judged.claims


def test_every_judgement_is_complete_and_in_range(classifier: Classifier) -> None:
    documents = [INVASION, Document(""), Document("!!!"), Document("A" * 5000), Document("Truce", "x", "y " * 9000)]
    for judged in classifier.judge(documents):
        assert set(judged.signals) == set(SIGNALS)
        assert all(0 <= p <= 1 for p in judged.signals.values())
        assert 0 <= judged.escalation <= 100
        assert 0 <= judged.deescalation <= 100
        assert math.isclose(sum(judged.direction.values()), 1.0, abs_tol=1e-3)
        assert judged.model == classifier.version
        json.dumps(judged.to_dict(), allow_nan=False)


def test_the_dict_has_exactly_the_agreed_keys(classifier: Classifier) -> None:
    keys = "escalation deescalation direction severity status signals evidence actors dyad places claims contested"
    assert " ".join(classifier.judge([INVASION])[0].to_dict()) == f"{keys} language model"


def test_a_document_reads_the_same_alone_and_in_company(classifier: Classifier) -> None:
    company = [Document("Cup final goes to penalties"), INVASION, Document("Truce holds in the hills for a third day")]
    assert classifier.judge(company) == [classifier.judge([each])[0] for each in company]


def test_no_documents_give_no_judgements(classifier: Classifier) -> None:
    assert classifier.judge([]) == []


def test_invented_states_are_actors_and_score_alike(classifier: Classifier) -> None:
    judged = judge(classifier, "Valdorian troops cross into Kessara, missiles hit the capital")
    assert judged.dyad == ("X1", "X2")
    assert judged.escalation >= 60


def test_evidence_names_the_sentence_that_moved_the_score(classifier: Classifier) -> None:
    moving = "Missiles struck the port at dawn and killed forty soldiers."
    judged = judge(
        classifier,
        "What we know this morning",
        text=f"The weather was fine and the market was busy. {moving} A bakery in the old town won a prize.",
    )
    assert judged.evidence[0].sentence == moving
    assert judged.evidence[0].direction == "escalation"


def test_a_disputed_pull_back_is_contested(classifier: Classifier) -> None:
    judged = judge(
        classifier,
        "Russia announces troop withdrawal from border",
        text="Russia said its troops were withdrawing from the border to their barracks. "
        "NATO said there was no sign of any troop withdrawal and denied that forces had left.",
    )
    assert "troop_withdrawal" in judged.contested
    stances = {(claim.claimant, claim.stance) for claim in judged.claims if claim.signal == "troop_withdrawal"}
    assert {("Russia", "affirm"), ("NATO", "deny")} <= stances


@pytest.mark.parametrize(
    ("text", "claimant"),
    [
        ("The Kremlin said its forces had left.", "Russia"),
        ("Its forces had left, the Kremlin said.", "Russia"),
        ("No pullback seen, says NATO", "NATO"),
        ("Tehran: no talks under pressure", "Iran"),
        ("Forces remain in place, according to Kyiv.", "Ukraine"),
        ("Mr Lavrov, in Geneva for talks, said they were useful.", "Russia"),
        ("The ministry said the charge was false.", "Serbia"),
        ("Tanks rolled through Grozny.", ""),
    ],
    ids=["subject", "inverted", "headline", "colon", "source", "apposition", "anaphor", "no-speech"],
)
def test_the_party_that_speaks_is_named(text: str, claimant: str) -> None:
    assert claimant_of(text, Gazetteer().find(text), Heard(speaker="Serbia")) == claimant


def test_one_partys_own_words_are_not_contested() -> None:
    sentences = [
        Spoken("Russia said its troops were leaving.", (("troop_withdrawal", 0.9),), 0.0),
        Spoken("Russia denied that the withdrawal was a ruse.", (("troop_withdrawal", 0.9),), 0.9),
    ]
    speakers = speakers_of(sentences, Gazetteer())
    assert contested_of(sentences, speakers) == ()
    assert [claim.stance for claim in claims_of(sentences, speakers, Gazetteer())] == ["affirm", "deny"]


def reading(severity_odds: list[float]) -> Readings:
    rows = len(severity_odds)
    levels = np.zeros((rows, 2, 3))
    levels[:, 0, :] = np.array(severity_odds)[:, None] * [1.0, 0.8, 0.5]
    direction = np.column_stack([severity_odds, np.zeros(rows), 1 - np.array(severity_odds)])
    return Readings(direction, levels, np.tile([1.0, 0, 0, 0, 0], (rows, 1)), np.zeros((rows, 20)))


def test_a_sentence_reaches_a_cut_where_its_severity_is_as_likely_as_less() -> None:
    levels = np.eye(5)[:3] * 10.0
    sure, even = 6.0, 0.0
    scale = Scale(levels, np.zeros(3))
    for level, cut in enumerate(CUTS):
        evidence = [sure if at < level else even if at == level else -sure for at in range(3)] + [0.0, 0.0]
        assert scale.score(np.array([evidence]))[0] == pytest.approx(cut, abs=0.1)
    assert scale.score(np.array([[sure, sure, sure, 0.0, 0.0]]))[0] == pytest.approx(100.0, abs=0.1)


def test_a_graver_sentence_never_lowers_the_score() -> None:
    weights = [[0.9, 0.2, 0.0, 0.8, 0.1], [0.1, 0.9, 0.1, 0.2, 0.5], [0.0, 0.2, 0.9, 0.0, 0.5]]
    scale = Scale(np.array(weights), np.array([-1.0, 0.5, 2.4]))
    combiner = Combiner((scale, scale), (Mix(np.array([0.2, 0.1, 0.6, 0.2, 0.8])),) * 2)
    grid = [0.01, 0.3, 0.6, 0.95]
    for quiet in itertools.product(grid, repeat=3):
        before = combiner.shares(combiner.sentence_scores(reading(list(quiet)))).sum(axis=0)[0]
        for place in range(3):
            graver = [0.99 if index == place else value for index, value in enumerate(quiet)]
            after = combiner.shares(combiner.sentence_scores(reading(graver))).sum(axis=0)[0]
            assert after >= before - 1e-9


def test_lines_are_scored_in_order_and_bad_ones_reported(classifier: Classifier) -> None:
    lines = [
        '{"id": "a", "title": "Truce holds for a third day", "published": "2024-05-01T10:00:00Z"}',
        "not json",
        "",
        '{"summary": "no title"}',
        '["a list"]',
        '{"title": 5}',
        '{"title": "Tanks roll west", "published": "yesterday"}',
        '{"title": "Tanks \\ud800 roll west"}',
    ]
    out = list(score_lines(lines, classifier))
    assert [(type(line).__name__, line.number) for line in out] == [
        ("ScoredLine", 1),
        ("BadLine", 2),
        ("BadLine", 4),
        ("BadLine", 5),
        ("BadLine", 6),
        ("BadLine", 7),
        ("ScoredLine", 8),
    ]
    scored = [line for line in out if isinstance(line, ScoredLine)]
    assert [line.result["id"] for line in scored] == ["a", "8"]
    assert all(line.reason for line in out if isinstance(line, BadLine))


def test_scoring_streams_without_reading_ahead_of_a_batch(classifier: Classifier) -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield '{"title": "Cup final goes to penalties"}'

    assert isinstance(next(iter(score_lines(endless(), classifier))), ScoredLine)  # type: ignore[arg-type]
    assert taken <= BATCH + 1
