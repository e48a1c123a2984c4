"""When a story rings, who hears it, and what is kept of everything that was not told."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from bot.messages.alert import alert_message, headline_of
from bot.pipeline.decide import raise_alerts, update_story
from bot.pipeline.rules import Past, Silence, Telling, worth_telling
from bot.pipeline.weigh import Weight
from config.schema import Alerts
from models import (
    Alert,
    AlertKind,
    Delivery,
    Direction,
    Level,
    Reading,
    Story,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from models.chats import withdraw_pair
from models.database import Database
from models.delivery import DeliveryState
from models.story import StoryStatus
from tests.rows import add_feed, add_reading, add_subscriber, statements

SETTINGS = Alerts()
UP, DOWN = Direction.ESCALATION, Direction.DEESCALATION


def report(session: Session, story: Story | None, at: datetime, escalation: float = 0.0, **values: Any) -> Story:
    """One more publisher tells of `story` (or of a new one)."""
    if story is None:
        story = Story(title="first", first_seen_at=at, last_seen_at=at)
        session.add(story)
        session.flush()
    add_reading(
        session, add_feed(session, at), at, "Troops cross", escalation, story_id=story.id, gathered=True, **values
    )
    story.changed, story.last_seen_at = True, at
    return story


def judge(database: Database, now: datetime) -> list[Alert]:
    """Decide at `now`; every alert raised so far."""
    with database.write() as session:
        raise_alerts(session, SETTINGS, now)
    with database.read() as session:
        return list(session.exec(select(Alert).order_by(Alert.id)).all())  # type: ignore[arg-type]


def silences(database: Database) -> dict[SuppressionReason, int]:
    with database.read() as session:
        return {row.reason: row.times for row in session.exec(select(Suppression))}


def tell(database: Database, now: datetime, story_id: int | None = None, **values: Any) -> int:
    with database.write() as session:
        story = report(session, session.get(Story, story_id) if story_id else None, now, **values)
        return story.id


def test_a_story_that_crosses_a_level_rings_once_for_each_subscriber(database: Database, now: datetime) -> None:
    with database.write() as session:
        add_subscriber(session, now)
        add_subscriber(session, now)
    story = tell(database, now, escalation=75.0)
    (alert,) = judge(database, now)
    assert (alert.kind, alert.direction, alert.level) == (AlertKind.NEW, UP, Level.WARNING)
    with database.write() as session:
        for row in session.exec(select(Delivery)):
            row.state = DeliveryState.SENT
    for minutes in (5, 10):
        tell(database, now, story, escalation=70.0)
        alerts = judge(database, now + timedelta(minutes=minutes))
        assert [alert.kind for alert in alerts] == [AlertKind.NEW, AlertKind.CONFIRMED]
    with database.read() as session:
        rows = session.exec(select(Delivery)).all()
    assert [row.edits_id is None for row in rows] == [True, True, False, False]
    assert silences(database)[SuppressionReason.REPEAT] == 2


def test_an_alert_keeps_the_pair_it_shows_and_a_mute_of_that_withdraws_it_though_the_story_turns_to_another(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        subscriber = add_subscriber(session, now).id
    story = tell(database, now, escalation=75.0, dyad="RU-UA")
    judge(database, now)
    for _ in range(2):
        tell(database, now, story, escalation=70.0, dyad="NATO-RU")
    first, *_ = judge(database, now + timedelta(minutes=5))
    assert first.facts["pair"] == "RU-UA"
    with database.write() as session:
        assert session.get_one(Story, story).dyad == "NATO-RU"
        for pair, state in (("NATO-RU", DeliveryState.WAITING), ("RU-UA", DeliveryState.FAILED)):
            withdraw_pair(session, session.get_one(Subscriber, subscriber), pair, "muted")
            row = session.exec(select(Delivery).where(Delivery.alert_id == first.id)).one()
            session.refresh(row)
            assert row.state is state


def test_a_rise_is_told_even_within_the_quiet_period(database: Database, now: datetime) -> None:
    story = tell(database, now, escalation=50.0)
    judge(database, now)
    tell(database, now, story, escalation=90.0)
    alerts = judge(database, now + timedelta(minutes=1))
    assert [(alert.kind, alert.level) for alert in alerts] == [
        (AlertKind.NEW, Level.WATCH),
        (AlertKind.RAISED, Level.CRITICAL),
    ]


def test_easing_within_the_quiet_period_waits_and_is_told_when_it_is_over(database: Database, now: datetime) -> None:
    story = tell(database, now, escalation=70.0)
    judge(database, now)
    tell(database, now + timedelta(minutes=30), story, deescalation=70.0)
    assert len(judge(database, now + timedelta(minutes=30))) == 1
    assert SuppressionReason.QUIET in silences(database)
    alerts = judge(database, now + timedelta(minutes=181))
    assert [alert.direction for alert in alerts] == [UP, DOWN]


def test_a_story_near_the_lowest_level_is_kept_as_a_near_miss(database: Database, now: datetime) -> None:
    tell(database, now, escalation=38.0)
    assert judge(database, now) == []
    assert silences(database) == {SuppressionReason.BELOW_THRESHOLD: 1}


def test_a_storys_regions_follow_its_pair(database: Database, now: datetime) -> None:
    found = []
    story = tell(database, now, escalation=30.0)
    for dyad in ("IL-IR", "IN-PK", "IN-PK"):
        tell(database, now, story, escalation=30.0, dyad=dyad)
        judge(database, now)
        with database.read() as session:
            found.append(session.get_one(Story, story).regions)
    assert found[::2] == [["middle-east"], ["south-asia"]]


def test_old_news_read_late_rings_nothing_and_says_why(database: Database, now: datetime) -> None:
    tell(database, now - timedelta(hours=30), escalation=90.0)
    assert judge(database, now) == []
    assert silences(database) == {SuppressionReason.OLD: 1}


def test_backlog_rings_nothing(database: Database, now: datetime) -> None:
    tell(database, now, escalation=95.0, backlog=True)
    assert judge(database, now) == []


def test_a_told_story_that_becomes_contested_is_told_as_such_once(database: Database, now: datetime) -> None:
    claim = {"signal": "troop_withdrawal", "sentence": "..."}
    about = {"troop_withdrawal": 0.9}
    affirmed = [claim | {"claimant": "Varnia", "stance": "affirm"}]
    story = tell(database, now, deescalation=70.0, claims=affirmed, signals=about)
    judge(database, now)
    later = now + timedelta(hours=4)
    for _ in range(2):
        denied = [claim | {"claimant": "NATO", "stance": "deny"}]
        tell(database, later, story, escalation=5.0, claims=denied, signals=about)
        alerts = judge(database, later)
    assert [alert.kind for alert in alerts] == [AlertKind.NEW, AlertKind.CONTESTED]
    assert alerts[-1].facts["contested"] == ["troop_withdrawal"]


def test_a_retraction_names_the_score_of_the_first_alert(database: Database, now: datetime) -> None:
    story_id = tell(database, now, escalation=58.0)  # one source: it counts for less
    (first,) = judge(database, now)
    with database.write() as session:
        before = session.exec(select(Reading)).one()
        before.latest = False
        session.add(Reading(**before.model_dump(exclude={"id"}) | {"escalation": 10.0, "latest": True, "model": "two"}))
        session.get_one(Story, story_id).changed = True
    alert = judge(database, now + timedelta(hours=1))[-1]
    assert alert.kind is AlertKind.RETRACTED and first.score < 57
    assert alert.rule == f"rewritten: rang at {first.score:.0f}, now {alert.facts['escalation']}"
    assert headline_of(first).startswith("🟡") and f"escalation {first.score:.0f} " in alert_message(first).plain


@pytest.mark.parametrize(
    ("followed", "line"),
    [(60, "\nUsual tension for KE – VA: 8, today 15\n"), (20, None)],
    ids=["known for two months", "new"],
)
def test_an_alert_says_what_is_usual_for_its_pair_where_that_is_known(
    database: Database, now: datetime, followed: int, line: str | None
) -> None:
    with database.write() as session:
        feed = add_feed(session, now, first_read_at=now - timedelta(days=followed))
        for day in range(1, followed):
            at = now - timedelta(days=day)
            old = Story(title="before", first_seen_at=at, last_seen_at=at, dyad="KE-VA", changed=False)
            session.add(old)
            session.flush()
            add_reading(session, feed, at, "Shots", 40.0, story_id=old.id, gathered=True, dyad="KE-VA")
        story = Story(title="now", first_seen_at=now, last_seen_at=now)
        session.add(story)
        session.flush()
        add_reading(session, feed, now, "Troops cross", 75.0, story_id=story.id, gathered=True, dyad="KE-VA")
    (alert,) = judge(database, now)
    text = alert_message(alert).plain
    assert line in text if line else "Usual" not in text


def test_what_is_usual_is_asked_once_a_pair_and_not_for_every_reader(database: Database, now: datetime) -> None:
    with database.write() as session:
        for _ in range(5):
            add_subscriber(session, now)
        for _ in range(3):
            report(session, None, now, escalation=95.0, dyad="KE-VA")
        asked = statements(session)
        assert raise_alerts(session, SETTINGS, now) == 3
        assert sum("min(feed.first_read_at)" in text for text in asked) == 1


def test_a_subscriber_hears_from_the_level_they_chose_in_each_direction(database: Database, now: datetime) -> None:
    with database.write() as session:
        loud = add_subscriber(session, now, level_escalation=3, level_deescalation=1)
    tell(database, now, escalation=75.0)
    tell(database, now, deescalation=50.0)
    judge(database, now)
    with database.read() as session:
        told = session.exec(select(Alert.direction).join(Delivery).where(Delivery.subscriber_id == loud.id)).all()
    assert told == [DOWN]
    assert silences(database)[SuppressionReason.THRESHOLD] == 1


def test_the_daily_budget_holds_back_the_fourth_alert_but_never_a_critical_one(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        add_subscriber(session, now)
    for minute in range(4):
        tell(database, now + timedelta(minutes=minute), escalation=50.0)
        judge(database, now + timedelta(minutes=minute))
    assert silences(database)[SuppressionReason.BUDGET] == 1
    tell(database, now + timedelta(minutes=9), escalation=95.0)
    judge(database, now + timedelta(minutes=9))
    with database.read() as session:
        assert len(session.exec(select(Delivery)).all()) == 4


def test_lesser_alerts_use_up_no_budget_of_greater_ones(database: Database, now: datetime) -> None:
    with database.write() as session:
        add_subscriber(session, now)
    for minute, score in enumerate((50.0, 50.0, 50.0, 75.0, 50.0)):
        tell(database, now + timedelta(minutes=minute), escalation=score)
        judge(database, now + timedelta(minutes=minute))
    with database.read() as session:
        told = session.exec(select(Alert.level).join(Delivery).order_by(Alert.id)).all()  # type: ignore[arg-type]
    assert told == [Level.WATCH] * 3 + [Level.WARNING]


def test_what_comes_at_once_spends_the_budget_loudest_first(database: Database, now: datetime) -> None:
    with database.write() as session:
        add_subscriber(session, now)
    for score in (61.0, 62.0, 79.0, 63.0, 75.0):
        tell(database, now, escalation=score / SETTINGS.stories.single_source_factor)
    judge(database, now)
    with database.read() as session:
        told = session.exec(select(Alert.score).join(Delivery)).all()
    assert sorted(round(score) for score in told) == [63, 75, 79]


def test_the_budget_is_free_again_a_day_later(database: Database, now: datetime) -> None:
    with database.write() as session:
        add_subscriber(session, now)
    for hours in (0, 0, 0, 25):
        tell(database, now + timedelta(hours=hours), escalation=50.0)
        judge(database, now + timedelta(hours=hours))
    with database.read() as session:
        assert len(session.exec(select(Delivery).where(Delivery.state == DeliveryState.WAITING)).all()) == 4


def test_a_failure_in_the_middle_leaves_neither_alert_nor_delivery(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as session:
        add_subscriber(session, now)
    tell(database, now, escalation=75.0)

    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr("bot.pipeline.sequence.write", fail)
        with pytest.raises(RuntimeError):
            judge(database, now)
    with database.read() as session:
        assert session.exec(select(Alert)).all() == []
    assert len(judge(database, now)) == 1


def test_a_told_story_stands_at_its_level_until_margin_and_dwell_are_past(database: Database, now: datetime) -> None:
    story = tell(database, now, escalation=75.0)
    judge(database, now)

    def level_at(minutes: int, score: float) -> int:
        with database.write() as session:
            for reading in session.exec(select(Reading)):
                reading.escalation = score
            session.get_one(Story, story).changed = True
        judge(database, now + timedelta(minutes=minutes))
        with database.read() as session:
            return session.get_one(Story, story).level_escalation

    factor = SETTINGS.stories.single_source_factor
    assert level_at(30, 20.0) == Level.WARNING  # the dwell holds it
    assert level_at(90, 55.0 / factor) == Level.WARNING  # the margin holds it
    assert level_at(120, 45.0 / factor) == Level.WATCH


# Properties -----------------------------------------------------------------------------------------------------------

steps = st.lists(
    st.tuples(st.integers(min_value=1, max_value=400), st.floats(0, 100), st.floats(0, 100), st.booleans()),
    min_size=1,
    max_size=25,
)


def live(history: list[tuple[int, float, float, bool]]) -> list[tuple[datetime, Telling | Silence, float]]:
    """Run one story through changing scores; what was told and kept back, and when."""
    now = datetime.fromisoformat("2026-03-12T09:30:00+00:00")
    story = Story(id=1, title="s", first_seen_at=now, last_seen_at=now)
    out: list[tuple[datetime, Telling | Silence, float]] = []
    kinds: set[AlertKind] = set()
    told_as: StoryStatus | None = None
    for minutes, escalation, deescalation, contested in history:
        now += timedelta(minutes=minutes)
        story.changed, story.last_seen_at = True, now
        status = StoryStatus.CONTESTED if contested else StoryStatus.CONFIRMED
        weight = Weight(escalation=escalation, deescalation=deescalation, status=status, sources=2)
        update_story(story, weight, SETTINGS, now)
        for outcome in worth_telling(story, weight, Past(frozenset(kinds), told_as), SETTINGS, now):
            out.append((now, outcome, weight.score(outcome.direction)))
            if isinstance(outcome, Telling):
                setattr(story, f"told_{outcome.direction}", max(story.told(outcome.direction), outcome.level))
                story.told_contested = story.told_contested or contested
                story.last_told_at = now
                kinds.add(outcome.kind)
                told_as = status
    return out


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_no_story_is_told_twice_at_one_level_and_direction(history: list[tuple[int, float, float, bool]]) -> None:
    told = [
        (outcome.kind, outcome.direction, outcome.level)
        for _, outcome, _ in live(history)
        if isinstance(outcome, Telling)
    ]
    follow_ups = (AlertKind.CONTESTED, AlertKind.CONFIRMED, AlertKind.RETRACTED)
    levels = [(direction, level) for kind, direction, level in told if kind not in follow_ups]
    assert len(levels) == len(set(levels))
    assert all(sum(kind is each for kind, _, _ in told) <= 1 for each in follow_ups)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_the_first_rise_to_critical_is_never_met_with_silence(history: list[tuple[int, float, float, bool]]) -> None:
    outcomes = live(history)
    for direction, position in ((UP, 1), (DOWN, 2)):
        reached = any(step[position] >= SETTINGS.levels.critical for step in history)
        told = any(
            isinstance(outcome, Telling) and outcome.direction is direction and outcome.level is Level.CRITICAL
            for _, outcome, _ in outcomes
        )
        assert told == reached


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_the_same_history_gives_the_same_alerts(history: list[tuple[int, float, float, bool]]) -> None:
    assert live(history) == live(history)
