"""Silence that a chat asks for: pairs, hours and days, quiet hours, and what waits meanwhile; over HTTP."""

from datetime import datetime, timedelta

import fake_updates as updates
import pytest
from sqlmodel import select

from bot.messages.message import Message
from bot.pipeline.fold import fold_old_news
from models import (
    Alert,
    AlertKind,
    Delivery,
    DeliveryState,
    Level,
    Story,
)
from tests.chat_steps import ACTIVE, alert_told, in_the_news, press, set_up
from tests.test_chat_handlers import ANNA, NOW, Bench, bench, database

__all__ = ["bench", "database"]


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


async def test_mute_under_an_alert_silences_its_pair(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    assert "Russia – Ukraine is muted here. /unmute RU-UA" in (await press(bench, f"alert:mute:{alert}"))["text"]
    found = bench.find()
    assert found is not None and found.muted_dyads == ["RU-UA"]


async def test_status_of_a_chat_that_chose_regions_tells_their_pairs_and_none_that_it_muted(bench: Bench) -> None:
    bench.add(ACTIVE, regions=["middle-east"], dyads=["RU-UA"], muted_dyads=["IL-LB"])
    in_the_news(bench, "IL-IR", 60, ("middle-east",))
    in_the_news(bench, "IL-LB", 60, ("middle-east",))
    in_the_news(bench, "CN-TW", 95, ("east-asia",))
    tension = (await bench.ask("/status")).partition("Escalation from")[0]
    assert "Israel – Iran: escalation 12" in tension and "Russia – Ukraine: calm" in tension
    assert "Taiwan" not in tension and "Lebanon" not in tension


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


async def test_to_unmute_a_pair_that_was_not_muted_says_so_and_what_is(bench: Bench) -> None:
    bench.add(ACTIVE, muted_dyads=["IL-IR"])
    assert "was not muted here. Still muted: Israel – Iran." in await bench.ask("/unmute RU UA")
