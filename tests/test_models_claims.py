"""What only one may have at a time, a delivery's claim and a lease, is had by one, in threads and on both databases."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.event import listen
from sqlmodel import Session, select

from models import Alert, Delivery, DeliveryState, Lease, Outlet, Priority, Subscriber
from models.database import Database
from models.delivery import alerts_sent_since, begin, claim_due, lost_claims, open_deliveries, settle
from models.lease import drop_lease, take_lease
from tests.rows import add_subscriber

LEASE = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
EVERYWHERE = [outlet.value for outlet in Outlet]


def queue(session: Session, subscriber: Subscriber, key: str, now: datetime, **values: Any) -> Delivery:
    row = Delivery(subscriber_id=subscriber.id, key=key, **{"send_after": now, "created_at": now} | values)
    session.add(row)
    session.flush()
    return row


def claimed(database: Database, now: datetime, limit: int = 20, outlets: list[str] = EVERYWHERE) -> list[Delivery]:
    with database.write() as session:
        return list(claim_due(session, outlets, now, LEASE, limit))


def keys(rows: list[Delivery]) -> list[str]:
    return [row.key for row in rows]


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run `work` in so many threads that start together; raises what one of them raised."""
    start, failures = threading.Barrier(count), list[BaseException]()

    def run(number: int) -> None:
        try:
            start.wait()
            work(number)
        except Exception as error:  # noqa: BLE001 - handed on below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


# Deliveries -----------------------------------------------------------------------------------------------------------


def test_claimers_in_threads_never_get_the_same_row_and_together_get_all(database: Database, now: datetime) -> None:
    with database.write() as session:
        chat = add_subscriber(session, now)
        for number in range(60):
            queue(session, chat, f"alert:{number}", now)
    got: Counter[str] = Counter()

    def drain(_number: int) -> None:
        while open_now(database, now):
            got.update(keys(claimed(database, now, limit=7)))

    in_threads(4, drain)
    assert got == {f"alert:{number}": 1 for number in range(60)}


def open_now(database: Database, now: datetime) -> bool:
    with database.read() as session:
        return session.exec(select(Delivery).where(Delivery.send_after <= now)).first() is not None


def test_the_most_urgent_goes_first_and_then_the_oldest(database: Database, now: datetime) -> None:
    with database.write() as session:
        for key, after, values in (
            ("broadcast", -10, {"priority": Priority.BROADCAST}),
            ("digest", -9, {"priority": Priority.DIGEST}),
            ("notice", -8, {"priority": Priority.NOTICE}),
            ("young alert", -1, {}),
            ("old alert", -2, {}),
            ("critical alert", 0, {"rank": -3}),
            ("reply", 0, {"priority": Priority.REPLY}),
            ("later", 1, {"priority": Priority.REPLY}),
        ):
            queue(session, add_subscriber(session, now), key, now + after * SECOND, **values)
    assert keys(claimed(database, now, limit=3)) == ["reply", "critical alert", "old alert"]
    assert keys(claimed(database, now)) == ["young alert", "notice", "digest", "broadcast"]
    assert claimed(database, now) == []


@pytest.mark.parametrize("state", [state for state in DeliveryState if state not in ("waiting", "sending")])
def test_what_is_over_is_never_claimed(sqlite_database: Database, now: datetime, state: DeliveryState) -> None:
    with sqlite_database.write() as session:
        queue(session, add_subscriber(session, now), "x", now, state=state)
    assert claimed(sqlite_database, now + timedelta(days=9)) == []


def test_only_the_outlets_that_are_open_are_served(database: Database, now: datetime) -> None:
    with database.write() as session:
        queue(session, add_subscriber(session, now), "to telegram", now)
        queue(session, add_subscriber(session, now, outlet=Outlet.TERMINAL), "to terminal", now)
    assert claimed(database, now, outlets=[]) == []
    assert keys(claimed(database, now, outlets=["terminal"])) == ["to terminal"]
    assert keys(claimed(database, now)) == ["to telegram"]


def test_a_claim_counts_the_attempt_and_holds_until_its_lease_is_over(database: Database, now: datetime) -> None:
    with database.write() as session:
        queue(session, add_subscriber(session, now), "x", now)
    (first,) = claimed(database, now)
    assert (first.state, first.attempts, first.send_after) == (DeliveryState.SENDING, 1, now + LEASE)
    assert claimed(database, now + LEASE) == []
    with database.read() as session:
        assert session.exec(select(Delivery).where(lost_claims(now + LEASE - SECOND))).all() == []
        assert [row.id for row in session.exec(select(Delivery).where(lost_claims(now + LEASE)))] == [first.id]


def test_one_message_of_a_chat_is_claimed_at_a_time_and_none_of_a_busy_one(database: Database, now: datetime) -> None:
    with database.write() as session:
        slow, other = add_subscriber(session, now), add_subscriber(session, now)
        for number in range(40):
            queue(session, slow, f"slow:{number}", now - 9 * SECOND)
        queue(session, other, "other", now)
    with database.write() as session:
        assert keys(claim_due(session, ["telegram"], now, LEASE, 4)) == ["slow:0", "other"]
    with database.write() as session:
        assert claim_due(session, ["telegram"], now, LEASE, 4, busy={slow.chat_id}) == []


