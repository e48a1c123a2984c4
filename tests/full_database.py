"""An open database in, the same with rows in every table out: odd text, and every kind of value a column takes."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, SQLModel

from models import (
    Alert,
    AlertKind,
    Article,
    Change,
    Delivery,
    DeliveryState,
    Digest,
    Direction,
    Feed,
    FeedHealth,
    Lease,
    Memo,
    Outlet,
    Priority,
    Question,
    Reading,
    Revision,
    Seen,
    Story,
    StoryStatus,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
    Trouble,
    Verdict,
    VerdictKind,
)
from models.database import Database

ODD = "Ünïcode “quotes” 🚨 'single' \\ 100% ; -- \n\tтекст 北"
GROUP = -1_009_876_543_210  # past 32 bits


def fill(database: Database, now: datetime) -> None:
    """Two rows in most tables; ids have gaps, as after deletions."""
    with database.write() as session:
        for row in (*_sources(now), *_stories(now), *_readings(now), *_people(now), *_outbox(now), *_spoken(now)):
            session.add(row)
            session.flush()


def _sources(now: datetime) -> list[SQLModel]:
    feed: dict[str, Any] = {"regions": ["europe", ODD], "topics": [], "weight": 0.7, "moved_to": "https://b.example/"}
    return [
        Feed(id=3, url="https://a.example/rss", title=ODD, health=FeedHealth.BROKEN, next_fetch_at=now, **feed),
        Feed(id=41, url="https://c.example/rss", next_fetch_at=now, enabled=False, interval_minutes=7),
        Article(id=5, feed_id=3, entry_key="a" * 32, title=ODD, content_hash="1", news_at=now, seen_at=now),
        Article(
            id=90,
            feed_id=3,
            entry_key="b" * 32,
            title="t",
            text=ODD * 500,
            content_hash="2",
            published_at=now - timedelta(microseconds=1),
            news_at=now,
            seen_at=now,
            backlog=True,
            unread_revision=None,
        ),
        Revision(article_id=5, number=1, title="later", content_hash="3", seen_at=now),
        Seen(feed_id=3, entry_key="a" * 32, content_hash="3", edits=1, seen_at=now),
        Seen(feed_id=41, entry_key="c" * 32, content_hash="4", seen_at=now - timedelta(days=900)),
    ]


def _stories(now: datetime) -> list[SQLModel]:
    return [
        Story(
            id=8,
            title=ODD,
            first_seen_at=now - timedelta(days=3),
            last_seen_at=now,
            escalation=61.25,
            peak_escalation=1e-9,
            level_escalation=2,
            level_escalation_since=now,
            status=StoryStatus.CONTESTED,
            dyad="RU-UA",
            actors=[{"code": "UA", "name": ODD}],
            signals={"buildup": 0.1 + 0.2},
            contested=["withdrawal"],
            changed=False,
        ),
        # Lower than what it names, as later on a delivery: copied in order of id, it comes first.
        Story(id=2, title="trace", first_seen_at=now, last_seen_at=now, changed=False, merged_into=8),
        Alert(
            id=4,
            story_id=8,
            kind=AlertKind.RAISED,
            direction=Direction.DEESCALATION,
            level=3,
            score=80.5,
            rule="r",
            facts={"title": ODD, "nested": [1, None, {"deep": True}]},
            created_at=now,
        ),
        Suppression(
            id=6,
            story_id=8,
            subscriber_id=0,
            direction=Direction.ESCALATION,
            level=1,
            reason=SuppressionReason.BELOW_THRESHOLD,
            score=38.0,
            times=12,
            first_at=now - timedelta(hours=1),
            last_at=now,
        ),
    ]


def _readings(now: datetime) -> list[SQLModel]:
    return [
        Reading(
            id=77,
            article_id=5,
            model="m",
            title=ODD,
            escalation=70.125,
            deescalation=0.0,
            direction={"escalation": 0.9},
            severity=3,
            status="asserted",
            evidence=[{"text": ODD, "signals": ["buildup"]}],
            claims=[],
            actors=[{"code": "RU"}],
            places=["UA"],
            news_at=now,
            read_at=now,
            story_id=8,
        )
    ]


def _people(now: datetime) -> list[SQLModel]:
    kept: dict[str, Any] = {"created_at": now, "changed_at": now}
    return [
        Subscriber(id=2, chat_id=GROUP, thread_id=9, kind="group", name=ODD, state=SubscriberState.ACTIVE, **kept),
        Subscriber(id=11, outlet=Outlet.TERMINAL, chat_id=0, digest=False, digest_due_at=now, daily_budget=1, **kept),
        Lease(name="service", holder="host:1", until=now),
        Question(token="abc", admin_id=-GROUP, kind="Broadcast", payload=ODD, until=now),
        Trouble(subject="read", since=now),
        Trouble(subject="feeds", since=now, told_at=now),
        Memo(name="settings", value={"alerts": {"levels.watch": 40.0, ODD: None}}),
    ]


def _outbox(now: datetime) -> list[SQLModel]:
    digest = Digest(id=1, since=now - timedelta(days=7), until=now, chart=bytes(range(256)) * 9, created_at=now)
    kept: dict[str, Any] = {"send_after": now, "created_at": now}
    return [
        digest,
        Delivery(id=13, subscriber_id=2, key="alert:4", alert_id=4, message={"plain": ODD}, due_at=now, **kept),
        Delivery(
            id=15,
            subscriber_id=11,
            key="digest:1",
            digest_id=1,
            edits_id=13,
            replies_to_id=13,
            folded_into_id=13,
            priority=Priority.DIGEST,
            state=DeliveryState.UNCERTAIN,
            claim="c",
            attempts=3,
            message_id=2_147_483_647,
            error=ODD,
            **kept,
        ),
        Delivery(id=12, subscriber_id=11, key="alert:4", alert_id=4, folded_into_id=15, **kept),
    ]


def _spoken(now: datetime) -> list[SQLModel]:
    return [
        Change(id=5, at=now, who="command line", area="feeds", key=ODD, after={"url": ODD}),
        Change(id=6, at=now, who=ODD[:20], admin_id=7_000_000_000, area="alerts", key="k", before=40.5, undoes=5),
        Verdict(id=9, kind=VerdictKind.WRONG, text=ODD, alert_id=4, subscriber_id=2, created_at=now),
        Verdict(
            id=10,
            kind=VerdictKind.LABEL,
            text="t",
            article_id=5,
            admin_id=7_000_000_000,
            direction="escalation",
            severity=2,
            status="claimed",
            signals=["threat"],
            created_at=now,
        ),
    ]


def contents(session: Session) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table as Python values, by table name, in a fixed order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in SQLModel.metadata.sorted_tables:
        rows = session.connection().execute(select(table)).mappings()
        found[table.name] = sorted((dict(row) for row in rows), key=repr)
    return found


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    """`contents` of a database."""
    with database.read() as session:
        return contents(session)
