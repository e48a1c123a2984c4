"""A process that polls, decides and sends, killed with SIGKILL again and again: what was lost, what was doubled.

    python -m benchmarks kills [--kills 200] [--minutes 30] [--seed 1]

The worker is the App: it polls two feeds that grow with every poll, stores and reads their articles, gathers stories,
raises alerts and sends them over HTTP to ten chats, round after round, on one SQLite database. Only the classifier is a
stand-in, which finds everything alarming. Each is killed at a random moment of a random stage of its first or second
round, and the next one goes on. At the end one is left alone to finish. Feeds and Bot API are processes of their own
and know what there was to read and what really arrived.
"""

import argparse
import asyncio
import json
import logging
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from urllib.request import urlopen

from rich.table import Table
from sqlmodel import Session, col, select, update

from benchmarks.endless_feeds import MARK, endless_feeds, freeze
from benchmarks.fanout import TOKEN, telegram
from benchmarks.measure import START, console, loopback_service, machine, progress, serving
from bot.app import App, open_app
from bot.chat.api import open_bot
from bot.chat.limiter import Limiter
from bot.chat.sender import TelegramSender
from bot.pipeline.deliver import LEASE
from classifiers.classifier import Classifier
from classifiers.judgement import Document, Judgement
from classifiers.labels import SIGNALS
from config.schema import Rate
from models import Alert, Article, Delivery, DeliveryState, Feed, Outlet, Reading, Subscriber, SubscriberState
from models.database import open_database
from models.delivery import OPEN_STATES, open_deliveries

CHATS, FEEDS = 10, 2
STAGES = ("polling", "deciding", "sending")
ENDLESS, FINISH = "endless", "finish"
#: The age, because from kill to kill two leases pass: what waits must not become old news meanwhile.
ALERTS = "[telling]\ndaily_budget = 100\ncool_down_minutes = 0\nmax_age_hours = 168\n"


@dataclass(slots=True)
class Outcome:
    """Kills by the stage that was hit, and counts of articles and deliveries."""

    hit: Counter[str]
    articles: Counter[str] = field(default_factory=Counter)
    deliveries: Counter[str] = field(default_factory=Counter)


# The worker -----------------------------------------------------------------------------------------------------------


class Alarmed:
    """A classifier that takes everything for an attack."""

    version = "stand-in"

    def judge(self, documents: Sequence[Document]) -> list[Judgement]:
        """The same for each."""
        directions = {"escalation": 0.98, "deescalation": 0.01, "none": 0.01}
        signals = dict.fromkeys(SIGNALS, 0.0) | {"armed_attack": 0.99}
        one = Judgement(99.0, 1.0, directions, 3, "asserted", signals, model=self.version)
        return [one for _ in documents]


def work(folder: Path, address: str, moment: datetime, mode: str, pipe: Connection) -> None:
    """Poll, decide and send, round after round (ENDLESS), or until nothing is left; the stage goes through `pipe`."""
    sys.modules["__main__"] = ModuleType("__main__")  # the parser's process would import ours first, for seconds
    logging.getLogger().addHandler(logging.NullHandler())
    asyncio.run(_work(folder, address, moment, mode, pipe))


async def _work(folder: Path, address: str, moment: datetime, mode: str, pipe: Connection) -> None:
    began = time.monotonic()

    def clock() -> datetime:
        return moment + timedelta(seconds=time.monotonic() - began)

    rate = Rate(per_second=1000.0, private_per_second=30.0, paid_broadcast=True)
    async with open_bot(TOKEN, address) as bot:
        senders = {Outlet.TELEGRAM: TelegramSender(bot, Limiter(lambda: rate))}
        async with open_app(folder, _url(folder), senders, clock) as app:
            app.classifier = cast(Classifier, Alarmed())
            while True:
                pipe.send("polling")
                _make_due(app)
                await app.fetch()
                pipe.send("deciding")
                await app.read()
                pipe.send("sending")
                await app.deliver()
                pipe.send("between")
                if mode == FINISH and not _left(app):
                    return
                await asyncio.sleep(0.1)


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'killed.db'}"