def test_a_claim_looks_at_no_more_rows_the_longer_the_outbox_is(sqlite_database: Database, now: datetime) -> None:
    """What it costs to send one message would else grow with all that was ever sent."""
    with sqlite_database.write() as session:
        queue(session, add_subscriber(session, now), "alert", now)
    looked: list[str] = []

    def plan(connection: Connection, _cursor: object, text: str, values: Any, *_rest: object) -> None:
        if text.startswith(("SELECT", "UPDATE")):
            looked.extend(row[3] for row in connection.connection.execute(f"EXPLAIN QUERY PLAN {text}", values))

    with sqlite_database.write() as session:
        listen(session.connection(), "before_cursor_execute", plan)
        (row,) = claim_due(session, EVERYWHERE, now, LEASE, 4)
        begin(session, row)
        settle(session, row, row.claim, state=DeliveryState.SENT)
    assert looked and [step for step in looked if step.startswith("SCAN")] == []


def test_a_claim_that_was_lost_cannot_be_begun(database: Database, now: datetime) -> None:
    with database.write() as session:
        queue(session, add_subscriber(session, now), "x", now)
    (first,) = claimed(database, now)
    with database.write() as session:
        assert begin(session, first)
        session.get_one(Delivery, first.id).claim = "somebody else's"
    with database.write() as session:
        assert not begin(session, first)


def test_an_outcome_counts_only_while_the_claim_is_ones_own(database: Database, now: datetime) -> None:
    with database.write() as session:
        queue(session, add_subscriber(session, now), "x", now)
    (first,) = claimed(database, now)
    with database.write() as session:
        session.get_one(Delivery, first.id).state = DeliveryState.WAITING  # as when the lease of a dead sender ran out
    (second,) = claimed(database, now + LEASE)
    with database.write() as session:
        assert not settle(session, first, first.claim, state=DeliveryState.FAILED, error="too late")
        assert settle(session, second, second.claim, state=DeliveryState.SENT, message_id=7, sent_at=now)
        assert not settle(session, second, second.claim, state=DeliveryState.FAILED)
    with database.read() as session:
        row = session.exec(select(Delivery)).one()
        assert (row.state, row.message_id, row.error, row.claim) == (DeliveryState.SENT, 7, None, None)


def test_a_late_outcome_still_counts_when_nobody_else_took_over(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.write() as session:
        queue(session, add_subscriber(session, now), "x", now)
    (row,) = claimed(sqlite_database, now)
    with sqlite_database.write() as session:
        assert settle(session, row, row.claim, state=DeliveryState.SENT, sent_at=now + 2 * LEASE)
    assert claimed(sqlite_database, now + 3 * LEASE) == []


def test_an_outcome_without_a_claim_changes_nothing(database: Database, now: datetime) -> None:
    with database.write() as session:
        row = queue(session, add_subscriber(session, now), "x", now)
        assert not settle(session, row, None, state=DeliveryState.FAILED)
        assert not settle(session, row, "made up", state=DeliveryState.FAILED)
        assert open_deliveries(session) == 1


def test_alerts_given_are_counted_by_subscriber_and_time_without_failures(
    sqlite_database: Database, now: datetime
) -> None:
    from tests.full_database import fill

    fill(sqlite_database, now)  # subscriber 2 has an alert that waits, 11 one that is told in a summary
    with sqlite_database.write() as session:
        level = session.exec(select(Alert.level)).one()
        assert alerts_sent_since(session, now - SECOND, level) == {2: 1, 11: 1}
        assert alerts_sent_since(session, now - SECOND, level + 1) == {}
        assert alerts_sent_since(session, now, level) == {}
        for delivery in session.exec(select(Delivery)):
            delivery.state = DeliveryState.FAILED
        assert alerts_sent_since(session, now - SECOND, level) == {}


# Leases ---------------------------------------------------------------------------------------------------------------


def test_a_lease_is_one_holders_until_it_ends_or_is_given_back(database: Database, now: datetime) -> None:
    with database.write() as session:
        assert take_lease(session, "poll", "a", now, LEASE)
        assert not take_lease(session, "poll", "b", now + LEASE - SECOND, LEASE)
        assert take_lease(session, "other", "b", now, LEASE)
        assert take_lease(session, "poll", "a", now + 2 * SECOND, LEASE)  # renewed: from now on
        assert not take_lease(session, "poll", "b", now + LEASE + SECOND, LEASE)
        assert take_lease(session, "poll", "b", now + LEASE + 2 * SECOND, LEASE)
        drop_lease(session, "poll", "a")  # no longer a's to give back
        assert not take_lease(session, "poll", "a", now + LEASE + 3 * SECOND, LEASE)
        drop_lease(session, "poll", "b")
        assert take_lease(session, "poll", "a", now + LEASE + 3 * SECOND, LEASE)


@pytest.mark.parametrize("before", [None, "gone"], ids=["never held", "run out"])
def test_of_many_who_want_a_lease_one_gets_it(database: Database, now: datetime, before: str | None) -> None:
    if before:
        with database.write() as session:
            session.add(Lease(name="poll", holder=before, until=now))
    won: list[int] = []

    def reach_for_it(number: int) -> None:
        with database.write() as session:
            if take_lease(session, "poll", f"holder {number}", now, LEASE):
                won.append(number)

    in_threads(6, reach_for_it)
    assert len(won) == 1
    with database.read() as session:
        assert session.get_one(Lease, "poll").holder == f"holder {won[0]}"
