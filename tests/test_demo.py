"""The bundled month: what a newcomer sees of it, and that the sample is what it says it is."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import feedparser
import pytest
from rich.console import Console
from sqlmodel import col, select

from bot.demo.feed_xml import WRITERS
from bot.demo.newsroom import SAMPLE, Newsroom, read_sample
from bot.demo.play import END, START, SimulatedClock, Stage, play_demo
from bot.feeds.parser import parse_feed
from config.errors import DatabaseError
from models import Alert, Article, Delivery, Direction, Level, Story, Suppression
from models.database import open_database

RECORDS = [json.loads(line) for path in sorted(SAMPLE.glob("*.jsonl")) for line in path.read_text().splitlines()]
CRISIS = {record["title"] for record in RECORDS if record["id"].startswith("c-")}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The month, played once: what the terminal showed, and the folder of database and charts."""
    import asyncio

    folder = tmp_path_factory.mktemp("demo")
    console = Console(record=True, width=110, file=(folder / "terminal.txt").open("w"))
    asyncio.run(play_demo(console, Stage(folder / "out", picture=folder / "alert.svg")))
    return console.export_text(), folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("word", ["WATCH", "WARNING", "CRITICAL", "EASING", "DISPUTED", "Weekly digest", "Not told"])
def test_the_reader_has_seen(played: tuple[str, Path], word: str) -> None:
    assert word in played[0]


def test_every_article_was_read_once_and_copies_did_not_ring(played: tuple[str, Path]) -> None:
    database = open_database(f"sqlite:///{played[1] / 'out' / 'demo.db'}", END)
    with database.read() as session:
        articles = session.exec(select(Article)).all()
        alerts = session.exec(select(Alert)).all()
        titles = Counter((alert.facts["title"], alert.direction) for alert in alerts)
        told = session.exec(select(Delivery.alert_id).where(col(Delivery.alert_id).is_not(None))).all()
    database.close()
    assert len(articles) == sum(record["kind"] != "edit" for record in RECORDS) >= 200
    assert all(article.unread_revision is None for article in articles)
    assert len(told) == len(set(told))
    assert max(titles.values()) <= 3  # at most once a level


def test_the_disputed_pull_back_names_who_stands_where(played: tuple[str, Path]) -> None:
    database = open_database(f"sqlite:///{played[1] / 'out' / 'demo.db'}", END)
    with database.read() as session:
        stories = session.exec(select(Story)).all()
        alerts = session.exec(select(Alert)).all()
    database.close()
    assert any("troop_withdrawal" in story.contested for story in stories)
    stances = {
        (claim["claimant"], claim["stance"])
        for alert in alerts
        for claim in alert.facts["claims"]
        if "troop_withdrawal" in alert.facts["contested"] and claim["signal"] == "troop_withdrawal"
    }
    assert ("Varnia", "affirm") in stances
    assert ("NATO", "deny") in stances


def test_the_disputed_pull_back_is_followed_by_a_confirmed_one_and_the_month_ends_easing(
    played: tuple[str, Path],
) -> None:
    """The first pull-back (10 March) never came to be; that of 29 March is another event, hence another story."""
    monitors = {record["title"] for record in RECORDS if record.get("event") == "varnia-withdrawal-confirmed"}
    database = open_database(f"sqlite:///{played[1] / 'out' / 'demo.db'}", END)
    with database.read() as session:
        alerts = session.exec(select(Alert).order_by(col(Alert.created_at), col(Alert.id))).all()
    database.close()
    easing = [alert for alert in alerts if alert.direction is Direction.DEESCALATION]
    disputed = next(alert for alert in easing if "troop_withdrawal" in alert.facts["contested"])
    assert (disputed.facts["status"], disputed.created_at.date()) == ("contested", date(2026, 3, 10))
    later = [alert for alert in easing if alert.facts["title"] in monitors]
    assert all(alert.story_id != disputed.story_id and not alert.facts["contested"] for alert in later)
    assert (later[-1].facts["status"], later[-1].level) == ("confirmed", Level.WARNING)
    assert "troop_withdrawal" in later[-1].facts["signals"] and later[-1].facts["independent"] >= 2
    assert (alerts[-1].direction, alerts[-1].level) == (Direction.DEESCALATION, Level.CRITICAL)
    assert alerts[-1].facts["status"] == "confirmed"


