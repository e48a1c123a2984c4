"""Stored readings in, what it costs to find the story of one more out: as the story window fills, as the archive grows.

    python -m benchmarks stories [--window 1000 5000 20000] [--archive 1000 10000 100000] [--per-day 300] [--new 200]
    python -m benchmarks stories --window --archive 1000 10000 100000 1000000       the archive alone, to a million

Every reading is its own story: a headline and two sentences of the project's texts about conflicts, drawn anew for
each, so that they share names and words as real news does, but tell no event twice. First all of them lie within the
last 72 hours; then so many a day, for as many days as it takes, so that the window stays the same while the archive
grows (what is older than the window repeats its words, under addresses of its own). The index is filled as after a
restart (`load_index`); then `gather_stories` takes new readings through it, ten at a time. Times are CPU time of this
process, which other work on the machine distorts least, and of the new readings the median. SQLite.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from rich.table import Table
from sqlalchemy import TextClause, inspect, text
from sqlmodel import Session, SQLModel, func, insert, select

from benchmarks.measure import START, console, machine, progress, read_texts, scratch_app
from bot.app import App
from bot.demo.play import SimulatedClock
from bot.pipeline.cluster import gather_stories, load_index
from bot.pipeline.story_index import StoryIndex
from models import Article, Feed, Reading, Story
from models.story import is_whole

WINDOW, DAY = timedelta(hours=72), timedelta(days=1)
SIGNALS = ("armed_attack", "troop_buildup", "sanctions", "negotiation", "threat", "agreement", "cyberattack")
PARTIES = 40
TOGETHER = 10  # new readings gathered in one transaction
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gathered:
    """With `stored` readings of which `indexed` lie in the window: CPU seconds to fill the index and to gather each new
    reading, holders of words looked at and articles compared for each, and how many of the new ones joined a story
    although every text is its own."""

    stored: int
    indexed: int
    fill_s: float
    each_s: float
    holders: float
    compared: float
    joined: int


async def gather(stored: int, per_day: float | None, new: int, advance: Callable[[int], None]) -> Gathered:
    """Measure with `stored` readings in an otherwise empty database: all in the window, or so many a day before now."""
    rng, sentences = random.Random(stored), read_texts().in_scope
    recent = stored if per_day is None else min(stored, round(per_day * (WINDOW / DAY)))
    moments = [START - WINDOW * (1 - number / recent) for number in range(recent)] + [START] * new
    async with scratch_app(SimulatedClock(START)) as app:
        await asyncio.to_thread(_store, app, moments, stored, rng, sentences)
        advance(recent)
        await asyncio.to_thread(_store_past, app, stored - recent, recent, advance)
        start = time.process_time()
        with app.database.read() as session:
            index = load_index(session, app.settings.alerts.stories)
        fill, indexed = time.process_time() - start, len(index)
        each = median(_gather_new(app, index, new))
        with app.database.read() as session:
            stories = session.exec(select(func.count()).select_from(Story).where(is_whole())).one()
    work = index.work
    joined = stored + new - stories
    return Gathered(stored, indexed, fill, each, work.holders / work.lookups, work.compared / work.lookups, joined)


def _gather_new(app: App, index: StoryIndex, new: int) -> Iterator[float]:
    """CPU seconds for each of the new readings, one figure a transaction."""
    for _ in range(0, new, TOGETHER):
        start = time.process_time()
        with app.database.write() as session:
            looked = gather_stories(session, index, app.settings.alerts.stories, limit=TOGETHER)
        yield (time.process_time() - start) / looked


def _store(app: App, moments: Sequence[datetime], stored: int, rng: random.Random, sentences: Sequence[str]) -> None:
    """One article and reading for each moment, the last of them numbered above `stored`, which wait for their story."""
    first = stored - sum(moment < START for moment in moments) + 1
    with app.database.write() as session:
        feed = Feed(url="https://outlet.example/", publisher="Outlet", next_fetch_at=START)
        session.add(feed)
        session.flush()
        readings = [_reading(number, moment, stored, rng, sentences) for number, moment in enumerate(moments, first)]
        _insert(session, feed.id, readings)


def _store_past(app: App, count: int, recent: int, advance: Callable[[int], None]) -> None:
    """`count` older readings: those of the window again, window by window before it, under other numbers and addresses.

    The oldest come first and have the lowest numbers. Copied by the database, or a million would take an hour.
    """
    for back in range(-(-count // recent), 0, -1):
        with app.database.write() as session:
            for table in (Article, Story, Reading):
                session.execute(_copy(table, back, recent, count))
        advance(min(recent, count - (back - 1) * recent))


def _copy(table: type[SQLModel], back: int, recent: int, count: int) -> TextClause:
    """The statement that copies a table's rows of the window as those of `back` windows before."""
    number, days = f"- {back * recent}", back * WINDOW // DAY
    changed = {name: f"{name} {number}" for name in ("id", "article_id", "story_id", "entry_key", "content_hash")}
    changed |= {
        name: f"strftime('%Y-%m-%d %H:%M:%S.000000', {name}, '-{days} days')"
        for name in ("news_at", "seen_at", "read_at", "first_seen_at", "last_seen_at")
    }
    changed |= dict.fromkeys(("url", "canonical_url"), f"'https://news.example/' || (id {number})")
    names = [column.name for column in inspect(table).columns]
    values = ", ".join(changed.get(name, name) for name in names)
    of_window = f"id > {count} AND id <= {count + recent} AND id {number} > 0"
    name = table.__tablename__
    return text(f"INSERT INTO {name} ({', '.join(names)}) SELECT {values} FROM {name} WHERE {of_window}")


