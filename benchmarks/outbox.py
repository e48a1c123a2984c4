"""One alert to thousands of chats in, messages/s of writing and of draining the outbox out.

    python -m benchmarks outbox [--chats 1000 5000]

The alert is raised by the real decision; the sender accepts every message at once, so what is measured is the outbox
and not a network. SQLite.
"""

import argparse
import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from rich.table import Table
from sqlalchemy.event import listen
from sqlmodel import Session

from benchmarks.measure import START, Collector, console, machine, peak_mb, progress, scratch_app
from bot.app import App
from bot.demo.play import SimulatedClock
from bot.pipeline.decide import raise_alerts
from bot.pipeline.deliver import drain_outbox
from models import Article, Feed, Outlet, Reading, Story, Subscriber, SubscriberState


@dataclass(frozen=True, slots=True)
class Drained:
    """Seconds to write and to send one alert to `chats` chats, and the most memory the process held so far.

    `commits` and `statements` are those of sending.
    """

    chats: int
    write_s: float
    send_s: float
    peak_mb: float
    commits: int
    statements: int


async def drain(chats: int) -> Drained:
    """Raise one alert for `chats` subscribers and send it to all of them."""
    collector = Collector()
    async with scratch_app(SimulatedClock(START), senders={Outlet.TELEGRAM: collector}) as app:
        prepare(app, chats)
        start = time.perf_counter()
        with app.database.write() as session:
            alerts = raise_alerts(session, app.settings.alerts, START)
        raised = time.perf_counter()
        work = count_work(app)
        sent = await drain_outbox(app.database, app.senders, app.clock)
        end = time.perf_counter()
    if (alerts, sent, collector.sent) != (1, chats, chats):
        raise RuntimeError(f"expected one alert and {chats} messages, got {alerts} and {sent}")
    return Drained(chats, raised - start, end - raised, peak_mb(), work["commits"], work["statements"])


def count_work(app: App) -> Counter[str]:
    """Commits of writers and statements, from now on. A reader's transaction ends without a commit."""
    work: Counter[str] = Counter()
    listen(app.database.engine, "commit", lambda _connection: work.update(["commits"]))
    listen(app.database.engine, "before_cursor_execute", lambda *_: work.update(["statements"]))
    return work


def prepare(app: App, chats: int) -> None:
    """A loud story, and so many chats that want to hear of it."""
    with app.database.write() as session:
        add_loud_story(session, START)
        for number in range(1, chats + 1):
            session.add(
                Subscriber(
                    chat_id=number, state=SubscriberState.ACTIVE, created_at=START, changed_at=START, digest=False
                )
            )


def add_loud_story(session: Session, at: datetime, name: str = "1") -> None:
    """One story that reaches warning, by an outlet of its own."""
    feed = Feed(url=f"https://outlet.example/{name}/", publisher="Outlet", next_fetch_at=at)
    story = Story(title=f"Armour crosses the river {name}", first_seen_at=at, last_seen_at=at)
    session.add_all([feed, story])
    session.flush()
    url = f"https://outlet.example/{name}/1"
    article = Article(
        feed_id=feed.id, entry_key="1", content_hash="1", url=url, title=story.title, news_at=at, seen_at=at
    )
    session.add(article)
    session.flush()
    reading = Reading(
        article_id=article.id,
        model="none",
        escalation=78.0,
        deescalation=2.0,
        severity=2,
        status="asserted",
        signals={"armed_attack": 0.9},
        actors=[{"code": "VA", "name": "Varnia"}, {"code": "KE", "name": "Kestria"}],
        dyad="KE-VA",
        read_at=at,
        gathered=True,
        story_id=story.id,
        title=story.title,
        news_at=at,
    )
    session.add(reading)


def show(results: list[Drained]) -> Table:
    """One row per size, and how the time for one message grew."""
    table = Table(title=f"One alert to many chats; {machine()}", title_justify="left")
    for heading in (
        "chats",
        "write, s",
        "send, s",
        "written/s",
        "sent/s",
        "time a message, against the first",
        "commits a message",
        "statements a message",
        "peak MB",
    ):
        table.add_column(heading, justify="right")
    first = results[0].send_s / results[0].chats
    for one in results:
        rates = (f"{one.chats / one.write_s:,.0f}", f"{one.chats / one.send_s:,.0f}")
        growth = f"{one.send_s / one.chats / first:.2f}"
        work = (f"{one.commits / one.chats:.2f}", f"{one.statements / one.chats:.2f}")
        times = (f"{one.write_s:.2f}", f"{one.send_s:.2f}")
        table.add_row(f"{one.chats:,}", *times, *rates, growth, *work, f"{one.peak_mb:.0f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, nargs="+", default=[1000, 5000], help="1 to 100000, the smallest first")
    given = parser.parse_args()
    results = []
    with progress("chats", sum(given.chats)) as advance:
        for chats in given.chats:
            results.append(asyncio.run(drain(min(chats, 100_000))))
            advance(chats)
    console().print(show(results))


if __name__ == "__main__":
    main()