def test_nothing_but_the_crisis_reaches_warning(played: tuple[str, Path]) -> None:
    database = open_database(f"sqlite:///{played[1] / 'out' / 'demo.db'}", END)
    with database.read() as session:
        loud = session.exec(select(Alert).where(Alert.level >= 2)).all()
        suppressed = session.exec(select(Suppression)).all()
    database.close()
    assert {alert.direction for alert in loud} == {Direction.ESCALATION, Direction.DEESCALATION}
    assert [alert.facts["title"] for alert in loud if alert.facts["title"] not in CRISIS] == []
    assert suppressed


def test_charts_and_picture_are_saved(played: tuple[str, Path]) -> None:
    charts = sorted((played[1] / "out").glob("weekly-digest-*.png"))
    assert len(charts) >= 5
    assert all(chart.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for chart in charts)
    assert (played[1] / "alert.svg").read_text().startswith("<svg")


async def test_the_demo_refuses_a_database_that_holds_data(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'used.db'}"
    stage = Stage(tmp_path, database_url=url)
    console = Console(file=(tmp_path / "out").open("w"))
    await play_demo(console, stage, START, START + timedelta(hours=1))
    with pytest.raises(DatabaseError, match="holds data"):
        await play_demo(console, stage, START, START + timedelta(hours=1))


# The sample -----------------------------------------------------------------------------------------------------------


def test_the_sample_is_a_month_told_by_ten_outlets_with_copies_rewrites_and_edits() -> None:
    kinds = Counter(record["kind"] for record in RECORDS)
    assert len(RECORDS) >= 200
    assert len({record["outlet"] for record in RECORDS}) >= 8
    assert {"original", "wire_copy", "rewrite", "edit"} <= set(kinds)
    assert {outlet.format for outlet in read_sample()} == set(WRITERS)
    assert len({record["id"] for record in RECORDS}) == len(RECORDS)


def test_an_edit_replaces_its_item_and_keeps_its_date() -> None:
    edit = next(record for record in RECORDS if record["kind"] == "edit")
    outlet = next(outlet for outlet in read_sample() if outlet.id == edit["outlet"])
    moment = datetime.fromisoformat(edit["at"])
    (before,) = [item for item in outlet.at(moment - timedelta(seconds=1)) if item.guid == edit["guid"]]
    (after,) = [item for item in outlet.at(moment) if item.guid == edit["guid"]]
    assert (after.published, after.title) == (before.published, edit["title"])


@pytest.mark.parametrize("form", WRITERS)
def test_each_format_is_a_feed_that_others_can_read(form: str) -> None:
    items = read_sample()[0].at(datetime(2026, 3, 20, tzinfo=UTC))
    body = WRITERS[form]("Outlet <&>", "https://outlet.example/", items)
    parsed = parse_feed(body, {}, "https://outlet.example/feed", datetime(2026, 3, 20, tzinfo=UTC))
    assert [entry.title for entry in parsed.entries] == [" ".join(item.title.split()) for item in items]
    assert all(entry.published_at for entry in parsed.entries)
    assert feedparser.parse(body.decode()).version == {"rss20": "rss20", "rss10": "rss10", "atom": "atom10"}[form]


async def test_the_newsroom_answers_a_conditional_request_with_304() -> None:
    import aiohttp

    outlets = read_sample()
    async with Newsroom(outlets, SimulatedClock(END)) as newsroom, aiohttp.ClientSession() as session:
        first = await session.get(newsroom.url(outlets[0]))
        again = await session.get(newsroom.url(outlets[0]), headers={"If-None-Match": first.headers["ETag"]})
        missing = await session.get(newsroom.url(outlets[0]) + "x")
    assert (first.status, again.status, missing.status) == (200, 304, 404)
