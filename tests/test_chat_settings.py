"""/settings and its pages, /watch, and typed choices in a chat; over HTTP."""

import json
from datetime import timedelta

import fake_updates as updates
import pytest

from bot.messages.names import party_names
from config.schema import ActorEntry, Actors
from models import (
    Delivery,
    SubscriberState,
)
from models import Digest as WeeklyDigest
from tests.chat_steps import ACTIVE, press, set_up
from tests.test_chat_handlers import ADMIN, ANNA, CHANNEL, GROUP, NOW, Bench, bench, database

__all__ = ["bench", "database"]


#: One more than there are buttons for.
PAIRS = [f"RU-{code}" for code in sorted(party_names(Actors())) if code > "RU"][:25]


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


async def test_a_chat_starts_in_the_language_of_its_telegram_and_may_change_it(bench: Bench) -> None:
    hello = updates.private("/start", ADMIN)
    hello["message"]["from"]["language_code"] = "fr-CA"
    assert "Cette discussion est abonnée" in (await bench.say(hello)).text
    assert "Apaisement à partir de : warning" in await bench.ask("/settings", ADMIN)
    assert "abonner cette discussion" in await bench.ask("/help", ADMIN)
    await press(bench, "set:language:language:en", ADMIN)
    assert "Easing from: warning" in await bench.ask("/status", ADMIN)
