"""Buttons under alerts and /settings, pressed in private chats, groups, topics and channels; over HTTP."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import fake_bot_api as fakes
import fake_updates as updates
import pytest
from fake_bot_api import TOKEN, Call
from sqlmodel import col, select

from bot.chat.api import open_bot
from bot.chat.limiter import Limiter
from bot.chat.sender import TelegramSender
from bot.messages.message import units
from bot.messages.why import why_in_brief
from bot.pipeline.deliver import drain_outbox
from models import (
    Alert,
    AlertKind,
    Delivery,
    DeliveryState,
    Direction,
    Outlet,
    SubscriberState,
    Verdict,
    VerdictKind,
)
from tests.chat_steps import alert_told
from tests.rows import UNLIMITED
from tests.test_chat_handlers import ANNA, CHANNEL, GROUP, NOW, Bench, bench, database

__all__ = ["bench", "database"]

TOLD_AS = 31  # the id of the message that told the alert
ACTIVE = SubscriberState.ACTIVE
BORIS = 43


@dataclass(frozen=True)
class Place:
    """A chat or topic, and the alert that was told there."""

    chat_id: int
    kind: str
    topic: int = 0

    def subscribe(self, bench: Bench) -> int:
        return bench.add(ACTIVE, chat_id=self.chat_id, kind=self.kind, thread_id=self.topic)

    def tell(self, bench: Bench) -> int:
        """Subscribe and tell an alert here; returns its number."""
        number = alert_told(bench, self.subscribe(bench))
        with bench.database.write() as session:
            row = session.exec(select(Delivery)).one()
            row.state, row.message_id = DeliveryState.SENT, TOLD_AS
        return number

    async def press_on_old(self, bench: Bench, data: str, message_id: int = TOLD_AS) -> dict[str, Any]:
        """The same under a message of which Telegram knows no topic any more."""
        chat = {"id": self.chat_id, "type": self.kind, "title": "Newsroom"}
        number = len(bench.fake.calls_of("answerCallbackQuery"))
        await bench.fake.push(updates.press_on_old(data, ANNA, message_id, chat))
        return (await bench.fake.called("answerCallbackQuery", number + 1))[number].params

    async def press(self, bench: Bench, data: str, user_id: int = ANNA) -> dict[str, Any]:
        """Press a button here; what the one who pressed is told, once everything it causes is done."""
        chat = {"id": self.chat_id, "type": self.kind, "title": "Newsroom"}
        number = len(bench.fake.calls_of("answerCallbackQuery"))
        await bench.fake.push(updates.press(data, user_id, TOLD_AS, chat, self.topic))
        return (await bench.fake.called("answerCallbackQuery", number + 1))[number].params


PRIVATE, IN_GROUP = Place(ANNA, "private"), Place(GROUP, "supergroup")
IN_TOPIC, IN_CHANNEL = Place(GROUP, "supergroup", 9), Place(CHANNEL, "channel")
EVERYWHERE = pytest.mark.parametrize(
    "place", [PRIVATE, IN_GROUP, IN_TOPIC, IN_CHANNEL], ids=["private", "group", "topic", "channel"]
)


async def send_what_waits(bench: Bench) -> list[Call]:
    async with open_bot(TOKEN, bench.fake.base_url) as bot:
        sender = TelegramSender(bot, Limiter(lambda: UNLIMITED))
        await drain_outbox(bench.database, {Outlet.TELEGRAM: sender}, lambda: bench.now)
    return bench.fake.messages


# Why? -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [IN_GROUP, IN_TOPIC, IN_CHANNEL], ids=["group", "topic", "channel"])
async def test_where_others_read_along_an_explanation_answers_its_alert_and_is_posted_once(
    bench: Bench, place: Place
) -> None:
    bench.fake.members[CHANNEL, ANNA] = bench.fake.members[CHANNEL, BORIS] = "administrator"
    alert = place.tell(bench)
    assert "comes as an answer" in (await place.press(bench, f"alert:why:{alert}"))["text"]
    (posted,) = await send_what_waits(bench)
    assert "reached warning (60)" in posted.text
    assert (posted.chat_id, posted.params.get("message_thread_id", 0)) == (place.chat_id, place.topic)
    assert posted.params["reply_parameters"]["message_id"] == TOLD_AS
    assert "see the answer to this alert" in (await place.press(bench, f"alert:why:{alert}", BORIS))["text"]
    assert await send_what_waits(bench) == [posted]


@pytest.mark.parametrize("fate", [DeliveryState.FAILED, DeliveryState.UNCERTAIN])
async def test_an_explanation_that_failed_is_posted_when_it_is_asked_for_again(
    bench: Bench, fate: DeliveryState
) -> None:
    alert = IN_GROUP.tell(bench)
    for number in range(2):
        assert "comes as an answer" in (await IN_GROUP.press(bench, f"alert:why:{alert}"))["text"]
        with bench.database.write() as session:
            last = session.exec(select(Delivery).order_by(col(Delivery.id).desc()).limit(1)).one()
            last.state = DeliveryState.FAILED if number == 0 else fate
    again = (await IN_GROUP.press(bench, f"alert:why:{alert}"))["text"]
    assert ("comes as an answer" in again) == (fate is DeliveryState.FAILED)
    if fate is DeliveryState.FAILED:
        (posted,) = await send_what_waits(bench)
        assert posted.params["reply_parameters"]["message_id"] == TOLD_AS


async def test_who_asks_for_an_explanation_again_is_shown_rule_and_score_as_it_may_be_deleted(bench: Bench) -> None:
    alert = IN_GROUP.tell(bench)
    await IN_GROUP.press(bench, f"alert:why:{alert}")
    told = (await IN_GROUP.press(bench, f"alert:why:{alert}"))["text"]
    assert told.endswith("see the answer to this alert. escalation 66. Rule: escalation 66 reached warning (60).")


async def test_a_reader_of_a_channel_is_told_rule_and_score_alone_and_nothing_is_posted(bench: Bench) -> None:
    alert = IN_CHANNEL.tell(bench)
    told = await IN_CHANNEL.press(bench, f"alert:why:{alert}")
    assert told["text"] == "escalation 66. Rule: escalation 66 reached warning (60)."
    assert told["show_alert"] is True
    assert await send_what_waits(bench) == []


async def test_in_a_private_chat_every_press_of_why_is_answered_at_once(bench: Bench) -> None:
    alert = PRIVATE.tell(bench)
    for number in (1, 2):
        await PRIVATE.press(bench, f"alert:why:{alert}")
        assert "reached warning (60)" in (await bench.fake.sent(number))[-1].text


@pytest.mark.parametrize("place", [IN_GROUP, IN_CHANNEL], ids=["group", "channel"])
async def test_why_under_an_alert_of_a_chat_that_left_or_an_alert_forgotten_says_so(bench: Bench, place: Place) -> None:
    assert "not subscribed" in (await place.press(bench, "alert:why:1"))["text"]
    place.subscribe(bench)
    assert "forgotten" in (await place.press(bench, "alert:why:1"))["text"]


def test_the_brief_why_fits_into_the_answer_to_a_press() -> None:
    alert = Alert(
        story_id=1, kind=AlertKind.NEW, direction=Direction.ESCALATION, level=2, score=66, rule="🔴 a" * 200,
        facts={}, created_at=NOW,
    )  # fmt: skip
    assert units(why_in_brief(alert)) <= 200


async def test_a_press_that_fails_in_a_channel_is_answered_to_its_reader_and_posts_nothing(bench: Bench) -> None:
    alert = IN_CHANNEL.tell(bench)
    bench.fake.fail(fakes.server_error(), "getChatMember")
    assert "did not work" in (await IN_CHANNEL.press(bench, f"alert:why:{alert}"))["text"]
    assert bench.fake.messages == []


async def test_where_telegram_hides_the_admins_of_a_channel_why_is_told_to_the_one_who_pressed_alone(
    bench: Bench,
) -> None:
    alert = IN_CHANNEL.tell(bench)
    for method in ("getChatMember", "getChatAdministrators"):
        bench.fake.fail(fakes.bad_request("member list is inaccessible"), method)
    assert (await IN_CHANNEL.press(bench, f"alert:why:{alert}"))["text"].startswith("escalation 66.")
    assert await send_what_waits(bench) == []


# Useful, Wrong, Mute --------------------------------------------------------------------------------------------------


@EVERYWHERE
async def test_a_verdict_is_kept_for_the_place_it_was_pressed_in_and_the_last_counts(
    bench: Bench, place: Place
) -> None:
    bench.add(ACTIVE, chat_id=GROUP, kind="supergroup", thread_id=8)
    alert = place.tell(bench)
    await place.press(bench, f"alert:useful:{alert}")
    told = (await place.press(bench, f"alert:wrong:{alert}", BORIS))["text"]
    assert "Noted" in told and ("for this whole chat" in told) == (place.kind != "private")
    found = bench.find(place.chat_id, place.topic)
    with bench.database.read() as session:
        verdict = session.exec(select(Verdict)).one()
    assert found is not None
    assert (verdict.kind, verdict.subscriber_id) == (VerdictKind.WRONG, found.id)
    assert bench.fake.messages == []


@pytest.mark.parametrize("place", [IN_GROUP, IN_TOPIC, IN_CHANNEL], ids=["group", "topic", "channel"])
async def test_only_an_admin_of_the_chat_mutes_a_pair_and_only_where_it_was_pressed(bench: Bench, place: Place) -> None:
    other = Place(GROUP, "supergroup", 8)
    other.subscribe(bench)
    alert = place.tell(bench)
    assert "Only admins of this chat" in (await place.press(bench, f"alert:mute:{alert}"))["text"]
    bench.fake.members[place.chat_id, ANNA] = "administrator"
    assert "is muted here" in (await place.press(bench, f"alert:mute:{alert}"))["text"]
    muted = [found.muted_dyads for at in (place, other) if (found := bench.find(at.chat_id, at.topic))]
    assert muted == [["RU-UA"], []]


async def test_a_press_by_whom_telegram_does_not_tell_of_is_allowed_by_the_list_of_admins_or_says_what_to_do(
    bench: Bench,
) -> None:
    alert = IN_GROUP.tell(bench)
    bench.fake.members[GROUP, ANNA] = "administrator"
    bench.fake.fail(fakes.bad_request("CHAT_ADMIN_REQUIRED"), "getChatMember")
    assert "Only admins" in (await IN_GROUP.press(bench, f"alert:mute:{alert}", BORIS))["text"]
    assert "is muted here" in (await IN_GROUP.press(bench, f"alert:mute:{alert}"))["text"]
    bench.fake.fail(fakes.bad_request("member list is inaccessible"), "getChatAdministrators")
    assert "I cannot see who is an admin here" in (await IN_GROUP.press(bench, f"alert:mute:{alert}"))["text"]


# Pressed before a stop of ours, and too old to be answered ------------------------------------------------------------

TOO_OLD = fakes.bad_request("query is too old and response timeout expired or query ID is invalid")


@pytest.mark.parametrize(
    ("data", "shown"),
    [("set:levels:escalation:critical", "● ⬆ critical"), ("forget:yes", "Deleted."), ("join:yes:1", "Approved")],
    ids=["setting", "forget", "request"],
)
async def test_a_page_shows_what_a_press_changed_though_the_press_is_too_old_to_be_answered(
    bench: Bench, data: str, shown: str
) -> None:
    bench.use(admins=(ANNA,))
    bench.add(SubscriberState.PENDING if data.startswith("join") else ACTIVE)
    bench.fake.fail(TOO_OLD, "answerCallbackQuery")
    await PRIVATE.press(bench, data)
    (page,) = await bench.fake.called("editMessageText")
    assert shown in f"{page.text} {page.params.get('reply_markup')}"


@pytest.mark.parametrize("place", [PRIVATE, IN_TOPIC], ids=["private", "topic"])
async def test_a_mute_is_told_in_the_chat_where_the_press_is_too_old_to_be_answered(bench: Bench, place: Place) -> None:
    bench.fake.members[GROUP, ANNA] = "administrator"
    alert = place.tell(bench)
    bench.fake.fail(TOO_OLD, "answerCallbackQuery")
    await place.press(bench, f"alert:mute:{alert}")
    (told,) = await bench.fake.sent(1)
    assert "is muted here" in told.text
    assert (told.chat_id, told.params.get("message_thread_id", 0)) == (place.chat_id, place.topic)


# Flood control --------------------------------------------------------------------------------------------------------


async def test_a_page_of_settings_is_turned_once_flood_control_is_over(bench: Bench) -> None:
    PRIVATE.subscribe(bench)
    bench.fake.fail(fakes.flood(1), "editMessageText", times=1)
    await PRIVATE.press(bench, "set:levels:escalation:critical")
    refused, shown = await bench.fake.called("editMessageText", 2)
    assert "● ⬆ critical" in str(shown.params["reply_markup"]) and shown.params == refused.params


async def test_flood_control_of_a_page_holds_whatever_goes_to_its_chat(bench: Bench) -> None:
    PRIVATE.tell(bench)
    with bench.database.write() as session:
        session.exec(select(Delivery)).one().state = DeliveryState.WAITING
    bench.fake.fail(fakes.flood(300), "editMessageText")
    await PRIVATE.press(bench, "set:levels")
    await bench.fake.until(lambda: bench.outbox(ANNA)[0].send_after > NOW)
    assert bench.outbox(ANNA)[0].send_after == NOW + timedelta(seconds=300)
    held = await bench.fake.push(updates.private("/help", ANNA))
    await bench.fake.until(lambda: bench.fake.confirmed >= held)
    assert bench.fake.messages == []


async def test_a_page_that_is_gone_comes_anew(bench: Bench) -> None:
    IN_TOPIC.subscribe(bench)
    bench.fake.members[GROUP, ANNA] = "administrator"
    bench.fake.fail(fakes.bad_request("message to edit not found"), "editMessageText")
    await IN_TOPIC.press(bench, "set:levels:escalation:critical")
    (page,) = await bench.fake.sent(1)
    assert "● ⬆ critical" in str(page.params["reply_markup"]) and page.params["message_thread_id"] == 9


# /settings in a topic -------------------------------------------------------------------------------------------------


async def test_settings_in_a_topic_answer_and_change_that_topic(bench: Bench) -> None:
    bench.fake.members[GROUP, ANNA] = "administrator"
    IN_GROUP.subscribe(bench)
    IN_TOPIC.subscribe(bench)
    shown = await bench.say(updates.group("/settings", GROUP, ANNA, topic=9))
    assert shown.params["message_thread_id"] == 9
    await IN_TOPIC.press(bench, "set:levels:escalation:critical")
    (page,) = await bench.fake.called("editMessageText")
    assert (page.chat_id, page.params["message_id"]) == (GROUP, TOLD_AS)
    levels = [found.level_escalation for topic in (0, 9) if (found := bench.find(GROUP, topic))]
    assert levels == [2, 3]


# /settings before a channel's readers --------------------------------------------------------------------------------


async def test_the_page_of_settings_leaves_a_channel_when_its_admin_is_done(bench: Bench) -> None:
    bench.fake.members[CHANNEL, ANNA] = "administrator"
    IN_CHANNEL.subscribe(bench)
    await IN_CHANNEL.press(bench, "set:levels:escalation:critical")
    assert (await IN_CHANNEL.press(bench, "set:done"))["text"] == "Saved. /settings opens this again."
    (gone,) = bench.fake.calls_of("deleteMessage")
    assert gone.params == {"chat_id": CHANNEL, "message_id": TOLD_AS}
    assert len(bench.fake.calls_of("editMessageText")) == 1  # the page of levels


async def test_a_page_that_telegram_no_longer_deletes_says_no_more_than_that_it_is_saved(bench: Bench) -> None:
    bench.fake.members[CHANNEL, ANNA] = "administrator"
    IN_CHANNEL.subscribe(bench)
    bench.fake.fail(fakes.bad_request("message can't be deleted for everyone"), "deleteMessage")
    await IN_CHANNEL.press(bench, "set:done")
    (edit,) = await bench.fake.called("editMessageText")
    assert edit.text == "Saved. /settings opens this again."


async def test_a_page_in_a_channel_that_was_stopped_meanwhile_leaves_it(bench: Bench) -> None:
    bench.fake.members[CHANNEL, ANNA] = "administrator"
    assert "/start asks" in (await IN_CHANNEL.press(bench, "set:levels"))["text"]
    assert len(bench.fake.calls_of("deleteMessage")) == 1
    assert bench.fake.calls_of("editMessageText") == []


# Under a message so old that Telegram does not say in which topic it stands -------------------------------------------


@EVERYWHERE
async def test_a_button_under_an_old_alert_still_counts_for_the_place_it_was_told_in(
    bench: Bench, place: Place
) -> None:
    Place(GROUP, "supergroup", 8).subscribe(bench)
    alert = place.tell(bench)
    assert "Noted" in (await place.press_on_old(bench, f"alert:wrong:{alert}"))["text"]
    found = bench.find(place.chat_id, place.topic)
    with bench.database.read() as session:
        assert found is not None and session.exec(select(Verdict)).one().subscriber_id == found.id


async def test_settings_pressed_under_an_old_page_change_the_only_topic_and_come_as_a_new_page(bench: Bench) -> None:
    bench.fake.members[GROUP, ANNA] = "administrator"
    IN_TOPIC.subscribe(bench)
    await IN_TOPIC.press_on_old(bench, "set:levels:escalation:critical", 5)
    (page,) = await bench.fake.sent(1)
    assert (page.chat_id, page.params["message_thread_id"]) == (GROUP, 9)
    found = bench.find(GROUP, 9)
    assert found is not None and found.level_escalation == 3
    assert bench.fake.calls_of("editMessageText") == []


async def test_an_old_page_that_may_be_of_either_topic_changes_none_and_says_what_to_do(bench: Bench) -> None:
    bench.fake.members[GROUP, ANNA] = "administrator"
    IN_TOPIC.subscribe(bench)
    IN_GROUP.subscribe(bench)
    assert (
        "write the command again" in (await IN_TOPIC.press_on_old(bench, "set:levels:escalation:critical", 5))["text"]
    )
    assert [found.level_escalation for topic in (0, 9) if (found := bench.find(GROUP, topic))] == [2, 2]
