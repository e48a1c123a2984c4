"""Feeds that an admin adds, pauses, removes, imports and describes in a chat."""

from datetime import timedelta

import fake_updates as updates
import pytest
from fake_bot_api import Call
from sqlmodel import select

from bot.feeds.opml import read_opml
from bot.feeds.types import FetchError, FetchFailure
from models import (
    Feed,
    FeedHealth,
    Question,
)
from models.feed import sync_feeds
from tests.admin_bench import (
    ADMIN,
    ANNA,
    FEEDS,
    HOSTILE,
    NOW,
    SECOND,
    A,
    B,
    Bench,
    bench,
    button,
    buttons,
    database,
    folder,
)

__all__ = ["bench", "database", "folder"]

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
