"""Sentences in, who claims what and what is contested out; with rules alone, and with the model that ships."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.claims import count, same_party
from classifiers.actors import Gazetteer
from classifiers.claims import Spoken, claims_of, contested_of, matters_of, opposed, speakers_of, stance_of
from classifiers.classifier import Classifier, load_classifier
from classifiers.corpus_files import LabelledArticle
from classifiers.judgement import Document, Judgement
from classifiers.labels import OPPOSITES, SIGNALS
from classifiers.referents import Heard
from classifiers.speech import MOST_PARTS, claimant_of, parts_of, speakers_in, subject_of

PNG = "Papua New Guinea"


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return Gazetteer()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier()


def judge(classifier: Classifier, title: str, text: str = "") -> Judgement:
    return classifier.judge([Document(title, text=text)])[0]


@pytest.mark.parametrize(
    ("text", "claimant"),
    [
        ("Pakistan was accused by India of sending drones across the line.", "India"),
        ("The envoys have been told to stay at home by nobody in particular.", ""),
        ("Residents of two villages said the shelling had not stopped.", "residents"),
        ("The shelling went on all night, according to residents.", "residents"),
        ("Forty civilians died on the far bank by Islamabad's count.", "Pakistan"),
        ("Turkish officers, shown the film, said it was a training flight.", "Turkey"),
        ("No shot was fired, replied the ministry in Baku.", "Azerbaijan"),
        ("Nothing has moved so far, an official of the alliance in Brussels said.", "NATO"),
        ("Iraq has not used gas, its ambassador in London says.", "Iraq"),
        ("The nuclear watchdog noted no rise of radiation.", "IAEA"),
        ("Tehran knew of no such order.", "Iran"),
        ("The wreck was a trawler, the colonel told reporters in Baku.", "Azerbaijan"),
        ('"We have started," said Neil van Heerden, who led for Pretoria.', "South Africa"),
        ("Tehran takes the offer for a ruse.", "Iran"),
        ("Beijing brushed the protest aside.", "China"),
        ("Ankara puts the blast down to saboteurs.", "Turkey"),
        ("India stands by its account of the night.", "India"),
        ("There is talk of Pakistan's claim to have downed five jets.", "Pakistan"),
        ("A statement by Hamas names two of the dead.", "Hamas"),
        ("India named nobody; thirty people had been hurt, the hospital there said.", ""),
        ("Taiwan said the boat was boarded, and says a Chinese cutter did it.", "Taiwan"),
    ],
)
def test_speakers_are_found_who_are_passive_described_or_named_by_their_seat(
    gazetteer: Gazetteer, text: str, claimant: str
) -> None:
    assert claimant_of(text, gazetteer.find(text)) == claimant


def test_a_spokesman_of_the_rebels_speaks_for_the_group_that_was_named(gazetteer: Gazetteer) -> None:
    texts = ["The M23 took Masisi at dawn.", "A spokesman for the rebels said the town was calm."]
    assert speakers_in(texts, gazetteer) == ["", "M23"]


@pytest.mark.parametrize(
    ("texts", "speakers"),
    [
        (
            ["Sudan said the truce held.", "The RSF said it was broken.", "The army said it had fired on nobody."],
            ["Sudan", "Rapid Support Forces", "Sudan"],
        ),
        (
            [
                "Kosovo closed the bridge.",
                "Villagers said shots were heard.",
                "He said nothing of the kind, she added.",
            ],
            ["", "villagers", "Kosovo"],
        ),
        (["The CSTO met in Minsk.", "The alliance said it would send observers."], ["", "CSTO"]),
        (["NATO stands by its ally, its council stated."], ["NATO"]),
        (["Prime Minister Bill Skate, of Papua New Guinea, was away.", "The army said it had left."], ["", PNG]),
    ],
    ids=["no group has an army", "a pronoun is no crowd", "the body named last", "its", "the state named last"],
)
def test_an_office_or_a_pronoun_means_the_party_named_last_that_can_have_it(
    gazetteer: Gazetteer, texts: list[str], speakers: list[str]
) -> None:
    assert speakers_in(texts, gazetteer) == speakers


def test_a_minister_named_with_his_state_speaks_for_it_later(gazetteer: Gazetteer) -> None:
    texts = [
        "Iran's foreign minister, Javad Zadeh, flew home.",
        "Iraq said he had left.",
        "Mr Zadeh said talks would go on.",
    ]
    assert speakers_in(texts, gazetteer) == ["", "Iraq", "Iran"]


def test_a_person_speaks_for_the_party_whose_office_he_was_given(gazetteer: Gazetteer) -> None:
    texts = [
        "Kosovo's president, Vjosa Osmani, said the road was closed.",
        "Serbia said it was open.",
        "Ms Osmani added that tanks were near.",
    ]
    assert speakers_in(texts, gazetteer) == ["Kosovo", "Serbia", "Kosovo"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "Moscow announced a partial withdrawal, NATO sees no pull-back",
            ("Moscow announced a partial withdrawal", "NATO sees no pull-back"),
        ),
        (
            "Kyiv says a school was hit, but Moscow says it was a depot",
            ("Kyiv says a school was hit", "Moscow says it was a depot"),
        ),
        ("Haiti says a patrol crossed; Kenya says none did", ("Haiti says a patrol crossed", "Kenya says none did")),
        ("Russia says NATO said nothing; talks go on", None),
        ("Russia said it left, and Russia said it will not return", None),
        ("Iran denies, Israel says", None),
    ],
    ids=["comma", "but", "semicolon", "quoted inside", "one speaker", "nothing said"],
)
def test_a_sentence_is_cut_only_where_somebody_else_begins_to_speak(
    gazetteer: Gazetteer, text: str, parts: tuple[str, ...] | None
) -> None:
    assert parts_of(text, gazetteer.find(text)) == (parts or (text,))


@given(st.lists(st.sampled_from(["Iran", "says", "denies", ";", ",", " but ", "NATO", "it", "the", '"']), max_size=60))
@settings(deadline=None, max_examples=50)
def test_parts_are_few_and_stand_in_the_sentence(gazetteer: Gazetteer, words: list[str]) -> None:
    text = " ".join(words)
    parts = parts_of(text, gazetteer.find(text))
    assert 1 <= len(parts) <= MOST_PARTS
    assert all(part in text for part in parts)


@pytest.mark.parametrize("unit", ["a ", "said, ", "the a-b ", "has ", "; ", 'NATO "said" ', "was also by "])
def test_no_sentence_takes_long_to_read(gazetteer: Gazetteer, unit: str) -> None:
    text = (unit * 600)[:600]
    start = time.process_time()
    claimant_of(text, gazetteer.find(text), Heard("Russia"))
    parts_of(text, gazetteer.find(text))
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("text", "speaker", "about"),
    [
        ("Israel said Iran was massing troops.", "Israel", "Iran"),
        ("Russia says its troops are leaving Belarus.", "Russia", "Russia"),
        ("Iran said it was withdrawing.", "Iran", "Iran"),
        ("Moscow announced a withdrawal.", "Russia", "Russia"),
    ],
    ids=["another's act", "its own act elsewhere", "its own act", "nobody else named"],
)
def test_a_claim_tells_whose_act_it_is_about(gazetteer: Gazetteer, text: str, speaker: str, about: str) -> None:
    assert subject_of(text, gazetteer.find(text), speaker) == about


def test_opposites_are_signals_of_the_codebook_each_in_one_pair() -> None:
    names = [name for pair in OPPOSITES for name in pair]
    assert set(names) <= set(SIGNALS)
    assert len(set(names)) == len(names)


def spoken(text: str, signal: str, denied: float = 0.0) -> Spoken:
    return Spoken(text, ((signal, 0.9),), denied)


def test_a_claim_that_hardly_says_what_it_is_about_is_about_what_the_article_is() -> None:
    raid = spoken("Forty gunmen raided the post.", "armed_attack")
    vague = Spoken(
        "That, the spokesman said, was a slander.", (("diplomatic_rupture", 0.4), ("armed_attack", 0.2)), 0.5
    )
    assert [signal for signal, _ in matters_of([raid, vague, raid])] == ["armed_attack"] * 3
    assert matters_of([vague])[0] == ("diplomatic_rupture", 0.4)


def test_the_parts_of_a_sentence_do_not_decide_what_each_other_is_about() -> None:
    leaving = spoken("Russia says its troops are leaving", "troop_withdrawal")
    arriving = Spoken("NATO says more keep arriving", (("troop_buildup", 0.3), ("troop_withdrawal", 0.25)), 0.0, True)
    assert [signal for signal, _ in matters_of([leaving, arriving])] == ["troop_withdrawal", "troop_buildup"]


@pytest.mark.parametrize(
    ("text", "signal", "denied", "stance"),
    [
        ("Eritrea has no wish for war.", "reassurance", 0.7, "affirm"),
        ("No option is off the table.", "threat", 0.8, "affirm"),
        ("Baku denied that it had threatened anybody.", "threat", 0.7, "deny"),
        ("No shell was fired.", "armed_attack", 0.7, "deny"),
    ],
)
def test_a_reassurance_or_threat_put_in_the_negative_is_affirmed(
    text: str, signal: str, denied: float, stance: str
) -> None:
    assert stance_of(spoken(text, signal, denied), signal) == stance


def contested(*sentences: Spoken) -> tuple[str, ...]:
    gazetteer = Gazetteer()
    speakers = speakers_of(sentences, gazetteer)
    return contested_of(sentences, speakers, claims_of(sentences, speakers, gazetteer))


def test_opposites_that_two_parties_affirm_of_one_are_both_contested() -> None:
    withdrawing = spoken("Iran said it was withdrawing.", "troop_withdrawal")
    massing = spoken("Israel said Iran was massing troops.", "troop_buildup")
    assert contested(withdrawing, massing) == ("troop_buildup", "troop_withdrawal")
    assert contested(withdrawing, spoken("Israel said it was calling up reservists.", "troop_buildup")) == ()
    assert opposed([("ceasefire", "Israel", "Israel"), ("armed_attack", "Israel", "Israel")]) == []


def test_what_one_refuses_to_say_or_do_is_not_contested_by_a_narrator() -> None:
    refused = spoken("Iran rejected the offer of talks.", "negotiation", 0.9)
    assert contested(refused, spoken("Talks were offered on Monday.", "negotiation")) == ()
    assert contested(refused, spoken("The United States said talks had begun.", "negotiation")) == ("negotiation",)


@pytest.mark.parametrize(
    ("title", "disputed", "stands"),
    [
        (
            "Russia says its troops are leaving Belarus; NATO says more keep arriving",
            ("troop_buildup", "troop_withdrawal"),
            {("Russia", "troop_withdrawal", "affirm"), ("NATO", "troop_buildup", "affirm")},
        ),
        (
            "Moscow announced a partial withdrawal, NATO sees no pull-back",
            ("troop_withdrawal",),
            {("Russia", "troop_withdrawal", "affirm"), ("NATO", "troop_withdrawal", "deny")},
        ),
        (
            "Iran says it is withdrawing, but Israel says Iran is massing troops",
            ("troop_buildup", "troop_withdrawal"),
            {("Iran", "troop_withdrawal", "affirm"), ("Israel", "troop_buildup", "affirm")},
        ),
        (
            "Armenia says Azerbaijani guns shelled its border villages; Baku denies it",
            ("armed_attack",),
            {("Armenia", "armed_attack", "affirm"), ("Azerbaijan", "armed_attack", "deny")},
        ),
    ],
    ids=["opposites", "announced and not seen", "but", "denies it"],
)
def test_a_headline_of_two_claims_is_contested_and_says_who_stands_where(
    classifier: Classifier, title: str, disputed: tuple[str, ...], stands: set[tuple[str, str, str]]
) -> None:
    judged = judge(classifier, title)
    assert judged.contested == disputed
    assert {(claim.claimant, claim.signal, claim.stance) for claim in judged.claims} == stands


def test_two_who_agree_are_not_contested(classifier: Classifier) -> None:
    assert judge(classifier, "Russia says its troops are leaving Belarus; NATO says they are leaving").contested == ()


def test_a_claim_is_of_the_part_of_the_sentence_that_is_its_speakers(classifier: Classifier) -> None:
    judged = judge(classifier, "Haiti says Dominican patrol crossed the river; Santo Domingo says it stood still")
    assert [claim.sentence for claim in judged.claims][:1] == ["Haiti says Dominican patrol crossed the river"]


def test_names_of_one_party_are_the_same_to_the_benchmark(gazetteer: Gazetteer) -> None:
    assert same_party("Russia", "Soviet Union", gazetteer)
    assert same_party("residents", "Residents", gazetteer)
    assert not same_party("Sudan", "South Sudan", gazetteer)


def test_the_benchmark_counts_what_is_right_wrong_missed_and_spurious(
    classifier: Classifier, gazetteer: Gazetteer
) -> None:
    label = {"signals": ["troop_withdrawal"], "claimant": "Russia", "stance": "affirm"}
    labels = (
        {"text": "Russia said its troops were leaving Belarus.", **label},
        {"text": "NATO said more troops were arriving in Belarus.", "signals": ["troop_buildup"]},
    )
    article = LabelledArticle("Rain in Minsk", tuple(x["text"] for x in labels), 0, 0, ("ceasefire",), "", labels)
    tally = count([article], [judge(classifier, article.title, "\n".join(article.sentences))], gazetteer)
    assert (tally.claims, tally.found, tally.all_right, tally.spurious) == (1, 1, 1, 1)
    assert (tally.contested_right, tally.contested_missed) == (0, 1)
