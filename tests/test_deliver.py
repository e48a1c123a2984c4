"""The outbox on its way out: every outcome of a send, leases, and a SIGKILL between sending and recording."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from bot.messages.message import Message
from bot.outlet import Chat, SendFailure
from bot.pipeline.deliver import FIRST_RETRY_S, LEASE, MOST_ATTEMPTS, drain_outbox, outcome_of, retry_delay
from models import Alert, Delivery, DeliveryState, Outlet, Priority, Story, Subscriber, SubscriberState
from models.database import Database
from models.delivery import claim_due
from tests.rows import add_subscriber

HERE = Path(__file__).parent


class ScriptedSender:
    """Answers with the failures given, in order, then accepts everything."""

    def __init__(self, *failures: SendFailure) -> None:
        self.failures = list(failures)
        self.accepted: list[tuple[Chat, Message, bytes | None]] = []

    async def send(self, chat: Chat, message: Message, photo: bytes | None = None) -> int | None:
        if self.failures:
            raise self.failures.pop(0)
        self.accepted.append((chat, message, photo))
        return 700 + len(self.accepted)


def queue(session: Session, subscriber: Subscriber, now: datetime, key: str = "alert:1", **values: Any) -> Delivery:
    message = Message(html="<b>x</b>", plain="x")
    delivery = Delivery(
        **{
            "subscriber_id": subscriber.id,
            "key": key,
            "send_after": now,
            "created_at": now,
            "message": message.to_json(),
        }
        | values
    )
    session.add(delivery)
    session.flush()
    return delivery


def drain(database: Database, sender: ScriptedSender, now: datetime) -> int:
    return asyncio.run(drain_outbox(database, {Outlet.TELEGRAM: sender}, lambda: now))


def only(database: Database) -> Delivery:
    with database.read() as session:
        return session.exec(select(Delivery)).one()


def one_waiting(database: Database, now: datetime, **values: Any) -> None:
    with database.write() as session:
        queue(session, add_subscriber(session, now), now, **values)


def test_what_was_accepted_is_sent_and_never_again(database: Database, now: datetime) -> None:
    one_waiting(database, now)
    sender = ScriptedSender()
    assert drain(database, sender, now) == 1
    assert drain(database, sender, now + timedelta(days=1)) == 0
    row = only(database)
    assert (row.state, row.message_id, row.sent_at, row.claim) == (DeliveryState.SENT, 701, now, None)


@pytest.mark.parametrize(
    ("failure", "priority", "state"),
    [
        (SendFailure("chat not found", permanent=True), Priority.ALERT, DeliveryState.FAILED),
        (SendFailure("502"), Priority.ALERT, DeliveryState.WAITING),
        (SendFailure("flood", retry_after_s=40), Priority.ALERT, DeliveryState.WAITING),
        (SendFailure("timed out", lost_answer=True), Priority.ALERT, DeliveryState.WAITING),
        (SendFailure("timed out", lost_answer=True), Priority.DIGEST, DeliveryState.UNCERTAIN),
    ],
    ids=["permanent", "temporary", "flood", "lost answer to an alert", "lost answer to a digest"],
)
def test_a_failed_send_leaves_the_delivery(
    database: Database, now: datetime, failure: SendFailure, priority: Priority, state: DeliveryState
) -> None:
    one_waiting(database, now, priority=priority)
    assert drain(database, ScriptedSender(failure), now) == 0
    row = only(database)
    assert (row.state, row.error) == (state, str(failure))
    if state is DeliveryState.WAITING:
        assert row.send_after > now


def test_an_alert_whose_answer_was_lost_twice_is_left_uncertain(database: Database, now: datetime) -> None:
    one_waiting(database, now)
    lost = SendFailure("timed out", lost_answer=True)
    sender = ScriptedSender(lost, lost)
    drain(database, sender, now)
    drain(database, sender, now + timedelta(seconds=FIRST_RETRY_S))
    drain(database, sender, now + timedelta(days=2))
    assert only(database).state is DeliveryState.UNCERTAIN
    assert sender.accepted == []


def test_a_flood_limit_holds_only_the_chat_it_was_about(database: Database, now: datetime) -> None:
    with database.write() as session:
        flooded, other = add_subscriber(session, now), add_subscriber(session, now)
        queue(session, flooded, now, "alert:1", priority=Priority.REPLY)
        queue(session, flooded, now + timedelta(seconds=1), "alert:2")
        queue(session, other, now, "alert:1")
    sender = ScriptedSender(SendFailure("flood", retry_after_s=60))
    assert drain(database, sender, now) == 1
    assert sender.accepted[0][0].chat_id == other.chat_id
    assert drain(database, sender, now + timedelta(seconds=59)) == 0
    assert drain(database, sender, now + timedelta(seconds=60)) == 2


def test_a_chat_that_removed_the_bot_is_paused_and_what_waited_ends_with_the_reason(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        subscriber = add_subscriber(session, now)
        queue(session, subscriber, now, "alert:1")
        queue(session, subscriber, now + timedelta(hours=1), "alert:2")
    drain(database, ScriptedSender(SendFailure("bot was blocked", permanent=True, blocked=True)), now)
    with database.read() as session:
        assert session.get_one(Subscriber, subscriber.id).state is SubscriberState.BLOCKED
        rows = session.exec(select(Delivery)).all()
    assert {(row.state, row.error) for row in rows} == {(DeliveryState.FAILED, "bot was blocked")}


def test_a_chat_that_moved_gets_its_message_at_its_new_id(database: Database, now: datetime) -> None:
    one_waiting(database, now)
    sender = ScriptedSender(SendFailure("moved", moved_to=-100777))
    assert drain(database, sender, now) == 1
    assert sender.accepted[0][0].chat_id == -100777


def test_an_error_nobody_foresaw_counts_as_an_attempt(database: Database, now: datetime) -> None:
    class Broken:
        async def send(self, chat: Chat, message: Message, photo: bytes | None = None) -> int | None:
            raise UnicodeEncodeError("ascii", "☮", 0, 1, "not in range")

    one_waiting(database, now)
    assert asyncio.run(drain_outbox(database, {Outlet.TELEGRAM: Broken()}, lambda: now)) == 0
    row = only(database)
    assert (row.state, row.attempts) == (DeliveryState.WAITING, 1)
    assert row.send_after > now


def test_an_alert_that_waited_too_long_is_no_longer_news_and_a_notice_is(
    sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.write() as session:
        subscriber = add_subscriber(session, now)
        story = Story(title="s", first_seen_at=now, last_seen_at=now)
        session.add(story)
        session.flush()
        alert = Alert(story_id=story.id, kind="new", direction="escalation", level=2, score=70, rule="", created_at=now)
        session.add(alert)
        session.flush()
        queue(session, subscriber, now, "alert:1", alert_id=alert.id)
        queue(session, subscriber, now, "notice:1", priority=Priority.NOTICE)
    assert drain(sqlite_database, ScriptedSender(), now + timedelta(hours=25)) == 1
    with sqlite_database.read() as session:
        states = {row.key: row.state for row in session.exec(select(Delivery))}
    assert states == {"alert:1": DeliveryState.FAILED, "notice:1": DeliveryState.SENT}


def test_a_row_for_an_outlet_that_is_not_connected_waits(database: Database, now: datetime) -> None:
    one_waiting(database, now)
    asyncio.run(drain_outbox(database, {Outlet.TERMINAL: ScriptedSender()}, lambda: now))
    assert only(database).state is DeliveryState.WAITING


def test_a_claim_whose_owner_died_falls_due_again_when_the_lease_is_over(database: Database, now: datetime) -> None:
    one_waiting(database, now)
    with database.write() as session:
        assert len(claim_due(session, [Outlet.TELEGRAM], now, LEASE, 10)) == 1
    sender = ScriptedSender()
    assert drain(database, sender, now + LEASE - timedelta(seconds=1)) == 0
    assert drain(database, sender, now + LEASE) == 1


def test_being_asked_to_wait_uses_up_no_attempt_and_other_failures_do(now: datetime) -> None:
    delivery = Delivery(subscriber_id=1, key="k", send_after=now, created_at=now, attempts=MOST_ATTEMPTS)
    flood = outcome_of(delivery, SendFailure("flood", retry_after_s=5), now)
    assert (flood["state"], flood["attempts"]) == (DeliveryState.WAITING, MOST_ATTEMPTS - 1)
    assert outcome_of(delivery, SendFailure("502"), now)["state"] is DeliveryState.FAILED


def test_retries_back_off_to_an_hour() -> None:
    delays = [retry_delay(attempt).total_seconds() for attempt in range(1, 12)]
    assert delays[:3] == [30, 60, 120]
    assert max(delays) == 3600
    assert delays == sorted(delays)


# A sender killed with SIGKILL -----------------------------------------------------------------------------------------


def start_sender(url: str, sent: Path, die: str, moment: datetime) -> subprocess.Popen[bytes]:
    """A process that drains the outbox into the file `sent`; with `die` it kills itself at that point."""
    command = [sys.executable, str(HERE / "killed_sender.py"), url, str(sent), die, moment.isoformat()]
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    return subprocess.Popen(command, env=environment)


@pytest.mark.parametrize(
    ("die", "copies"), [("before", 1), ("after", 2)], ids=["killed before sending", "killed before recording"]
)
def test_a_sigkill_loses_nothing_and_doubles_only_what_it_interrupted(
    database: Database, database_url: str, now: datetime, tmp_path: Path, die: str, copies: int
) -> None:
    with database.write() as session:
        subscriber = add_subscriber(session, now)
        for number in range(5):
            queue(session, subscriber, now + timedelta(seconds=number), f"alert:{number}")
    sent = tmp_path / "sent.jsonl"
    moment = now + timedelta(seconds=10)
    assert start_sender(database_url, sent, die, moment).wait(60) == -signal.SIGKILL
    assert start_sender(database_url, sent, "never", moment + LEASE).wait(60) == 0
    keys = [json.loads(line)["key"] for line in sent.read_text().splitlines()]
    assert set(keys) == {f"alert:{number}" for number in range(5)}
    assert sorted(keys.count(key) for key in set(keys)) == [1, 1, 1, 1, copies]
    with database.read() as session:
        assert {row.state for row in session.exec(select(Delivery))} == {DeliveryState.SENT}
