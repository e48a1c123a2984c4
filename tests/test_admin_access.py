"""Who may press what, and what odd presses do: an admin's pages in a chat."""

import fake_bot_api as fakes
import fake_updates as updates
import pytest
from sqlmodel import select

from models import (
    Subscriber,
    SubscriberState,
    Verdict,
)
from tests.admin_bench import (
    ADMIN,
    ANNA,
    CHANNEL,
    FEEDS,
    GROUP,
    SECOND,
    Bench,
    bench,
    button,
    buttons,
    database,
    folder,
)

__all__ = ["bench", "database", "folder"]


async def test_admin_opens_a_page_of_buttons_for_admins_only(bench: Bench) -> None:
    page = await bench.say("/admin")
    assert {"Feeds", "Thresholds", "Subscribers", "Label queue"} <= set(buttons(page))
    assert "no command" in (await bench.say("/admin", ANNA)).text


def menus_of(bench: Bench, user_id: int) -> list[tuple[str, str]]:
    """Language and last command of each menu that was set for one person."""
    theirs = [call.params for call in bench.fake.calls_of("setMyCommands") if str(user_id) in str(call.params)]
    return [(menu.get("language_code", ""), menu["commands"][-1]["command"]) for menu in theirs]


async def appoint(bench: Bench, *admins: int) -> None:
    (bench.folder / "telegram.toml").write_text(f"admins = {[*admins]}\n", encoding="utf-8")
    await bench.reload()


async def test_who_becomes_an_admin_later_finds_admin_in_their_menu_at_the_reload(bench: Bench) -> None:
    await bench.say("/help")
    await appoint(bench, ADMIN, ANNA)
    await bench.fake.until(lambda: len(menus_of(bench, ANNA)) == 2)
    for wish in ("/start", "/admin", "/start"):
        await bench.say(wish, ANNA)
    assert menus_of(bench, ANNA) == [("", "admin"), ("fr", "admin")]


@pytest.mark.parametrize("wish", ["/start", "/admin"])
async def test_an_admin_who_writes_to_the_bot_only_then_finds_admin_in_their_menu(bench: Bench, wish: str) -> None:
    await bench.say("/help")
    bench.fake.fail(fakes.bad_request("chat not found"), "setMyCommands")
    await appoint(bench, ADMIN, ANNA)
    await bench.fake.until(lambda: len(menus_of(bench, ANNA)) == 1)
    bench.fake.heal()
    await bench.say(wish, ANNA)
    await bench.fake.until(lambda: len(menus_of(bench, ANNA)) == 3)


async def test_who_is_no_admin_any_more_loses_admin_from_their_menu_at_the_reload(bench: Bench) -> None:
    await bench.say("/help")
    await appoint(bench, ADMIN)
    scopes = [call.params["scope"] for call in await bench.fake.called("deleteMyCommands", 2)]
    assert scopes == [{"type": "chat", "chat_id": SECOND}] * 2


async def test_who_becomes_an_admin_by_the_documented_steps_hears_of_admin(bench: Bench) -> None:
    await bench.say("/start", ANNA)
    assert "/admin" not in (await bench.say("/help", ANNA)).text
    await appoint(bench, ADMIN, ANNA)
    for wish in ("/start", "/start", "/help", "/admn"):  # the second one finds the chat subscribed already
        assert "/admin" in (await bench.say(wish, ANNA)).text
    await bench.say("/start", 43)
    with bench.database.write() as session:
        for row in session.exec(select(Subscriber)):
            row.state = SubscriberState.ACTIVE
    for wish in ("/start", "/help", "/admn"):
        assert "/admin" not in (await bench.say(wish, 43)).text


async def test_who_is_no_admin_any_more_loses_admin_from_their_menu_when_they_use_it(bench: Bench) -> None:
    await bench.say("/admin", ANNA)
    english, french = (call.params for call in await bench.fake.called("deleteMyCommands", 2))
    assert english["scope"] == french["scope"] == {"type": "chat", "chat_id": ANNA}
    assert (english.get("language_code", ""), french["language_code"]) == ("", "fr")


