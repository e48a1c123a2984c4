"""What an admin presses, types and sends, as updates over HTTP; what settings, tables and Telegram say afterwards."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fake_bot_api as fakes
import fake_updates as updates
import pytest
from fake_bot_api import TOKEN, Call, FakeBotApi
from sqlmodel import SQLModel, select

from bot.chat.desk import AdminTools, ChatParts
from bot.chat.limiter import Limiter
from bot.chat.receiver import receive_updates
from bot.chat.serving import Pace
from bot.errands import Done
from bot.feeds.opml import read_opml
from bot.feeds.types import FetchError, FetchFailure, ParsedEntry, ParsedFeed
from bot.unfinished import tell_unfinished
from config.errors import TocsinError
from config.load import DEFAULT_FOLDER, load_settings
from config.schema import Settings
from models import (
    Alert,
    AlertKind,
    Article,
    Change,
    Delivery,
    DeliveryState,
    Direction,
    Feed,
    FeedHealth,
    Memo,
    Priority,
    Question,
    Reading,
    Story,
    StoryStatus,
    Subscriber,
    SubscriberState,
    Verdict,
    VerdictKind,
)
from models.database import Database, open_database
from models.feed import sync_feeds
from tests.rows import UNLIMITED

NOW = datetime(2022, 2, 17, 12, 0, tzinfo=UTC)
ADMIN, SECOND, ANNA, GROUP, CHANNEL = 1001, 1002, 42, -1005, -1007
A, B = "https://a.example/rss", "https://b.example/rss"
HOSTILE = '<b>Bob</b> & <a href="https://evil.example">x</a>\u202e\n\nApproved'
FEEDS = f'# mine\n[[feeds]]\nurl = "{A}"  # the first\ntitle = "Alpha"\n\n[[feeds]]\nurl = "{B}"\n'


@dataclass
class Bench:
    """A bot at work against the fake, with a folder of settings of its own."""

    fake: FakeBotApi
    database: Database
    folder: Path
    settings: Settings
    preview: ParsedFeed | FetchError
    now: datetime = NOW
    commands: list[list[str]] = field(default_factory=list)
    asked_by: list[int] = field(default_factory=list)
    outcome: Done | TocsinError = field(
        default_factory=lambda: Done(0, "┏━━━┳━━━┓\n┃ told ┃ 3 ┃\n└───┴───┘\nall went well <b>")
    )

    stuck: bool = False
    poller: asyncio.Task[None] | None = None

    async def start(self) -> None:
        limiter = Limiter(lambda: UNLIMITED)
        tools = AdminTools(self.folder, self.reload, self.look, self.run)
        parts = ChatParts(self.database, lambda: self.settings, lambda: self.now, limiter, tools)
        pace = Pace(poll_s=1, stop_s=0.2)
        self.poller = asyncio.create_task(receive_updates(TOKEN, self.fake.base_url, parts, pace))

    async def stop(self) -> None:
        assert self.poller is not None
        self.poller.cancel()
        await asyncio.gather(self.poller, return_exceptions=True)

    async def restart(self) -> None:
        """Once Telegram knows that everything was handled: on a busy machine the rest would come again."""
        await self.fake.until(lambda: self.fake.confirmed >= self.fake.last_update)
        await self.stop()
        await self.start()

    async def reload(self) -> bool:
        former, self.settings = self.settings, load_settings(self.folder, {})
        return former != self.settings

    async def look(self, _url: str) -> ParsedFeed:
        if isinstance(self.preview, FetchError):
            raise self.preview
        return self.preview

    async def run(self, command: Sequence[str], asked_by: int) -> Done:
        self.asked_by.append(asked_by)
        self.commands.append(list(command))
        if self.stuck:
            await asyncio.Event().wait()
        if isinstance(self.outcome, TocsinError):
            raise self.outcome
        if "--html" in command:
            await asyncio.to_thread(Path(command[-1]).write_text, "<html>plots</html>")
        return self.outcome

    async def say(self, text: str, user_id: int = ADMIN) -> Call:
        """Write to the bot and wait for its answer."""
        number = len(self.fake.messages)
        await self.fake.push(updates.private(text, user_id))
        return (await self.fake.sent(number + 1))[number]

    async def press(self, data: str, user_id: int = ADMIN) -> Call:
        """Press a button and wait for the page it turns to."""
        number = len(self.fake.calls_of("editMessageText"))
        await self.fake.push(updates.press(data, user_id))
        return (await self.fake.called("editMessageText", number + 1))[number]

    async def follow(self, page: Call, words: str) -> Call:
        """Press the button of a page that says `words`."""
        return await self.press(button(page, words))

    def add(self, *rows: SQLModel) -> None:
        with self.database.write() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def rows(self, table: Any) -> list[Any]:
        with self.database.read() as session:
            return list(session.exec(select(table).order_by(table.id)))

    def rows_of(self, table: Any) -> list[Any]:
        with self.database.read() as session:
            return list(session.exec(select(table)))

    def text(self, name: str) -> str:
        return (self.folder / f"{name}.toml").read_text(encoding="utf-8")

    def changes(self) -> list[tuple[Any, ...]]:
        return [(row.admin_id, row.area, row.key, row.before, row.after) for row in self.rows(Change)]


def buttons(page: Call) -> dict[str, str]:
    rows = (page.params.get("reply_markup") or {}).get("inline_keyboard", [])
    return {one["text"]: one["callback_data"] for row in rows for one in row}


def button(page: Call, words: str) -> str:
    return next(data for text, data in buttons(page).items() if words in text)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/tocsin.db", NOW)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "config"
    made.mkdir()
    for name in ("alerts", "digest"):
        shutil.copy(DEFAULT_FOLDER / f"{name}.toml", made)
    (made / "telegram.toml").write_text(f"admins = [{ADMIN}, {SECOND}]\n", encoding="utf-8")
    (made / "feeds.toml").write_text(FEEDS, encoding="utf-8")
    return made


def entry(title: str, at: datetime | None) -> ParsedEntry:
    return ParsedEntry("k" * 32, "", "", title, "", "", at, None, "h" * 32)


@pytest.fixture
async def bench(database: Database, folder: Path) -> AsyncIterator[Bench]:
    entries = (entry("Older", NOW - timedelta(days=1)), entry(f"Newest {HOSTILE}", NOW), entry("Undated", None))
    async with FakeBotApi() as fake:
        bench = Bench(fake, database, folder, load_settings(folder, {}), ParsedFeed(HOSTILE, None, entries, 0, None))
        await bench.start()
        yield bench
        await bench.stop()


# Who may --------------------------------------------------------------------------------------------------------------


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


# Feeds ----------------------------------------------------------------------------------------------------------------


async def test_the_list_shows_health_troubled_feeds_first(bench: Bench) -> None:
    broken = Feed(url=B, title=HOSTILE, health=FeedHealth.BROKEN, failures=9, last_error="<500>", next_fetch_at=NOW)
    bench.add(broken, Feed(url=A, health=FeedHealth.HEALTHY, last_read_at=NOW, next_fetch_at=NOW))
    page = await bench.press("adm:feeds:list")
    assert page.text.index("🔴") < page.text.index("🟢 Alpha") or "1. 🔴" in page.text
    one = await bench.follow(page, "1")
    assert "9 failures in a row: &lt;500&gt;" in one.text
    assert "<b>" not in one.text


async def test_a_feed_is_added_after_a_look_at_its_newest_titles(bench: Bench) -> None:
    page = await bench.press("adm:feeds:add")
    assert "address" in page.text
    page = await bench.say("https://c.example/rss")
    assert page.text.index("Newest") < page.text.index("Older") < page.text.index("Undated")
    assert bench.text("feeds") == FEEDS
    done = await bench.follow(page, "Add it")
    assert "Added" in done.text
    assert bench.text("feeds").startswith(FEEDS)
    assert [feed.url for feed in bench.settings.feeds.feeds] == [A, B, "https://c.example/rss"]
    ((who, area, key, before, after),) = bench.changes()
    assert (who, area, key, before) == (ADMIN, "feeds", "https://c.example/rss", None)
    assert "\n" not in after["title"]
    again = await bench.follow(page, "Add it")
    assert "out of date" in again.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://c.example/", "not a web address"),
        (A, "there already"),
        ("https://u:p@c.example/rss", ""),
        ("x", "not a"),
    ],
    ids=["scheme", "known", "password", "word"],
)
async def test_an_address_that_cannot_be_a_feed_is_refused(bench: Bench, text: str, said: str) -> None:
    await bench.press("adm:feeds:add")
    assert said in (await bench.say(text)).text
    assert bench.text("feeds") == FEEDS


async def test_an_address_typed_without_http_is_tried_with_https(bench: Bench) -> None:
    await bench.press("adm:feeds:add")
    await bench.follow(await bench.say(" c.example/rss "), "Add it")
    assert bench.settings.feeds.feeds[-1].url == "https://c.example/rss"


async def test_a_mistyped_answer_is_asked_for_again_until_it_is_right_or_cancelled(bench: Bench) -> None:
    await bench.press("adm:feeds:add")
    for typed, said in (("the BBC", "not a web address"), (A, "there already")):
        page = await bench.say(typed)
        assert said in page.text and "Send me the address" in page.text
    assert "Add it" in buttons(await bench.say("https://c.example/rss"))
    key = await bench.press("adm:set:key:levels.watch")
    await bench.follow(key, "Type a value")
    page = await bench.say("4o")
    assert "must be a valid number" in page.text and "value of levels.watch" in page.text
    assert "levels.watch: 40 → 45" in (await bench.say("45")).text


@pytest.mark.parametrize(
    ("asking", "back"),
    [("adm:ops:write", "look at?"), ("adm:feeds:add", "2 feeds"), ("adm:set:type:levels.watch", "watch = 40")],
    ids=["broadcast", "feed", "threshold"],
)
async def test_after_cancel_the_next_text_answers_nothing(bench: Bench, asking: str, back: str) -> None:
    page = await bench.follow(await bench.press(asking), "Cancel")
    assert back in page.text
    assert bench.rows_of(Question) == []
    assert "no command" in (await bench.say("https://c.example/rss")).text


async def test_a_feed_that_cannot_be_read_is_not_added(bench: Bench) -> None:
    bench.preview = FetchError(FetchFailure.BLOCKED_ADDRESS, "127.0.0.1 may not be contacted")
    await bench.press("adm:feeds:add")
    page = await bench.say("https://c.example/rss")
    assert "may not be contacted" in page.text
    assert "Add it" not in buttons(page)


async def test_a_question_runs_out_and_another_admin_does_not_answer_it(bench: Bench) -> None:
    await bench.press("adm:feeds:add")
    assert "no command" in (await bench.say("https://c.example/rss", SECOND)).text
    bench.now += timedelta(hours=1)
    assert "out of date" in (await bench.say("https://c.example/rss")).text


async def test_a_typed_answer_is_understood_after_a_restart(bench: Bench) -> None:
    await bench.press("adm:feeds:add")
    await bench.restart()
    page = await bench.say("https://c.example/rss")
    assert "Newest" in page.text
    await bench.restart()
    assert "Added" in (await bench.follow(page, "Add it")).text
    assert [row.token for row in bench.rows_of(Question)] == []
    assert "no command" in (await bench.say("https://d.example/rss")).text


async def test_a_button_does_what_it_says_after_a_restart_and_only_once(bench: Bench) -> None:
    page = await bench.press("adm:set:ask:levels.watch:45")
    await bench.restart()
    assert "out of date" in (await bench.press(button(page, "Change it"), SECOND)).text
    assert "Done." in (await bench.follow(page, "Change it")).text
    assert bench.settings.alerts.levels.watch == 45
    assert "out of date" in (await bench.follow(page, "Change it")).text
    written = await bench.say("/admin")
    await bench.restart()
    assert "feeds" in (await bench.follow(written, "Feeds")).text


async def test_a_text_that_nobody_asked_for_after_a_restart_is_not_taken_for_an_answer(bench: Bench) -> None:
    await bench.press("adm:ops:write")
    bench.now += timedelta(hours=1)
    await bench.restart()
    assert "out of date" in (await bench.say("Hello everybody")).text
    assert "no command" in (await bench.say("Hello everybody")).text


async def test_a_question_of_another_version_is_out_of_date(bench: Bench) -> None:
    until = NOW + timedelta(minutes=5)
    bench.add(Question(token="t", admin_id=ADMIN, kind="Broadcast", payload='{"words": 1}', until=until))
    assert "out of date" in (await bench.press("adm:ops:send:t")).text


async def test_a_feed_is_paused_resumed_removed_and_brought_back(bench: Bench) -> None:
    one = await bench.follow(await bench.press("adm:feeds:list"), "1")
    paused = await bench.follow(one, "Pause")
    assert "⏸ paused" in paused.text
    assert [feed.paused for feed in bench.settings.feeds.feeds] == [True, False]
    await bench.follow(paused, "Resume")
    assert bench.text("feeds") == FEEDS
    gone = await bench.follow(await bench.follow(one, "Remove"), "Remove it")
    assert "Removed: Alpha" in gone.text
    assert [feed.url for feed in bench.settings.feeds.feeds] == [B]
    log = await bench.press("adm:log:list")
    assert "feed removed" in log.text
    assert "feed paused" in log.text
    await bench.follow(await bench.follow(log, "Undo 3"), "Take it back")
    assert [feed.title for feed in bench.settings.feeds.feeds] == ["", "Alpha"]
    assert [row[0] for row in bench.changes()] == [ADMIN] * 4


async def test_opml_comes_in_as_a_file_after_a_yes_and_goes_out_as_one(bench: Bench) -> None:
    outlines = "".join(f'<outline text="&lt;b&gt;{n}" xmlUrl="https://n{n}.example/rss"/>' for n in range(7))
    bench.fake.files["f1"] = f'<opml version="2.0"><body>{outlines}<outline xmlUrl="{A}"/></body></opml>'.encode()
    await bench.fake.push(updates.document("f1", ADMIN))
    (page,) = await bench.fake.sent(1)
    assert "8 feeds in the file: 7 new, 1 there already" in page.text
    done = await bench.follow(page, "Add 7")
    assert "7 feeds added" in done.text
    assert len(bench.settings.feeds.feeds) == 9
    await bench.press("adm:feeds:out")
    document = (await bench.fake.sent(2))[1]
    assert document.method == "sendDocument"
    assert {feed.url for feed in read_opml(document.params["document"])} >= {A, B, "https://n6.example/rss"}


@pytest.mark.parametrize(
    ("data", "size", "said"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "b">]><opml/>', 100, "document type"),
        (b"PK\x03\x04", 100, "not well-formed"),
        (b"<html></html>", 100, "not OPML"),
        (b"", 3 * 2**20, "at most"),
    ],
    ids=["entities", "zip", "html", "large"],
)
async def test_a_file_that_is_no_opml_is_refused(bench: Bench, data: bytes, size: int, said: str) -> None:
    bench.fake.files["f1"] = data
    await bench.fake.push(updates.document("f1", ADMIN, size))
    (page,) = await bench.fake.sent(1)
    assert said in page.text
    assert bench.text("feeds") == FEEDS


async def test_a_file_of_somebody_else_is_not_even_fetched(bench: Bench) -> None:
    await bench.fake.push(updates.document("f1", ANNA))
    await bench.say("/help", ANNA)
    assert bench.fake.calls_of("getFile") == []


# Whose feeds they are -------------------------------------------------------------------------------------------------

BBC = (
    '[families.bbc]\nname = "BBC"\n\n[families.upi]\nname = "UPI"\n\n'
    '[[feeds]]\nurl = "https://feeds.bbci.co.uk/world.xml"\npublisher = "BBC"\nfamily = "bbc"  # one source\n'
)


def hold(bench: Bench, feeds: str) -> None:
    (bench.folder / "feeds.toml").write_text(feeds, encoding="utf-8")


async def add_feed_by_chat(bench: Bench, url: str) -> Call:
    await bench.press("adm:feeds:add")
    return await bench.follow(await bench.say(url), "Add it")


def sources(bench: Bench) -> list[str]:
    """Whom the feeds count as, once they are taken up."""
    with bench.database.write() as session:
        sync_feeds(session, bench.settings.feeds, bench.now)
        return [feed.source for feed in session.exec(select(Feed).order_by(Feed.id))]  # type: ignore[arg-type]


async def test_a_feed_added_beside_one_of_its_site_is_the_same_source(bench: Bench) -> None:
    hold(bench, BBC)
    added = await add_feed_by_chat(bench, "https://rss.bbci.co.uk/uk.xml")
    assert "publisher: BBC\nfamily: bbc\nregions: none" in added.text
    await add_feed_by_chat(bench, "https://a.wire.example/one")
    await add_feed_by_chat(bench, "https://b.wire.example/two")
    assert sources(bench) == ["bbc", "bbc", "wire.example", "wire.example"]


async def test_two_feeds_of_one_opml_file_and_site_are_one_source(bench: Bench) -> None:
    outlines = "".join(f'<outline text="{n}" xmlUrl="https://n{n}.wire.example/rss"/>' for n in range(2))
    bench.fake.files["f1"] = f'<opml version="2.0"><body>{outlines}</body></opml>'.encode()
    await bench.fake.push(updates.document("f1", ADMIN))
    (page,) = await bench.fake.sent(1)
    assert "2 stand in no folder that is a region" in page.text
    await bench.follow(page, "Add 2")
    assert sources(bench)[2:] == ["wire.example", "wire.example"]


async def test_regions_go_out_with_opml_and_come_back(bench: Bench) -> None:
    listed = FEEDS.replace('title = "Alpha"', 'title = "Alpha"\nregions = ["middle-east", "world", "arctic"]')
    hold(bench, listed + 'regions = ["europe"]\n')
    await bench.press("adm:feeds:out")
    out = (await bench.fake.sent(1))[0].params["document"]
    hold(bench, '[[feeds]]\nurl = "https://x.example/rss"\nregions = ["arctic"]\n')
    bench.fake.files["f1"] = out
    await bench.fake.push(updates.document("f1", ADMIN))
    await bench.follow((await bench.fake.sent(2))[1], "Add 2")
    regions = {feed.url: feed.regions for feed in bench.settings.feeds.feeds}
    assert regions[A] == ("middle-east", "world", "arctic")
    assert regions[B] == ("europe",)


async def test_whose_a_feed_is_and_what_it_is_about_is_edited_recorded_and_taken_back(bench: Bench) -> None:
    hold(bench, BBC)
    page = await bench.follow(await bench.follow(await bench.press("adm:feeds:list"), "1"), "Edit")
    regions = await bench.follow(page, "Regions")
    regions = await bench.follow(await bench.follow(regions, "Europe"), "Middle East")
    assert "● Europe" in buttons(regions) and "● Middle East" in buttons(regions)
    page = await bench.follow(await bench.follow(regions, "Europe"), "Back")
    page = await bench.follow(await bench.follow(page, "Weight"), "0.8")
    page = await bench.follow(await bench.follow(page, "Interval"), "15")
    page = await bench.follow(await bench.follow(page, "Family"), "UPI")
    (entry,) = bench.settings.feeds.feeds
    assert (entry.regions, entry.weight, entry.interval_minutes, entry.family) == (("middle-east",), 0.8, 15, "upi")
    assert "# one source" in bench.text("feeds")
    assert "family: bbc → upi" in (await bench.press("adm:log:list")).text
    await bench.follow(await bench.follow(page, "Undo"), "Take it back")
    assert bench.settings.feeds.feeds == (entry.model_copy(update={"family": "bbc"}),)


@pytest.mark.parametrize(
    ("trait", "typed", "key", "held"),
    [
        ("publisher", "The: World Service", "publisher", "The: World Service"),
        ("publisher", "none", "publisher", ""),
        ("family", "Upi", "family", "upi"),
        ("family", "none", "family", ""),
        ("regions", "Middle East, europe, Arctic Sea", "regions", ("middle-east", "europe", "arctic-sea")),
        ("weight", "0,7", "weight", 0.7),
        ("interval", "20", "interval_minutes", 20),
    ],
)
async def test_a_trait_of_a_feed_can_be_typed(bench: Bench, trait: str, typed: str, key: str, held: object) -> None:
    hold(bench, BBC)
    one = await bench.follow(await bench.press("adm:feeds:list"), "1")
    page = await bench.press(f"{button(one, 'Edit').replace(':edit:', ':trait:')}:{trait}")
    await bench.follow(page, "Type it")
    assert "Done." in (await bench.say(typed)).text or trait == "regions"
    assert getattr(bench.settings.feeds.feeds[0], key) == held


@pytest.mark.parametrize(
    ("trait", "typed", "said"),
    [
        ("family", "nobody", "no family"),
        ("regions", "???", "a region is"),
        ("weight", "much", "a weight is"),
        ("weight", "9", "less than or equal to 2"),
        ("weight", "nan", "weight"),
        ("interval", "1", "greater than or equal to 5"),
        ("interval", "often", "whole minutes"),
        ("publisher", " ", "a value is needed"),
    ],
)
async def test_a_bad_trait_is_asked_for_again_and_changes_nothing(
    bench: Bench, trait: str, typed: str, said: str
) -> None:
    hold(bench, BBC)
    one = await bench.follow(await bench.press("adm:feeds:list"), "1")
    await bench.press(f"{button(one, 'Edit').replace(':edit:', ':type:')}:{trait}")
    page = await bench.say(typed)
    assert said in page.text and "Send me the value" in page.text
    assert bench.text("feeds") == BBC
    assert bench.changes() == []


# Thresholds -----------------------------------------------------------------------------------------------------------


def story(number: int, peak: float) -> Story:
    at = NOW - timedelta(days=number % 10)
    return Story(title="t", first_seen_at=at, last_seen_at=at, peak_escalation=peak)


async def test_a_threshold_changes_after_a_yes_with_its_outlook_and_is_taken_back(bench: Bench) -> None:
    bench.add(*(story(number, 50.0) for number in range(20)))
    before = bench.text("alerts")
    key = await bench.follow(await bench.press("adm:set:sec:levels"), "watch")
    assert "watch = 40\n" in key.text
    asked = await bench.follow(key, "+5")
    assert "levels.watch: 40 → 45" in asked.text
    assert "20 stories" in asked.text
    assert bench.text("alerts") == before
    done = await bench.follow(asked, "Change it")
    assert "Done." in done.text
    assert bench.text("alerts") == before.replace("\nwatch = 40.0", "\nwatch = 45.0", 1)
    assert bench.settings.alerts.levels.watch == 45.0
    assert bench.changes() == [(ADMIN, "alerts", "levels.watch", 40.0, 45.0)]
    await bench.follow(await bench.follow(done, "Undo"), "Take it back")
    assert bench.text("alerts") == before


async def test_pages_and_record_write_a_value_alike(bench: Bench) -> None:
    assert "watch = 40\n" in (await bench.press("adm:set:sec:levels")).text
    done = await bench.follow(await bench.press("adm:set:ask:levels.watch:45"), "Change it")
    assert "watch = 45\n" in done.text
    assert "levels.watch: 40 → 45" in (await bench.press("adm:log:list")).text


async def test_a_value_can_be_typed(bench: Bench) -> None:
    for typed in (" 42.5 ", "digest.timezone Europe/Kyiv", "digest.at 07:15", "telling.default_level watch"):
        await bench.press("adm:set:type:levels.watch")
        await bench.follow(await bench.say(typed), "Change it")
    assert bench.settings.alerts.levels.watch == 42.5
    assert (bench.settings.digest.timezone, f"{bench.settings.digest.at}") == ("Europe/Kyiv", "07:15:00")
    assert bench.settings.alerts.telling.default_level == "watch"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("levels.watch 75", "must be between watch"),
        ("levels.watch loud", "must be a valid number"),
        ("levels.loud 5", "no setting called"),
        ("levels.watch", "must be a valid number"),
        (" ", "a value is needed"),
        ("digest.timezone Mars/Base", "IANA"),
        ("telegram.admins 5", "no settings called"),
        ("<b>x</b> 5", "must be a valid number, got '&lt;b&gt;x"),
        ("levels.watch nan", "levels.watch"),
    ],
)
async def test_a_bad_value_is_told_and_nothing_changes(bench: Bench, typed: str, said: str) -> None:
    before = bench.text("alerts")
    await bench.press("adm:set:type:levels.watch")
    page = await bench.say(typed)
    assert said in page.text
    assert "Change it" not in buttons(page)
    assert bench.text("alerts") == before


@pytest.mark.parametrize(
    ("number", "peak", "said"),
    [(300, 90.0, "rung 33 times a day"), (5, 20.0, "hidden everything"), (0, 0.0, "No stories are stored yet")],
    ids=["too many", "nothing", "no stories"],
)
async def test_a_threshold_that_would_drown_or_hide_everything_is_warned_of(
    bench: Bench, number: int, peak: float, said: str
) -> None:
    bench.add(*(story(each, peak) for each in range(number)))
    assert said in (await bench.press("adm:set:ask:levels.watch:35")).text


async def test_a_value_the_environment_sets_is_told_and_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN__ALERTS__LEVELS__WATCH", "30")
    assert "cannot be changed here" in (await bench.press("adm:set:key:levels.watch")).text
    page = await bench.press("adm:set:ask:levels.watch:45")
    assert "set by the environment (TOCSIN__ALERTS__LEVELS__WATCH)" in page.text


async def test_of_two_admins_the_second_hears_that_the_first_was_quicker(bench: Bench) -> None:
    mine, theirs = [await bench.press(f"adm:set:ask:levels.watch:{value}") for value in (45, 50)]
    await bench.follow(mine, "Change it")
    assert "somebody else" in (await bench.follow(theirs, "Change it")).text
    stolen = await bench.press(button(await bench.press("adm:set:ask:levels.watch:41"), "Change it"), SECOND)
    assert "out of date" in stolen.text
    assert bench.settings.alerts.levels.watch == 45.0


async def test_easing_gets_levels_of_its_own_and_loses_them(bench: Bench) -> None:
    page = await bench.press("adm:set:ask:easing.watch:30")
    await bench.follow(page, "Change it")
    easing = bench.settings.alerts.deescalation
    assert easing is not None
    assert (easing.watch, easing.warning) == (30.0, 55.0)
    await bench.follow(await bench.follow(await bench.press("adm:set:sec:easing"), "Same as"), "Change it")
    assert bench.settings.alerts.deescalation is None


async def test_a_threshold_is_backtested_before_the_yes(bench: Bench) -> None:
    asked = await bench.press("adm:set:ask:levels.watch:45")
    await bench.follow(asked, "Backtest 7d")
    verdict, report = await bench.fake.sent(2)
    assert bench.commands[0][:-1] == ["backtest", "--since", "7d", "--set", "levels.watch=45.0", "--html"]
    assert "told · 3\nall went well &lt;b&gt;" in verdict.text
    assert report.params["document"] == b"<html>plots</html>"
    assert bench.settings.alerts.levels.watch == 40.0
    await bench.follow(verdict, "Change it")
    assert bench.settings.alerts.levels.watch == 45.0


async def test_a_backtest_that_fails_says_so_and_the_question_stays(bench: Bench) -> None:
    bench.outcome = Done(1, "backtest: no articles stored within 14d")
    await bench.follow(await bench.press("adm:set:ask:levels.watch:45"), "Backtest 7d")
    verdict = (await bench.fake.sent(1))[0]
    assert "failed with status 1" in verdict.text
    assert "no articles stored" in verdict.text


# Subscribers ----------------------------------------------------------------------------------------------------------


def chat(chat_id: int, state: SubscriberState, **values: Any) -> Subscriber:
    return Subscriber(chat_id=chat_id, state=state, **{"created_at": NOW, "changed_at": NOW} | values)


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


# Operating ------------------------------------------------------------------------------------------------------------


async def test_numbers_come_with_a_chart(bench: Bench) -> None:
    bench.add(Feed(id=1, url=A, health=FeedHealth.HEALTHY, next_fetch_at=NOW))
    bench.add(Article(feed_id=1, entry_key="k", title="t", content_hash="h", news_at=NOW, seen_at=NOW))
    page = await bench.press("adm:ops:stats")
    assert "Articles: 1 today" in page.text
    assert "healthy 1" in page.text
    (photo,) = await bench.fake.sent(1)
    assert photo.params["photo"].startswith(b"\x89PNG")


async def test_a_broadcast_goes_to_active_chats_once_after_a_yes(bench: Bench) -> None:
    bench.add(*(chat(100 + n, state) for n, state in enumerate(SubscriberState)))
    await bench.press("adm:ops:write")
    asked = await bench.say("Maintenance <tonight> & tomorrow")
    assert "1 chats" in asked.text
    assert bench.rows(Delivery) == []
    await bench.follow(asked, "Send to")
    await bench.follow(asked, "Send to")
    (row,) = bench.rows(Delivery)
    assert row.priority == Priority.BROADCAST
    assert row.message["html"] == "Maintenance &lt;tonight&gt; &amp; tomorrow"
    assert bench.changes() == [(ADMIN, "broadcast", "1", None, "Maintenance <tonight> & tomorrow")]
    assert "Undo" not in "".join(buttons(await bench.press("adm:log:list")))


async def test_a_broadcast_waits_until_a_chats_quiet_hours_end(bench: Bench) -> None:
    quiet = chat(101, SubscriberState.ACTIVE)
    begins, ends = (f"{NOW + timedelta(hours=hours):%H:%M}" for hours in (-1, 1))
    quiet.quiet_from, quiet.quiet_until, quiet.timezone = begins, ends, "UTC"
    bench.add(quiet, chat(102, SubscriberState.ACTIVE))
    await bench.press("adm:ops:write")
    await bench.follow(await bench.say("Maintenance"), "Send to")
    held, at_once = bench.rows(Delivery)
    assert held.send_after == held.due_at == (NOW + timedelta(hours=1)).replace(second=0, microsecond=0)
    assert at_once.send_after == NOW


async def test_reload_says_what_is_wrong_with_the_settings(bench: Bench) -> None:
    assert "Nothing had changed" in (await bench.press("adm:ops:reload")).text
    (bench.folder / "alerts.toml").write_text("[levels]\nwatch = 99\n", encoding="utf-8")
    assert "must be between watch" in (await bench.press("adm:ops:reload")).text


async def test_a_test_message_goes_through_the_outbox(bench: Bench) -> None:
    await bench.press("adm:ops:test")
    (row,) = bench.rows(Delivery)
    assert "test message" in row.message["plain"]


async def test_a_backup_comes_as_a_file(bench: Bench) -> None:
    await bench.follow(await bench.press("adm:ops:backup"), "Send it")
    (file,) = await bench.fake.sent(1)
    assert file.params["document"].startswith(b"SQLite format 3")


async def test_models_are_listed_and_there_is_nothing_to_roll_back_to(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_MODELS", str(tmp_path / "models"))
    assert "★ shipped" in (await bench.press("adm:ops:models")).text
    assert "nothing to roll back to" in (await bench.press("adm:ops:rollback:yes")).text


async def test_training_runs_by_itself_and_its_outcome_comes_as_a_message(bench: Bench) -> None:
    await bench.follow(await bench.press("adm:ops:train"), "Train")
    (message,) = await bench.fake.sent(1)
    assert bench.commands == [["train"]]
    assert bench.asked_by == [ADMIN]
    assert "train: Done." in message.text
    bench.outcome = TocsinError("another training or backtest is running")
    await bench.press("adm:ops:train:yes")
    assert "another training" in (await bench.fake.sent(2))[1].text


async def test_training_that_a_stop_cuts_off_is_told_at_the_next_start_to_who_asked_for_it(bench: Bench) -> None:
    bench.stuck = True
    await bench.press("adm:ops:train:yes", SECOND)
    await bench.fake.until(lambda: bench.commands == [["train"]])
    await bench.stop()
    with bench.database.write() as session:
        assert tell_unfinished(session, bench.settings, NOW) == 1
        assert tell_unfinished(session, bench.settings, NOW) == 0
    (row,) = bench.rows(Delivery)
    assert "train was stopped" in row.message["plain"]
    assert row.message["buttons"] == [[{"text": "Train again", "data": "adm:ops:train"}]]
    assert [each.chat_id for each in bench.rows(Subscriber)] == [SECOND]


async def test_training_that_ended_in_any_way_is_not_told_as_stopped(bench: Bench) -> None:
    for number, outcome in enumerate((Done(1, "no"), TocsinError("another training or backtest is running")), 1):
        bench.outcome = outcome
        await bench.press("adm:ops:train:yes")
        await bench.fake.sent(number)
    assert bench.rows_of(Memo) == []


# Labels ---------------------------------------------------------------------------------------------------------------


def reading(number: int, sure: float, **values: Any) -> list[SQLModel]:
    article = Article(
        id=number, feed_id=1, entry_key=f"k{number}", title="t", content_hash="h", news_at=NOW, seen_at=NOW
    )
    defaults: dict[str, Any] = {
        "title": f"Headline {number}",
        "direction": {"escalation": sure, "none": 1 - sure},
        "signals": {"threat": 0.9, "ceasefire": 0.8},
        "status": "claimed",
    }
    common: dict[str, Any] = {"escalation": 50.0, "deescalation": 5.0, "severity": 2, "news_at": NOW, "read_at": NOW}
    return [article, Reading(id=number, article_id=number, model="m", **defaults | common | values)]


def queue(bench: Bench) -> None:
    at = {"first_seen_at": NOW, "last_seen_at": NOW}
    bench.add(Feed(id=1, url=A, next_fetch_at=NOW))
    bench.add(Story(id=1, title="t", status=StoryStatus.CONTESTED, **at), Story(id=2, title="t", **at))
    bench.add(*reading(1, 0.99), *reading(2, 0.6), *reading(3, 0.51), *reading(4, 0.9, story_id=1))
    bench.add(*reading(5, 0.9, story_id=2, title=f"Wrong {HOSTILE}"))
    told = {"direction": Direction.ESCALATION, "level": 1, "score": 50.0, "rule": "r", "created_at": NOW}
    bench.add(Alert(id=1, story_id=2, kind=AlertKind.NEW, **told))
    bench.add(Verdict(kind=VerdictKind.WRONG, text=f"Wrong {HOSTILE}", alert_id=1, created_at=NOW))


async def test_the_queue_puts_wrong_before_disputed_before_unsure_and_leaves_the_sure(bench: Bench) -> None:
    queue(bench)
    page, shown = await bench.press("adm:label:list"), []
    for _ in range(5):
        shown.append(page.text)
        page = await bench.follow(page, "Skip") if "Skip" in buttons(page) else page
    wanted = ["called wrong", "Headline 4", "Headline 3", "Headline 2", "Nothing waits"]
    assert all(words in text for words, text in zip(wanted, shown, strict=True))
    assert "<b>" not in shown[0]


async def test_the_queue_begins_with_what_people_disagree_on(bench: Bench) -> None:
    queue(bench)
    at = {"first_seen_at": NOW, "last_seen_at": NOW}
    told = {"direction": Direction.ESCALATION, "level": 1, "score": 50.0, "rule": "r", "created_at": NOW}
    bench.add(Story(id=3, title="t", **at), Alert(id=2, story_id=3, kind=AlertKind.NEW, **told))
    bench.add(*reading(6, 0.9, story_id=3), *reading(7, 0.9, story_id=3))
    for kind in (VerdictKind.WRONG, VerdictKind.USEFUL, VerdictKind.USEFUL):
        bench.add(Verdict(kind=kind, text="Headline 6", alert_id=2, created_at=NOW))
    bench.add(Verdict(kind=VerdictKind.USEFUL, text="Headline 7", alert_id=2, created_at=NOW))
    page = await bench.press("adm:label:list")
    assert "called wrong, and useful 2 times" in page.text and "Headline 6" in page.text
    shown = [page.text]
    while "Skip" in buttons(page):
        page = await bench.follow(page, "Skip")
        shown.append(page.text)
    assert "because called wrong.\n" in shown[1]
    assert not any("Headline 7" in text for text in shown)


async def test_what_one_admin_skips_stays_skipped_for_them_alone_also_after_a_restart(bench: Bench) -> None:
    queue(bench)
    await bench.follow(await bench.press("adm:label:list"), "Skip")
    await bench.restart()
    assert "Headline 4" in (await bench.press("adm:label:list")).text
    assert "called wrong" in (await bench.press("adm:label:list", SECOND)).text


async def test_one_tap_stores_a_label_that_training_finds(bench: Bench) -> None:
    queue(bench)
    page = await bench.follow(await bench.press("adm:label:list"), "⬆ critical")
    assert "Stored: escalation, severity 3" in page.text
    page = await bench.follow(page, "Neither")
    labels = [row for row in bench.rows(Verdict) if row.kind == VerdictKind.LABEL]
    assert [(row.text, row.direction, row.severity, row.signals, row.status) for row in labels] == [
        (f"Wrong {HOSTILE}", "escalation", 3, ["threat"], "claimed"),
        ("Headline 4", "none", 0, [], "asserted"),
    ]
    assert {row.admin_id for row in labels} == {ADMIN}
    page = await bench.follow(page, "Take that back")
    assert "Headline 4" in page.text
    assert len(bench.rows(Verdict)) == 2
    assert bench.changes() == [(ADMIN, "label", "Headline 4", "none, severity 0", None)]
    assert "label taken back (none, severity 0): Headline 4" in (await bench.press("adm:log:list")).text
