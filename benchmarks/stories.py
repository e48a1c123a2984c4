"""Stored readings in, what it costs to find the story of one more out: as the story window fills, as the archive grows.

    python -m benchmarks stories [--window 1000 5000 20000] [--archive 1000 10000 100000] [--per-day 300] [--new 200]
    python -m benchmarks stories --window --archive 1000 10000 100000 1000000       the archive alone, to a million

Every reading is its own story: a headline and two sentences of the project's texts about conflicts, drawn anew for
each, so that they share names and words as real news does, but tell no event twice. First all of them lie within the
last 72 hours; then so many a day, for as many days as it takes, so that the window stays the same while the archive
grows. The index is filled as after a restart (`load_index`); then `gather_stories` takes new readings through it, ten
at a time. Times are CPU time of this process, which other work on the machine distorts least, and of the new readings
the median. SQLite.
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
from sqlmodel import Session, func, insert, select

from benchmarks.measure import START, console, machine, progress, read_texts, scratch_app
from bot.app import App
from bot.demo.play import SimulatedClock
from bot.pipeline.cluster import gather_stories, load_index
from bot.pipeline.story_index import StoryIndex
from models import Article, Feed, Reading, Story

WINDOW = timedelta(hours=72)
SIGNALS = ("armed_attack", "troop_buildup", "sanctions", "negotiation", "threat", "agreement", "cyberattack")
PARTIES = 40
TOGETHER = 10  # new readings gathered in one transaction
CHUNK = 5000  # rows stored by one statement
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


async def gather(stored: int, span: timedelta, new: int, advance: Callable[[int], None]) -> Gathered:
    """Measure with `stored` readings spread evenly over `span`, in an otherwise empty database."""
    rng, sentences = random.Random(stored), read_texts().in_scope
    moments = [START - span * (1 - number / stored) for number in range(stored)] + [START] * new
    async with scratch_app(SimulatedClock(START)) as app:
        await asyncio.to_thread(_store, app, moments, stored, rng, sentences, advance)
        start = time.process_time()
        with app.database.read() as session:
            index = load_index(session, app.settings.alerts.stories)
        fill, indexed = time.process_time() - start, len(index)
        each = median(_gather_new(app, index, new))
        with app.database.read() as session:
            stories = session.exec(select(func.count()).select_from(Story)).one()
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


def _store(
    app: App,
    moments: Sequence[datetime],
    stored: int,
    rng: random.Random,
    sentences: Sequence[str],
    advance: Callable[[int], None],
) -> None:
    """One article and reading for each moment; the first `stored` have their stories, the others wait for one."""
    with app.database.write() as session:
        feed = Feed(url="https://outlet.example/", publisher="Outlet", next_fetch_at=START)
        session.add(feed)
        session.flush()
        feed_id = feed.id
    for start in range(0, len(moments), CHUNK):
        part = enumerate(moments[start : start + CHUNK], start + 1)
        readings = [_reading(number, moment, stored, rng, sentences) for number, moment in part]
        with app.database.write() as session:
            _insert(session, feed_id, readings)
        advance(len(readings))


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


def measure(title: str, sizes: Sequence[tuple[int, timedelta]], new: int) -> None:
    """Print one table: a row for each number of stored readings and the time they are spread over."""
    results = []
    with progress("readings stored", sum(stored + new for stored, _ in sizes)) as advance:
        for stored, span in sizes:
            results.append(asyncio.run(gather(stored, span, new, advance)))
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
    measure("All within the window", [(stored, WINDOW) for stored in given.window], given.new)
    days = timedelta(days=1) / given.per_day
    measure(f"{given.per_day} a day", [(stored, days * stored) for stored in given.archive], given.new)


if __name__ == "__main__":
    main()
