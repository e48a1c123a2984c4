"""What a chat may choose, typed or pressed: understood or refused, and what its pages show; pure."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chat.settings import choose, values_of
from bot.chat.typed import BadChoice, Known
from bot.messages.language import in_language
from bot.messages.settings import Offer, settings_page
from classifiers.labels import SIGNALS
from config.schema import Actors, Alerts, Digest, Levels, Settings
from models import (
    Subscriber,
)
from tests.chat_steps import buttons
from tests.test_chat_handlers import NOW

KNOWN = Known(["europe", "middle-east"], ["RU-UA", "IL-IR"], SIGNALS, in_language("en"), Actors())


FRENCH = replace(KNOWN, say=in_language("fr"))


PAGES = [
    "main",
    "levels",
    "regions",
    "pairs",
    "muted",
    "signals",
    "quiet",
    "zone",
    "budget",
    "digest",
    "looks",
    "language",
    "done",
]


def fresh(**values: Any) -> Subscriber:
    return Subscriber(**{"chat_id": 1, "created_at": NOW, "changed_at": NOW} | values)


@pytest.mark.parametrize(
    ("key", "values", "field", "chosen"),
    [
        ("escalation", ["critical"], "level_escalation", 3),
        ("easing", ["WATCH"], "level_deescalation", 1),
        ("through", ["never"], "break_through", 4),
        ("regions", ["Europe"], "regions", ["europe"]),
        ("pairs", ["ru-ua", "IL-IR"], "dyads", ["RU-UA", "IL-IR"]),
        ("signals", ["threat"], "signals", ["threat"]),
        ("regions", ["Middle", "East"], "regions", ["middle-east"]),
        ("regions", ["middle", "east,", "Europe"], "regions", ["middle-east", "europe"]),
        ("regions", ["europe", "and", "middle-east", "on"], "regions", ["europe", "middle-east"]),
        ("signals", ["Ties", "restored"], "signals", ["diplomatic_restoration"]),
        ("signals", ["armed_attack,", "sanctions", "relief"], "signals", ["armed_attack", "sanctions_relief"]),
        ("pairs", ["Russia", "Ukraine"], "dyads", ["RU-UA"]),
        ("pairs", ["us", "iran,", "IL-IR"], "dyads", ["IR-US", "IL-IR"]),
        ("pairs", ["RU,", "UA"], "dyads", ["RU-UA"]),
        ("muted", ["Corée", "du", "Nord", "et", "Japon"], "muted_dyads", ["JP-KP"]),
        ("timezone", ["europe/kyiv"], "timezone", "Europe/Kyiv"),
        ("timezone", ["America/New", "York"], "timezone", "America/New_York"),
        ("language", ["FR"], "language", "fr"),
        ("language", ["français"], "language", "fr"),
        ("budget", ["12"], "daily_budget", 12),
        ("budget", ["default"], "daily_budget", None),
        ("digest", ["off"], "digest", False),
        ("day", ["fri"], "digest_weekday", 4),
        ("day", ["Fridays"], "digest_weekday", 4),
        ("time", ["7"], "digest_at", "07:00"),
        ("time", ["7h30"], "digest_at", "07:30"),
        ("silent", ["on"], "silent", True),
        ("previews", ["on"], "link_previews", True),
    ],
)
def test_a_choice_changes_its_field_and_nothing_else(key: str, values: list[str], field: str, chosen: object) -> None:
    subscriber = fresh()
    before = subscriber.model_dump()
    choose(subscriber, KNOWN, key, values)
    assert subscriber.model_dump() == before | {field: chosen}


@pytest.mark.parametrize(
    ("key", "typed", "field", "chosen"),
    [
        ("day", "vendredi", "digest_weekday", 4),
        ("day", "friday", "digest_weekday", 4),
        ("digest", "non", "digest", False),
        ("silent", "oui", "silent", True),
        ("through", "jamais", "break_through", 4),
        ("regions", "Moyen-Orient", "regions", ["middle-east"]),
        ("regions", "moyen orient, Europe", "regions", ["middle-east", "europe"]),
        ("regions", "Middle East", "regions", ["middle-east"]),
        ("signals", "liens retablis", "signals", ["diplomatic_restoration"]),
        ("budget", "5", "daily_budget", 5),
    ],
)
def test_in_a_french_chat_words_are_understood_as_its_pages_show_them_and_in_english(
    key: str, typed: str, field: str, chosen: object
) -> None:
    subscriber = fresh()
    before = subscriber.model_dump()
    choose(subscriber, FRENCH, key, typed.split())
    assert subscriber.model_dump() == before | {field: chosen}


@pytest.mark.parametrize(
    ("key", "typed", "field", "empty"),
    [
        ("budget", "par défaut", "daily_budget", None),
        ("quiet", "aucune", "quiet_from", None),
        ("quiet", "aucun", "quiet_from", None),
        ("regions", "toutes", "regions", []),
        ("regions", "Europe non", "regions", []),
        ("timezone", "par défaut", "timezone", ""),
        ("day", "non", "digest_weekday", None),
    ],
)
def test_in_a_french_chat_a_choice_is_taken_back_in_its_words(key: str, typed: str, field: str, empty: object) -> None:
    subscriber = fresh(
        daily_budget=3, quiet_from="22:00", quiet_until="06:00", regions=["europe"], timezone="UTC", digest_weekday=2
    )
    choose(subscriber, FRENCH, key, typed.split())
    assert getattr(subscriber, field) == empty


@pytest.mark.parametrize("typed", ["22:30 06:30", "22:30–06:30", "22h30 6h30", "de 22:30 à 06:30", "22:30 to 06:30"])
def test_quiet_hours_are_understood_as_the_pages_show_them(typed: str) -> None:
    subscriber = fresh()
    choose(subscriber, FRENCH, "quiet", typed.split())
    assert (subscriber.quiet_from, subscriber.quiet_until) == ("22:30", "06:30")


def test_a_choice_is_put_in_or_taken_back_once_however_often_it_is_said_and_all_empties_the_list() -> None:
    subscriber = fresh(regions=["europe"])
    for _ in range(2):
        choose(subscriber, KNOWN, "regions", ["middle-east"])
        choose(subscriber, KNOWN, "regions", ["Europe", "on"])
        assert subscriber.regions == ["europe", "middle-east"]
    for _ in range(2):
        choose(subscriber, KNOWN, "regions", ["europe", "off"])
        assert subscriber.regions == ["middle-east"]
    choose(subscriber, KNOWN, "regions", ["all"])
    assert subscriber.regions == []


BAD = [
    ("muted", ["XX"], r"Russia – Ukraine \(RU-UA\), Israel – Iran \(IL-IR\)"),
    ("quite", ["22:00", "07:00"], "Did you mean quiet?"),
    ("quiet", ["22:00"], "22:30 06:30"),
    ("quiet", ["25:00", "07:00"], "no time of the day"),
    ("quiet", ["07:00", "7"], "another end"),
    ("timezone", ["Kiev-City"], "no time zone"),
    ("timezone", ["Berlim"], "Did you mean Europe/Berlin?"),
    ("budget", ["0"], "from 1 to 100"),
    ("budget", ["²"], "from 1 to 100"),
    ("escalation", ["loud"], "watch, warning, critical"),
    ("regions", ["erope"], "Did you mean Europe?"),
    ("signals", ["threats"], "Did you mean threat?"),
    ("signals", ["ties", "restord"], "Did you mean ties restored?"),
    ("regions", ["europe,", "midle", "east"], "“midle east” is no region here. Did you mean Middle East?"),
    ("regions", [], "There are: Europe, Middle East."),
    ("pairs", ["Russia"], "Understood: Russia. Write the codes or names"),
    ("digest", ["friday"], "/settings day friday"),
    ("day", ["someday"], "monday, tuesday"),
    ("silent", [], "on, off"),
]


@pytest.mark.parametrize(("key", "values", "said"), BAD)
def test_a_bad_choice_says_what_can_be_chosen_and_changes_nothing(key: str, values: list[str], said: str) -> None:
    subscriber = fresh(regions=["europe"], quiet_from="22:00", quiet_until="06:00")
    before = subscriber.model_dump()
    with pytest.raises(BadChoice, match=said.replace("?", r"\?")):
        choose(subscriber, KNOWN, key, values)
    assert subscriber.model_dump() == before


@pytest.mark.parametrize(("key", "values"), [(key, values) for key, values, _ in BAD])
def test_a_bad_choice_is_answered_in_the_chats_language(key: str, values: list[str]) -> None:
    said = []
    for known in (KNOWN, FRENCH):
        with pytest.raises(BadChoice) as refused:
            choose(fresh(), known, key, values)
        said.append(str(refused.value))
    english, french = (set(words.split(". ")) for words in said)
    assert not english & french


def test_where_feeds_name_no_region_a_typed_one_is_told_so() -> None:
    with pytest.raises(BadChoice, match=r"no region here\. There is none to choose yet\."):
        choose(fresh(), replace(KNOWN, regions=[]), "regions", ["europe"])


@settings(deadline=None)
@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=4))
def test_no_words_whatever_break_a_choice(key: str, values: list[str]) -> None:
    for name in (key, "quiet", "timezone", "budget", "time", "regions"):
        subscriber = fresh()
        try:
            choose(subscriber, KNOWN, name, values)
        except BadChoice as error:
            assert str(error)
        settings_page("main", Offer(subscriber, Settings(), KNOWN.regions, KNOWN.dyads))


@pytest.mark.parametrize("page", PAGES)
def test_every_button_of_every_page_fits_and_does_what_it_shows(page: str) -> None:
    subscriber = fresh(regions=["europe"], quiet_from="23:00", quiet_until="07:00", muted_dyads=["IL-IR"])
    offer = Offer(subscriber, Settings(digest=Digest()), [*KNOWN.regions, "r" * 80], KNOWN.dyads)
    shown = settings_page(page, offer)
    for data in buttons(shown):
        assert len(data.encode()) <= 64
        _, following, *choice = data.split(":", 3)
        assert following in PAGES
        if choice:
            key, value = choice
            choose(subscriber, KNOWN, key, values_of(key, value))
    assert (page == "done") != any(True for _ in buttons(shown))


def test_choices_are_shown_by_name_and_pressed_by_code() -> None:
    chosen = fresh(regions=["middle-east"], dyads=["RU-UA"], muted_dyads=["IL-IR"], language="fr")
    offer = Offer(chosen, Settings(), ["middle-east", "ukraine-russia"], ["RU-UA", "IL-KESTRIA"])
    told = settings_page("main", offer).plain
    assert "Moyen-Orient" in told and "Russia – Ukraine" in told and "Israel – Iran" in told
    words = {button.text: button.data for row in settings_page("pairs", offer).buttons for button in row}
    assert words["● Russia – Ukraine"] == "set:pairs:pairs:RU-UA:off"
    assert words["Israel – KESTRIA"] == "set:pairs:pairs:IL-KESTRIA:on"  # a party that nobody named keeps its code
    regions = {button.text: button.data for row in settings_page("regions", offer).buttons for button in row}
    assert regions["Ukraine et Russie"] == "set:regions:regions:ukraine-russia:on"


def test_the_levels_page_gives_the_scores_of_each_direction_where_they_differ() -> None:
    alike, apart = (
        settings_page("levels", Offer(fresh(), Settings(alerts=Alerts(deescalation=easing)), [], [])).plain
        for easing in (None, Levels(watch=25, warning=35, critical=55))
    )
    assert "watch is a score of 40" in alike and "Of easing" not in alike
    assert "Of easing watch is 25, warning 35, critical 55." in apart


def test_the_page_of_quiet_hours_says_whose_clock_they_go_by() -> None:
    said = [
        settings_page("quiet", Offer(fresh(timezone=zone), Settings(), [], [])).plain for zone in ("", "Europe/Kyiv")
    ]
    assert "the clock of UTC" in said[0] and "the clock of Europe/Kyiv" in said[1]
