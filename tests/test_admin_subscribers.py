"""Subscribers that an admin approves, blocks, looks for and looks at in a chat."""

from datetime import timedelta
from typing import Any

import pytest

from models import (
    Delivery,
    DeliveryState,
    Subscriber,
    SubscriberState,
)
from tests.admin_bench import (
    ADMIN,
    ANNA,
    GROUP,
    HOSTILE,
    NOW,
    SECOND,
    Bench,
    bench,
    button,
    buttons,
    chat,
    database,
    folder,
)

__all__ = ["bench", "database", "folder"]


async def test_a_subscriber_is_approved_and_blocked_and_both_are_recorded(bench: Bench) -> None:
    bench.add(chat(ANNA, SubscriberState.PENDING, name=HOSTILE), chat(43, SubscriberState.ACTIVE))
    page = await bench.press("adm:people:list")
    assert "❓ pending 1" in page.text
    one = await bench.follow(page, "1")
    assert "<b>" not in one.text
    asked = await bench.follow(await bench.follow(one, "Approve"), "Block")
    assert "Block this?" in asked.text and "<b>" not in asked.text
    assert bench.rows(Subscriber)[0].state == SubscriberState.ACTIVE
    await bench.follow(asked, "Block it")
    assert [row.state for row in bench.rows(Subscriber)] == [SubscriberState.REFUSED, SubscriberState.ACTIVE]
    assert bench.changes() == [
        (ADMIN, "subscriber", "1", "pending", "active"),
        (ADMIN, "subscriber", "1", "active", "refused"),
    ]


async def test_of_two_admins_the_second_does_not_undo_what_the_first_answered(bench: Bench) -> None:
    bench.add(chat(ANNA, SubscriberState.PENDING))
    mine = await bench.press("adm:people:one:1")
    block = await bench.follow(await bench.press("adm:people:one:1", SECOND), "Block")
    await bench.follow(mine, "Approve")
    late = await bench.press(button(block, "Block it"), SECOND)
    assert "Nothing was changed: it is active since 17 Feb 12:00 UTC, admin 1001" in late.text
    assert [row.state for row in bench.rows(Subscriber)] == [SubscriberState.ACTIVE]


async def test_a_subscriber_is_shown_with_all_that_they_chose(bench: Bench) -> None:
    chosen = {"regions": ["middle-east"], "dyads": ["RU-UA"], "muted_dyads": ["IL-IR"], "daily_budget": 7}
    quiet = {"quiet_from": "22:00", "quiet_until": "07:00", "muted_until": NOW + timedelta(hours=1), "language": "fr"}
    bench.add(chat(ANNA, SubscriberState.ACTIVE, **chosen, **quiet))
    text = (await bench.press("adm:people:one:1")).text
    for line in ("Regions: Middle East", "Pairs: Russia – Ukraine", "Muted pairs: Israel – Iran", "at most 7"):
        assert line in text
    assert "Quiet hours: 22:00 to 07:00" in text and "Muted until: 17 Feb 13:00" in text


@pytest.mark.parametrize(
    ("typed", "found"),
    [("newsroom", [1]), ("НОВ", [3]), (" -1005 ", [1]), ("100%", [2]), ("_", [])],
    ids=["name", "other letters", "id", "percent", "no pattern"],
)
async def test_subscribers_are_searched_by_name_or_id(bench: Bench, typed: str, found: list[int]) -> None:
    bench.add(chat(GROUP, SubscriberState.ACTIVE, name="The Newsroom"), chat(43, SubscriberState.STOPPED, name="100%"))
    bench.add(chat(44, SubscriberState.ACTIVE, name="Новини"))
    await bench.follow(await bench.press("adm:people:list"), "Search")
    page = await bench.say(typed)
    assert [int(data.rsplit(":")[-1]) for data in buttons(page).values() if ":one:" in data] == found
    assert found or "nobody is called" in page.text


async def test_a_test_message_goes_to_a_chosen_chat_if_it_is_active(bench: Bench) -> None:
    bench.add(chat(ANNA, SubscriberState.ACTIVE), chat(43, SubscriberState.STOPPED))
    await bench.follow(await bench.press("adm:people:one:1"), "Send test")
    (row,) = bench.rows(Delivery)
    assert (row.subscriber_id, "test message" in row.message["plain"]) == (1, True)
    assert "Send test" not in buttons(await bench.press("adm:people:one:2"))
    assert "Only active" in (await bench.press("adm:people:test:2")).text


def lost(subscriber_id: int, number: int, state: DeliveryState, error: str) -> Delivery:
    at = NOW + timedelta(minutes=number)
    values: dict[str, Any] = {"subscriber_id": subscriber_id, "key": f"alert:{number}", "state": state, "error": error}
    return Delivery(**values, send_after=at, created_at=at)