def _make_due(app: App) -> None:
    """Every round polls: the usual pause between two polls would leave most kills without one."""
    with app.database.write() as session:
        session.execute(update(Feed).values(next_fetch_at=app.clock()))


def _left(app: App) -> int:
    with app.database.read() as session:
        return open_deliveries(session)


# The one who kills ----------------------------------------------------------------------------------------------------


def campaign(kills: int, minutes: float, seed: int) -> Outcome:
    """Kill so many workers, or those that fit into the time; returns what came of it all."""
    chance, until = random.Random(seed), time.monotonic() + 60 * minutes
    outcome = Outcome(Counter())
    with (
        tempfile.TemporaryDirectory(prefix="tocsin-kills-") as name,
        serving(telegram, 1000.0, 0.0) as address,
        serving(endless_feeds) as feeds,
    ):
        folder = Path(name)
        _prepare(folder, feeds)
        _finish(folder, address, START)  # the first look at a feed is backlog, which rings nothing
        lengths = _lengths(folder, address)
        with progress("kills", kills) as advance:
            for number in range(kills):
                if time.monotonic() > until:
                    break
                moment = START + (number + 2) * 2 * LEASE
                worker, said = _start(folder, address, moment, ENDLESS)
                stage = chance.choice(STAGES)
                _await(said, stage, chance.randint(1, 2))
                time.sleep(chance.uniform(0, lengths[stage]))
                outcome.hit[_kill(worker, said, stage)] += 1
                advance()
        published = freeze(feeds)
        for again in range(3):  # a lease may have to run out once more
            _finish(folder, address, START + (outcome.hit.total() + 2 + again) * 2 * LEASE)
        with urlopen(f"{address}/report") as answer:
            report = json.load(answer)
        _count(outcome, _url(folder), published, report)
    return outcome


def _prepare(folder: Path, feeds: str) -> None:
    listed = "\n".join(f'[[feeds]]\nurl = "{feeds}/feed/{number}"' for number in range(1, FEEDS + 1))
    for name, text in (("feeds", listed), ("alerts", ALERTS), ("service", loopback_service())):
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    database = open_database(_url(folder), START)
    with database.write() as session:
        for number in range(1, CHATS + 1):
            kept: dict[str, Any] = {"created_at": START, "changed_at": START, "digest": False}
            session.add(Subscriber(chat_id=number, state=SubscriberState.ACTIVE, level_escalation=1, **kept))
    database.close()