@pytest.mark.parametrize("user_id", [ADMIN, ANNA], ids=["admin", "anybody"])
async def test_in_a_group_or_channel_admin_is_for_another_bot_unless_it_names_this_one(
    bench: Bench, user_id: int
) -> None:
    for text in ("/admin", "/admin feeds", "/admin@another_bot"):
        await bench.fake.push(updates.group(text, GROUP, user_id, topic=9))
        await bench.fake.push(updates.channel(text, CHANNEL))
    await bench.say("/help", user_id)
    await bench.fake.until(lambda: bench.fake.confirmed >= bench.fake.last_update)
    assert [call.chat_id for call in bench.fake.messages] == [user_id]


@pytest.mark.parametrize(("user_id", "said"), [(ADMIN, "private chat"), (ANNA, "no command")], ids=["admin", "anybody"])
async def test_in_a_group_admin_that_names_the_bot_is_answered_in_its_topic_and_shows_nothing(
    bench: Bench, user_id: int, said: str
) -> None:
    await bench.fake.push(updates.group("/admin@Tocsin_Test_bot", GROUP, user_id, topic=9))
    (answer,) = await bench.fake.sent(1)
    assert said in answer.text
    assert (answer.chat_id, answer.params["message_thread_id"]) == (GROUP, 9)
    assert buttons(answer) == {}


async def test_admin_posted_in_a_channel_is_not_answered_in_its_discussion_group(bench: Bench) -> None:
    await bench.fake.push(updates.forwarded("/admin", GROUP, -1007))
    await bench.fake.push(updates.group("/privacy", GROUP, ANNA))
    (answer,) = await bench.fake.sent(1)
    assert "Stored about this chat" in answer.text


@pytest.mark.parametrize(
    "data",
    [
        "adm:feeds:list",
        "adm:people:invite",
        "adm:ops:backupyes",
        "adm:log:undoyes:1",
        "adm:set:yes:x",
        "adm:label:e3:1",
    ],
)
async def test_every_press_asks_again_who_is_an_admin(bench: Bench, data: str) -> None:
    await bench.fake.push(updates.press(data, ANNA))
    (answer,) = await bench.fake.called("answerCallbackQuery")
    assert "Only admins" in answer.params["text"]
    assert bench.fake.calls_of("editMessageText") == []


async def test_who_was_an_admin_a_moment_ago_is_none_any_more(bench: Bench) -> None:
    page = await bench.press("adm:feeds:list")
    await bench.press("adm:feeds:add")
    (bench.folder / "telegram.toml").write_text(f"admins = [{SECOND}]\n", encoding="utf-8")
    await bench.reload()
    await bench.fake.push(updates.press(button(page, "OPML out"), ADMIN))
    answers = await bench.fake.called("answerCallbackQuery", 3)
    assert "Only admins" in answers[-1].params["text"]
    assert "no command" in (await bench.say("https://c.example/rss")).text


@pytest.mark.parametrize(
    "data",
    ["adm:", "adm:nothing:here", "adm:feeds:one:ffffffffffff", "adm:feeds:list:99999999999999999999", "adm:ops:none",
     "adm:set:sec:nothing", "adm:set:key:levels.nothing", "adm:set:ask:levels", "adm:people:one:77", "adm:log:undo:-1",
     "adm:people:list:0:nobody",
     "adm:cancel", "adm:cancel:set:sec:nothing", "adm:feeds:trait:x:y", "adm:feeds:put:x",
     "adm:label:e9:1", "adm:label:e1:999", "adm:set:ask:levels.watch:", "adm:log:undo:²"],
)  # fmt: skip
async def test_an_odd_press_is_answered_and_changes_nothing(bench: Bench, data: str) -> None:
    await bench.press(data)
    assert bench.changes() == []
    assert bench.rows(Verdict) == []
    assert bench.text("feeds") == FEEDS


async def test_a_page_turns_though_the_press_is_too_old_to_be_answered(bench: Bench) -> None:
    bench.fake.fail(fakes.bad_request("query is too old"), "answerCallbackQuery")
    assert "feeds" in (await bench.press("adm:feeds:list")).text


async def test_a_page_is_turned_once_flood_control_is_over(bench: Bench) -> None:
    bench.fake.fail(fakes.flood(1), "editMessageText", times=1)
    await bench.press("adm:feeds:list")
    refused, shown = await bench.fake.called("editMessageText", 2)
    assert "2 feeds" in shown.text and shown.params == refused.params


async def test_a_page_too_old_to_be_turned_comes_anew(bench: Bench) -> None:
    bench.fake.fail(fakes.bad_request("message can't be edited"), "editMessageText")
    await bench.press("adm:feeds:list")
    assert "2 feeds" in (await bench.fake.sent(1))[0].text
