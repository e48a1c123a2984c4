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
from sqlalchemy.event import listen
from sqlmodel import Session, select

from bot.messages.message import Message
from bot.outlet import Envelope, SendFailure
from bot.pipeline.deliver import (
    FIRST_RETRY_S,
    LEASE,
    MOST_ATTEMPTS,
    _settle_lost_claims,
    drain_outbox,
    outcome_of,
    retry_delay,
)
from models import (
    Alert,
    AlertKind,
    Delivery,
    DeliveryState,
    Direction,
    Outlet,
    Priority,
    Story,
    Subscriber,
    SubscriberState,
)
from models.database import Database
from models.delivery import begin, claim_due, lost_claims
from tests.rows import add_subscriber

HERE = Path(__file__).parent


class ScriptedSender:
    """Answers with the failures given, in order, then accepts everything.

    Chats are sent side by side: where there are several, `failing_chat` says whose messages meet the failures.
    """

    def __init__(self, *failures: SendFailure, failing_chat: int | None = None) -> None:
        self.failures = list(failures)
        self.failing_chat = failing_chat
        self.accepted: list[Envelope] = []

    async def send(self, envelope: Envelope) -> int | None:
        await envelope.begin()
        if self.failures and self.failing_chat in (None, envelope.chat.chat_id):
            raise self.failures.pop(0)
        self.accepted.append(envelope)
        return 700 + len(self.accepted)


class EditingSender(ScriptedSender):
    """As Telegram: an edit is the message it was made in."""

    async def send(self, envelope: Envelope) -> int | None:
        sent = await super().send(envelope)
        return envelope.edits or sent


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
        (SendFailure("message is odd", permanent=True), Priority.ALERT, DeliveryState.FAILED),
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


@pytest.mark.parametrize(
    "end",
    [
        SendFailure("chat not found", permanent=True),
        SendFailure("bot was blocked", permanent=True, blocked=True),
        SendFailure("an error nobody foresaw", unforeseen=True),
    ],
    ids=["permanent", "blocked", "given up"],
)
def test_what_may_have_arrived_at_an_earlier_try_never_ends_as_failed(
    database: Database, now: datetime, end: SendFailure
) -> None:
    one_waiting(database, now, lost_answers=1, attempts=MOST_ATTEMPTS)
    drain(database, ScriptedSender(end), now)
    row = only(database)
    assert row.state is DeliveryState.UNCERTAIN
    assert str(end) in (row.error or "")


def test_a_flood_limit_holds_only_the_chat_it_was_about(database: Database, now: datetime) -> None:
    with database.write() as session:
        flooded, other = add_subscriber(session, now), add_subscriber(session, now)
        queue(session, flooded, now, "alert:1", priority=Priority.REPLY)
        queue(session, flooded, now + timedelta(seconds=1), "alert:2")
        queue(session, other, now, "alert:1")
    sender = ScriptedSender(SendFailure("flood", retry_after_s=60), failing_chat=flooded.chat_id)
    assert drain(database, sender, now) == 1
    assert sender.accepted[0].chat.chat_id == other.chat_id
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


@pytest.mark.parametrize("state", [state for state in SubscriberState if state is not SubscriberState.ACTIVE])
def test_what_was_decided_while_a_chat_left_is_not_sent_and_answers_and_notices_are(
    database: Database, now: datetime, state: SubscriberState
) -> None:
    with database.write() as session:
        gone, here = add_subscriber(session, now, state=state), add_subscriber(session, now)
        for priority in Priority:
            queue(session, gone, now, f"{priority}:1", priority=priority)
        queue(session, here, now + timedelta(seconds=1))
    sender = ScriptedSender()
    assert asyncio.run(drain_outbox(database, {Outlet.TELEGRAM: sender}, lambda: now + LEASE, at_once=1)) == 3
    sent = [(envelope.chat.chat_id, envelope.priority) for envelope in sender.accepted]
    assert sorted(sent) == sorted(
        [(gone.chat_id, Priority.REPLY), (gone.chat_id, Priority.NOTICE), (here.chat_id, Priority.ALERT)]
    )
    with database.read() as session:
        ended = session.exec(select(Delivery.error).where(Delivery.state == DeliveryState.FAILED)).all()
    assert ended == [f"the chat is {state.value}"] * 4


