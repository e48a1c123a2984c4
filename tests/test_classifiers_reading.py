"""Titles and texts in, the passages, language and actors that are read out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.actors import Gazetteer
from classifiers.concepts import ConceptReader
from classifiers.judgement import ActorEntry, Document
from classifiers.language import language_of
from classifiers.passages import MOST_PASSAGES, headline, passages_of, sentences_of


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return Gazetteer()


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("Talks resume in Muscat after a month - Example Post", "Talks resume in Muscat after a month"),
        ("Border crossing shut for third day | The Example Times", "Border crossing shut for third day"),
        ("Talks resume in Muscat after a month - State Dept", "Talks resume in Muscat after a month - State Dept"),
        ("Pilot shot dead in mission - Moscow confirms", "Pilot shot dead in mission - Moscow confirms"),
        ("Truce - what truce?", "Truce - what truce?"),
        ("  Tanks\n roll   west ", "Tanks roll west"),
    ],
    ids=["dash-outlet", "bar-outlet", "speaker-stays", "attribution-stays", "question-stays", "spaces"],
)
def test_only_an_outlets_name_is_cut_from_a_title(title: str, kept: str) -> None:
    assert headline(title) == kept


def test_the_feeds_own_source_is_cut_from_a_title() -> None:
    assert headline("Convoy reaches the valley - Quillwort", source="quillwort.example") == "Convoy reaches the valley"


@pytest.mark.parametrize(
    "furniture",
    [
        "Sign up for our morning newsletter",
        "Read more: how the border was drawn",
        "Watch: the house on the hill, in six pictures",
        "Photograph: An Agency/Getty Images",
        "Additional reporting by our Tbilisi desk.",
        "All rights reserved.",
        "Advertisement",
    ],
)
def test_page_furniture_is_not_read(furniture: str) -> None:
    assert sentences_of(f"Two brigades left the valley on Monday.\n{furniture}") == [
        "Two brigades left the valley on Monday."
    ]


@pytest.mark.parametrize(
    "dateline", ["KYIV, Feb 24 (Wire) - ", "ADDIS ABABA — ", "PORT SUDAN (AP) -- "], ids=["full", "bare", "agency"]
)
def test_a_dateline_is_cut(dateline: str) -> None:
    assert sentences_of(f"{dateline}The two armies exchanged prisoners at noon.") == [
        "The two armies exchanged prisoners at noon."
    ]


def test_abbreviations_do_not_end_a_sentence() -> None:
    assert len(sentences_of("The U.S. envoy met Gen. Abdi at 5 p.m. on Monday. He left at dawn.")) == 2


def test_a_sentence_that_summary_and_text_share_is_read_once() -> None:
    lead = "The ministry recalled its ambassador on Tuesday."
    passages = passages_of(Document("Envoy recalled from Paris", summary=lead, text=f"{lead} Talks were called off."))
    assert [(p.place, p.text) for p in passages] == [
        ("title", "Envoy recalled from Paris"),
        ("lead", lead),
        ("body", "Talks were called off."),
    ]


def test_a_long_article_costs_a_bounded_number_of_passages() -> None:
    text = " ".join(f"Column number {n} crossed the river at dawn." for n in range(400))
    assert len(passages_of(Document("Columns cross river at dawn", text=text))) == MOST_PASSAGES


@given(st.text(max_size=300), st.text(max_size=2000))
@settings(deadline=None)
def test_any_text_yields_short_nonempty_passages(title: str, text: str) -> None:
    for passage in passages_of(Document(title, text=text)):
        assert 0 < len(passage.text) <= 600


def test_lone_surrogates_do_not_break_reading() -> None:
    assert passages_of(Document("Troops \ud800 cross the border", text="Tanks \udfff rolled west all night."))
    assert language_of("Troops \ud800 cross the border") == "en"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Russian troops cross into Ukraine", "en"),
        ("RUSSIAN TROOPS CROSS INTO UKRAINE", "en"),
        ("Putin: war", "en"),
        ("Erdogan meets Aliyev in Nakhchivan", "en"),
        ("Путин объявил о начале операции", "ru"),
        ("乌克兰与俄罗斯举行会谈", "zh"),
        ("Russische Truppen überqueren die Grenze und rücken auf die Hauptstadt vor", "de"),
        ("Les troupes russes entrent en Ukraine, selon le ministère de la Défense", "fr"),
        ("12:30 — 14:45", "und"),
        ("", "und"),
    ],
)
def test_language_is_told_and_short_latin_text_counts_as_english(text: str, code: str) -> None:
    assert language_of(text) == code


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("The Kremlin warned Pyongyang over Syria", ["RU", "KP", "SY"]),
        ("Niger's junta expels a Nigerian envoy", ["NE", "NG"]),
        ("Papua New Guinea signs with Guinea-Bissau and Equatorial Guinea", ["PG", "GW", "GQ"]),
        ("South Korea answers North Korea", ["KR", "KP"]),
        ("Hezbollah and Hamas meet a U.N. envoy", ["HEZBOLLAH", "HAMAS", "UN"]),
        ("RUSSIA MASSES TROOPS NEAR UKRAINE", ["RU", "UA"]),
        ("riyadh gives iranian diplomats two days", ["SA", "IR"]),
        ("Georgia accuses Russia of moving a fence", ["GE", "RU"]),
        ("Georgia runoff: Senate race too close in Atlanta", []),
        ("Michael Jordan sells his share", []),
        ("Chad Smith joins the tour", []),
        ("turkey sandwiches sell out", []),
        ("Turkey prices rise before Thanksgiving", []),
        ("The Washington Post wins a prize", []),
        ("let us go, is it far", []),
    ],
)
def test_parties_are_found_and_namesakes_are_not(gazetteer: Gazetteer, text: str, codes: list[str]) -> None:
    assert [mention.actor.code for mention in gazetteer.find(text)] == codes


@pytest.mark.parametrize(
    ("text", "dyad"),
    [
        ("Iran and the US met in Vienna again", ("IR", "US")),
        ("UN envoy asks Serbia and Kosovo to talk", ("RS", "XK")),
        ("Israel kills a Hamas commander", ("HAMAS", "IL")),
        ("China holds a parade", None),
        ("Nobody we know met anybody", None),
    ],
    ids=["venue-is-no-party", "mediator-is-no-party", "state-and-group", "one-actor", "no-actor"],
)
def test_the_main_pair_is_the_two_parties(gazetteer: Gazetteer, text: str, dyad: tuple[str, str] | None) -> None:
    assert gazetteer.named_in([(text, 1.0)]).dyad == dyad


def test_an_admins_actors_are_found_and_come_first() -> None:
    extra = ActorEntry("X1", "Valdoria", ("Valdorian", "Port Valdor"), "state")
    found = Gazetteer([extra]).find("Valdorian tanks near Port Valdor, says the UN")
    assert [mention.actor.code for mention in found] == ["X1", "X1", "UN"]


def test_concepts_read_invented_states_like_real_ones() -> None:
    reader = ConceptReader(Gazetteer([ActorEntry("X1", "Valdoria"), ActorEntry("X2", "Kessara")]))
    assert reader.sequence("Valdoria withdraws troops from Kessara") == reader.sequence(
        "Russia withdraws troops from Ukraine"
    )


@given(text=st.text(max_size=200) | st.lists(st.sampled_from(["US", "Iran", "Ab", "'s", "-", "Georgia"])).map(" ".join))
@settings(deadline=None)
def test_mentions_stand_in_the_text_and_never_overlap(gazetteer: Gazetteer, text: str) -> None:
    end = 0
    for mention in gazetteer.find(text):
        assert end <= mention.start < mention.end <= len(text)
        end = mention.end
