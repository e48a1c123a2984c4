"""Stored readings within the story window in, what it costs to find the story of one more out.

    python -m benchmarks stories [--stored 1000 5000 20000] [--new 100]

Every reading is its own story and lies within the last 72 hours: a headline and two sentences of the project's texts
about conflicts, drawn anew for each, so that they share names and words as real news does, but tell no event twice. The
index is filled as after a restart (`load_index`); then `gather_stories` takes new readings through it. SQLite.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.table import Table
from sqlmodel import Session, func, select

from benchmarks.measure import START, console, machine, progress, read_texts, scratch_app
from bot.app import App
from bot.demo.play import SimulatedClock
from bot.pipeline.cluster import gather_stories, load_index
from models import Article, Feed, Reading, Story

WINDOW = timedelta(hours=72)
SIGNALS = ("armed_attack", "troop_buildup", "sanctions", "negotiation", "threat", "agreement", "cyberattack")
PARTIES = 40


@dataclass(frozen=True, slots=True)
class Gathered:
    """With `stored` readings in the window: seconds to fill the index and to gather each new reading, and how many of
    the new ones joined a story although every text is its own."""

    stored: int
    fill_s: float
    each_s: float
    joined: int


async def gather(stored: int, new: int, sentences: Sequence[str]) -> Gathered:
    """Measure with `stored` readings in an otherwise empty database."""
    rng = random.Random(stored)
    async with scratch_app(SimulatedClock(START)) as app:
        await asyncio.to_thread(_store, app, stored, rng, sentences)
        start = time.perf_counter()
        with app.database.read() as session:
            index = load_index(session, app.settings.alerts.stories)
        filled = time.perf_counter()
        with app.database.write() as session:
            feed_id = _add_feed(session)
            for number in range(stored, stored + new):
                _add_reading(session, feed_id, number, START, _words(rng, sentences))
        began = time.perf_counter()
        with app.database.write() as session:
            looked = gather_stories(session, index, app.settings.alerts.stories, limit=new)
        each = (time.perf_counter() - began) / looked
        with app.database.read() as session:
            stories = session.exec(select(func.count()).select_from(Story)).one()
    return Gathered(stored, filled - start, each, stored + looked - stories)


def _words(rng: random.Random, sentences: Sequence[str]) -> list[str]:
    return rng.sample(sentences, 3)


def _store(app: App, count: int, rng: random.Random, sentences: Sequence[str]) -> None:
    with app.database.write() as session:
        feed_id = _add_feed(session)
        for number in range(count):
            moment = START - WINDOW * (1 - number / count)
            reading = _add_reading(session, feed_id, number, moment, _words(rng, sentences))
            story = Story(title=reading.title, first_seen_at=moment, last_seen_at=moment, changed=False)
            session.add(story)
            session.flush()
            reading.story_id, reading.gathered = story.id, True


def _add_feed(session: Session) -> int:
    feed = Feed(url=f"https://outlet-{random.getrandbits(40)}.example/", publisher="Outlet", next_fetch_at=START)
    session.add(feed)
    session.flush()
    return feed.id


def _add_reading(session: Session, feed_id: int, number: int, moment: datetime, words: Sequence[str]) -> Reading:
    rng = random.Random(number)
    url = f"https://news.example/{number}"
    article = Article(
        feed_id=feed_id,
        entry_key=str(number),
        url=url,
        canonical_url=url,
        title=words[0],
        content_hash=str(number),
        news_at=moment,
        seen_at=moment,
        unread_revision=None,
    )
    session.add(article)
    session.flush()
    codes = rng.sample(range(PARTIES), 2)
    reading = Reading(
        article_id=article.id,
        model="none",
        title=words[0],
        lead=words[1],
        opening=words[2],
        escalation=45.0,
        deescalation=3.0,
        severity=1,
        status="asserted",
        signals={rng.choice(SIGNALS): 0.8},
        actors=[{"code": f"P{code}", "name": f"Party {code}"} for code in codes],
        news_at=moment,
        read_at=moment,
    )
    session.add(reading)
    return reading


def show(results: Sequence[Gathered]) -> Table:
    """One row per size, and how the time for one reading grew."""
    table = Table(title=f"Finding the story of one more reading; {machine()}", title_justify="left")
    for heading in (
        "stored",
        "fill the index, s",
        "each new, ms",
        "time each, against the first",
        "readings/s",
        "joined",
    ):
        table.add_column(heading, justify="right")
    for one in results:
        growth = f"{one.each_s / results[0].each_s:.1f}"
        table.add_row(
            f"{one.stored:,}",
            f"{one.fill_s:.1f}",
            f"{1000 * one.each_s:.1f}",
            growth,
            f"{1 / one.each_s:,.0f}",
            str(one.joined),
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stored", type=int, nargs="+", default=[1000, 5000, 20_000], help="each 1 to 50000")
    parser.add_argument("--new", type=int, default=100, help="readings to gather, 1 to 1000")
    given = parser.parse_args()
    sentences = read_texts().in_scope
    results = []
    with progress("stored readings", sum(given.stored)) as advance:
        for stored in given.stored:
            results.append(asyncio.run(gather(min(stored, 50_000), min(given.new, 1000), sentences)))
            advance(stored)
    console().print(show(results))


if __name__ == "__main__":
    main()
