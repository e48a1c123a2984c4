"""A pair in the news far more than usual rings once a week, by what was known at the time."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from bot.pipeline.tempo import DAYS, Told, raise_tempo, tempo_of
from config.schema import Alerts, Telling
from models import Alert, AlertKind, Delivery, Story
from models.database import Database
from tests.rows import add_feed, add_reading, add_subscriber

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = datetime.fromisoformat("2022-02-17T12:00:00+00:00")


def history(today: int, usual: int = 1, others: int = 20, pair: str = "RU-UA", now: datetime = NOW) -> list[Told]:
    """So many routine stories of the pair a day among others, and `today` within the last day."""
    rows: list[Told] = []
    for day in range(DAYS + 1):
        count = today if day == 0 else usual
        at = now - day * DAY - HOUR
        rows += [(1000 * day + n, pair, at, 30.0 + n % 5) for n in range(count)]
        rows += [(1000 * day + 500 + n, None, at, 5.0) for n in range(others)]
    return rows


def test_many_small_steps_ring_though_no_story_is_loud() -> None:
    (tempo,) = tempo_of(history(today=12), NOW, 4.0)
    assert (tempo.dyad, tempo.story_id) == ("RU-UA", 4)
    assert tempo.share == pytest.approx(12 / 32) and tempo.usual == pytest.approx(1 / 21)
    assert "38%" in tempo.rule and "usually 5%" in tempo.rule and "spreads above" in tempo.rule


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (history(today=1), "as usual"),
        (history(today=4, usual=0), "too few to be a tempo"),
        (history(today=12, usual=12), "always that many"),
        (history(today=0, usual=12), "a fall is no rise"),
        ([(story, dyad, at, 10.0) for story, dyad, at, _ in history(today=12)], "nothing that escalates"),
        ([(story, None, at, score) for story, _, at, score in history(today=12)], "of an unknown pair"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_usual_or_calm_rings_nothing(rows: list[Told], why: str) -> None:
    assert tempo_of(rows, NOW, 4.0) == [], why


@given(st.lists(st.tuples(st.integers(0, 99), st.floats(0, 100), st.integers(1, 900)), max_size=30))
def test_nothing_later_than_the_moment_counts(later: list[tuple[int, float, int]]) -> None:
    known = history(today=12)
    future = [(10**6 + n, "RU-UA", NOW + minutes * timedelta(minutes=1), score) for n, score, minutes in later]
    assert tempo_of(known + future, NOW, 4.0) == tempo_of(known, NOW, 4.0)


def live(database: Database, now: datetime, rows: list[Told], followed: datetime) -> None:
    with database.write() as session:
        feed = add_feed(session, now, first_read_at=followed)
        for _, dyad, at, score in rows:
            story = Story(title="Shots at the line", first_seen_at=at, last_seen_at=at, dyad=dyad)
            session.add(story)
            session.flush()
            add_reading(session, feed, at, "Shots at the line", score, story_id=story.id, gathered=True)


def test_a_tempo_is_told_once_a_week_and_says_by_how_much(database: Database, now: datetime) -> None:
    with database.write() as session:
        add_subscriber(session, now)
    live(database, now, history(12, others=6, now=now), now - 60 * DAY)
    for hours in (0, 1, 2):
        with database.write() as session:
            raised = raise_tempo(session, Alerts(), now + hours * HOUR)
        assert raised == (hours == 0)
    with database.read() as session:
        alert = session.exec(select(Alert)).one()
        row = session.exec(select(Delivery)).one()
    assert alert.kind is AlertKind.TEMPO
    assert "tempo" in row.message["title"] and "spreads above" in row.message["plain"]


def test_feeds_followed_for_less_than_a_month_and_a_zero_ring_nothing(database: Database, now: datetime) -> None:
    live(database, now, history(12, others=6, now=now), now - 10 * DAY)
    with database.write() as session:
        assert raise_tempo(session, Alerts(), now) == 0
    live(database, now, history(12, others=6, now=now), now - 60 * DAY)
    with database.write() as session:
        assert raise_tempo(session, Alerts(telling=Telling(tempo_spreads=0)), now) == 0
