"""An hour of a Bot API that errs at random, in simulated time: how every delivery ended, and whether that is true.

    python -m benchmarks errors [--seed 1 2 3] [--minutes 60]

Alerts with their confirmations (edits), rises (answers) and retractions, notices and digests go to private chats,
groups and forum topics, through the real outbox, limiter and sender, over HTTP on loopback. After the last of these
minutes the errors stop, the outbox is left to empty itself, and each row is compared with what the other side accepted.
"""

import argparse
import asyncio
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table
from sqlmodel import Session, col, select

from benchmarks.erring_api import ErringApi, Place, tokens
from benchmarks.fanout import TOKEN
from benchmarks.measure import START, console, machine, progress
from benchmarks.simulated import simulated_runner
from bot.chat.api import open_bot
from bot.chat.limiter import Limiter
from bot.chat.sender import TelegramSender
from bot.messages.message import Message
from bot.notices import enqueue
from bot.outlet import Sender
from bot.pipeline.address import address_alert
from bot.pipeline.deliver import drain_outbox
from bot.pipeline.fold import KEY as SUMMARY
from config.schema import Alerts, Rate, Telling
from models import (
    Alert,
    AlertKind,
    Delivery,
    DeliveryState,
    Digest,
    Direction,
    Outlet,
    Priority,
    Story,
    Subscriber,
    SubscriberState,
)
from models.database import Database, open_database
from models.delivery import OPEN_STATES, open_deliveries
from models.subscriber import active_subscribers

SETTINGS = Alerts(telling=Telling(daily_budget=100))
PAUSE_S = 2.0  # between two rounds of delivery, as config/service.toml has it
NEWS_FOR = timedelta(minutes=40)  # short, so that alerts become old news within the hour
PATIENCE_S = 12 * 3600.0
PNG = b"\x89PNG\r\n\x1a\n not really"
SEQUELS = (AlertKind.RAISED, AlertKind.CONTESTED, AlertKind.CONFIRMED, AlertKind.RETRACTED)


@dataclass(slots=True)
class Verdict:
    """How it ended: rows by state, `doubled` rows that arrived twice and know of a lost answer, `lies` in words."""

    seed: int
    requests: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    states: Counter[DeliveryState] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    doubled: int = 0
    uncertain_arrived: int = 0
    blocked: int = 0
    gone: int = 0
    moved: int = 0
    lies: list[str] = field(default_factory=list)


def live_through(seed: int, minutes: float, url: str, story_every_s: float = 180.0) -> Verdict:
    """One such hour on an empty database at `url`; story_every_s: simulated seconds from story to story."""
    with simulated_runner() as runner:
        return runner.run(_live_through(seed, minutes, url, story_every_s))


async def _live_through(seed: int, minutes: float, url: str, story_every_s: float) -> Verdict:
    seconds = asyncio.get_running_loop().time
    database = open_database(url, START)
    limiter = Limiter(Rate, seconds)
    async with ErringApi(seed, seconds) as api, open_bot(TOKEN, api.base_url) as bot:
        hour = _Hour(database, {Outlet.TELEGRAM: TelegramSender(bot, limiter)}, random.Random(seed), seconds)
        hour.subscribe()
        delivering = asyncio.create_task(hour.deliver())
        await hour.tell(60 * minutes, story_every_s)
        api.calm()
        await asyncio.wait_for(hour.until_empty(), PATIENCE_S)
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)
        verdict = _judged(database, api, Verdict(seed))
    database.close()
    return verdict


# Our side -------------------------------------------------------------------------------------------------------------


