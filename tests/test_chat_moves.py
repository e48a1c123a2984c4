"""A chat that moves or goes away takes its subscription, outbox and suppressions along, each message once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from sqlmodel import Session, col, select

from models import (
    Delivery,
    DeliveryState,
    Direction,
    Outlet,
    Story,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
)
from models.chats import block_chat, move_chat
from models.database import Database, open_database

NOW = datetime(2022, 2, 17, 12, 0, tzinfo=UTC)
OLD, NEW = -5, -1005
S: TypeAlias = SubscriberState
D: TypeAlias = DeliveryState


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/tocsin.db", NOW)
    yield opened
    opened.close()


def add_chat(session: Session, chat_id: int, state: S, hours: int = 0, thread: int = 0, level: int = 2) -> Subscriber:
    changed = NOW + timedelta(hours=hours)
    row = Subscriber(
        chat_id=chat_id,
        thread_id=thread,
        kind="group",
        state=state,
        level_escalation=level,
        created_at=NOW,
        changed_at=changed,
    )
    session.add(row)
    session.flush()
    return row


def add_delivery(session: Session, subscriber: Subscriber, key: str, state: D = D.WAITING, lost: int = 0) -> None:
    sent_at = NOW if state == D.SENT else None
    row = Delivery(subscriber_id=subscriber.id, key=key, state=state, send_after=NOW, created_at=NOW, sent_at=sent_at)
    row.lost_answers = lost
    session.add(row)
    session.flush()


def chats(session: Session) -> list[tuple[int, int, S]]:
    rows = session.exec(select(Subscriber).order_by(col(Subscriber.chat_id), col(Subscriber.thread_id))).all()
    return [(row.chat_id, row.thread_id, row.state) for row in rows]


def outbox(session: Session) -> dict[str, D]:
    return {row.key: row.state for row in session.exec(select(Delivery).order_by(col(Delivery.key))).all()}


def test_a_moved_chat_keeps_its_rows_topics_and_outbox(database: Database) -> None:
    with database.write() as session:
        add_delivery(session, add_chat(session, OLD, S.ACTIVE), "a")
        add_chat(session, OLD, S.STOPPED, thread=3)
        add_chat(session, -77, S.ACTIVE)
    with database.write() as session:
        move_chat(session, OLD, NEW)
    with database.read() as session:
        assert chats(session) == [(NEW, 0, S.ACTIVE), (NEW, 3, S.STOPPED), (-77, 0, S.ACTIVE)]
        assert session.exec(select(Subscriber.kind).where(Subscriber.chat_id == NEW)).first() == "supergroup"
        assert outbox(session) == {"a": D.WAITING}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((S.ACTIVE, 0), (S.PENDING, 1), (S.ACTIVE, 1)),
        ((S.PENDING, 1), (S.ACTIVE, 0), (S.ACTIVE, 3)),
        ((S.ACTIVE, 0), (S.STOPPED, 1), (S.STOPPED, 3)),
        ((S.ACTIVE, 1), (S.STOPPED, 0), (S.ACTIVE, 1)),
        ((S.REFUSED, 0), (S.ACTIVE, 1), (S.REFUSED, 1)),
        ((S.ACTIVE, 1), (S.REFUSED, 0), (S.REFUSED, 3)),
    ],
    ids=[
        "approval beats a newer request",
        "approval beats an older request",
        "a later stop wins",
        "a later start wins",
        "a refusal stays",
        "a refusal of the new chat stays",
    ],
)
def test_two_rows_become_the_right_one(
    database: Database, old: tuple[S, int], new: tuple[S, int], expected: tuple[S, int]
) -> None:
    with database.write() as session:
        add_chat(session, OLD, *old, level=1)
        add_chat(session, NEW, *new, level=3)
    with database.write() as session:
        move_chat(session, OLD, NEW)
    with database.read() as session:
        (row,) = session.exec(select(Subscriber)).all()
        assert (row.chat_id, row.state, row.level_escalation) == (NEW, *expected)


@pytest.mark.parametrize("winner", [OLD, NEW], ids=["old row stays", "new row stays"])
def test_only_what_was_sent_in_the_new_chat_keeps_its_number(database: Database, winner: int) -> None:
    with database.write() as session:
        for chat_id in (OLD, NEW):
            chat = add_chat(session, chat_id, S.ACTIVE, hours=1 if winner == chat_id else 0)
            add_delivery(session, chat, f"sent in {chat_id}", D.SENT)
        for row in session.exec(select(Delivery)):
            row.message_id = 57
    with database.write() as session:
        move_chat(session, OLD, NEW)
    with database.read() as session:
        numbers = {row.key: row.message_id for row in session.exec(select(Delivery))}
    assert numbers == {f"sent in {OLD}": None, f"sent in {NEW}": 57}


@pytest.mark.parametrize("winner", [OLD, NEW], ids=["old row stays", "new row stays"])
def test_joining_tells_each_message_once_and_what_was_sent_stays_sent(database: Database, winner: int) -> None:
    with database.write() as session:
        old = add_chat(session, OLD, S.ACTIVE, hours=1 if winner == OLD else 0)
        new = add_chat(session, NEW, S.ACTIVE, hours=1 if winner == NEW else 0)
        add_delivery(session, old, "sent in old", D.SENT)
        add_delivery(session, new, "sent in old")
        add_delivery(session, old, "sent in new")
        add_delivery(session, new, "sent in new", D.SENT)
        add_delivery(session, old, "only old")
        add_delivery(session, new, "only new")
    with database.write() as session:
        move_chat(session, OLD, NEW)
    with database.read() as session:
        assert outbox(session) == {
            "only new": D.WAITING,
            "only old": D.WAITING,
            "sent in new": D.SENT,
            "sent in old": D.SENT,
        }
        assert len(set(session.exec(select(Delivery.subscriber_id)).all())) == 1


def test_joining_adds_up_what_was_not_told(database: Database) -> None:
    with database.write() as session:
        story = Story(title="x", first_seen_at=NOW, last_seen_at=NOW)
        session.add(story)
        session.flush()
        for chat_id, times in ((OLD, 2), (NEW, 3)):
            row = Suppression(
                story_id=story.id,
                subscriber_id=add_chat(session, chat_id, S.ACTIVE).id,
                direction=Direction.ESCALATION,
                level=2,
                reason=SuppressionReason.BUDGET,
                score=60 + times,
                times=times,
                first_at=NOW,
                last_at=NOW,
            )
            session.add(row)
    with database.write() as session:
        move_chat(session, OLD, NEW)
    with database.read() as session:
        (row,) = session.exec(select(Suppression)).all()
        assert (row.times, row.score) == (5, 63)


def test_moving_twice_changes_nothing_more(database: Database) -> None:
    with database.write() as session:
        add_delivery(session, add_chat(session, OLD, S.ACTIVE), "a")
    for _ in range(2):
        with database.write() as session:
            move_chat(session, OLD, NEW)
            move_chat(session, NEW, NEW)
    with database.read() as session:
        assert chats(session) == [(NEW, 0, S.ACTIVE)]
        assert outbox(session) == {"a": D.WAITING}


def test_blocking_gives_up_what_waits_and_leaves_others_alone(database: Database) -> None:
    with database.write() as session:
        going = add_chat(session, OLD, S.ACTIVE)
        add_delivery(session, going, "a")
        add_delivery(session, going, "may have arrived", lost=1)
        add_delivery(session, add_chat(session, NEW, S.ACTIVE), "b")
        session.add(Subscriber(outlet=Outlet.TERMINAL, chat_id=OLD, state=S.ACTIVE, created_at=NOW, changed_at=NOW))
    with database.write() as session:
        block_chat(session, OLD, "kicked", NOW)
    with database.read() as session:
        assert outbox(session) == {"a": D.FAILED, "b": D.WAITING, "may have arrived": D.UNCERTAIN}
        blocked = session.exec(select(Subscriber).where(Subscriber.state == S.BLOCKED)).all()
        assert [(row.chat_id, row.outlet) for row in blocked] == [(OLD, Outlet.TELEGRAM)]


@pytest.mark.parametrize("state", [S.PENDING, S.REFUSED, S.STOPPED])
def test_only_active_chats_become_blocked(database: Database, state: S) -> None:
    with database.write() as session:
        add_chat(session, OLD, state)
        block_chat(session, OLD, "kicked", NOW)
    with database.read() as session:
        assert chats(session) == [(OLD, 0, state)]
