"""Who hears an alert, when, and as an answer to what: filters, quiet hours, corrections; against a real database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from bot.calendar import end_of_quiet_hours
from bot.pipeline.decide import raise_alerts
from bot.pipeline.fold import fold_old_news
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


def test_a_rise_answers_the_last_message_that_was_sent_and_is_more_urgent(database: Database, now: datetime) -> None:
    subscribe(database, now)
    story = tell(database, now, 45.0)
    for hours, score in ((1, 65.0), (2, 85.0)):
        sent(database)
        tell(database, now + hours * HOUR, score, story)
    first, second, third = deliveries(database)
    assert [row.replies_to_id for row in (first, second, third)] == [None, first.id, second.id]
    assert [row.rank for row in (first, second, third)] == [-Level.WATCH, -Level.WARNING, -Level.CRITICAL]


NIGHT = {"quiet_from": "22:00", "quiet_until": "07:00", "timezone": "UTC"}


@pytest.mark.parametrize("rise", [65.0, 95.0], ids=["held too", "breaks through"])
def test_of_a_story_that_rises_while_it_is_held_only_the_newest_is_told(
    database: Database, now: datetime, rise: float
) -> None:
    night = now.replace(hour=22)
    subscribe(database, night, **NIGHT)
    story = tell(database, night, 45.0)
    tell(database, night + HOUR, rise, story)
    held, newest = deliveries(database)
    assert (held.state, held.error) == ("failed", "overtaken by a later alert of the story (raised)")
    assert (newest.state, newest.replies_to_id) == ("waiting", None)
    assert (newest.send_after == night + HOUR) is (rise > 80)


def test_a_rise_at_night_ends_what_is_held_and_answers_what_was_sent_before(database: Database, now: datetime) -> None:
    night = now.replace(hour=22)
    subscribe(database, night, **NIGHT)
    story = tell(database, night - HOUR, 45.0)
    sent(database)
    tell(database, night, 65.0, story)
    tell(database, night + HOUR, 95.0, story)
    first, held, rise = deliveries(database)
    assert (held.state, rise.replies_to_id) == ("failed", first.id)


def test_a_rise_that_a_chat_is_not_told_of_ends_nothing(database: Database, now: datetime) -> None:
    night = now.replace(hour=22)
    chat = subscribe(database, night, **NIGHT)
    story = tell(database, night, 45.0)
    with database.write() as session:
        session.get_one(Subscriber, chat).signals = ["threat"]
    tell(database, night + HOUR, 65.0, story)
    assert [row.state for row in deliveries(database)] == ["waiting"]


def test_an_easing_held_with_the_alert_it_answers_goes_after_it(database: Database, now: datetime) -> None:
    night = now.replace(hour=22)
    subscribe(database, night, **NIGHT)
    story = tell(database, night, 45.0)
    tell(database, night + 4 * HOUR, 0.0, story, deescalation=70.0)
    alert, easing = deliveries(database)
    assert (alert.state, easing.replies_to_id) == ("waiting", alert.id)
    assert (alert.send_after, alert.rank) == (easing.send_after, easing.rank)


def test_an_easing_that_breaks_through_ends_what_would_be_told_after_it(database: Database, now: datetime) -> None:
    night = now.replace(hour=22)
    subscribe(database, night, **NIGHT)
    story = tell(database, night, 45.0)
    tell(database, night + 4 * HOUR, 0.0, story, deescalation=95.0)
    alert, easing = deliveries(database)
    assert (alert.state, easing.replies_to_id) == ("failed", None)


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
    *_, edit, retraction, shown = deliveries(database)
    assert (edit.state, edit.error) == (DeliveryState.FAILED, "the story was corrected before")
    assert "RETRACTED" in retraction.message["title"]
    assert shown.edits_id == edited.id


def test_a_retraction_answers_the_message_it_takes_back_and_changes_it_without_a_sound(
    database: Database, now: datetime
) -> None:
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
    first, correction, shown = deliveries(database)
    assert (correction.replies_to_id, correction.edits_id) == (first.id, None)
    assert (shown.edits_id, shown.priority, shown.message["silent"]) == (first.id, int(Priority.UPDATE), True)
    assert all("RETRACTED" in row.message["title"] for row in (correction, shown))


def test_a_retraction_ends_all_that_waits_of_its_story(database: Database, now: datetime) -> None:
    night = now.replace(hour=22)
    subscribe(database, night, **NIGHT)
    story = tell(database, night, 45.0)
    tell(database, night + 4 * HOUR, 0.0, story, deescalation=70.0)
    take_back(database, story, night + 5 * HOUR)
    assert [(row.state, row.error) for row in deliveries(database)] == [("failed", "retracted before it was sent")] * 2


def test_a_retraction_keeps_quiet_hours_and_the_message_is_changed_at_once(database: Database, now: datetime) -> None:
    night = now.replace(hour=22)
    subscribe(database, night, **NIGHT)
    story = tell(database, night - HOUR, 65.0)
    sent(database)
    take_back(database, story, night)
    _, retraction, shown = deliveries(database)
    assert retraction.send_after == retraction.due_at == night.replace(hour=7, minute=0) + timedelta(days=1)
    assert shown.send_after == night


@pytest.mark.parametrize("arrived", [True, False], ids=["told", "not told"])
def test_a_retraction_about_a_pair_muted_since_makes_no_sound_and_only_where_it_was_told(
    database: Database, now: datetime, arrived: bool
) -> None:
    chat = subscribe(database, now)
    story = tell(database, now, 65.0)
    if arrived:
        sent(database)
    with database.write() as session:
        session.get_one(Subscriber, chat).muted_dyads = ["RU-UA"]
    take_back(database, story, now + HOUR)
    _, *after = deliveries(database)
    assert [row.message["silent"] for row in after] == [True, True] * arrived


def dispute(database: Database, at: datetime, story: int) -> None:
    """Two parties contradict each other about the story."""
    claim = {"signal": "troop_buildup", "sentence": "..."}
    claims = [claim | {"claimant": "NATO", "stance": "affirm"}, claim | {"claimant": "Varnia", "stance": "deny"}]
    tell(database, at, 5.0, story, claims=claims)


def test_a_contradiction_is_told_to_those_who_were_told_and_to_nobody_else_whatever_their_budget(
    database: Database, now: datetime
) -> None:
    told = subscribe(database, now, daily_budget=1)
    subscribe(database, now, level_escalation=3)
    story = tell(database, now, 65.0)
    sent(database)
    dispute(database, now + 4 * HOUR, story)
    first, disputed = deliveries(database)
    assert (disputed.subscriber_id, disputed.replies_to_id) == (told, first.id)
    assert "DISPUTED" in disputed.message["title"]
    with database.read() as session:
        assert alerts_sent_since(session, now - HOUR, 1)[told] == 1


def test_a_contradiction_of_what_is_held_is_told_in_its_place_when_quiet_hours_end(
    database: Database, now: datetime
) -> None:
    night = now.replace(hour=22)
    subscribe(database, night, **NIGHT)
    story = tell(database, night, 65.0)
    dispute(database, night + 4 * HOUR, story)
    held, disputed = deliveries(database)
    assert (held.state, disputed.replies_to_id) == ("failed", None)
    assert disputed.send_after == held.send_after


def fold(database: Database, at: datetime) -> Delivery:
    """Telegram was away; the summary of what it missed."""
    fold_old_news(database, at, 24 * HOUR)
    return next(row for row in deliveries(database) if row.key.startswith("missed:"))


def test_a_rise_of_what_only_a_summary_told_answers_the_summary(database: Database, now: datetime) -> None:
    subscribe(database, now)
    story = tell(database, now, 45.0)
    summary = fold(database, now + 25 * HOUR)
    with database.write() as session:
        session.get_one(Delivery, summary.id).state = DeliveryState.SENT
    tell(database, now + 26 * HOUR, 65.0, story)
    assert deliveries(database)[-1].replies_to_id == summary.id


def test_a_rise_does_not_wait_for_a_summary_that_telegram_has_not_taken(database: Database, now: datetime) -> None:
    subscribe(database, now)
    story = tell(database, now, 45.0)
    fold(database, now + 25 * HOUR)
    tell(database, now + 26 * HOUR, 95.0, story)
    assert deliveries(database)[-1].replies_to_id is None


def test_a_correction_of_what_a_summary_told_answers_the_summary_and_leaves_its_text(
    database: Database, now: datetime
) -> None:
    subscribe(database, now)
    story = tell(database, now, 65.0, status="claimed")
    summary = fold(database, now + 25 * HOUR)
    with database.write() as session:
        session.get_one(Delivery, summary.id).state = DeliveryState.SENT
    tell(database, now + 26 * HOUR, 65.0, story)
    sent(database)
    take_back(database, story, now + 27 * HOUR)
    *_, confirmed, retracted, shown = deliveries(database)
    assert (confirmed.replies_to_id, confirmed.edits_id, confirmed.message["silent"]) == (summary.id, None, True)
    assert (retracted.replies_to_id, shown.edits_id) == (confirmed.id, confirmed.id)


def test_what_is_taken_back_leaves_a_summary_that_waits_and_an_empty_one_ends(
    database: Database, now: datetime
) -> None:
    subscribe(database, now, daily_budget=9)
    stories = [tell(database, now + 2 * hours * HOUR, 65.0) for hours in (0, 1)]
    summary = fold(database, now + 27 * HOUR)
    assert "2 alerts" in summary.message["title"]
    take_back(database, stories[0], now + 28 * HOUR, story_only=True)
    assert "1 alert " in fold(database, now + 28 * HOUR).message["title"]
    take_back(database, stories[1], now + 28 * HOUR, story_only=True)
    ended = fold(database, now + 28 * HOUR)
    assert (ended.state, ended.error) == ("failed", "retracted before it was sent")
    assert len(deliveries(database)) == 3


def test_a_status_that_turns_back_changes_the_message_without_a_sound(database: Database, now: datetime) -> None:
    subscribe(database, now)
    story = tell(database, now, 65.0)
    sent(database)
    dispute(database, now + 4 * HOUR, story)
    sent(database)
    with database.write() as session:
        for reading in session.exec(select(Reading)):
            reading.claims = []
        session.get_one(Story, story).changed = True
        raise_alerts(session, SETTINGS, now + 5 * HOUR)
    *_, disputed, over = deliveries(database)
    assert over.edits_id == disputed.id
    assert "no longer disputed" in over.message["title"] or "CONFIRMED" in over.message["title"]


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


def take_back(database: Database, story: int, at: datetime, story_only: bool = False) -> None:
    """The reports are rewritten, and alerts are raised."""
    with database.write() as session:
        readings = session.exec(select(Reading).where(col(Reading.latest))).all()
        for reading in [each for each in readings if each.story_id == story or not story_only]:
            reading.latest = False
            facts = reading.model_dump(exclude={"id"}) | {"revision": 1, "escalation": 3.0, "latest": True}
            session.add(Reading(**facts | {"deescalation": 0.0}))
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