class _Hour:
    """What happens in the time: chats, news for them, and the outbox at work."""

    def __init__(
        self,
        database: Database,
        senders: dict[Outlet, Sender],
        chance: random.Random,
        seconds: Callable[[], float],
    ) -> None:
        self._database = database
        self._senders = senders
        self._chance = chance
        self._seconds = seconds

    def now(self) -> datetime:
        """The simulated moment."""
        return START + timedelta(seconds=self._seconds())

    def subscribe(self) -> None:
        """Twenty people, eight groups, and two forums with two topics each."""
        places = [Place(chat, 0) for chat in (*range(1, 21), *range(-8, 0))]
        places += [Place(chat, topic) for chat in (-11, -12) for topic in (3, 4)]
        with self._database.write() as session:
            for chat_id, thread_id in places:
                row = Subscriber(chat_id=chat_id, thread_id=thread_id, created_at=START, changed_at=START)
                row.kind, row.state = "private" if chat_id > 0 else "group", SubscriberState.ACTIVE
                session.add(row)

    async def deliver(self) -> None:
        """Rounds of delivery, until cancelled."""
        while True:
            await drain_outbox(self._database, self._senders, self.now, max_age=NEWS_FOR)
            await asyncio.sleep(PAUSE_S)

    async def tell(self, seconds: float, story_every_s: float) -> None:
        """A story every few minutes and what becomes of it; now and then a notice, a reply, a digest."""
        until = self._seconds() + seconds
        async with asyncio.TaskGroup() as stories:
            number = 0
            while self._seconds() < until:
                number += 1
                stories.create_task(self._follow(number, until))
                self._enqueue(f"notice:{number}", Priority.NOTICE)
                self._enqueue(f"reply:{number}", Priority.REPLY)
                if number % 5 == 0:
                    self._send_digest(number, long=number % 10 == 0)
                await asyncio.sleep(story_every_s)

    async def _follow(self, number: int, until: float) -> None:
        with self._database.write() as session:
            story = Story(title=f"Story {number}", first_seen_at=self.now(), last_seen_at=self.now())
            session.add(story)
            session.flush()
            self._raise(session, story.id, AlertKind.NEW)
        for kind in self._chance.sample(SEQUELS, k=self._chance.randint(0, 2)):
            await asyncio.sleep(self._chance.uniform(10, 400))
            if self._seconds() < until:
                with self._database.write() as session:
                    self._raise(session, story.id, kind)

    def _raise(self, session: Session, story_id: int, kind: AlertKind) -> None:
        now = self.now()
        values: dict[str, Any] = {"level": 2, "score": 70.0, "rule": "", "created_at": now}
        alert = Alert(story_id=story_id, kind=kind, direction=Direction.ESCALATION, **values)
        session.add(alert)
        session.flush()
        alert.facts = {"title": f"[alert:{alert.id}]", "status": "confirmed", "dyad": []}
        message = _marked(f"alert:{alert.id}")
        address_alert(session, alert, message, active_subscribers(session), SETTINGS, "UTC", now)

    def _enqueue(self, key: str, priority: Priority) -> None:
        with self._database.write() as session:
            subscriber = self._chance.choice(active_subscribers(session))
            enqueue(session, subscriber, key, _marked(key), self.now(), priority)

    def _send_digest(self, number: int, long: bool) -> None:
        """A long one does not fit under its picture."""
        key, now = f"digest:{number}", self.now()
        with self._database.write() as session:
            digest = Digest(since=now, until=now + timedelta(days=7), created_at=now, chart=PNG)
            session.add(digest)
            session.flush()
            for subscriber in active_subscribers(session):
                message = _marked(key, "word " * 300 if long else "")
                row = enqueue(session, subscriber, key, message, now, Priority.DIGEST)
                assert row is not None
                row.digest_id = digest.id

    async def until_empty(self) -> None:
        """Until nothing waits and nothing is being sent."""
        while True:
            with self._database.read() as session:
                if open_deliveries(session) == 0:
                    return
            await asyncio.sleep(60)


def _marked(key: str, more: str = "") -> Message:
    return Message(html=f"<b>News</b> [{key}] {more}", plain=f"News [{key}] {more}")


# Whether it is true ---------------------------------------------------------------------------------------------------


def _judged(database: Database, api: ErringApi, verdict: Verdict) -> Verdict:
    """Compare each row with what was accepted for it, and each chat's state with what was said of it."""
    verdict.requests, verdict.errors = api.requests, api.errors
    verdict.blocked, verdict.gone, verdict.moved = len(api.blocked), len(api.gone), len(api.moved)
    with database.read() as session:
        rows = session.exec(select(Delivery, Subscriber).join(Subscriber).order_by(col(Delivery.id))).all()
        chats = session.exec(select(Subscriber)).all()
    arrivals = _arrivals(api, rows)
    for row, subscriber in rows:
        place = Place(subscriber.chat_id, subscriber.thread_id)
        times = arrivals.pop((place, row.key), 0)
        verdict.states[row.state] += 1
        if row.state is not DeliveryState.SENT:
            verdict.reasons[_kind_of(row.error or "")] += 1
        verdict.doubled += times > 1
        verdict.uncertain_arrived += row.state is DeliveryState.UNCERTAIN and times > 0
        for lie in _lies(row, times):
            verdict.lies.append(f"{row.key} to {place}: {lie}; accepted {times} times; error={row.error}")
        if row.state is DeliveryState.SENT and not _stands(api, row, place):
            verdict.lies.append(f"{row.key} to {place}: its message {row.message_id} is not there")
    verdict.lies += [f"{key} at {place} belongs to no row" for place, key in arrivals]
    for chat in chats:
        if (chat.state is SubscriberState.BLOCKED) != (chat.chat_id in api.blocked | api.gone):
            verdict.lies.append(f"chat {chat.chat_id} is {chat.state}, and said otherwise")
    return verdict