async def test_what_did_not_arrive_is_shown_with_its_reason_and_time(bench: Bench) -> None:
    bench.add(chat(ANNA, SubscriberState.ACTIVE, name=HOSTILE), chat(43, SubscriberState.BLOCKED))
    everything = await bench.follow(await bench.press("adm:people:list"), "Undelivered")
    assert "Everything arrived." in everything.text
    bench.add(
        *(lost(1, number, DeliveryState.FAILED, f"old {number}") for number in range(9)),
        lost(1, 9, DeliveryState.SENT, ""),
        lost(2, 10, DeliveryState.UNCERTAIN, "chat 43: no answer from Telegram in time"),
        lost(1, 11, DeliveryState.FAILED, "chat 42: <b>Chat not found</b>"),
    )
    page = await bench.press("adm:people:lost")
    lines = page.text.splitlines()[2:]
    assert [line[0] for line in lines] == list("12345678")
    assert "alert of 17 Feb 2022 12:11 UTC failed: chat 42: &lt;b&gt;Chat not found" in lines[0]
    assert "alert of 17 Feb 2022 12:10 UTC may have arrived: chat 43: no answer" in lines[1]
    assert "old 3" in lines[7]
    one = await bench.follow(page, "2")
    assert "Last not delivered: alert of 17 Feb 2022 12:10 UTC may have arrived: chat 43: no answer" in one.text


async def test_a_mute_that_is_over_is_not_shown(bench: Bench) -> None:
    bench.add(chat(ANNA, SubscriberState.ACTIVE, muted_until=NOW + timedelta(hours=1)))
    assert "Muted until: 17 Feb 13:00" in (await bench.press("adm:people:one:1")).text
    bench.now += timedelta(hours=1)
    assert "Muted until" not in (await bench.press("adm:people:one:1")).text


async def test_a_name_written_from_right_to_left_leaves_the_rest_of_its_line_in_place(bench: Bench) -> None:
    bench.add(chat(GROUP, SubscriberState.ACTIVE, name="חדשות", kind="supergroup", thread_id=9))
    assert "supergroup chat “\u2068חדשות\u2069” (id -1005, topic 9)" in (await bench.press("adm:people:one:1")).text


async def test_history_names_the_chat_that_was_let_in_and_leads_to_its_page(bench: Bench) -> None:
    bench.add(chat(ANNA, SubscriberState.PENDING, name=HOSTILE), chat(43, SubscriberState.PENDING))
    for number in (1, 2):
        await bench.press(f"join:yes:{number}")
    page = await bench.press("adm:log:list")
    assert "private chat “&lt;b&gt;Bob" in page.text and "(id 42): pending → active" in page.text
    assert "(id 42)" in (await bench.follow(page, "See 1")).text
    with bench.database.write() as session:
        session.delete(session.get_one(Subscriber, 2))
        session.flush()
        session.add(chat(44, SubscriberState.ACTIVE, id=2, created_at=NOW + timedelta(hours=1)))
    page = await bench.press("adm:log:list")
    assert "a chat that was forgotten since: pending → active" in page.text
    assert [text for text in buttons(page) if "See" in text] == ["See 1"]


async def test_a_subscriber_whom_everything_reached_has_no_such_line(bench: Bench) -> None:
    bench.add(chat(ANNA, SubscriberState.ACTIVE))
    assert "not delivered" not in (await bench.press("adm:people:one:1")).text


async def test_an_answer_to_a_request_names_its_admin(bench: Bench) -> None:
    bench.add(chat(ANNA, SubscriberState.PENDING))
    await bench.press("join:yes:1", SECOND)
    assert bench.changes() == [(SECOND, "subscriber", "1", "pending", "active")]


async def test_an_admin_is_not_blocked(bench: Bench) -> None:
    bench.add(chat(SECOND, SubscriberState.ACTIVE))
    assert "chat of an admin" in (await bench.press("adm:people:no:1")).text


async def test_an_invite_link_is_made_renewed_and_not_kept_in_the_record(bench: Bench) -> None:
    asked = await bench.follow(await bench.press("adm:people:invite"), "By invitation")
    assert bench.settings.telegram.access == "approval"
    page = await bench.follow(asked, "Yes")
    code = bench.settings.telegram.invite_code
    assert f"https://t.me/tocsin_test_bot?start={code}" in page.text
    assert f"https://t.me/tocsin_test_bot?startgroup={code}" in page.text
    assert "You are subscribed" in (await bench.say(f"/start {code}", ANNA)).text
    asked = await bench.follow(page, "New code")
    assert bench.settings.telegram.invite_code == code
    await bench.follow(asked, "Make it")
    assert bench.settings.telegram.invite_code != code
    assert bench.settings.telegram.admins == (ADMIN, SECOND)
    assert code not in str(bench.changes())
