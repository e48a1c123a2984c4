"""Who hears an alert, when, and as an answer to what: filters, quiet hours, corrections; against a real database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from bot.calendar import end_of_quiet_hours
from bot.pipeline.decide import raise_alerts
from config.schema import Alerts, Stories
from models import (
    Alert,
    AlertKind,
    Delivery,
    DeliveryState,
    Level,
    Priority,
    Reading,
    Story,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
)
from models.database import Database
from models.delivery import alerts_sent_since
from tests.rows import add_feed, add_reading, add_subscriber, statements

SETTINGS = Alerts(stories=Stories(single_source_factor=1.0))
HOUR = timedelta(hours=1)


def tell(database: Database, at: datetime, score: float, story_id: int | None = None, **values: Any) -> int:
    """One more publisher tells of a story, and alerts are raised."""
    facts: dict[str, Any] = {"dyad": "RU-UA", "signals": {"troop_buildup": 0.9}} | values
    with database.write() as session:
        story = session.get(Story, story_id) if story_id else None
        if story is None:
            story = Story(title="s", first_seen_at=at, last_seen_at=at, regions=["europe"])
            session.add(story)
            session.flush()
        add_reading(session, add_feed(session, at), at, "Troops", score, story_id=story.id, gathered=True, **facts)
        story.changed, story.last_seen_at = True, at
        raise_alerts(session, SETTINGS, at, timezone="Europe/Kyiv")
        return story.id


def subscribe(database: Database, now: datetime, **values: Any) -> int:
    with database.write() as session:
        return add_subscriber(session, now, **values).id


def deliveries(database: Database) -> list[Delivery]:
    with database.read() as session:
        return list(session.exec(select(Delivery).order_by(Delivery.id)).all())  # type: ignore[arg-type]


def sent(database: Database) -> None:
    """What was queued has arrived."""
    with database.write() as session:
        for row in session.exec(select(Delivery)):
            row.state, row.message_id = DeliveryState.SENT, row.id


def reasons(database: Database, subscriber_id: int) -> list[SuppressionReason]:
    with database.read() as session:
        return [row.reason for row in session.exec(select(Suppression)) if row.subscriber_id == subscriber_id]


@pytest.mark.parametrize("level", [1, 3], ids=["told", "kept back"])
def test_an_alert_asks_the_database_as_often_for_many_subscribers_as_for_few(
    database: Database, now: datetime, level: int
) -> None:
    counts = []
    for many in (2, 40):
        for _ in range(many):
            subscribe(database, now, level_escalation=level)
        with database.write() as session:
            at = now + many * HOUR
            story = Story(title="s", first_seen_at=at, last_seen_at=at, changed=True)
            session.add(story)
            session.flush()
            add_reading(session, add_feed(session, at), at, "Troops", 70.0, story_id=story.id, gathered=True)
            asked = statements(session)
            raise_alerts(session, SETTINGS, at)
            counts.append(sum(text.startswith("SELECT") for text in asked))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({}, None),
        ({"regions": ["europe"]}, None),
        ({"regions": ["asia"]}, SuppressionReason.UNWANTED),
        ({"dyads": ["RU-UA"]}, None),
        ({"dyads": ["IL-IR"]}, SuppressionReason.UNWANTED),
        ({"regions": ["asia"], "dyads": ["RU-UA"]}, None),
        ({"signals": ["troop_buildup", "threat"]}, None),
        ({"signals": ["threat"]}, SuppressionReason.UNWANTED),
        ({"regions": ["europe"], "signals": ["threat"]}, SuppressionReason.UNWANTED),
        ({"muted_dyads": ["RU-UA"]}, SuppressionReason.MUTED),
        ({"level_escalation": 3}, SuppressionReason.THRESHOLD),
    ],
)
def test_a_subscriber_hears_what_they_chose_and_the_reason_for_the_rest_is_kept(
    database: Database, now: datetime, choice: dict[str, Any], reason: SuppressionReason | None
) -> None:
    chat = subscribe(database, now, **choice)
    tell(database, now, 65.0)
    assert len(deliveries(database)) == (reason is None)
    assert reasons(database, chat) == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("region", "hears"),
    [("middle-east", True), ("africa", True), ("europe", False), ("world", True)],
    ids=["its parties' home", "its feed's region", "neither", "the world: everything"],
)
def test_a_story_reaches_those_who_chose_the_home_of_its_parties_whoever_carries_it(
    database: Database, now: datetime, region: str, hears: bool
) -> None:
    subscribe(database, now, regions=[region])
    with database.write() as session:
        story = Story(title="s", first_seen_at=now, last_seen_at=now)
        session.add(story)
        session.flush()
        feed = add_feed(session, now, regions=["africa", "world"])
        add_reading(session, feed, now, "Strike", 65.0, story_id=story.id, gathered=True, dyad="IL-IR")
        raise_alerts(session, SETTINGS, now)
    assert len(deliveries(database)) == hears


def test_a_story_of_an_unknown_pair_reaches_nobody_who_chose_pairs(database: Database, now: datetime) -> None:
    chat = subscribe(database, now, dyads=["RU-UA"])
    tell(database, now, 65.0, dyad=None)
    assert reasons(database, chat) == [SuppressionReason.UNWANTED]


def test_in_quiet_hours_an_alert_waits_until_they_end_and_a_greater_one_breaks_through(
    database: Database, now: datetime
) -> None:
    night = now.replace(hour=21, minute=30)  # 23:30 in Kyiv
    subscribe(database, night, quiet_from="23:00", quiet_until="07:00", break_through=3)
    subscribe(database, night, quiet_from="23:00", quiet_until="07:00", timezone="America/New_York")
    story = tell(database, night, 65.0)
    held, at_once = deliveries(database)
    assert held.send_after == (night + timedelta(days=1)).replace(hour=5, minute=0)  # 07:00 in Kyiv
    assert at_once.send_after == night
    tell(database, night + timedelta(minutes=1), 95.0, story)
    assert [row.send_after for row in deliveries(database)[2:]] == [night + timedelta(minutes=1)] * 2


def test_a_mute_holds_alerts_back_until_it_and_the_quiet_hours_it_ends_in_are_over(
    database: Database, now: datetime
) -> None:
    night = now.replace(hour=19, minute=30)  # 21:30 in Kyiv
    subscribe(database, night, muted_until=night + 2 * HOUR)
    subscribe(database, night, muted_until=night + 2 * HOUR, quiet_from="23:00", quiet_until="07:00")
    subscribe(database, night, muted_until=night - HOUR)
    story = tell(database, night, 65.0)
    morning = (night + timedelta(days=1)).replace(hour=5, minute=0)
    assert [row.send_after for row in deliveries(database)] == [night + 2 * HOUR, morning, night]
    tell(database, night + timedelta(minutes=1), 95.0, story)
    assert {row.send_after for row in deliveries(database)[3:]} == {night + timedelta(minutes=1)}


def test_a_rise_answers_the_first_message_and_is_more_urgent(database: Database, now: datetime) -> None:
    subscribe(database, now)
    story = tell(database, now, 45.0)
    tell(database, now + HOUR, 85.0, story)
    first, rise = deliveries(database)
    assert (first.replies_to_id, first.rank) == (None, -Level.WATCH)
    assert (rise.replies_to_id, rise.rank) == (first.id, -Level.CRITICAL)


def test_a_confirmation_edits_the_message_of_those_who_were_told_and_costs_no_budget(
    database: Database, now: datetime
) -> None:
    told = subscribe(database, now, daily_budget=1)
    subscribe(database, now, level_escalation=3)
    story = tell(database, now, 65.0, status="claimed")
    sent(database)
    tell(database, now + HOUR, 65.0, story)
    first, edit = deliveries(database)
    assert (edit.subscriber_id, edit.edits_id, edit.replies_to_id) == (told, first.id, None)
    with database.read() as session:
        assert [alert.kind for alert in session.exec(select(Alert))] == [AlertKind.NEW, AlertKind.CONFIRMED]
    assert "CONFIRMED" in edit.message["title"]


def test_later_sources_change_the_message_without_a_sound_and_cost_no_budget(database: Database, now: datetime) -> None:
    told, stopped = subscribe(database, now), subscribe(database, now)
    story = tell(database, now, 65.0)
    sent(database)
    tell(database, now + HOUR, 65.0, story)
    sent(database)
    with database.write() as session:
        session.get_one(Subscriber, stopped).state = SubscriberState.STOPPED
    for hours in range(2, 6):  # 3, 4, 5 and 6 sources
        tell(database, now + hours * HOUR, 65.0, story)
    *_, confirmed, _, edit = deliveries(database)
    assert (edit.subscriber_id, edit.edits_id, edit.alert_id) == (told, confirmed.id, None)
    assert (edit.priority, edit.send_after) == (int(Priority.UPDATE), now + 2 * HOUR)
    assert "5 independent sources (updated" in edit.message["plain"]
    assert edit.message["title"] == confirmed.message["title"]
    with database.read() as session:
        assert alerts_sent_since(session, now - HOUR, 1)[told] == 1


def test_later_sources_stand_in_a_message_that_waits_and_a_correction_ends_what_waits_of_them(
    database: Database, now: datetime
) -> None:
    night = now.replace(hour=22)
    subscribe(database, night, quiet_from="22:00", quiet_until="07:00")
    subscribe(database, night)
    story = tell(database, night, 65.0)
    with database.write() as session:
        awake = session.get_one(Delivery, 2)
        awake.state, awake.message_id = DeliveryState.SENT, 77
    tell(database, night + HOUR, 65.0, story)
    with database.write() as session:
        edited = session.get_one(Delivery, 3)
        edited.state, edited.message_id = DeliveryState.SENT, 77
    tell(database, night + HOUR, 65.0, story)
    held, *_, edit = deliveries(database)
    assert edit.priority == int(Priority.UPDATE)
    assert all("3 independent sources (updated" in row.message["plain"] for row in (held, edit))
    take_back(database, story, night + 2 * HOUR)
    *_, edit, retraction = deliveries(database)
    assert (edit.state, edit.error) == (DeliveryState.FAILED, "the story was corrected before")
    assert "RETRACTED" in retraction.message["title"]


def test_a_retraction_answers_the_message_it_takes_back(database: Database, now: datetime) -> None:
    subscribe(database, now)
    story = tell(database, now, 65.0)
    sent(database)
    with database.write() as session:
        old = session.exec(select(Reading)).one()
        old.latest = False
        facts = old.model_dump(exclude={"id"}) | {"revision": 1, "escalation": 3.0, "latest": True}
        session.add(Reading(**facts))
        session.get_one(Story, story).changed = True
    for minutes in (1, 2):
        with database.write() as session:
            session.get_one(Story, story).changed = True
            raise_alerts(session, SETTINGS, now + timedelta(minutes=minutes))
    first, correction = deliveries(database)
    assert (correction.replies_to_id, correction.edits_id) == (first.id, None)
    assert "RETRACTED" in correction.message["title"]


def test_a_correction_of_what_still_waits_changes_that_message_and_never_overtakes_it(
    database: Database, now: datetime
) -> None:
    night = now.replace(hour=22)
    subscribe(database, night, quiet_from="22:00", quiet_until="07:00")
    story = tell(database, night, 65.0, status="claimed")
    tell(database, night + HOUR, 65.0, story)
    (held,) = deliveries(database)
    assert held.state == "waiting" and "CONFIRMED" in held.message["title"]
    take_back(database, story, night + 2 * HOUR)
    (held,) = deliveries(database)
    assert (held.state, held.error) == ("failed", "retracted before it was sent")


def take_back(database: Database, story: int, at: datetime) -> None:
    """The reports are rewritten, and alerts are raised."""
    with database.write() as session:
        for reading in session.exec(select(Reading)).all():
            reading.latest = False
            facts = reading.model_dump(exclude={"id"}) | {"revision": 1, "escalation": 3.0, "latest": True}
            session.add(Reading(**facts))
        session.get_one(Story, story).changed = True
        raise_alerts(session, SETTINGS, at)


def test_the_retraction_of_what_may_have_arrived_is_told_and_the_alert_not_repeated(
    database: Database, now: datetime
) -> None:
    subscribe(database, now)
    story = tell(database, now, 65.0)
    with database.write() as session:
        session.exec(select(Delivery)).one().lost_answers = 1
    take_back(database, story, now + HOUR)
    alert, retraction = deliveries(database)
    assert (alert.state, alert.error) == ("uncertain", "retracted before it was sent")
    assert (retraction.state, retraction.replies_to_id) == ("waiting", alert.id)
    assert "RETRACTED" in retraction.message["title"]


def test_ten_stories_of_a_pair_within_the_hour_ring_once(database: Database, now: datetime) -> None:
    subscribe(database, now, daily_budget=50)
    for minute in range(10):
        tell(database, now + timedelta(minutes=minute), 65.0)
    assert len(deliveries(database)) == 1
    with database.write() as session:
        raise_alerts(session, SETTINGS, now + timedelta(minutes=61))
    with database.read() as session:
        kept = session.exec(select(Suppression).where(Suppression.reason == SuppressionReason.COOL_DOWN)).all()
    assert len(kept) == 9


clock = st.times().map(lambda moment: f"{moment:%H:%M}")


@given(clock, clock, st.integers(0, 5_000_000), st.sampled_from(["UTC", "Asia/Tehran", "America/New_York"]))
def test_what_is_held_is_held_less_than_a_day_and_released_outside_of_quiet_hours(
    begins: str, ends: str, minutes: int, zone: str
) -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    released = end_of_quiet_hours(begins, ends, zone, now)
    assert now <= released <= now + timedelta(hours=25)
    if begins != ends:
        assert end_of_quiet_hours(begins, ends, zone, released) == released
