"""What a chat chooses: pages and buttons of /settings, typed choices, pairs, verdicts, /forget; over HTTP."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import fake_updates as updates
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from bot.chat.settings import choose, values_of
from bot.chat.typed import BadChoice, Known
from bot.messages.language import in_language
from bot.messages.message import Message
from bot.messages.names import party_names
from bot.messages.settings import Offer, settings_page
from bot.pipeline.fold import fold_old_news
from classifiers.labels import SIGNALS
from config.schema import ActorEntry, Actors, Alerts, Digest, Levels, Settings
from models import (
    Alert,
    AlertKind,
    Delivery,
    DeliveryState,
    Direction,
    Feed,
    Level,
    Reading,
    Story,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
    Verdict,
    VerdictKind,
)
from models import Digest as WeeklyDigest
from tests.rows import add_feed, add_reading
from tests.test_chat_handlers import ADMIN, ANNA, CHANNEL, GROUP, NOW, Bench, bench, database

__all__ = ["bench", "database"]

KNOWN = Known(["europe", "middle-east"], ["RU-UA", "IL-IR"], SIGNALS, in_language("en"), Actors())
FRENCH = replace(KNOWN, say=in_language("fr"))
ACTIVE = SubscriberState.ACTIVE
#: One more than there are buttons for.
PAIRS = [f"RU-{code}" for code in sorted(party_names(Actors())) if code > "RU"][:25]
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


def buttons(message: Message) -> Iterator[str]:
    return (button.data for row in message.buttons for button in row)


# Choices, pure --------------------------------------------------------------------------------------------------------


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


# In chats -------------------------------------------------------------------------------------------------------------


def set_up(bench: Bench) -> None:
    with bench.database.write() as session:
        session.add(Feed(url="https://a.example/", publisher="A", regions=["europe"], next_fetch_at=NOW))
        session.add(Story(title="s", first_seen_at=NOW, last_seen_at=NOW, dyad="RU-UA"))


async def press(bench: Bench, data: str, user_id: int = ANNA, chat: dict[str, Any] | None = None) -> Any:
    """Press a button; the answer to the press, once everything it causes is done."""
    update = updates.press(data, user_id)
    if chat is not None:
        update["callback_query"]["message"]["chat"] = chat
    number = len(bench.fake.calls_of("answerCallbackQuery"))
    await bench.fake.push(update)
    return (await bench.fake.called("answerCallbackQuery", number + 1))[number].params


async def test_settings_shows_the_choices_and_buttons_change_them_in_place(bench: Bench) -> None:
    bench.add(ACTIVE)
    set_up(bench)
    first = await bench.say(updates.private("/settings", ANNA))
    assert "Escalation from: warning" in first.text
    await press(bench, "set:regions:regions:europe:on")
    (edit,) = await bench.fake.called("editMessageText")
    assert "● Europe" in str(edit.params["reply_markup"])
    await press(bench, "set:regions:regions:europe:on")  # as Telegram sends it again to who was killed over it
    await press(bench, "set:quiet:quiet:22:00 07:00")
    await press(bench, "set:levels:escalation:critical")
    found = bench.find()
    assert found is not None
    assert (found.regions, found.quiet_from, found.quiet_until) == (["europe"], "22:00", "07:00")
    assert found.level_escalation == 3


async def test_a_digest_day_of_ones_own_moves_the_next_digest(bench: Bench) -> None:
    bench.add(ACTIVE, digest_due_at=NOW + timedelta(days=4))
    assert "Fridays at 18:45" in await bench.ask("/settings day friday") + await bench.ask("/settings time 18:45")
    await bench.ask("/settings timezone Asia/Tokyo")
    found = bench.find()
    assert found is not None
    assert found.digest_due_at is not None
    assert found.digest_due_at.isoformat() == "2022-02-18T09:45:00+00:00"


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Fridays at 08:00, next on 25 Feb"), ("fr", "le vendredi à 08:00, prochain envoi le 25 févr.")],
)
async def test_a_digest_moved_to_a_day_too_near_the_last_one_is_told_with_its_date(
    bench: Bench, language: str, said: str
) -> None:
    number = bench.add(ACTIVE, language=language, digest_due_at=NOW + timedelta(days=4))
    monday = NOW - timedelta(days=3, hours=4)
    with bench.database.write() as session:
        week = WeeklyDigest(since=monday - timedelta(days=7), until=monday, created_at=monday)
        session.add(week)
        session.flush()
        session.add(
            Delivery(subscriber_id=number, key="digest:1", digest_id=week.id, send_after=monday, created_at=monday)
        )
    assert said in await bench.ask("/settings day friday")
    assert said in await bench.ask("/status")
    await press(bench, "set:digest")
    assert said in (await bench.fake.called("editMessageText"))[0].text


async def test_a_typed_mistake_is_answered_with_what_there_is(bench: Bench) -> None:
    bench.add(ACTIVE)
    assert "Did you mean quiet?" in await bench.ask("/settings qiet 22:00 07:00")
    assert "Did you mean /settings?" in await bench.ask("/setings")


async def test_only_a_groups_admin_changes_it_and_is_asked_for_at_every_press(bench: Bench) -> None:
    bench.add(ACTIVE, chat_id=GROUP, kind="supergroup")
    chat = {"id": GROUP, "type": "supergroup", "title": "Newsroom"}
    refused = await press(bench, "set:levels:escalation:critical", chat=chat)
    assert "Only admins of this chat" in refused["text"]
    bench.fake.members[GROUP, ANNA] = "administrator"
    await press(bench, "set:levels:escalation:critical", chat=chat)
    found = bench.find(GROUP)
    assert found is not None and found.level_escalation == 3
    bench.fake.members[GROUP, ANNA] = "member"
    assert "Only admins" in (await press(bench, "set:levels:escalation:watch", chat=chat))["text"]


async def test_a_reader_of_a_channel_cannot_change_it(bench: Bench) -> None:
    bench.add(ACTIVE, chat_id=CHANNEL, kind="channel")
    chat = {"id": CHANNEL, "type": "channel", "title": "Front page"}
    assert "Only admins" in (await press(bench, "forget:yes", chat=chat))["text"]
    assert bench.state(CHANNEL) is ACTIVE


@pytest.mark.parametrize("words", ["RU UA", "ru-ua", "Russia Ukraine", "ukraine and russia"])
async def test_a_pair_is_watched_and_muted_by_code_or_name(bench: Bench, words: str) -> None:
    bench.add(ACTIVE)
    watched = await bench.ask(f"/watch {words}")
    assert "Russia – Ukraine is watched here. Pairs chosen: Russia – Ukraine." in watched
    assert "Russia – Ukraine is muted" in await bench.ask(f"/mute {words}")
    assert "Still muted: Russia – Ukraine; /unmute RU-UA" in await bench.ask("/unmute")
    await bench.ask(f"/unwatch {words}")
    found = bench.find()
    assert found is not None and (found.dyads, found.muted_dyads) == ([], ["RU-UA"])


@pytest.mark.parametrize(
    ("words", "pair"),
    [
        ("US Iran", "IR-US"),
        ("us iran", "IR-US"),
        ("USA Iran", "IR-US"),
        ("UK Russia", "GB-RU"),
        ("EU Russia", "EU-RU"),
        ("UAE Iran", "AE-IR"),
        ("North Korea US", "KP-US"),
        ("RU, UA", "RU-UA"),
        ("RU/UA", "RU-UA"),
        ("Russia-Ukraine", "RU-UA"),
        ("russia vs ukraine", "RU-UA"),
        ("turkey GREECE", "GR-TR"),
        ("Trinidad and Tobago Venezuela", "TT-VE"),
        ("Russie et Ukraine", "RU-UA"),
        ("La Russie et l'Ukraine", "RU-UA"),
        ("etats-unis Corée du Nord", "KP-US"),
        ("us et iran", "IR-US"),
        ("ER et", "ER-ET"),
        ("the war in Ukraine by Russia", "RU-UA"),
        ("AL_QAEDA-US", "AL_QAEDA-US"),
        ("Kestria OTAN", "KESTRIA-NATO"),
    ],
)
async def test_a_pair_is_understood_however_people_write_it(bench: Bench, words: str, pair: str) -> None:
    bench.settings = bench.settings.model_copy(
        update={"actors": Actors(actors=(ActorEntry(code="KESTRIA", name="Kestria"),))}
    )
    bench.add(ACTIVE)
    assert "is watched here" in await bench.ask(f"/watch {words}")
    found = bench.find()
    assert found is not None and found.dyads == [pair]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "such as /watch RU UA"),
        ("Atlantis Mordor", "“Atlantis Mordor” does not name two parties. Write the codes"),
        ("Ukrain Russia", "Understood: Russia. Did you mean Ukraine?"),
        ("noth korea us", "Understood: United States. Did you mean North Korea?"),
        ("Russie Ukrane", "Understood: Russia. Did you mean Ukraine?"),
        ("RU UA IR", "Understood: Russia, Ukraine, Iran. Write"),
    ],
    ids=["none", "unknown", "misspelt", "misspelt of two words", "French", "three"],
)
async def test_words_that_are_no_pair_are_answered_with_what_was_understood_and_what_may_be_meant(
    bench: Bench, words: str, said: str
) -> None:
    bench.add(ACTIVE)
    assert said in await bench.ask(f"/watch {words}")
    found = bench.find()
    assert found is not None and found.dyads == []


async def test_to_watch_a_first_pair_says_that_all_others_are_told_no_longer_and_what_brings_them_back(
    bench: Bench,
) -> None:
    bench.add(ACTIVE)
    assert "From now on only it is told here; /unwatch RU-UA: all again." in await bench.ask("/watch RU UA")
    assert "From now on" not in await bench.ask("/watch Israel Iran")
    assert "Pairs chosen: Israel – Iran." in await bench.ask("/unwatch RU-UA")
    assert "you hear of all" in await bench.ask("/unwatch Israel Iran")


async def test_to_watch_a_first_pair_beside_regions_says_that_both_are_told(bench: Bench) -> None:
    bench.add(ACTIVE, regions=["middle-east"])
    assert "Besides it you hear of the regions chosen: Middle East." in await bench.ask("/watch RU UA")
    assert "you hear of the regions chosen, Middle East." in await bench.ask("/unwatch RU UA")


@pytest.mark.parametrize(
    ("key", "value", "again", "name"),
    [
        ("regions", "europe", "africa", "Europe"),
        ("pairs", "RU-UA", "IL-IR", "Russia – Ukraine"),
        ("signals", "threat", "ceasefire", "threat"),
    ],
)
async def test_a_first_choice_on_a_page_of_settings_says_that_nothing_else_is_told_from_now_on(
    bench: Bench, key: str, value: str, again: str, name: str
) -> None:
    bench.add(ACTIVE)
    set_up(bench)
    for data in (f"{value}:on", f"{again}:on", "all"):
        await press(bench, f"set:{key}:{key}:{data}")
    first, second, emptied = await bench.fake.called("editMessageText", 3)
    assert first.text.startswith(f"From now on you hear only of {name}; /settings {key} all: of everything again.")
    assert "From now on" not in second.text and "From now on" not in emptied.text


async def test_to_unwatch_a_pair_that_was_not_watched_says_so(bench: Bench) -> None:
    bench.add(ACTIVE, dyads=["IL-IR"])
    assert "Russia – Ukraine was not watched here. Pairs chosen: Israel – Iran." in await bench.ask("/unwatch RU UA")
    assert "Israel – Iran is no longer watched here." in await bench.ask("/unwatch IL IR")


async def test_words_that_are_no_pair_are_answered_in_the_chats_language_with_its_own_command(bench: Bench) -> None:
    bench.add(ACTIVE, language="fr")
    said = await bench.ask("/unwatch Ukrain Russie")
    assert "Vouliez-vous dire Ukraine ?" in said and "/unwatch RU UA" in said


async def test_a_button_of_another_kind_approves_nobody(bench: Bench) -> None:
    number = bench.add(SubscriberState.PENDING)
    for data in (f"x:yes:{number}", f"set:yes:{number}", f"join:yes:{number}:1", f":yes:{number}"):
        await press(bench, data, ADMIN)
    assert bench.state() == SubscriberState.PENDING


# Under an alert -------------------------------------------------------------------------------------------------------


def alert_told(bench: Bench, subscriber_id: int) -> int:
    facts = {
        "title": "Armour crosses", "status": "confirmed", "dyad": ["Russia", "Ukraine"], "independent": 2,
        "escalation": 66, "deescalation": 3, "sources": [], "claims": [],
        "evidence": [{"sentence": "Tanks <crossed>.", "signal": "armed_attack", "direction": "up", "score": 40}],
    }  # fmt: skip
    with bench.database.write() as session:
        story = Story(title="Armour crosses", first_seen_at=NOW, last_seen_at=NOW, dyad="RU-UA")
        story.actors = [{"code": "UA", "name": "Ukraine"}, {"code": "RU", "name": "Russia"}]
        session.add(story)
        session.flush()
        alert = Alert(
            story_id=story.id, kind=AlertKind.NEW, direction=Direction.ESCALATION, level=2, score=66,
            rule="escalation 66 reached warning (60)", facts=facts, created_at=NOW,
        )  # fmt: skip
        session.add(alert)
        session.flush()
        row = Delivery(subscriber_id=subscriber_id, key="a", alert_id=alert.id, send_after=NOW, created_at=NOW)
        row.sent_at = NOW
        session.add(row)
        return alert.id


async def test_useful_and_wrong_are_kept_once_a_chat_with_the_words(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    await press(bench, f"alert:useful:{alert}")
    assert "Noted" in (await press(bench, f"alert:wrong:{alert}"))["text"]
    with bench.database.read() as session:
        verdict = session.exec(select(Verdict)).one()
    assert (verdict.kind, verdict.text, verdict.alert_id) == (VerdictKind.WRONG, "Armour crosses", alert)
    assert (verdict.model, verdict.article_id) == ("", None)


async def test_a_verdict_names_the_article_of_the_headline_and_the_model_that_read_it(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    with bench.database.write() as session:
        story = session.exec(select(Story.id)).one()
        feed = add_feed(session, NOW)
        add_reading(session, feed, NOW, "Another headline", 60.0, story_id=story)
        add_reading(session, feed, NOW, "Armour crosses", 60.0, story_id=story)
        wanted = session.exec(select(Reading).where(Reading.title == "Armour crosses")).one()
        expected = (wanted.model, wanted.article_id)
    assert "the next training learns" in (await press(bench, f"alert:wrong:{alert}"))["text"]
    with bench.database.read() as session:
        verdict = session.exec(select(Verdict)).one()
    assert (verdict.model, verdict.article_id) == expected


async def test_why_explains_the_alert_from_rule_to_sentence(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    text = await bench.ask("/why")
    assert "reached warning (60)" in text
    assert "Tanks &lt;crossed&gt;." in text and "40 points" in text
    await press(bench, f"alert:why:{alert}")
    assert (await bench.fake.sent(2))[1].text == text


async def test_what_a_summary_told_counts_as_told(bench: Bench) -> None:
    number = bench.add(ACTIVE, level_escalation=3)
    alert, later = alert_told(bench, number), NOW + timedelta(hours=25)
    with bench.database.write() as session:
        session.exec(select(Delivery)).one().sent_at = None
    fold_old_news(bench.database, later, timedelta(hours=24))
    for command, nothing in (("/why", "No alert was sent"), ("/story", "No story"), ("/latest", "/missed what was")):
        assert nothing in await bench.ask(command), command
    with bench.database.write() as session:
        told = session.exec(select(Delivery).where(col(Delivery.key).startswith("missed:"))).one()
        told.state, told.sent_at = DeliveryState.SENT, later
    assert "reached warning (60)" in await bench.ask("/why")
    assert "Armour crosses" in await bench.ask("/story")
    assert "Armour crosses" in await bench.ask("/latest")
    assert "Noted" in await bench.ask("/feedback wrong")
    with bench.database.read() as session:
        assert session.exec(select(Verdict.alert_id)).all() == [alert]


async def test_why_with_words_explains_the_last_alert_of_the_story_they_name(bench: Bench) -> None:
    number = bench.add(ACTIVE)
    alert_told(bench, number)
    text = await bench.ask("/why")
    with bench.database.write() as session:
        later = NOW + timedelta(minutes=5)
        session.add(Story(title="Armour rests", first_seen_at=later, last_seen_at=later, dyad="RU-UA"))
    assert await bench.ask("/why RU UA") == await bench.ask("/why armour") == text
    assert "No story that rang" in await bench.ask("/why armour rests")


async def test_mute_under_an_alert_silences_its_pair(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    assert "Russia – Ukraine is muted here. /unmute RU-UA" in (await press(bench, f"alert:mute:{alert}"))["text"]
    found = bench.find()
    assert found is not None and found.muted_dyads == ["RU-UA"]


async def test_forget_asks_first_and_then_leaves_only_verdicts_without_the_chat(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    await press(bench, f"alert:wrong:{alert}")
    asked = await bench.say(updates.private("/forget", ANNA))
    assert "forget:yes" in str(asked.params["reply_markup"])
    await press(bench, "forget:no")
    assert bench.state() is ACTIVE
    await press(bench, "forget:yes")
    assert bench.find() is None
    with bench.database.read() as session:
        assert session.exec(select(Delivery)).all() == []
        assert session.exec(select(Verdict)).one().subscriber_id is None


async def test_forget_in_general_names_the_topics_that_go_and_deletes_them_too(bench: Bench) -> None:
    bench.fake.members[GROUP, ANNA] = "administrator"
    for topic in (9, 12):
        bench.add(ACTIVE, chat_id=GROUP, kind="supergroup", thread_id=topic)
    bench.add(SubscriberState.REFUSED, chat_id=GROUP, kind="supergroup", thread_id=13)
    asked = await bench.say(updates.group("/forget", GROUP, ANNA))
    assert "forget:yes" in str(asked.params["reply_markup"])
    assert "the whole group, with topic 9, topic 12, topic 13." in asked.text
    chat = {"id": GROUP, "type": "supergroup", "title": "Newsroom"}
    assert "these stay so that it holds" in (await press(bench, "forget:yes", chat=chat))["text"]
    assert [bench.state(GROUP, topic) for topic in (9, 12, 13)] == [None, None, SubscriberState.REFUSED]


async def test_forget_in_a_topic_names_general_in_the_chats_language(bench: Bench) -> None:
    bench.fake.members[GROUP, ANNA] = "administrator"
    for topic in (0, 9):
        bench.add(ACTIVE, chat_id=GROUP, kind="supergroup", thread_id=topic, language="fr")
    asked = await bench.say(updates.group("/forget", GROUP, ANNA, topic=9))
    assert asked.text.endswith("Cela vaut pour tout le groupe, avec Général.")


@pytest.mark.parametrize("command", ["/stop", "/settings", "/latest"])
@pytest.mark.parametrize("here", [None, SubscriberState.STOPPED, SubscriberState.BLOCKED], ids=str)
async def test_where_another_topic_is_subscribed_nobody_is_told_to_start_a_second_time(
    bench: Bench, command: str, here: SubscriberState | None
) -> None:
    bench.fake.members[GROUP, ANNA] = "administrator"
    bench.add(ACTIVE, chat_id=GROUP, kind="supergroup", thread_id=9)
    if here is not None:
        bench.add(here, chat_id=GROUP, kind="supergroup")
    answer = await bench.say(updates.group(command, GROUP, ANNA))
    assert answer.text == "Another topic of this group is subscribed; write it there."
    assert bench.state(GROUP, 9) is ACTIVE


async def test_forget_takes_the_chats_name_out_of_what_admins_were_told_of_it(bench: Bench) -> None:
    number, admin = bench.add(ACTIVE, name="Oksana"), bench.add(ACTIVE, chat_id=ADMIN)
    named = Message("Oksana (id 42)", "Oksana (id 42)").to_json()
    with bench.database.write() as session:
        for kind, state in (
            ("paused", DeliveryState.SENT),
            ("unreachable", DeliveryState.WAITING),
            ("feedback", DeliveryState.SENT),
        ):
            about = {"subscriber_id": admin, "state": state, "message": named, "send_after": NOW, "created_at": NOW}
            session.add(Delivery(key=f"{kind}:{number}:1", **about))
            session.add(Delivery(key=f"{kind}:{number}9:1", **about))
    await press(bench, "forget:yes")
    left = {row.key for row in bench.outbox(ADMIN) if "Oksana" in row.message["plain"]}
    assert left == {f"{kind}:{number}9:1" for kind in ("paused", "unreachable", "feedback")}


@pytest.mark.parametrize("state", [SubscriberState.REFUSED, SubscriberState.PENDING])
async def test_forget_is_no_way_round_a_refusal_nor_to_ask_the_admins_again(
    bench: Bench, state: SubscriberState
) -> None:
    bench.add(state, name="Oksana", muted_dyads=["RU-UA"])
    await bench.ask("/start")
    asked = len(bench.outbox(ADMIN))
    await press(bench, "forget:yes")
    found = bench.find()
    assert found is not None and (found.state, found.name, found.muted_dyads) == (state, "", [])
    await bench.ask("/start")
    assert bench.state() is state
    assert len(bench.outbox(ADMIN)) == asked


async def test_missed_and_privacy_answer(bench: Bench) -> None:
    bench.add(ACTIVE)
    assert "Nothing came near" in await bench.ask("/missed")
    stored = await bench.ask("/privacy")
    assert "Stored about this chat" in stored and "words you sent with /feedback" in stored and "its language" in stored


def kept_back(bench: Bench, title: str, reason: SuppressionReason, told: int = 0, level: int = 2, chat: int = 0) -> int:
    """A story that was kept back at a level, and then told to a chat at the level `told`."""
    about: dict[str, Any] = {"direction": Direction.ESCALATION, "score": 66}
    with bench.database.write() as session:
        story = Story(title=title, first_seen_at=NOW, last_seen_at=NOW)
        session.add(story)
        session.flush()
        about["story_id"] = story.id
        session.add(Suppression(level=level, reason=reason, first_at=NOW, last_at=NOW, **about))
        if told:
            alert = Alert(kind=AlertKind.NEW, level=told, rule="", created_at=NOW, facts={"title": title}, **about)
            session.add(alert)
            session.flush()
            row = {"alert_id": alert.id, "state": DeliveryState.SENT, "send_after": NOW, "created_at": NOW}
            session.add(Delivery(subscriber_id=chat, key=f"alert:{alert.id}", sent_at=NOW, **row))
        return story.id


async def test_missed_leaves_out_what_was_told_here_after_all(bench: Bench) -> None:
    here, other = bench.add(ACTIVE), bench.add(ACTIVE, chat_id=GROUP)
    kept_back(bench, "Cooled down, then told", SuppressionReason.COOL_DOWN, 2, chat=here)
    part = kept_back(bench, "Near miss, then told as part of another", SuppressionReason.BELOW_THRESHOLD, level=1)
    whole = kept_back(bench, "The other", SuppressionReason.QUIET, 3, chat=here)
    with bench.database.write() as session:
        session.get_one(Story, part).merged_into = whole
    kept_back(bench, "Told at a lower level", SuppressionReason.COOL_DOWN, 1, chat=here)
    kept_back(bench, "Told elsewhere", SuppressionReason.COOL_DOWN, 2, chat=other)
    shown = await bench.ask("/missed")
    assert "then told" not in shown and "The other" not in shown
    assert "Told at a lower level" in shown and "Told elsewhere" in shown


async def test_status_shows_choices_and_tension_with_a_chart(bench: Bench) -> None:
    bench.add(ACTIVE, dyads=["RU-UA"])
    assert "Russia – Ukraine: calm" in await bench.ask("/status")
    with bench.database.write() as session:
        story = Story(title="s", first_seen_at=NOW, last_seen_at=NOW, dyad="RU-UA")
        session.add(story)
        session.flush()
        feed = add_feed(session, NOW, first_read_at=NOW - timedelta(days=90))
        at = NOW - timedelta(hours=1)
        add_reading(session, feed, at, "t", 90.0, story_id=story.id, gathered=True, dyad="RU-UA")
    shown = await bench.say(updates.private("/status", ANNA))
    assert shown.method == "sendPhoto"
    assert "Russia – Ukraine: escalation 18 (usually 0)" in shown.text
    assert "Pairs: Russia – Ukraine" in shown.text and "RU-UA" not in shown.text


@pytest.mark.parametrize(
    ("age", "said"), [(timedelta(days=5), "Russia – Ukraine: escalation 18, easing 0"), (timedelta(0), "calm")]
)
async def test_status_shows_tension_before_the_bot_is_six_weeks_old(bench: Bench, age: timedelta, said: str) -> None:
    bench.add(ACTIVE, dyads=["RU-UA"])
    with bench.database.write() as session:
        story = Story(title="s", first_seen_at=NOW, last_seen_at=NOW, dyad="RU-UA")
        session.add(story)
        session.flush()
        feed = add_feed(session, NOW, first_read_at=NOW - age)
        at = NOW - timedelta(hours=1)
        add_reading(session, feed, at, "t", 90.0, story_id=story.id, gathered=True, dyad="RU-UA")
    assert said in await bench.ask("/status")


def in_the_news(bench: Bench, dyad: str, escalation: float, regions: tuple[str, ...] = ()) -> None:
    with bench.database.write() as session:
        story = Story(title="s", first_seen_at=NOW, last_seen_at=NOW, dyad=dyad, regions=list(regions))
        session.add(story)
        session.flush()
        feed = add_feed(session, NOW, first_read_at=NOW - timedelta(days=90))
        at = NOW - timedelta(hours=1)
        add_reading(session, feed, at, "t", escalation, story_id=story.id, gathered=True, dyad=dyad)


async def test_status_lists_every_pair_watched_the_calm_ones_too_and_says_how_many_more_there_are(
    bench: Bench,
) -> None:
    bench.add(ACTIVE, dyads=[*(f"P{number}-UA" for number in range(11)), "RU-UA"])
    in_the_news(bench, "RU-UA", 90)
    in_the_news(bench, "IL-IR", 90)
    shown = await bench.ask("/status")
    first, second = shown.splitlines()[1:3]
    assert first == "Russia – Ukraine: escalation 18 (usually 0), easing 0"
    assert second == "P0 – Ukraine: calm (usually 0)"
    assert "and 2 more, quieter" in shown and "Israel" not in shown.partition("Escalation from")[0]


async def test_status_of_a_chat_whose_pairs_are_all_calm_draws_the_first(bench: Bench) -> None:
    bench.add(ACTIVE, dyads=["RU-UA", "IL-IR"])
    shown = await bench.say(updates.private("/status", ANNA))
    assert shown.method == "sendPhoto" and "Israel – Iran: calm" in shown.text


async def test_status_of_a_chat_that_chose_regions_tells_their_pairs_and_none_that_it_muted(bench: Bench) -> None:
    bench.add(ACTIVE, regions=["middle-east"], dyads=["RU-UA"], muted_dyads=["IL-LB"])
    in_the_news(bench, "IL-IR", 60, ("middle-east",))
    in_the_news(bench, "IL-LB", 60, ("middle-east",))
    in_the_news(bench, "CN-TW", 95, ("east-asia",))
    tension = (await bench.ask("/status")).partition("Escalation from")[0]
    assert "Israel – Iran: escalation 12" in tension and "Russia – Ukraine: calm" in tension
    assert "Taiwan" not in tension and "Lebanon" not in tension


async def test_status_of_a_pair_tells_its_tension_with_its_chart_whatever_was_chosen(bench: Bench) -> None:
    bench.add(ACTIVE, dyads=["IL-IR"])
    in_the_news(bench, "RU-UA", 90)
    shown = await bench.say(updates.private("/status Russia Ukraine", ANNA))
    assert shown.method == "sendPhoto"
    assert "Russia – Ukraine: escalation 18" in shown.text and "Israel" not in shown.text
    assert "China – Taiwan: calm" in await bench.ask("/status cn tw")
    assert "such as /status RU UA" in await bench.ask("/status Russia")


async def test_digest_sends_the_last_one_again(bench: Bench) -> None:
    bench.add(ACTIVE)
    assert "no digest yet" in await bench.ask("/digest")
    with bench.database.write() as session:
        week = {"since": NOW - timedelta(days=7), "until": NOW, "created_at": NOW, "chart": b""}
        session.add(WeeklyDigest(message=Message("<b>Week</b>", "Week").to_json(), **week))
    assert await bench.ask("/digest") == "<b>Week</b>"


async def test_digest_is_the_chats_own_where_others_have_a_newer_one(bench: Bench) -> None:
    subscriber = bench.add(ACTIVE)
    with bench.database.write() as session:
        span = {"since": NOW - timedelta(days=7), "created_at": NOW, "chart": b""}
        own = WeeklyDigest(until=NOW, message=Message("all", "all").to_json(), **span)
        newer = WeeklyDigest(until=NOW + timedelta(hours=1), message=Message("n", "n").to_json(), **span)
        session.add_all([own, newer])
        session.flush()
        told = Delivery(subscriber_id=subscriber, key="digest:1", send_after=NOW + timedelta(days=1), created_at=NOW)
        told.digest_id, told.message = own.id, Message("<b>Mine</b>", "Mine").to_json()
        session.add(told)
    assert await bench.ask("/digest") == "<b>Mine</b>"


# Stories, feedback, a mute for hours ----------------------------------------------------------------------------------


async def test_story_tells_the_course_of_the_last_alerts_story_or_of_one_named(bench: Bench) -> None:
    number = bench.add(ACTIVE)
    assert "No story" in await bench.ask("/story")
    alert_told(bench, number)
    with bench.database.write() as session:
        feed = add_feed(session, NOW, publisher="<Wire>")
        add_reading(session, feed, NOW, "Armour <b>crosses", 60.0, story_id=session.exec(select(Story.id)).one())
    text = await bench.ask("/story")
    assert "Russia – Ukraine, unconfirmed" in text and "Told 17 Feb 12:00: 🟠 WARNING" in text
    assert "&lt;Wire&gt;" in text and "Armour &lt;b&gt;crosses" in text
    assert await bench.ask("/story armour ru-ua") == text
    assert "No story" in await bench.ask("/story arm%r")


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("Russia Ukraine", "Talks in Minsk"),
        ("RU UA", "Talks in Minsk"),
        ("us iran", "Tankers seized"),
        ("Iran tankers", "Tankers seized"),
        ("tanker", "Tankers seized"),
        ("ruin", "A ruin is bought"),
        ("Russie et Ukraine guarding", None),
        ("ankers", None),
        ("***", None),
    ],
)
async def test_story_is_found_by_its_parties_and_by_whole_words_of_its_headline(
    bench: Bench, words: str, title: str | None
) -> None:
    bench.add(ACTIVE)
    told = [("Talks in Minsk", "RU-UA"), ("Tankers seized", "IR-US"), ("Trump guards a square", None)]
    with bench.database.write() as session:
        for minutes, (name, dyad) in enumerate([*told, ("A ruin is bought", None)]):
            seen = NOW + timedelta(minutes=minutes)
            session.add(Story(title=name, first_seen_at=seen, last_seen_at=seen, dyad=dyad))
    assert (title or "No story") in await bench.ask(f"/story {words}")


async def test_feedback_reaches_admins_once_and_a_few_times_a_day(bench: Bench) -> None:
    bench.add(ACTIVE, name="Oksana")
    assert "Write /feedback" in await bench.ask("/feedback")
    for text in ("too <loud>", "too <loud>", "1", "2", "3", "4", "5"):
        await bench.ask(f"/feedback {text}")
    told = [row.message["html"] for row in bench.outbox(ADMIN) if row.key.startswith("feedback:")]
    assert len(told) == 5
    assert "“Oksana”" in told[0] and "too &lt;loud&gt;" in told[0]


async def test_feedback_that_nobody_is_set_up_to_read_says_so(bench: Bench) -> None:
    bench.use(access="invite", invite_code="spring-2022")
    bench.add(ACTIVE)
    assert "Nobody is set up to read it" in await bench.ask("/feedback too many alerts")


async def test_feedback_in_one_word_is_the_button_under_the_last_alert(bench: Bench) -> None:
    number = bench.add(ACTIVE)
    assert "No alert was sent here" in await bench.ask("/feedback wrong")
    alert_told(bench, number)
    assert "Noted" in await bench.ask("/feedback wrong")
    with bench.database.read() as session:
        assert session.exec(select(Verdict)).one().kind is VerdictKind.WRONG


async def test_a_stranger_gives_no_feedback_and_sees_no_story(bench: Bench) -> None:
    assert "subscribers only" in await bench.ask("/feedback hello")
    assert "subscribers only" in await bench.ask("/story")
    assert bench.outbox(ADMIN) == []


async def test_a_mute_for_hours_ends_by_itself_or_at_once(bench: Bench) -> None:
    bench.add(ACTIVE, timezone="Europe/Kyiv")
    until = "17 Feb 17:00 (Europe/Kyiv)"
    assert f"Until {until} alerts wait here unless they reach critical" in await bench.ask("/mute 3h")
    found = bench.find()
    assert found is not None and found.muted_until == NOW + timedelta(hours=3)
    assert f"Muted until: {until}" in await bench.ask("/status")
    bench.now = NOW + timedelta(hours=4)
    assert "Muted until" not in await bench.ask("/status")
    await bench.ask("/mute 2 hours")
    await bench.ask("/unmute")
    found = bench.find()
    assert found is not None and found.muted_until is None


async def test_a_french_chat_reads_the_month_and_why_a_setting_was_refused_in_french(bench: Bench) -> None:
    bench.add(ACTIVE, language="fr")
    assert "Jusqu’au 17 févr. 15:00 (UTC)" in await bench.ask("/mute 3h")
    assert "« loud » ne peut pas être choisi ici" in await bench.ask("/settings escalation loud")
    assert "le vendredi à 08:00" in await bench.ask("/settings day vendredi")


async def test_settings_take_pairs_and_regions_by_the_names_their_pages_show(bench: Bench) -> None:
    bench.add(ACTIVE)
    set_up(bench)
    assert "Pairs: Israel – Iran" in await bench.ask("/settings pairs Israel Iran")
    assert "In the news: Russia – Ukraine (RU-UA), Israel – Iran (IL-IR)." in await bench.ask("/settings pairs Rusia")
    assert "Regions: Europe" in await bench.ask("/settings regions europe")


@pytest.mark.parametrize(
    ("words", "span"),
    [
        ("3", timedelta(hours=3)),
        ("3h", timedelta(hours=3)),
        ("for 36 hours", timedelta(hours=36)),
        ("1 heure", timedelta(hours=1)),
        ("3 days", timedelta(days=3)),
        ("7d", timedelta(days=7)),
        ("2 jours", timedelta(days=2)),
    ],
)
async def test_a_mute_for_hours_or_days_is_understood_however_people_write_it(
    bench: Bench, words: str, span: timedelta
) -> None:
    bench.add(ACTIVE)
    await bench.ask(f"/mute {words}")
    found = bench.find()
    assert found is not None and (found.muted_until, found.muted_dyads) == (NOW + span, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("RU UA 3h", "Nothing was changed: a pair is muted until you end it"),
        ("3 days Russia Ukraine", "/mute RU-UA mutes Russia – Ukraine; /mute 3 days holds alerts back"),
        ("RU UA 30min", "Nothing was changed"),
        ("", "/mute 3h or /mute 2 days holds alerts back"),
        ("tomorrow", "/mute 3h or /mute 2 days holds alerts back"),
        ("30min", "/mute 3h or /mute 2 days holds alerts back"),
        ("100 days", "1 hour to 7 days"),
        ("0", "1 hour to 7 days"),
        ("Ukrain Russia", "Did you mean Ukraine? Write the codes or names of two parties, such as /mute RU UA"),
    ],
)
async def test_a_mute_that_is_not_understood_changes_nothing_and_says_what_to_type(
    bench: Bench, words: str, said: str
) -> None:
    bench.add(ACTIVE)
    assert said in await bench.ask(f"/mute {words}")
    found = bench.find()
    assert found is not None and (found.muted_until, found.muted_dyads) == (None, [])


def waiting(bench: Bench, alert: int, number: int, at: timedelta = timedelta()) -> None:
    """The alert waits to be told to a subscriber, until so long from now."""
    with bench.database.write() as session:
        row = Delivery(subscriber_id=number, key="waits", alert_id=alert, send_after=NOW + at, created_at=NOW)
        row.rank = -session.get_one(Alert, alert).level
        row.message = Message("Armour", "Armour").to_json()
        session.add(row)


async def test_alerts_that_wait_for_a_mute_of_days_come_as_one_summary_when_it_ends(bench: Bench) -> None:
    number = bench.add(ACTIVE)
    alert = alert_told(bench, number)
    assert "older than 24 h then come as one summary" in await bench.ask("/mute 2 days")
    waiting(bench, alert, number, timedelta(days=2))
    fold_old_news(bench.database, NOW + timedelta(hours=25), timedelta(hours=24))
    (summary,) = (row for row in bench.outbox(ANNA) if row.state is DeliveryState.WAITING)
    assert (summary.key.partition(":")[0], summary.send_after) == ("missed", NOW + timedelta(days=2))


@pytest.mark.parametrize(
    ("quiet", "due"),
    [({}, NOW), ({"quiet_from": "11:00", "quiet_until": "13:00"}, NOW + timedelta(hours=1))],
    ids=["at once", "after quiet hours"],
)
async def test_unmute_lets_through_what_waited_for_the_hours_to_end(
    bench: Bench, quiet: dict[str, str], due: datetime
) -> None:
    number = bench.add(ACTIVE, muted_until=NOW + timedelta(hours=3), **quiet)
    waiting(bench, alert_told(bench, number), number, timedelta(hours=3))
    assert "those that waited too" in await bench.ask("/unmute")
    assert [row.send_after for row in bench.outbox(ANNA) if row.key == "waits"] == [due]


@pytest.mark.parametrize(
    ("wish", "due"),
    [
        ("/mute 3h", timedelta(hours=3)),
        ("/settings quiet 11:00 14:00", timedelta(hours=2)),
        ("/settings quiet 13:00 14:00", timedelta()),
        ("/settings through warning", timedelta()),
    ],
)
async def test_silence_asked_for_holds_what_waits_already(bench: Bench, wish: str, due: timedelta) -> None:
    number = bench.add(ACTIVE)
    waiting(bench, alert_told(bench, number), number, timedelta())
    await bench.ask(wish)
    assert [row.send_after for row in bench.outbox(ANNA) if row.key == "waits"] == [NOW + due]


@pytest.mark.parametrize(
    ("wish", "due"),
    [
        ("/settings quiet off", timedelta()),
        ("/settings quiet 11:00 13:00", timedelta(hours=1)),
        ("/settings timezone Asia/Tokyo", timedelta()),
        ("/settings through watch", timedelta()),
        ("/settings budget 3", timedelta(hours=2)),
    ],
)
async def test_quiet_hours_that_end_earlier_let_go_what_they_held(bench: Bench, wish: str, due: timedelta) -> None:
    number = bench.add(ACTIVE, quiet_from="11:00", quiet_until="14:00")
    waiting(bench, alert_told(bench, number), number, timedelta(hours=2))
    await bench.ask(wish)
    assert [row.send_after for row in bench.outbox(ANNA) if row.key == "waits"] == [NOW + due]


async def test_a_mute_holds_no_message_that_one_breaking_through_answers(bench: Bench) -> None:
    number = bench.add(ACTIVE, break_through=int(Level.CRITICAL))
    alert = alert_told(bench, number)
    waiting(bench, alert, number, timedelta(seconds=30))
    with bench.database.write() as session:
        first = session.exec(select(Delivery).where(Delivery.key == "waits")).one()
        answer = Delivery(subscriber_id=number, key="rose", alert_id=alert, rank=-3, replies_to_id=first.id)
        answer.send_after = answer.created_at = NOW
        session.add(answer)
    await bench.ask("/mute 3h")
    at = {row.key: row.send_after for row in bench.outbox(ANNA) if row.key in ("waits", "rose")}
    assert at["waits"] <= at["rose"] == NOW


@pytest.mark.parametrize(
    ("wish", "page", "shown"),
    [
        ("quiet 22:30 06:30", "quiet", "● 22:30–06:30"),
        ("time 18:45", "digest", "● 18:45"),
        ("timezone Asia/Seoul", "zone", "● Seoul"),
        ("budget 7", "budget", "● 7"),
    ],
)
async def test_a_page_of_settings_shows_a_typed_value_as_chosen(bench: Bench, wish: str, page: str, shown: str) -> None:
    bench.add(ACTIVE)
    await bench.ask(f"/settings {wish}")
    await press(bench, f"set:{page}")
    (edited,) = await bench.fake.called("editMessageText")
    assert f'"{shown}"' in json.dumps(edited.params["reply_markup"], ensure_ascii=False).replace("\\", "")


@pytest.mark.parametrize("way", ["typed", "in settings", "pressed"])
async def test_what_waits_of_a_pair_just_muted_is_withdrawn_and_its_corrections_are_not(bench: Bench, way: str) -> None:
    number = bench.add(ACTIVE)
    alert = alert_told(bench, number)
    waiting(bench, alert, number)
    with bench.database.write() as session:
        told = session.get_one(Alert, alert).model_dump(exclude={"id", "kind"})
        taken_back = Alert(**told, kind=AlertKind.RETRACTED)
        session.add(taken_back)
        session.flush()
        session.add(Delivery(subscriber_id=number, key="r", alert_id=taken_back.id, send_after=NOW, created_at=NOW))
    if way == "pressed":
        await press(bench, f"alert:mute:{alert}")
    else:
        await bench.ask("/mute RU UA" if way == "typed" else "/settings muted RU-UA")
    rows = {row.key: row for row in bench.outbox(ANNA)}
    assert (rows["waits"].state, rows["waits"].error) == (DeliveryState.FAILED, "the chat muted RU-UA")
    assert rows["r"].state is DeliveryState.WAITING


async def test_mute_under_an_alert_silences_the_pair_it_shows_though_the_story_turned_to_another(bench: Bench) -> None:
    number = bench.add(ACTIVE)
    alert = alert_told(bench, number)
    waiting(bench, alert, number)
    with bench.database.write() as session:
        row = session.get_one(Alert, alert)
        row.facts = row.facts | {"pair": "RU-UA"}
        session.get_one(Story, row.story_id).dyad = "NATO-RU"
    assert "Russia – Ukraine is muted here. /unmute RU-UA" in (await press(bench, f"alert:mute:{alert}"))["text"]
    found = bench.find()
    assert found is not None and found.muted_dyads == ["RU-UA"]
    assert {each.key: each.state for each in bench.outbox(ANNA)}["waits"] is DeliveryState.FAILED


async def test_mute_under_an_alert_of_an_older_version_names_the_pair_that_it_silences(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    with bench.database.write() as session:
        story = session.get_one(Story, session.get_one(Alert, alert).story_id)
        story.dyad, story.actors = "NATO-RU", [{"code": "RU", "name": "Russia"}, {"code": "NATO", "name": "NATO"}]
    assert "NATO – Russia is muted here. /unmute NATO-RU" in (await press(bench, f"alert:mute:{alert}"))["text"]


@pytest.mark.parametrize("way", ["typed", "pressed"])
async def test_to_watch_a_muted_pair_ends_its_mute_and_says_so(bench: Bench, way: str) -> None:
    bench.add(ACTIVE, muted_dyads=["RU-UA", "IL-IR"])
    set_up(bench)
    if way == "typed":
        assert "is watched here. Its mute has ended." in await bench.ask("/watch RU UA")
    else:
        await press(bench, "set:pairs:pairs:RU-UA:on")
        assert "No longer muted: Russia – Ukraine." in (await bench.fake.called("editMessageText"))[0].text
    found = bench.find()
    assert found is not None and (found.dyads, found.muted_dyads) == (["RU-UA"], ["IL-IR"])


async def test_settings_list_muted_pairs_and_a_tap_on_one_ends_its_mute(bench: Bench) -> None:
    bench.add(ACTIVE, muted_dyads=["RU-UA", "IR-IL"])
    assert "set:muted" in str((await bench.say(updates.private("/settings", ANNA))).params["reply_markup"])
    for _ in range(2):
        await press(bench, "set:muted:muted:RU-UA:off")
    first, again = await bench.fake.called("editMessageText", 2)
    assert "No longer muted: Russia – Ukraine." in first.text and "No longer muted" not in again.text
    assert "Iran – Israel" in str(again.params["reply_markup"]) and "RU-UA" not in str(again.params["reply_markup"])
    found = bench.find()
    assert found is not None and found.muted_dyads == ["IR-IL"]


@pytest.mark.parametrize(
    ("page", "way", "field"),
    [("muted", "/unmute {}", "muted_dyads"), ("pairs", "/unwatch {}", "dyads"),
     ("regions", "/settings regions {} off", "regions")],
)  # fmt: skip
async def test_a_page_says_how_many_of_those_chosen_have_no_button_and_how_to_take_them_off(
    bench: Bench, page: str, way: str, field: str
) -> None:
    many = [f"X{number}" for number in range(25)] if page == "regions" else PAIRS
    bench.add(ACTIVE, **{field: many})
    await press(bench, f"set:{page}")
    (full,) = await bench.fake.called("editMessageText")
    command = way.format(many[24])
    assert f"1 more have no button here: /settings lists them, and {command} takes one off." in full.text
    assert many[23] in str(full.params["reply_markup"]) and many[24] not in str(full.params["reply_markup"])
    await bench.ask(command)
    found = bench.find()
    assert found is not None and getattr(found, field) == many[:24]
    await press(bench, f"set:{page}")
    assert "no button" not in (await bench.fake.called("editMessageText", 2))[1].text


async def test_to_unmute_a_pair_that_was_not_muted_says_so_and_what_is(bench: Bench) -> None:
    bench.add(ACTIVE, muted_dyads=["IL-IR"])
    assert "was not muted here. Still muted: Israel – Iran." in await bench.ask("/unmute RU UA")


async def test_a_chat_starts_in_the_language_of_its_telegram_and_may_change_it(bench: Bench) -> None:
    hello = updates.private("/start", ADMIN)
    hello["message"]["from"]["language_code"] = "fr-CA"
    assert "Cette discussion est abonnée" in (await bench.say(hello)).text
    assert "Apaisement à partir de : warning" in await bench.ask("/settings", ADMIN)
    assert "abonner cette discussion" in await bench.ask("/help", ADMIN)
    await press(bench, "set:language:language:en", ADMIN)
    assert "Easing from: warning" in await bench.ask("/status", ADMIN)