def _lies(row: Delivery, times: int) -> Iterator[str]:
    """What the row's state says that is not so."""
    if row.state in OPEN_STATES:
        yield "is still open"
    if row.state is DeliveryState.SENT and times == 0:
        yield "is sent and never arrived"
    if row.state is DeliveryState.FAILED and times > 0:
        yield "is failed and arrived"
    if row.state is DeliveryState.UNCERTAIN and row.lost_answers == 0:
        yield "is uncertain and lost no answer"
    if times > row.lost_answers + (row.state is DeliveryState.SENT):
        yield f"arrived oftener than {row.lost_answers} lost answers explain"


def _stands(api: ErringApi, row: Delivery, place: Place) -> bool:
    """Whether the message that the row names is in its chat; of what came before a group moved it names none."""
    if row.message_id is None and place.chat_id in api.moved.values():
        return True
    posted = api.posted.get(row.message_id or 0)
    return posted is not None and api.now_at(posted.place) == place


def _arrivals(api: ErringApi, rows: Sequence[tuple[Delivery, Subscriber]]) -> Counter[tuple[Place, str]]:
    """(place, key of a delivery) -> how often it was accepted.

    A waiting alert may have been given the words of its confirmation, and old alerts those of a summary: the marks of
    these lead to the row that told them. A retraction is told by two: one that answers, and one that edits.
    """
    teller: dict[tuple[Place, str], str] = {}
    summaries: dict[tuple[Place, str], str] = {}
    updates: dict[tuple[Place, str], str] = {}
    for row, subscriber in rows:
        place = Place(subscriber.chat_id, subscriber.thread_id)
        told = tokens(row.message["plain"])
        if row.priority == Priority.UPDATE:
            updates |= {(place, mark): row.key for mark in told}
        if row.priority == Priority.UPDATE or row.key.startswith(SUMMARY):
            continue
        teller |= {(place, mark): row.key for mark in (row.key, *told)}
        if SUMMARY in (row.error or ""):
            summaries |= {(place, mark): (row.error or "").rpartition(" ")[2] for mark in (row.key, *told)}
    counts: Counter[tuple[Place, str]] = Counter()
    for one in api.accepted:
        place, marks = api.now_at(one.place), tokens(one.text)
        table = summaries if "could not be delivered in time" in one.text else teller | (updates if one.edited else {})
        if marks:  # a picture sent after its text has none
            counts[place, table.get((place, marks[0]), marks[0])] += 1
    return counts


def _kind_of(error: str) -> str:
    """The reason without the chat and the numbers in it."""
    words = error.split(": ", 1)[-1] if error.startswith("chat ") else error
    return words.partition(": told in")[0].partition(f" {SUMMARY}")[0]


# What is shown --------------------------------------------------------------------------------------------------------


def _in_state(state: DeliveryState, one: Verdict) -> int:
    return one.states[state]


def show(verdicts: list[Verdict], minutes: float) -> Table:
    """One column a seed."""
    table = Table(title=f"{minutes:g} simulated minutes of random errors; {machine()}", title_justify="left")
    table.add_column("")
    for one in verdicts:
        table.add_column(f"seed {one.seed}", justify="right")
    figures: dict[str, Callable[[Verdict], int]] = {
        "requests": lambda one: one.requests,
        "of these answered with an error": lambda one: one.errors.total(),
        "deliveries": lambda one: one.states.total(),
        **{state.value: partial(_in_state, state) for state in DeliveryState},
        "arrived twice, and know of a lost answer": lambda one: one.doubled,
        "uncertain that arrived": lambda one: one.uncertain_arrived,
        "chats that blocked the bot": lambda one: one.blocked,
        "chats that were gone": lambda one: one.gone,
        "groups that moved": lambda one: one.moved,
        "rows that say what is not so": lambda one: len(one.lies),
    }
    for name, figure in figures.items():
        table.add_row(name, *(f"{figure(one):,}" for one in verdicts))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--minutes", type=float, default=60, help="1 to 1440")
    given = parser.parse_args()
    minutes = min(max(given.minutes, 1.0), 1440.0)
    logging.getLogger().addHandler(logging.NullHandler())
    verdicts = []
    with progress("hours", len(given.seed)) as advance:
        for seed in given.seed:
            with tempfile.TemporaryDirectory(prefix="tocsin-errors-") as folder:
                verdicts.append(live_through(seed, minutes, f"sqlite:///{Path(folder) / 'errors.db'}"))
            advance()
    screen = console()
    screen.print(show(verdicts, minutes))
    for one in verdicts:
        for lie in one.lies:
            screen.print(f"seed {one.seed}: {lie}", highlight=False)


if __name__ == "__main__":
    main()
