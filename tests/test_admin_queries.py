"""What admins are shown is counted alike on both databases: numbers, outlook of thresholds, label queue, broadcast."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from bot.chat.admin_subscribers import _page_of
from bot.forecast import forecast
from bot.messages.stats import stats_text
from bot.numbers import count_all
from bot.pipeline.label_queue import label, next_doubt
from config.schema import Alerts, Levels
from models import Alert, AlertKind, Direction, Level, Story, StoryStatus, SubscriberState, Verdict, VerdictKind
from models.database import Database
from models.verdict import labels
from tests.rows import add_feed, add_reading, add_subscriber

UP, DOWN = Direction.ESCALATION, Direction.DEESCALATION


def add_story(session: Session, at: datetime, up: float = 0.0, down: float = 0.0, **values: object) -> Story:
    story = Story(title="t", first_seen_at=at, last_seen_at=at, peak_escalation=up, peak_deescalation=down, **values)
    session.add(story)
    session.flush()
    return story


def test_the_outlook_counts_stories_of_a_month_by_direction_and_level(database: Database, now: datetime) -> None:
    with database.write() as session:
        for days, up, down in ((0, 90, 0), (1, 60, 45), (10, 30, 85), (31, 99, 99)):
            add_story(session, now - timedelta(days=days), up, down)
        found = forecast(session, Alerts(), now)
        assert (found.stories, found.days) == (3, 10.0)
        assert [found.rings[UP, level] for level in (Level.WATCH, Level.WARNING, Level.CRITICAL)] == [2, 2, 1]
        assert [found.rings[DOWN, level] for level in (Level.WATCH, Level.WARNING, Level.CRITICAL)] == [2, 1, 1]
        assert found.a_day(Level.WATCH) == 0.4
        own = Alerts(deescalation=Levels(watch=90, warning=95, critical=99))
        assert forecast(session, own, now).rings[DOWN, Level.WATCH] == 0


@pytest.mark.parametrize(("many", "said"), [(0, ""), (20, ""), (21, "rung 21 times a day")])
def test_more_than_twenty_a_day_is_warned_of(sqlite_database: Database, now: datetime, many: int, said: str) -> None:
    with sqlite_database.write() as session:
        for _ in range(many):
            add_story(session, now - timedelta(hours=1), 50.0)
        warning = forecast(session, Alerts(), now).warning(Level.WATCH)
    assert (said in warning) if said else warning == ""


def test_numbers_of_an_empty_and_of_a_used_database(database: Database, now: datetime) -> None:
    with database.write() as session:
        assert "0 today (usual day 0)" in stats_text(count_all(session, now))
        feed = add_feed(session, now)
        for days in (0, 0, 3, 40):
            add_reading(session, feed, now - timedelta(days=days), "t")
        add_subscriber(session, now)
        numbers = count_all(session, now)
    assert [day.articles for day in numbers.days] == [0] * 10 + [1, 0, 0, 2]
    assert (numbers.articles, numbers.subscribers, numbers.model) == (4, {"active": 1}, "test")


def test_corrections_are_counted_apart_from_alerts(database: Database, now: datetime) -> None:
    with database.write() as session:
        story = add_story(session, now)
        told = {"story_id": story.id, "direction": UP, "level": 1, "score": 50.0, "rule": "r", "created_at": now}
        kinds = (AlertKind.NEW, AlertKind.RAISED, AlertKind.CONFIRMED, AlertKind.RETRACTED)
        session.add_all(Alert(kind=kind, **told) for kind in kinds)
        session.flush()
        numbers = count_all(session, now)
    assert (numbers.days[-1].alerts, numbers.days[-1].corrections) == (2, 2)
    assert "Alerts: 2 today, 2 in 14 days; confirmed or retracted: 2 today" in stats_text(numbers)


def test_subscribers_are_shown_requests_first(database: Database, now: datetime) -> None:
    with database.write() as session:
        waiting = add_subscriber(session, now, state=SubscriberState.PENDING)
        newer = [add_subscriber(session, now) for _ in range(9)]
        rows, counts = _page_of(session, None, 0)
        assert [row.id for row in rows[:2]] == [waiting.id, newer[-1].id]
        assert counts == {SubscriberState.PENDING: 1, SubscriberState.ACTIVE: 9}
        assert len(_page_of(session, None, 1)[0]) == 2
        assert _page_of(session, SubscriberState.STOPPED, 0)[0] == []


def test_the_queue_asks_each_headline_once_and_labels_train(database: Database, now: datetime) -> None:
    with database.write() as session:
        feed, story = add_feed(session, now), add_story(session, now, status=StoryStatus.CONTESTED)
        told = add_story(session, now)
        unsure = {"direction": {"escalation": 0.5, "none": 0.5}}
        add_reading(session, feed, now, "Sure", direction={"escalation": 0.99})
        add_reading(session, feed, now, "Unsure", **unsure)
        add_reading(session, feed, now, "Unsure", **unsure)
        add_reading(session, feed, now - timedelta(days=20), "Old", **unsure)
        add_reading(session, feed, now, "Disputed", story_id=story.id, signals={"threat": 0.9})
        wrong = add_reading(session, feed, now, "Wrong", story_id=told.id)
        alert = Alert(story_id=told.id, kind=AlertKind.NEW, direction=UP, level=1, score=50.0, rule="r", created_at=now)
        session.add(alert)
        session.flush()
        for _ in range(2):
            session.add(Verdict(kind=VerdictKind.WRONG, text="Wrong", alert_id=alert.id, created_at=now))
        session.flush()
        asked = []
        while (found := next_doubt(session, now, set()))[0] is not None:
            asked.append((found[0].reading.title, found[0].why, found[1]))
            label(session, found[0].reading, "escalation", 2, 7, now)
        assert asked == [
            ("Wrong", "called wrong 2 times", 3),
            ("Disputed", "its story is disputed", 2),
            ("Unsure", "the model is 50% sure", 1),
        ]
        assert next_doubt(session, now, {wrong.id}) == (None, 0)
        assert [(row.text, row.signals) for row in labels(session)] == [
            ("Wrong", []),
            ("Disputed", ["threat"]),
            ("Unsure", []),
        ]
        assert len(session.exec(select(Verdict)).all()) == 5
