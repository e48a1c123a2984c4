"""The weekly digest: due once a week, also after downtime, never twice, with a chart."""

import io
import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from matplotlib.text import Text
from PIL import Image, ImageColor
from sqlmodel import Session, select

from bot.calendar import digest_for, next_digest
from bot.messages.chart import (
    BEFORE,
    EASING,
    ESCALATION,
    INK,
    PAPER,
    POINTS,
    Day,
    Panel,
    pairs_chart,
    panels_figure,
    week_chart,
)
from bot.messages.digest import PairLine, WeekFacts, digest_message, own_first
from bot.messages.message import Message
from bot.messages.names import PANEL_WIDTH
from bot.messages.stats import DayCount, stats_chart
from bot.notices import enqueue_all
from bot.pipeline.choice import Choice
from bot.pipeline.digest import compose_digest, send_due_digests
from bot.pipeline.look_back import held_back, told_here, week_of
from bot.pipeline.week import Heard, Span, daily_tension, facts_for
from config.schema import ActorEntry, Actors, Settings
from models import (
    Alert,
    AlertKind,
    Article,
    Delivery,
    DeliveryState,
    Digest,
    Direction,
    Priority,
    Story,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
)
from models.database import Database
from models.story import StoryStatus
from tests.rows import add_feed, add_reading, add_subscriber, statements

SETTINGS = Settings()
MONDAY = datetime.fromisoformat("2026-03-16T08:00:00+00:00")
PNG = b"\x89PNG\r\n\x1a\n"
WORLD = Choice()