def _insert(session: Session, feed_id: int, readings: Sequence[Row]) -> None:
    session.execute(insert(Article), [_article(feed_id, reading) for reading in readings])
    if stories := [_story(reading) for reading in readings if reading["gathered"]]:
        session.execute(insert(Story), stories)
    session.execute(insert(Reading), readings)


def _article(feed_id: int, reading: Row) -> Row:
    number, moment = reading["article_id"], reading["news_at"]
    url = f"https://news.example/{number}"
    return {
        "id": number,
        "feed_id": feed_id,
        "entry_key": str(number),
        "url": url,
        "canonical_url": url,
        "title": reading["title"],
        "content_hash": str(number),
        "news_at": moment,
        "seen_at": moment,
        "unread_revision": None,
    }


def _story(reading: Row) -> Row:
    moment = reading["news_at"]
    return {
        "id": reading["story_id"],
        "title": reading["title"],
        "first_seen_at": moment,
        "last_seen_at": moment,
        "changed": False,
    }


def _reading(number: int, moment: datetime, stored: int, rng: random.Random, sentences: Sequence[str]) -> Row:
    title, lead, opening = rng.sample(sentences, 3)
    codes = rng.sample(range(PARTIES), 2)
    return {
        "id": number,
        "article_id": number,
        "model": "none",
        "title": title,
        "lead": lead,
        "opening": opening,
        "escalation": 45.0,
        "deescalation": 3.0,
        "severity": 1,
        "status": "asserted",
        "signals": {rng.choice(SIGNALS): 0.8},
        "actors": [{"code": f"P{code}", "name": f"Party {code}"} for code in codes],
        "news_at": moment,
        "read_at": moment,
        "gathered": number <= stored,
        "story_id": number if number <= stored else None,
    }


def show(title: str, results: Sequence[Gathered]) -> Table:
    """One row per size, and how the time for one reading grew."""
    table = Table(title=f"{title}; {machine()}", title_justify="left")
    for heading in (
        "stored",
        "in the window",
        "fill the index, s",
        "each new, ms",
        "against the first",
        "holders looked at",
        "articles compared",
        "joined",
    ):
        table.add_column(heading, justify="right")
    for one in results:
        table.add_row(
            f"{one.stored:,}",
            f"{one.indexed:,}",
            f"{one.fill_s:.1f}",
            f"{1000 * one.each_s:.1f}",
            f"{one.each_s / results[0].each_s:.2f}",
            f"{one.holders:.0f}",
            f"{one.compared:.0f}",
            str(one.joined),
        )
    return table


def measure(title: str, sizes: Sequence[int], per_day: float | None, new: int) -> None:
    """Print one table: a row for each number of stored readings."""
    results = []
    with progress("readings stored", sum(sizes)) as advance:
        for stored in sizes:
            results.append(asyncio.run(gather(stored, per_day, new, advance)))
    if results:
        console().print(show(title, results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--window", type=int, nargs="*", default=[1000, 5000, 20_000], help="readings within 72 hours")
    parser.add_argument("--archive", type=int, nargs="*", default=[1000, 10_000, 100_000], help="readings over years")
    parser.add_argument("--per-day", type=int, default=300, help="readings a day in the archive")
    parser.add_argument("--new", type=int, default=200, help="readings to gather")
    given = parser.parse_args()
    if min([given.per_day, given.new, *given.window, *given.archive]) < 1:
        parser.error("every number must be 1 or more")
    measure("All within the window", given.window, None, given.new)
    measure(f"{given.per_day} a day", given.archive, given.per_day, given.new)


if __name__ == "__main__":
    main()