def _start(folder: Path, address: str, moment: datetime, mode: str) -> tuple[BaseProcess, Connection]:
    """A worker. It is forked from a process that has imported everything, or most kills would hit an import."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.kills"])
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=work, args=(folder, address, moment, mode, theirs))
    worker.start()
    theirs.close()
    return worker, ours


def _finish(folder: Path, address: str, moment: datetime) -> None:
    worker, _ = _start(folder, address, moment, FINISH)
    worker.join(300)
    if worker.exitcode != 0:
        raise RuntimeError(f"the worker that was to finish ended with {worker.exitcode}")


def _lengths(folder: Path, address: str) -> dict[str, float]:
    """Seconds that each stage takes in a first round, on this machine as busy as it is."""
    worker, said = _start(folder, address, START + 2 * LEASE, ENDLESS)
    lengths = dict.fromkeys(STAGES, 0.0)
    stage, since = str(said.recv()), time.monotonic()
    while stage in STAGES:
        following, now = str(said.recv()), time.monotonic()
        lengths[stage] = now - since
        stage, since = following, now
    _kill(worker, said, stage)
    return lengths


def _await(said: Connection, stage: str, times: int) -> None:
    """Until the worker has begun a stage so often."""
    while times:
        times -= said.recv() == stage


def _kill(worker: BaseProcess, said: Connection, stage: str) -> str:
    """Returns the stage that was hit; `stage` is the last one heard of."""
    worker.kill()
    worker.join()
    try:
        while said.poll():
            stage = str(said.recv())
    except EOFError:  # that was all it said
        pass
    return stage


# What came of it ------------------------------------------------------------------------------------------------------


def _count(outcome: Outcome, url: str, published: dict[str, int], report: dict[str, Any]) -> None:
    database = open_database(url, START)
    with database.read() as session:
        _count_articles(outcome.articles, session, published)
        _count_deliveries(outcome.deliveries, session, report)
    database.close()


def _count_articles(counts: Counter[str], session: Session, published: dict[str, int]) -> None:
    """Each that was published is to be stored, read and rung for once; the first of each feed is backlog."""
    stored = Counter(_mark(title) for title in session.exec(select(Article.title)))
    gathered = select(Reading.title).where(col(Reading.story_id).is_not(None))
    read = Counter(_mark(title) for title in session.exec(gathered))
    rung = Counter(_mark(alert.facts["title"]) for alert in session.exec(select(Alert)))
    for feed, newest in published.items():
        for mark in (f"{feed}x{number}" for number in range(1, newest + 1)):
            counts["published"] += 1
            counts["lost"] += stored[mark] == 0
            counts["doubled"] += stored[mark] > 1
            counts["read twice"] += read[mark] > 1
            counts["never read"] += read[mark] == 0
            counts["rung twice"] += rung[mark] > 1
            counts["never rung"] += rung[mark] == 0
    counts["never rung"] -= len(published)


def _count_deliveries(counts: Counter[str], session: Session, report: dict[str, Any]) -> None:
    """Each message carries its article's mark, and each article rings once a chat: so it is known what arrived."""
    arrived = Counter((chat, _mark(text)) for _, text, chat in report["accepted"])
    rows = session.exec(
        select(Delivery, Subscriber.chat_id, Alert)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .join(Alert, col(Alert.id) == col(Delivery.alert_id))
    )
    for delivery, chat_id, alert in rows:
        times = arrived[str(chat_id), _mark(alert.facts["title"])]
        counts["decided"] += 1
        counts["once"] += times == 1
        counts["twice"] += times > 1
        counts["unmarked"] += times > 1 and delivery.lost_answers == 0
        counts["lost"] += times == 0 and delivery.state is not DeliveryState.UNCERTAIN
        counts["never arrived"] += times == 0
        counts["uncertain"] += delivery.state is DeliveryState.UNCERTAIN
        counts["open"] += delivery.state in OPEN_STATES


def _mark(text: str) -> str:
    found = MARK.search(text)
    return found[0] if found else text


def show(outcome: Outcome) -> Table:
    """One row a count."""
    kills = outcome.hit.total()
    hit = ", ".join(f"{count} {stage}" for stage, count in outcome.hit.most_common())
    table = Table(title=f"{kills} SIGKILLs ({hit}); {machine()}", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    for words, kind in (
        ("articles published", "published"),
        ("never stored", "lost"),
        ("stored twice", "doubled"),
        ("never read", "never read"),
        ("read twice", "read twice"),
        ("news that never rang", "never rung"),
        ("rang twice", "rung twice"),
    ):
        table.add_row(words, f"{outcome.articles[kind]:,}")
    table.add_section()
    for words, kind in (
        ("deliveries decided", "decided"),
        ("arrived once", "once"),
        ("arrived twice: killed between request and record", "twice"),
        ("of these, not marked as having lost an answer", "unmarked"),
        ("never arrived", "never arrived"),
        ("of these, not marked as uncertain", "lost"),
        ("left uncertain", "uncertain"),
        ("still open", "open"),
    ):
        table.add_row(words, f"{outcome.deliveries[kind]:,}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=30, help="kill no more after so long")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    # What tidies up after processes that were killed says so for each; it need not here.
    os.environ["PYTHONWARNINGS"] = "ignore"
    console().print(show(campaign(given.kills, given.minutes, given.seed)))


if __name__ == "__main__":
    main()