@pytest.fixture(autouse=True)
def _no_chart_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a second each; tests of charts call chart.py themselves."""
    for name in ("week_chart", "pairs_chart"):
        monkeypatch.setattr(f"bot.pipeline.digest.{name}", lambda *_: PNG)


def subscribe(database: Database, due: datetime = MONDAY, **values: object) -> int:
    with database.write() as session:
        return add_subscriber(session, MONDAY - timedelta(days=20), digest_due_at=due, **values).id


def queued(database: Database) -> list[Delivery]:
    with database.read() as session:
        return list(session.exec(select(Delivery).order_by(Delivery.id)).all())  # type: ignore[arg-type]


def week_facts(session: Session, choice: Choice = WORLD, most: int = 5) -> WeekFacts:
    return facts_for(week_of(session, SETTINGS, Span.before(MONDAY, "UTC")), choice, most)


def test_a_digest_is_queued_when_it_is_due_and_not_before(database: Database) -> None:
    subscribe(database)
    assert send_due_digests(database, SETTINGS, MONDAY - timedelta(seconds=1)) == 0
    assert send_due_digests(database, SETTINGS, MONDAY) == 1
    (row,) = queued(database)
    assert row.priority == Priority.DIGEST
    with database.read() as session:
        digest = session.get_one(Digest, row.digest_id)
        assert (digest.until, digest.chart[:8]) == (MONDAY, PNG)
        assert session.exec(select(Subscriber)).one().digest_due_at == MONDAY + timedelta(days=7)


def test_asking_again_queues_nothing(database: Database) -> None:
    subscribe(database)
    for minutes in range(3):
        send_due_digests(database, SETTINGS, MONDAY + timedelta(minutes=minutes))
    assert len(queued(database)) == 1


def test_three_weeks_of_downtime_give_one_digest_of_the_last_week(database: Database) -> None:
    subscribe(database)
    back = MONDAY + timedelta(days=24)
    assert send_due_digests(database, SETTINGS, back) == 1
    assert send_due_digests(database, SETTINGS, back) == 0
    with database.read() as session:
        assert session.exec(select(Digest)).one().until == MONDAY + timedelta(days=21)
        assert session.exec(select(Subscriber)).one().digest_due_at == MONDAY + timedelta(days=28)


def test_subscribers_share_one_digest_and_those_who_left_get_none(database: Database) -> None:
    for state in (SubscriberState.ACTIVE, SubscriberState.ACTIVE, SubscriberState.STOPPED):
        subscribe(database, state=state)
    assert send_due_digests(database, SETTINGS, MONDAY) == 2
    assert len({row.digest_id for row in queued(database)}) == 1


def test_many_get_their_digest_with_few_questions_to_the_database(database: Database) -> None:
    people = []
    with database.write() as session:
        people = [add_subscriber(session, MONDAY) for _ in range(1200)]
        asked = statements(session)
        made = enqueue_all(session, people, "digest:1", Message("w", "w"), MONDAY)
        again = enqueue_all(session, [*people, add_subscriber(session, MONDAY)], "digest:1", Message("w", "w"), MONDAY)
        assert (len(made), len(again)) == (1200, 1)
        assert sum(text.startswith("SELECT") for text in asked) <= 6


def test_a_digest_whose_row_is_lost_with_a_crash_is_made_at_the_next_round(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(database)
    with monkeypatch.context() as patched:
        patched.setattr("bot.pipeline.digest.enqueue_all", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            send_due_digests(database, SETTINGS, MONDAY)
    assert send_due_digests(database, SETTINGS, MONDAY) == 1


def test_the_week_lists_escalation_easing_disputes_and_counts(database: Database) -> None:
    at = MONDAY - timedelta(days=2)
    with database.write() as session:
        feed = add_feed(session, at)
        common = {"first_seen_at": at, "last_seen_at": at}
        hot = Story(title="Armour masses", peak_escalation=88, **common)
        calm = Story(
            title="Truce signed", peak_deescalation=77, status=StoryStatus.CONTESTED, contested=["ceasefire"], **common
        )
        session.add_all(
            [
                hot,
                calm,
                Story(
                    title="Old", peak_escalation=99, first_seen_at=at - timedelta(30), last_seen_at=at - timedelta(30)
                ),
            ]
        )
        session.flush()
        add_reading(session, feed, at, "Armour masses", 88.0, story_id=hot.id, dyad="KE-VA")
        add_reading(session, feed, at - timedelta(days=7), "Earlier", 20.0, story_id=hot.id, dyad="KE-VA")
        session.add(
            Alert(
                story_id=hot.id, kind="new", direction=Direction.ESCALATION, level=3, score=88, rule="r", created_at=at
            )
        )
    with database.read() as session:
        facts = week_facts(session)
        assert len(session.exec(select(Article)).all()) == 2
    assert [line.title for line in facts.escalating] == ["Armour masses"]
    assert [line.title for line in facts.easing] == ["Truce signed"]
    assert [line.note for line in facts.contested] == ["still disputed: ceasefire"]
    assert (facts.articles, facts.articles_before, facts.alerts["critical"]) == (1, 1, 1)
    assert (facts.pairs[0].escalation, facts.pairs[0].escalation_before) == (88, 20)


def add_told(session: Session, at: datetime, kinds: tuple[AlertKind, ...], **values: object) -> Story:
    """A story that was told as each of `kinds`, an hour apart."""
    story = Story(title="s", first_seen_at=at, last_seen_at=at, peak_escalation=70, **{"told_contested": True} | values)
    session.add(story)
    session.flush()
    for hours, kind in enumerate(kinds):
        session.add(
            Alert(
                story_id=story.id, kind=kind, direction=Direction.ESCALATION, level=2, score=70, rule="r",
                created_at=at + timedelta(hours=hours),
            )
        )  # fmt: skip
    return story


@pytest.mark.parametrize(
    ("status", "later", "note"),
    [
        (StoryStatus.CONTESTED, None, "still disputed: ceasefire"),
        (StoryStatus.CONFIRMED, AlertKind.CONFIRMED, "was disputed, now confirmed"),
        (StoryStatus.CONFIRMED, None, "was disputed, now confirmed"),
        (StoryStatus.RETRACTED, AlertKind.RETRACTED, "was disputed, taken back"),
        (StoryStatus.UNCONFIRMED, AlertKind.RETRACTED, "was disputed, taken back"),
        (StoryStatus.UNCONFIRMED, None, "no longer disputed, nor confirmed"),
    ],
    ids=["still", "confirmed", "confirmed without a word", "taken back", "taken back and judged anew", "neither"],
)
def test_the_week_says_how_disputes_ended(
    database: Database, status: StoryStatus, later: AlertKind | None, note: str
) -> None:
    kinds = (AlertKind.CONTESTED, *([later] if later else []))
    disputed = ["ceasefire"] if status is StoryStatus.CONTESTED else []
    with database.write() as session:
        add_told(session, MONDAY - timedelta(days=3), kinds, status=status, contested=disputed)
        add_told(session, MONDAY - timedelta(days=9), kinds, status=status, contested=disputed)  # the week before
        add_told(session, MONDAY - timedelta(days=3), (AlertKind.NEW,), told_contested=False)
    with database.read() as session:
        facts = week_facts(session)
    assert [line.note for line in facts.contested] == [note]


def test_corrections_are_not_counted_as_alerts(database: Database) -> None:
    with database.write() as session:
        add_told(session, MONDAY - timedelta(days=3), (AlertKind.NEW, AlertKind.CONFIRMED, AlertKind.RETRACTED))
    with database.read() as session:
        facts = week_facts(session)
    assert facts.alerts == {"critical": 0, "warning": 1, "watch": 0, "easing": 0}


def test_what_a_chat_chose_not_to_hear_is_not_told_to_others(database: Database) -> None:
    with database.write() as session:
        story = add_told(session, MONDAY - timedelta(days=3), (AlertKind.NEW,))
        for subscriber, reason in (
            (0, SuppressionReason.OLD), (1, SuppressionReason.MUTED), (2, SuppressionReason.THRESHOLD),
        ):  # fmt: skip
            session.add(
                Suppression(
                    story_id=story.id, subscriber_id=subscriber, direction=Direction.ESCALATION, level=1,
                    reason=reason, score=50, first_at=story.first_seen_at, last_at=story.first_seen_at,
                )
            )  # fmt: skip
    with database.read() as session:
        facts = week_facts(session)
    assert facts.withheld == {"old": 1}


def test_repeats_and_what_waited_and_was_told_later_were_not_told_to_nobody(database: Database) -> None:
    at = MONDAY - timedelta(days=3)
    with database.write() as session:
        for told, level, reason in (
            (2, 2, SuppressionReason.REPEAT), (2, 2, SuppressionReason.COOL_DOWN), (2, 1, SuppressionReason.QUIET),
            (1, 2, SuppressionReason.UNCONFIRMED), (0, 2, SuppressionReason.COOL_DOWN),
        ):  # fmt: skip
            whole = Story(title="x", first_seen_at=at, last_seen_at=at, told_escalation=told)
            session.add(whole)
            session.flush()
            part = Story(title="x", first_seen_at=at, last_seen_at=at, merged_into=whole.id)
            session.add(part)
            session.flush()
            row = {"direction": Direction.ESCALATION, "level": level, "reason": reason, "score": 50}
            session.add(Suppression(story_id=part.id, first_at=at, last_at=at, **row))
    with database.read() as session:
        facts = week_facts(session)
    assert facts.withheld == {"cool-down": 1, "unconfirmed": 1}


def test_what_was_told_in_a_summary_counts_as_told_here(database: Database) -> None:
    at = MONDAY - timedelta(days=3)
    with database.write() as session:
        chat, story = add_subscriber(session, at), add_told(session, at, (AlertKind.NEW,))
        alert = session.exec(select(Alert).where(Alert.story_id == story.id)).one()
        row: dict[str, Any] = {"subscriber_id": chat.id, "send_after": at, "created_at": at}
        summary = Delivery(key="missed:1", state=DeliveryState.SENT, sent_at=at, **row)
        session.add(summary)
        session.flush()
        folded = {"alert_id": alert.id, "state": DeliveryState.FAILED, "folded_into_id": summary.id}
        session.add(Delivery(key="alert:1", **folded, **row))
    with database.read() as session:
        told = dict(told_here(session, [chat.id], MONDAY - timedelta(days=7), MONDAY)[chat.id])
    assert told == {"critical": 0, "warning": 1, "watch": 0, "easing": 0}


@pytest.mark.parametrize(
    ("timezone", "due", "span"),
    [
        ("Asia/Tokyo", "2026-03-15T23:00+00:00", "09 Mar to 15 Mar 2026"),
        ("America/New_York", "2026-03-16T12:00+00:00", "09 Mar to 15 Mar 2026"),
        ("America/New_York", "2026-03-09T12:00+00:00", "02 Mar to 08 Mar 2026"),  # whose clocks went on on 8 March
    ],
    ids=["tokyo", "new york", "a week of 167 hours"],
)
def test_a_digest_covers_and_names_the_days_of_its_readers(
    database: Database, monkeypatch: pytest.MonkeyPatch, timezone: str, due: str, span: str
) -> None:
    until, zone, drawn = datetime.fromisoformat(due), ZoneInfo(timezone), list[list[Day]]()
    monkeypatch.setattr("bot.pipeline.digest.week_chart", lambda week, *_: drawn.append(week) or PNG)
    begin = datetime.combine(until.astimezone(zone).date() - timedelta(days=7), time(8), zone)
    with database.write() as session:
        feed, story = add_feed(session, MONDAY), Story(title="s", first_seen_at=until, last_seen_at=until)
        session.add(story)
        session.flush()
        for hours, score in ((-0.5, 90.0), (0.5, 50.0), (16.5, 30.0)):  # before, Monday morning, Tuesday half past 0
            add_reading(session, feed, begin + timedelta(hours=hours), "t", score, story_id=story.id)
    subscribe(database, due=until, timezone=timezone)
    assert send_due_digests(database, SETTINGS, until) == 1
    (row,) = queued(database)
    assert row.message["plain"].startswith(f"🗓 Week of {span}\n")
    with database.read() as session:
        digest = session.get_one(Digest, row.digest_id)
        assert (digest.since, digest.until) == (begin, until)
    assert [round(day.escalation) for day in drawn[0]] == [10, 0, 0, 0, 0, 0, 0]
    assert [day.day.weekday() for day in drawn[0]] == list(range(7))


def test_a_digest_is_shared_by_zones_whose_clocks_agree_and_by_no_others(database: Database) -> None:
    for timezone in ("Europe/Berlin", "Europe/Madrid", "Africa/Abidjan", "Europe/Berlin"):
        subscribe(database, timezone=timezone)
    assert send_due_digests(database, SETTINGS, MONDAY) == 4
    rows = sorted(queued(database), key=lambda row: row.subscriber_id)
    berlin, madrid, abidjan, again = (row.digest_id for row in rows)
    assert berlin == madrid == again != abidjan


@pytest.mark.parametrize(
    ("chosen", "days"),
    [({"digest_at": "20:00"}, 7.5), ({"digest_weekday": 2}, 9), ({"digest_weekday": 6}, 6),
     ({"timezone": "America/New_York"}, 7 + 4 / 24)],
    ids=["the evening", "wednesday", "the day before", "a zone further west"],
)  # fmt: skip
def test_a_digest_that_is_moved_comes_no_sooner_than_about_a_week_after_the_last(
    database: Database, chosen: dict[str, object], days: float
) -> None:
    number = subscribe(database)
    assert send_due_digests(database, SETTINGS, MONDAY) == 1
    with database.write() as session:  # as /settings does
        subscriber = session.get_one(Subscriber, number)
        for key, value in chosen.items():
            setattr(subscriber, key, value)
        subscriber.digest_due_at = next_digest(digest_for(subscriber, SETTINGS.digest), MONDAY)
    hours = [MONDAY + timedelta(hours=hour) for hour in range(1, 24 * 12)]
    assert [hour for hour in hours if send_due_digests(database, SETTINGS, hour)] == [MONDAY + timedelta(days=days)]


def test_a_digest_that_never_arrived_counts_for_nothing(database: Database) -> None:
    number = subscribe(database)
    send_due_digests(database, SETTINGS, MONDAY)
    with database.write() as session:
        session.exec(select(Delivery)).one().state = DeliveryState.FAILED
        session.get_one(Subscriber, number).digest_at = "20:00"
        session.get_one(Subscriber, number).digest_due_at = MONDAY + timedelta(hours=12)
    assert send_due_digests(database, SETTINGS, MONDAY + timedelta(hours=12)) == 1


def add_week(session: Session, *pairs: tuple[str, float, str], **values: object) -> dict[str, int]:
    """A story of each pair with its score and region in the week; pair -> story."""
    at, found = MONDAY - timedelta(days=2), dict[str, int]()
    feed = add_feed(session, at)
    for pair, score, region in pairs:
        facts = {"first_seen_at": at, "last_seen_at": at, "dyad": pair, "regions": [region]} | values
        story = Story(title=f"of {pair}", peak_escalation=score, peak_deescalation=score, **facts)
        session.add(story)
        session.flush()
        found[pair] = story.id
        add_reading(session, feed, at, pair, score, story_id=story.id, dyad=pair)
    return found


THREE = (("RU-UA", 80.0, "europe"), ("IL-IR", 60.0, "middle-east"), ("IN-PK", 5.0, "asia"))


def test_a_chats_own_pairs_come_first_and_chats_share_what_was_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, drawn = list[Span](), list[list[str]]()
    monkeypatch.setattr("bot.pipeline.digest.week_of", lambda *args: found.append(args[2]) or week_of(*args))
    monkeypatch.setattr(
        "bot.pipeline.digest.pairs_chart", lambda panels, _: drawn.append([panel.name for panel in panels]) or PNG
    )
    with database.write() as session:
        add_week(session, *THREE)
    for choice in ({}, {"dyads": ["IN-PK"]}, {"regions": ["middle-east"]}, {"dyads": ["IN-PK"]}, {}):
        subscribe(database, **choice)
    assert send_due_digests(database, SETTINGS, MONDAY) == 5
    rows = queued(database)
    pairs = [re.findall(r"^[•★] ([^:]+): escalation", row.message["plain"], re.M) for row in rows]
    russia, iran, india = "Russia – Ukraine", "Israel – Iran", "India – Pakistan"
    assert pairs[0] == pairs[4] == [russia, iran, india]
    assert pairs[1] == pairs[3] == [india, russia, iran]
    assert pairs[2] == [iran, russia, india]
    assert "★ Israel – Iran" in rows[2].message["plain"] and "★" not in rows[0].message["plain"]
    assert drawn == [[india], [iran]]  # once for those who chose the same
    assert rows[1].digest_id == rows[3].digest_id != rows[0].digest_id == rows[4].digest_id
    assert len(found) == 1


def test_charts_of_chats_that_come_in_a_later_round_are_not_drawn_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = list[str]()
    monkeypatch.setattr("bot.pipeline.digest.ROUND", 2)
    for name in ("pairs_chart", "week_chart"):
        monkeypatch.setattr(f"bot.pipeline.digest.{name}", lambda *args: drawn.append(args[-1]) or PNG)
    with database.write() as session:
        add_week(session, *THREE)
    for number in range(7):
        subscribe(database, dyads=["RU-UA", "IL-IR"] if number % 2 else ["IL-IR", "RU-UA"])
    assert send_due_digests(database, SETTINGS, MONDAY) == 7
    assert len(drawn) == 2
    assert len({row.digest_id for row in queued(database)}) == 1


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({}, ["RU-UA", "IL-IR"]),
        ({"dyads": ["IL-IR"]}, ["IL-IR"]),
        ({"regions": ["europe"]}, ["RU-UA"]),
        ({"regions": ["world"]}, ["RU-UA", "IL-IR"]),
        ({"signals": ["threat"]}, []),
        ({"signals": ["airspace_violation", "threat"]}, ["RU-UA", "IL-IR"]),
        ({"muted_dyads": ["RU-UA"]}, ["IL-IR"]),
        ({"dyads": ["RU-UA", "IL-IR"], "muted_dyads": ["IL-IR"]}, ["RU-UA"]),
    ],
    ids=["the world", "a pair", "a region", "all regions", "a signal", "signals", "all but a pair", "muted wins"],
)
def test_escalation_easing_disputes_and_near_misses_are_of_what_the_chat_chose(
    database: Database, choice: dict[str, list[str]], told: list[str]
) -> None:
    facts = {"status": StoryStatus.CONTESTED, "signals": {"airspace_violation": 0.9}}
    with database.write() as session:
        at, stories = MONDAY - timedelta(days=2), add_week(session, *THREE[:2], **facts)
        for story in stories.values():
            missed = {"reason": SuppressionReason.BELOW_THRESHOLD, "level": 1, "first_at": at, "last_at": at}
            session.add(Suppression(story_id=story, direction=Direction.ESCALATION, score=38, **missed))
        chosen = Choice(**{key: frozenset(values) for key, values in choice.items()})
        found = week_facts(session, chosen)
    lists = (found.escalating, found.easing, found.contested, found.near_misses)
    for lines in lists:
        assert sorted(line.title for line in lines) == sorted(f"of {pair}" for pair in told)
    assert found.chosen is (set(choice) != {"muted_dyads"} and choice != {})
    assert not [pair for pair in found.pairs if pair.code in choice.get("muted_dyads", ())]


def test_a_chat_reads_how_many_alerts_it_was_told_itself(database: Database) -> None:
    with database.write() as session:
        at = MONDAY - timedelta(days=3)
        add_told(session, at, (AlertKind.NEW, AlertKind.CONFIRMED))
        add_told(session, at, (AlertKind.NEW,))
        first, second = session.exec(select(Alert).where(Alert.kind == AlertKind.NEW)).all()
        correction = session.exec(select(Alert).where(Alert.kind == AlertKind.CONFIRMED)).one()
        heard = add_subscriber(session, MONDAY, digest_due_at=MONDAY)
        deaf = add_subscriber(session, MONDAY, digest_due_at=MONDAY)
        for subscriber, alert, state, days in (
            (heard, first, DeliveryState.SENT, 3), (heard, second, DeliveryState.WAITING, 3),
            (heard, correction, DeliveryState.SENT, 3), (deaf, first, DeliveryState.FAILED, 3),
            (deaf, second, DeliveryState.SENT, 8),
        ):  # fmt: skip
            created = MONDAY - timedelta(days=days)
            row = {"subscriber_id": subscriber.id, "alert_id": alert.id, "state": state, "key": f"a:{alert.id}"}
            session.add(Delivery(send_after=created, created_at=created, **row))
        session.flush()
        ends = (MONDAY - timedelta(days=7), MONDAY)
        assert dict(told_here(session, [heard.id, deaf.id], *ends)[heard.id])["warning"] == 2
        numbers = heard.id, deaf.id
    send_due_digests(database, SETTINGS, MONDAY)
    said = {row.subscriber_id: row.message["plain"] for row in queued(database) if row.digest_id}
    assert "2 alerts were told here: 2 warning." in said[numbers[0]]
    assert "No alert was told here: a quiet week." in said[numbers[1]]


def add_held_back(session: Session, chats: list[int], score: float, days: float = 3, **values: object) -> Story:
    """A story of which an alert was raised, and held back from `chats` by their daily budgets."""
    at = MONDAY - timedelta(days=days)
    title = f"of {score}"
    story = Story(title=title, url=f"https://e.example/{score:g}", first_seen_at=at, last_seen_at=at, **values)
    session.add(story)
    session.flush()
    told = {"story_id": story.id, "direction": Direction.ESCALATION, "level": 2, "score": score}
    session.add(Alert(kind=AlertKind.NEW, rule="r", created_at=at, **told))
    for chat in chats:
        reason = SuppressionReason.BUDGET
        session.add(Suppression(subscriber_id=chat, reason=reason, first_at=at, last_at=at, **told))
    return story


def test_a_chats_digest_lists_what_its_daily_budget_held_back(database: Database) -> None:
    spent, other, muted, calm, calm_too = (
        subscribe(database, **choice) for choice in ({}, {}, {"muted_dyads": ["RU-UA"]}, {}, {})
    )
    with database.write() as session:
        for score in (61, 64, 63):
            add_held_back(session, [spent], score)
        add_held_back(session, [spent, other, muted], 62, dyad="RU-UA")
        add_held_back(session, [spent], 70, days=8)  # the week before
        story = add_held_back(session, [], 66)
        facts = {"story_id": story.id, "direction": Direction.ESCALATION, "level": 2, "score": 66}
        at = story.first_seen_at
        other_reason = {"subscriber_id": calm, "reason": SuppressionReason.MUTED, "first_at": at, "last_at": at}
        session.add(Suppression(**facts, **other_reason))
    assert send_due_digests(database, SETTINGS, MONDAY) == 5
    said = {row.subscriber_id: row.message for row in queued(database)}
    assert "Held back by your daily budget: 4, the loudest:\n• 64 of 64\n• 63 of 63\n• 62 of 62" in said[spent]["plain"]
    assert '<a href="https://e.example/64">of 64</a>' in said[spent]["html"]
    assert "of 61" not in said[spent]["plain"] and "of 70" not in said[spent]["plain"]
    assert "Held back by your daily budget: 1:\n• 62 of 62" in said[other]["plain"]
    assert all("daily budget" not in said[chat]["plain"] for chat in (muted, calm, calm_too))
    assert said[calm] == said[calm_too]


def test_what_budgets_held_back_from_a_round_of_chats_takes_few_questions_and_shared_texts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = list[object]()
    monkeypatch.setattr(
        "bot.pipeline.digest.digest_message", lambda facts: written.append(facts) or digest_message(facts)
    )
    chats = [subscribe(database) for _ in range(40)]
    with database.write() as session:
        story = add_held_back(session, chats[:20], 64)
        session.flush()
        asked = statements(session)
        found = held_back(session, chats, MONDAY - timedelta(days=7), MONDAY)
        assert len(asked) == 2
        assert set(found) == set(chats[:20]) and len(set(found.values())) == 1
        assert [candidate.line.title for candidate in found[chats[0]]] == [story.title]
    assert send_due_digests(database, SETTINGS, MONDAY) == 40
    assert len(written) == 3  # of those with it, of those without, and of nobody in particular


def test_who_left_or_moved_the_digest_while_it_was_written_is_not_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, leaves, moves = (subscribe(database) for _ in range(3))
    later = MONDAY + timedelta(hours=12)

    def draw(*_: object) -> bytes:
        with database.write() as session:
            session.get_one(Subscriber, leaves).state = SubscriberState.STOPPED
            session.get_one(Subscriber, moves).digest_due_at = later
        return PNG

    monkeypatch.setattr("bot.pipeline.digest.week_chart", draw)
    assert send_due_digests(database, SETTINGS, MONDAY) == 1
    assert [row.subscriber_id for row in queued(database)] == [stays]
    with database.read() as session:
        assert session.get_one(Subscriber, moves).digest_due_at == later


def test_a_pair_chosen_by_name_is_told_also_when_it_was_quiet() -> None:
    quiet, loud = PairLine("A – B", 0, 40, 0, 0, code="A-B"), PairLine("C – D", 50, 0, 0, 0, code="C-D")
    shown = own_first((loud, quiet), frozenset({"A-B"}), frozenset(), 5)
    assert [(pair.code, pair.own) for pair in shown] == [("A-B", True), ("C-D", False)]
    assert [pair.code for pair in own_first((loud, quiet), frozenset(), frozenset(), 5)] == ["C-D"]


def test_a_days_tension_is_the_mean_of_its_five_loudest_stories() -> None:
    since, second = MONDAY - timedelta(days=7), MONDAY - timedelta(days=7) + timedelta(hours=30)
    # A second, milder report of the same story adds nothing.
    heard = [Heard(number, None, second, telling, 0) for number, telling in ((1, 100), (1, 50), (2, 50), (2, 25))]
    heard.append(Heard(3, None, MONDAY, 90, 0))  # after the week
    assert [round(day.escalation) for day in daily_tension(heard, since, MONDAY)] == [0, 30, 0, 0, 0, 0, 0]


def test_pairs_are_named_as_in_alerts(database: Database) -> None:
    at = MONDAY - timedelta(days=2)
    settings = SETTINGS.model_copy(update={"actors": Actors(actors=(ActorEntry(code="KE", name="Kestria"),))})
    with database.write() as session:
        feed, story = add_feed(session, at), Story(title="s", first_seen_at=at, last_seen_at=at)
        session.add(story)
        session.flush()
        for pair in ("RU-UA", "KE-RU"):
            add_reading(session, feed, at, "t", 50.0, story_id=story.id, dyad=pair)
    with database.read() as session:
        message, _chart = compose_digest(session, settings, MONDAY, "UTC")
    assert "• Russia – Ukraine: escalation" in message.plain and "• Kestria – Russia: escalation" in message.plain
    assert "RU-UA" not in message.plain


@pytest.mark.parametrize("hour", [0, 8, 23], ids=["midnight", "morning", "night"])
def test_heading_and_chart_name_the_same_days(database: Database, monkeypatch: pytest.MonkeyPatch, hour: int) -> None:
    until, drawn = MONDAY.replace(hour=hour), list[tuple[list[Day], str]]()

    def draw(week: list[Day], _before: list[Day], title: str) -> bytes:
        drawn.append((week, title))
        return b""

    monkeypatch.setattr("bot.pipeline.digest.week_chart", draw)
    with database.read() as session:
        message, _chart = compose_digest(session, SETTINGS, until, "UTC")
    ((days, title),) = drawn
    span = f"{days[0].day:%d %b} to {days[-1].day:%d %b %Y}"
    assert span == "09 Mar to 15 Mar 2026"
    assert message.plain.startswith(f"🗓 Week of {span}\n")
    assert message.title.endswith(span) and title == f"Tension, all pairs, {span}"


def test_a_chart_is_a_picture_as_wide_as_a_phone() -> None:
    days = [Day((MONDAY + timedelta(days=n)).date(), 10.0 * n, 5.0 * n) for n in range(7)]
    picture = week_chart(days, [], "Tension")
    assert picture[:8] == PNG
    assert int.from_bytes(picture[16:20]) == 1080


@pytest.mark.parametrize(
    "draw",
    [
        lambda days: week_chart(days, [], "T"),
        lambda days: pairs_chart([Panel("A – B", days, [])] * 5, "T"),
        lambda days: stats_chart([DayCount(day.day, 9, 1) for day in days]),
    ],
    ids=["digest", "pairs", "numbers"],
)
def test_the_papers_grey_is_behind_all_of_a_chart(draw: Callable[[list[Day]], bytes]) -> None:
    days = [Day((MONDAY + timedelta(days=n)).date(), 10.0 * n, 5.0 * n) for n in range(7)]
    picture = Image.open(io.BytesIO(draw(days))).convert("RGB")
    counts = {colour: count for count, colour in picture.getcolors(1 << 20) or ()}
    assert max(counts, key=lambda colour: counts[colour]) == ImageColor.getrgb(PAPER)
    assert (255, 255, 255) not in counts


def panels(*names: str) -> list[Panel]:
    days = [Day((MONDAY + timedelta(days=n)).date(), 4.0 * n, 2.0 * n) for n in range(7)]
    return [Panel(name, days, days) for name in names]


@pytest.mark.parametrize("count", [1, 2, 3, 6, 9])
def test_a_chart_of_pairs_is_as_wide_as_a_phone_and_no_taller_than_one(count: int) -> None:
    picture = Image.open(io.BytesIO(pairs_chart(panels(*["A – B"] * count), "Tension")))
    assert picture.width == 1080
    assert 675 <= picture.height <= 1.6 * 1080


def test_words_on_a_chart_of_six_pairs_are_large_and_none_lies_on_another() -> None:
    widest = "Arakan Army – Mozambique"
    assert len(widest) == PANEL_WIDTH
    figure = panels_figure(panels(*[widest] * 6), "Tension, your pairs, 09 Mar to 15 Mar 2026")
    figure.draw_without_rendering()
    words = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent() for text in words]
    assert min(text.get_fontsize() for text in words) >= POINTS
    assert all(box.x0 >= 0 and box.x1 <= 1080 for box in boxes)
    titles = [box for text, box in zip(words, boxes, strict=True) if len(text.get_text()) > 3]
    assert len(titles) == 10  # heading, three in the legend, six pairs
    assert not [pair for pair in combinations(titles, 2) if pair[0].overlaps(pair[1])]


def contrast(first: str, second: str) -> float:
    """1 to 21, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def test_a_chart_is_legible_and_its_edge_is_seen_on_dark_and_light_screens() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast(INK, PAPER) >= 7  # words
    assert min(contrast(colour, PAPER) for colour in (ESCALATION, EASING, BEFORE)) >= 3  # shapes
    assert min(contrast(BEFORE, bar) for bar in (ESCALATION, EASING)) >= 3
    assert (
        min(contrast(PAPER, screen) for screen in ("#ffffff", "#182533")) >= 1.3
    )  # Telegram's bubbles, light and dark