def test_what_was_decided_while_a_chat_muted_its_pair_is_not_sent_unless_it_sets_right_what_was_told(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        chat, alert = add_subscriber(session, now, muted_dyads=["RU-UA"]), add_alert(session, now, "Muted")
        session.get_one(Story, alert.story_id).dyad = "RU-UA"
        for number, kind in enumerate((AlertKind.RAISED, AlertKind.CONTESTED, AlertKind.RETRACTED)):
            row = Alert(**alert.model_dump(exclude={"id"}) | {"kind": kind})
            session.add(row)
            session.flush()
            text = Message(kind.value, kind.value, silent=kind is AlertKind.CONTESTED).to_json()
            queue(session, chat, now, f"alert:{number}", alert_id=row.id, message=text)
    sender = ScriptedSender()
    assert drain(database, sender, now) == 2
    assert [envelope.message.plain for envelope in sender.accepted] == ["contested", "retracted"]


def test_a_muted_pair_is_that_which_the_alert_names_though_its_story_has_turned_to_another(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        chat = add_subscriber(session, now, muted_dyads=["RU-UA"])
        for key, named, turned_to in (("muted", "RU-UA", "NATO-RU"), ("told", "NATO-RU", "RU-UA")):
            alert = add_alert(session, now, key)
            alert.facts = alert.facts | {"pair": named}
            session.get_one(Story, alert.story_id).dyad = turned_to
            queue(session, chat, now, key, alert_id=alert.id, message=Message(key, key).to_json())
    sender = ScriptedSender()
    assert drain(database, sender, now) == 1
    assert [envelope.message.plain for envelope in sender.accepted] == ["told"]


def test_a_chat_that_moved_gets_its_message_at_its_new_id(database: Database, now: datetime) -> None:
    one_waiting(database, now)
    sender = ScriptedSender(SendFailure("moved", moved_to=-100777))
    assert drain(database, sender, now) == 1
    assert sender.accepted[0].chat.chat_id == -100777


def test_an_error_nobody_foresaw_counts_as_an_attempt(database: Database, now: datetime) -> None:
    class Broken:
        async def send(self, envelope: Envelope) -> int | None:
            raise UnicodeEncodeError("ascii", "☮", 0, 1, "not in range")

    one_waiting(database, now)
    assert asyncio.run(drain_outbox(database, {Outlet.TELEGRAM: Broken()}, lambda: now)) == 0
    row = only(database)
    assert (row.state, row.attempts) == (DeliveryState.WAITING, 1)
    assert row.send_after > now


def add_alert(session: Session, now: datetime, title: str, level: int = 2) -> Alert:
    story = Story(title=title, first_seen_at=now, last_seen_at=now)
    session.add(story)
    session.flush()
    alert = Alert(
        story_id=story.id,
        kind=AlertKind.NEW,
        direction=Direction.ESCALATION,
        level=level,
        score=70,
        rule="",
        created_at=now,
        facts={"title": title, "status": "confirmed", "dyad": []},
    )
    session.add(alert)
    session.flush()
    return alert


def test_alerts_that_waited_too_long_become_one_summary_and_a_notice_stays_a_notice(
    sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.write() as session:
        subscriber = add_subscriber(session, now)
        for title, level in (("<Old> & small", 1), ("Old and great", 3)):
            alert = add_alert(session, now, title, level)
            queue(session, subscriber, now, f"alert:{alert.id}", alert_id=alert.id)
        queue(session, subscriber, now, "notice:1", priority=Priority.NOTICE)
    sender = ScriptedSender()
    assert drain(sqlite_database, sender, now + timedelta(hours=25)) == 2
    summary = sender.accepted[0].message
    assert summary.plain.index("Old and great") < summary.plain.index("<Old> & small")
    assert "&lt;Old&gt; &amp; small" in summary.html
    assert "2 alerts" in summary.title
    with sqlite_database.read() as session:
        rows = {row.key: row for row in session.exec(select(Delivery))}
    assert [rows[f"alert:{number}"].state for number in (1, 2)] == [DeliveryState.FAILED] * 2
    assert "told in the summary" in (rows["alert:1"].error or "")


def test_an_alert_that_may_have_arrived_is_told_in_the_summary_and_stays_uncertain(
    sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.write() as session:
        alert = add_alert(session, now, "Old")
        queue(session, add_subscriber(session, now), now, "alert:1", alert_id=alert.id, lost_answers=1)
    sender = ScriptedSender()
    assert drain(sqlite_database, sender, now + timedelta(hours=25)) == 1
    assert "Old" in sender.accepted[0].message.plain
    with sqlite_database.read() as session:
        row = session.exec(select(Delivery).where(Delivery.key == "alert:1")).one()
    assert row.state is DeliveryState.UNCERTAIN


def test_a_summary_that_still_waits_grows_instead_of_a_second_one(sqlite_database: Database, now: datetime) -> None:
    away = [SendFailure("502") for _ in range(3)]
    with sqlite_database.write() as session:
        subscriber = add_subscriber(session, now)
    sender = ScriptedSender(*away)
    for day in range(3):
        with sqlite_database.write() as session:
            alert = add_alert(session, now + timedelta(days=day), f"Day {day}")
            queue(session, subscriber, now + timedelta(days=day), f"alert:{alert.id}", alert_id=alert.id)
        drain(sqlite_database, sender, now + timedelta(days=day + 1, hours=1))
    drain(sqlite_database, sender, now + timedelta(days=9))
    told = [
        envelope.message.plain for envelope in sender.accepted if "could not be delivered" in envelope.message.plain
    ]
    assert len(told) == 1
    assert all(f"Day {day}" in told[0] for day in range(3))


def test_an_outage_of_five_days_ends_with_one_summary_of_all_it_missed_and_loses_nothing_else(
    database: Database, now: datetime
) -> None:
    day = timedelta(days=1)
    with database.write() as session:
        chat = add_subscriber(session, now)
        for number in range(5):
            alert = add_alert(session, now + number * day, f"Day {number}")
            queue(
                session, chat, now + number * day, f"alert:{number}", alert_id=alert.id, created_at=now + number * day
            )
        queue(session, chat, now, "digest:1", priority=Priority.DIGEST)
        queue(session, chat, now, "notice:1", priority=Priority.NOTICE)
    sender = ScriptedSender(*[SendFailure("502") for _ in range(400)])
    for hours in range(0, 5 * 24 + 1, 12):
        drain(database, sender, now + timedelta(hours=hours))
    assert sender.accepted == []
    sender.failures.clear()
    drain(database, sender, now + 5 * day + timedelta(hours=1))
    summary, *rest = sender.accepted
    assert all(f"Day {number}" in summary.message.plain for number in range(5))
    assert [envelope.priority for envelope in rest] == [Priority.NOTICE, Priority.DIGEST]


def test_a_summary_that_failed_is_told_with_the_next(database: Database, now: datetime) -> None:
    with database.write() as session:
        chat = add_subscriber(session, now)
        for hours in (0, 30):
            at = now + timedelta(hours=hours)
            alert = add_alert(session, at, f"Hour {hours}")
            queue(session, chat, at, f"alert:{alert.id}", alert_id=alert.id)
    drain(database, ScriptedSender(SendFailure("odd", permanent=True)), now + timedelta(hours=25))
    sender = ScriptedSender()
    drain(database, sender, now + timedelta(hours=55))
    (envelope,) = sender.accepted
    assert all(f"Hour {hours}" in envelope.message.plain for hours in (0, 30))


def test_what_a_chat_itself_put_off_is_no_old_news(database: Database, now: datetime) -> None:
    with database.write() as session:
        alert, later = add_alert(session, now, "Held"), now + timedelta(hours=30)
        chat = add_subscriber(session, now)
        queue(session, chat, later, "alert:1", alert_id=alert.id, created_at=now, due_at=later)
    sender = ScriptedSender()
    drain(database, sender, later + timedelta(hours=1))
    assert [envelope.message.plain for envelope in sender.accepted] == ["x"]


def test_a_summary_waits_until_quiet_hours_end_unless_a_missed_alert_breaks_through(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        for level in (2, 3):
            chat = add_subscriber(session, now, quiet_from="22:00", quiet_until="07:00", timezone="UTC")
            alert = add_alert(session, now, f"Level {level}", level)
            queue(session, chat, now, "alert:1", alert_id=alert.id)
    night, sender = (now + timedelta(days=1)).replace(hour=23), ScriptedSender()
    drain(database, sender, night)
    assert ["Level 3" in envelope.message.plain for envelope in sender.accepted] == [True]
    drain(database, sender, night + timedelta(hours=8))
    assert "Level 2" in sender.accepted[-1].message.plain


def test_the_next_try_of_an_alert_keeps_quiet_hours(database: Database, now: datetime) -> None:
    evening = now.replace(hour=21, minute=59, second=50)
    with database.write() as session:
        chat = add_subscriber(session, now, quiet_from="22:00", quiet_until="07:00", timezone="UTC")
        for level in (2, 3):
            queue(session, chat, evening, f"alert:{level}", rank=-level)
    drain(database, ScriptedSender(SendFailure("502"), SendFailure("502")), evening)
    with database.read() as session:
        after = {row.rank: row.send_after for row in session.exec(select(Delivery))}
    assert after[-2] == evening.replace(hour=7, minute=0, second=0) + timedelta(days=1)
    assert after[-3] == evening + timedelta(seconds=FIRST_RETRY_S)


@pytest.mark.parametrize(
    ("priority", "days", "state"),
    [
        (Priority.REPLY, 2, DeliveryState.FAILED),
        (Priority.BROADCAST, 2, DeliveryState.SENT),
        (Priority.BROADCAST, 4, DeliveryState.FAILED),
        (Priority.DIGEST, 6, DeliveryState.SENT),
        (Priority.DIGEST, 8, DeliveryState.FAILED),
        (Priority.NOTICE, 6, DeliveryState.SENT),
    ],
)
def test_what_is_no_alert_ends_when_it_is_no_longer_worth_telling(
    sqlite_database: Database, now: datetime, priority: Priority, days: int, state: DeliveryState
) -> None:
    one_waiting(sqlite_database, now, priority=priority)
    drain(sqlite_database, ScriptedSender(), now + timedelta(days=days))
    assert only(sqlite_database).state is state


def test_old_news_that_a_killed_sender_had_not_begun_is_folded_too(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.write() as session:
        alert = add_alert(session, now, "Old")
        queue(session, add_subscriber(session, now), now, "alert:1", alert_id=alert.id)
        claim_due(session, ["telegram"], now, LEASE, 1)
    sender = ScriptedSender()
    drain(sqlite_database, sender, now + timedelta(hours=25))
    assert ["could not be delivered" in envelope.message.plain for envelope in sender.accepted] == [True]


def test_a_row_for_an_outlet_that_is_not_connected_waits(database: Database, now: datetime) -> None:
    one_waiting(database, now)
    asyncio.run(drain_outbox(database, {Outlet.TERMINAL: ScriptedSender()}, lambda: now))
    assert only(database).state is DeliveryState.WAITING


@pytest.mark.parametrize(
    ("priority", "begun", "deaths", "state"),
    [
        (Priority.ALERT, False, 3, DeliveryState.SENT),
        (Priority.ALERT, True, 1, DeliveryState.SENT),
        (Priority.ALERT, True, 2, DeliveryState.UNCERTAIN),
        (Priority.DIGEST, False, 3, DeliveryState.SENT),
        (Priority.DIGEST, True, 1, DeliveryState.UNCERTAIN),
        (Priority.NOTICE, True, 1, DeliveryState.UNCERTAIN),
    ],
)
def test_a_row_whose_sender_was_killed_follows_its_class_when_the_lease_is_over(
    database: Database, now: datetime, priority: Priority, begun: bool, deaths: int, state: DeliveryState
) -> None:
    one_waiting(database, now, priority=priority)
    moment, sender = now, ScriptedSender()
    for _ in range(deaths):
        with database.write() as session:
            session.exec(select(Delivery)).one().send_after = moment
        with database.write() as session:
            (row,) = claim_due(session, [Outlet.TELEGRAM], moment, LEASE, 10)
            assert not begun or begin(session, row)
        moment += LEASE
        with database.write() as session:
            assert not session.exec(select(Delivery).where(lost_claims(moment - timedelta(seconds=1)))).all()
        if _ < deaths - 1:
            _settle_lost_claims(database, moment)
            moment += timedelta(minutes=2)
    drain(database, sender, moment)
    drain(database, sender, moment + timedelta(minutes=2))
    assert only(database).state is state
    assert len(sender.accepted) == (state is DeliveryState.SENT)


def test_a_slow_chat_delays_no_other(database: Database, now: datetime) -> None:
    class Slow:
        """The first chat answers only when all others have their messages."""

        def __init__(self) -> None:
            self.others = asyncio.Event()
            self.told: list[int] = []

        async def send(self, envelope: Envelope) -> int | None:
            if envelope.chat.chat_id == 1:
                async with asyncio.timeout(20):
                    await self.others.wait()
            self.told.append(envelope.chat.chat_id)
            if len(self.told) == 30:
                self.others.set()
            return None

    with database.write() as session:
        for chat_id in range(1, 32):
            queue(session, add_subscriber(session, now, chat_id=chat_id), now)
    sender = Slow()
    assert asyncio.run(drain_outbox(database, {Outlet.TELEGRAM: sender}, lambda: now, at_once=8)) == 31
    assert sender.told[-1] == 1


def test_that_a_request_begins_is_stored_before_it_is_made_and_writes_of_many_share_commits(
    database: Database, now: datetime
) -> None:
    stored = list[bool]()

    class Looking(ScriptedSender):
        async def send(self, envelope: Envelope) -> int | None:
            sent = await super().send(envelope)
            with database.read() as session:
                row = select(Delivery).join(Subscriber).where(Subscriber.chat_id == envelope.chat.chat_id)
                stored.append(session.exec(row).one().begun)
            return sent

    with database.write() as session:
        for _ in range(64):
            queue(session, add_subscriber(session, now), now)
    commits = list[None]()
    listen(database.engine, "commit", lambda _connection: commits.append(None))
    assert drain(database, Looking(), now) == 64
    assert stored == [True] * 64
    assert len(commits) < 64
    with database.read() as session:
        assert {row.state for row in session.exec(select(Delivery))} == {DeliveryState.SENT}


def test_what_was_accepted_is_recorded_though_the_round_is_cancelled(database: Database, now: datetime) -> None:
    async def cancel_when_accepted() -> None:
        class Last(ScriptedSender):
            async def send(self, envelope: Envelope) -> int | None:
                sent = await super().send(envelope)
                asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(round_.cancel))
                return sent

        round_ = asyncio.create_task(drain_outbox(database, {Outlet.TELEGRAM: Last()}, lambda: now))
        await asyncio.gather(round_, return_exceptions=True)
        assert round_.cancelled() or round_.result() == 1

    one_waiting(database, now)
    asyncio.run(cancel_when_accepted())
    assert only(database).state is DeliveryState.SENT


def test_a_more_urgent_alert_overtakes_what_is_not_yet_under_way(database: Database, now: datetime) -> None:
    with database.write() as session:
        chats = [add_subscriber(session, now) for _ in range(20)]
        for chat in chats:
            queue(session, chat, now, "alert:1", rank=-1)

    class Interrupted(ScriptedSender):
        async def send(self, envelope: Envelope) -> int | None:
            if len(self.accepted) == 4:
                with database.write() as session:
                    queue(session, chats[19], now, "alert:2", rank=-3, message=Message("!", "!").to_json())
            return await super().send(envelope)

    sender = Interrupted()
    assert asyncio.run(drain_outbox(database, {Outlet.TELEGRAM: sender}, lambda: now, at_once=1)) == 21
    assert [envelope.message.plain for envelope in sender.accepted].index("!") == 5


def test_the_admins_order_decides_what_is_sent_first(database: Database, now: datetime) -> None:
    order = [Priority.DIGEST, Priority.REPLY, Priority.BROADCAST, Priority.UPDATE, Priority.NOTICE, Priority.ALERT]
    with database.write() as session:
        for priority in Priority:
            for urgency in (1, 2):
                chat = add_subscriber(session, now)
                queue(session, chat, now, f"{priority}:{urgency}", priority=priority, rank=-urgency)
    sender = ScriptedSender()
    drained = drain_outbox(database, {Outlet.TELEGRAM: sender}, lambda: now, at_once=1, order=order)
    assert asyncio.run(drained) == 12
    assert [envelope.priority for envelope in sender.accepted] == [kind for kind in order for _ in range(2)]


def test_a_flood_limit_is_the_whole_chats_with_its_topics(database: Database, now: datetime) -> None:
    with database.write() as session:
        for topic in (1, 2):
            queue(session, add_subscriber(session, now, chat_id=-100, thread_id=topic), now)
    sender = ScriptedSender(SendFailure("flood", retry_after_s=60))
    assert drain(database, sender, now + timedelta(seconds=1)) == 0
    assert drain(database, sender, now + timedelta(seconds=61)) == 2


def test_chats_that_move_in_a_circle_are_given_up(database: Database, now: datetime) -> None:
    with database.write() as session:
        queue(session, add_subscriber(session, now, chat_id=-1), now)
    moves = [SendFailure("moved", moved_to=-2 if turn % 2 == 0 else -1) for turn in range(100)]
    sender, moment = ScriptedSender(*moves), now
    for _ in range(60):
        drain(database, sender, moment)
        moment += timedelta(hours=2)
    assert only(database).state is DeliveryState.FAILED
    assert len(sender.failures) == 100 - MOST_ATTEMPTS


def test_sound_and_previews_are_the_subscribers_choice(database: Database, now: datetime) -> None:
    with database.write() as session:
        queue(session, add_subscriber(session, now, silent=True, link_previews=True), now, priority=Priority.DIGEST)
    sender = ScriptedSender()
    drain(database, sender, now)
    (envelope,) = sender.accepted
    assert (envelope.silent, envelope.link_preview, envelope.priority) == (True, True, Priority.DIGEST)


def test_what_answers_or_edits_a_message_waits_until_that_was_sent(database: Database, now: datetime) -> None:
    with database.write() as session:
        chat = add_subscriber(session, now)
        first = queue(session, chat, now + timedelta(hours=1), "alert:1")
        queue(session, chat, now, "alert:2", replies_to_id=first.id, rank=-3)
        queue(session, chat, now, "update:1", edits_id=first.id, priority=Priority.UPDATE)
    sender = ScriptedSender()
    assert drain(database, sender, now) == 0
    assert drain(database, sender, now + timedelta(hours=1)) == 3
    assert [(e.edits, e.replies_to) for e in sender.accepted] == [(None, None), (None, 701), (701, None)]


def test_an_alert_that_met_an_outage_is_not_tried_again_when_a_newer_one_of_its_story_answers_it(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        chat, alert = add_subscriber(session, now), add_alert(session, now, "Rising")
        rise = Alert(**alert.model_dump(exclude={"id"}) | {"kind": AlertKind.RAISED, "level": 3})
        session.add(rise)
        session.flush()
        first = queue(session, chat, now, "alert:1", alert_id=alert.id)
        queue(
            session, chat, now, "alert:2", alert_id=rise.id, replies_to_id=first.id, message=Message("!", "!").to_json()
        )
    sender = ScriptedSender(SendFailure("502"))
    assert drain(database, sender, now) == 1
    assert [envelope.message.plain for envelope in sender.accepted] == ["!"]
    with database.read() as session:
        assert session.get_one(Delivery, first.id).error == "overtaken by a later alert of the story"


def test_what_answers_a_message_that_has_to_wait_waits_as_long(database: Database, now: datetime) -> None:
    with database.write() as session:
        chat = add_subscriber(session, now)
        first = queue(session, chat, now, "alert:1")
        queue(session, chat, now, "alert:2", replies_to_id=first.id)
    drain(database, ScriptedSender(SendFailure("502")), now)
    with database.read() as session:
        waits = {row.send_after for row in session.exec(select(Delivery))}
    assert waits == {now + timedelta(seconds=FIRST_RETRY_S)}


def test_an_update_that_had_to_wait_never_overwrites_a_later_text(database: Database, now: datetime) -> None:
    with database.write() as session:
        chat = add_subscriber(session, now)
        first = queue(session, chat, now, "alert:1", state=DeliveryState.SENT, message_id=77)
        update = queue(session, chat, now + LEASE, "update:1", edits_id=first.id, priority=Priority.UPDATE)
        queue(session, chat, now, "alert:2", edits_id=first.id)
    sender = EditingSender()
    drain(database, sender, now)
    drain(database, sender, now + LEASE)
    assert len(sender.accepted) == 1
    with database.read() as session:
        ended = session.get_one(Delivery, update.id)
    assert (ended.state, ended.error) == (DeliveryState.FAILED, "its message has a later text")


def test_an_edit_and_an_answer_know_the_message_they_are_about(database: Database, now: datetime) -> None:
    with database.write() as session:
        subscriber = add_subscriber(session, now)
        first = queue(session, subscriber, now, "alert:1")
        queue(session, subscriber, now + timedelta(seconds=1), "alert:1:edit", edits_id=first.id)
        queue(session, subscriber, now + timedelta(seconds=2), "alert:2", replies_to_id=first.id)
    sender = ScriptedSender()
    assert drain(database, sender, now + timedelta(seconds=3)) == 3
    assert [(e.edits, e.replies_to) for e in sender.accepted] == [(None, None), (701, None), (None, 701)]


def test_neither_being_asked_to_wait_nor_an_outage_uses_up_an_attempt_and_what_nobody_foresaw_does(
    now: datetime,
) -> None:
    delivery = Delivery(subscriber_id=1, key="k", send_after=now, created_at=now, attempts=MOST_ATTEMPTS)
    for failure in (SendFailure("flood", retry_after_s=5), SendFailure("502")):
        outcome = outcome_of(delivery, failure, now)
        assert (outcome["state"], outcome["attempts"]) == (DeliveryState.WAITING, MOST_ATTEMPTS - 1)
    assert outcome_of(delivery, SendFailure("?", unforeseen=True), now)["state"] is DeliveryState.FAILED


def test_in_an_outage_the_pause_doubles_to_an_hour(now: datetime) -> None:
    delivery = Delivery(subscriber_id=1, key="k", send_after=now, created_at=now, attempts=1)
    pauses, moment = [], now
    for _ in range(12):
        after = outcome_of(delivery, SendFailure("502"), moment)["send_after"]
        pauses.append((after - moment).total_seconds())
        moment = after
    assert pauses[:4] == [30, 30, 60, 120]
    assert pauses[-1] == 3600


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
