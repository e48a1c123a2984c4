"""A process that decides and sends, killed with SIGKILL again and again: what was lost, what was doubled.

    python -m benchmarks kills [--kills 200] [--seed 1]

The worker stores a loud story, raises its alerts and sends them over HTTP to twenty chats, round after round, on one
SQLite database; it is killed within two seconds of having started, and the next one goes on. At the end one is left
alone to finish. The receiving side is a process of its own and knows what really arrived.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from rich.table import Table
from sqlmodel import col, select

from benchmarks.fanout import TOKEN, telegram
from benchmarks.measure import START, console, machine, progress, serving
from benchmarks.outbox import add_loud_story
from bot.chat.api import open_bot
from bot.chat.limiter import Limiter
from bot.chat.sender import TelegramSender
from bot.pipeline.decide import raise_alerts
from bot.pipeline.deliver import LEASE, drain_outbox
from config.schema import Alerts, Rate, Telling
from models import Alert, Delivery, DeliveryState, Outlet, Subscriber, SubscriberState
from models.database import Database, open_database
from models.delivery import open_deliveries

CHATS = 20
ENDLESS = "endless"
SETTINGS = Alerts(telling=Telling(daily_budget=100, cool_down_minutes=0))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts of deliveries; `twice_unmarked` are those that arrived twice and do not know it."""

    kills: int
    deliveries: int
    arrived_once: int
    arrived_twice: int
    twice_unmarked: int
    lost: int
    uncertain: int
    unfinished: int


# The worker -----------------------------------------------------------------------------------------------------------


async def work(url: str, address: str, moment: datetime, mode: str) -> None:
    """Decide and send, round after round (ENDLESS), or send what is left and end."""
    began = time.monotonic()

    def clock() -> datetime:
        return moment + timedelta(seconds=time.monotonic() - began)

    database = open_database(url, moment)
    rate = Rate(per_second=1000.0, private_per_second=30.0)
    async with open_bot(TOKEN, address) as bot:
        senders = {Outlet.TELEGRAM: TelegramSender(bot, Limiter(lambda: rate))}
        print("ready", flush=True)
        while mode == ENDLESS or _left(database):
            if mode == ENDLESS:
                with database.write() as session:
                    add_loud_story(session, clock(), f"{clock():%H%M%S%f}")
                with database.write() as session:
                    raise_alerts(session, SETTINGS, clock())
            await drain_outbox(database, senders, clock)
            await asyncio.sleep(0.05)


def _left(database: Database) -> int:
    with database.read() as session:
        return open_deliveries(session)


# The one who kills ----------------------------------------------------------------------------------------------------


def campaign(kills: int, seed: int) -> Outcome:
    """Kill so many workers; returns what came of it all."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="tocsin-kills-") as folder, serving(telegram, 1000.0) as address:
        url = f"sqlite:///{Path(folder) / 'killed.db'}"
        _subscribe(url)
        with progress("kills", kills) as advance:
            for number in range(kills):
                worker = _start(url, address, START + number * 2 * LEASE, ENDLESS)
                time.sleep(chance.uniform(0.0, 2.0))
                worker.kill()
                worker.wait()
                advance()
        for again in range(3):  # a lease may have to run out once more
            last = _start(url, address, START + (kills + 1 + again) * 2 * LEASE, "finish")
            last.wait(120)
        with urlopen(f"{address}/report") as answer:
            report = json.load(answer)
        return _outcome(url, kills, report)


def _start(url: str, address: str, moment: datetime, mode: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "benchmarks.kills", "--worker", url, address, moment.isoformat(), mode]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert worker.stdout is not None
    worker.stdout.readline()
    return worker


def _subscribe(url: str) -> None:
    database = open_database(url, START)
    with database.write() as session:
        for number in range(1, CHATS + 1):
            kept: dict[str, Any] = {"created_at": START, "changed_at": START, "digest": False}
            session.add(Subscriber(chat_id=number, state=SubscriberState.ACTIVE, level_escalation=1, **kept))
    database.close()


def _outcome(url: str, kills: int, report: dict[str, Any]) -> Outcome:
    """Each message carries its story's title, and each story rings once a chat: so it is known what arrived."""
    arrived = Counter((chat, title) for _, text, chat in report["accepted"] for title in [_title_in(text)])
    database = open_database(url, START)
    counts: Counter[str] = Counter()
    with database.read() as session:
        rows = session.exec(
            select(Delivery, Subscriber.chat_id, Alert)
            .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
            .join(Alert, col(Alert.id) == col(Delivery.alert_id))
        )
        for delivery, chat_id, alert in rows:
            times = arrived[str(chat_id), alert.facts["title"]]
            counts["all"] += 1
            counts["once"] += times == 1
            counts["twice"] += times > 1
            counts["unmarked"] += times > 1 and delivery.lost_answers == 0
            counts["lost"] += times == 0 and delivery.state is not DeliveryState.UNCERTAIN
            counts["uncertain"] += delivery.state is DeliveryState.UNCERTAIN
            counts["open"] += delivery.state in (DeliveryState.WAITING, DeliveryState.SENDING)
    database.close()
    names = ("all", "once", "twice", "unmarked", "lost", "uncertain", "open")
    return Outcome(kills, *(counts[name] for name in names))


def _title_in(text: str) -> str:
    return next((line for line in text.replace("<b>", "").replace("</b>", "").splitlines() if "Armour" in line), text)


def show(outcome: Outcome) -> Table:
    """One row a count."""
    table = Table(title=f"{outcome.kills} SIGKILLs while deciding and sending; {machine()}", title_justify="left")
    table.add_column("")
    table.add_column("deliveries", justify="right")
    for words, count in (
        ("decided", outcome.deliveries),
        ("arrived once", outcome.arrived_once),
        ("arrived twice: killed between request and record", outcome.arrived_twice),
        ("of these, not marked as having lost an answer", outcome.twice_unmarked),
        ("never arrived", outcome.lost),
        ("left uncertain", outcome.uncertain),
        ("still open", outcome.unfinished),
    ):
        table.add_row(words, f"{count:,}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        url, address, moment, mode = given.worker
        asyncio.run(work(url, address, datetime.fromisoformat(moment), mode))
        return
    console().print(show(campaign(given.kills, given.seed)))


if __name__ == "__main__":
    main()
