"""Two stories that turn out to tell of one event: what becomes of all that belongs to them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, delete, select

from bot.pipeline.cluster import gather_stories, load_index
from bot.pipeline.decide import raise_alerts
from bot.pipeline.label_queue import next_doubt
from bot.pipeline.merge import ASKED, TOLD_APART, Said, any_taken_back, may_be_one, merge, said_of
from bot.pipeline.retain import forget_old
from bot.pipeline.sequence import heard_of
from bot.pipeline.story_index import StoryIndex
from config.schema import Alerts, Articles, Stories
from models import (
    Alert,
    AlertKind,
    Delivery,
    DeliveryState,
    Direction,
    Level,
    Priority,
    Reading,
    Story,
    StoryStatus,
    SubscriberState,
    Suppression,
    SuppressionReason,
    Verdict,
    VerdictKind,
)
from models.database import Database
from models.story import find_story
from tests.rows import add_feed, add_reading, add_subscriber

SETTINGS = Alerts(stories=Stories(single_source_factor=1.0))
HOUR = timedelta(hours=1)


def tell(session: Session, at: datetime, score: float, **values: Any) -> Story:
    """A story with one article, judged and told."""
    story = Story(title=f"at {at:%H:%M}", first_seen_at=at, last_seen_at=at)
    session.add(story)
    session.flush()
    facts = {"dyad": "RU-UA", "signals": {"troop_buildup": 0.9}} | values
    add_reading(session, add_feed(session, at), at, "Troops", score, story_id=story.id, gathered=True, **facts)
    raise_alerts(session, SETTINGS, at)
    return story


def kept(story: Story, at: datetime, **values: Any) -> Suppression:
    common = {"direction": Direction.ESCALATION, "level": 1, "reason": SuppressionReason.REPEAT, "score": 50.0}
    return Suppression(story_id=story.id, first_at=at, last_at=at, **common | values)


def test_the_younger_becomes_the_older_with_all_it_has_and_leads_to_it(database: Database, now: datetime) -> None:
    with database.write() as session:
        add_subscriber(session, now)
        older, younger = tell(session, now, 45.0), tell(session, now + 2 * HOUR, 70.0)
        session.add_all([kept(older, now), kept(younger, now + HOUR, score=60.0), kept(younger, now, subscriber_id=7)])
        session.flush()
        merge(session, younger, older)
        numbers = older.id, younger.id
    with database.read() as session:
        older, younger = (session.get_one(Story, number) for number in numbers)
        assert {reading.story_id for reading in session.exec(select(Reading))} == {older.id}
        assert {alert.story_id for alert in session.exec(select(Alert))} == {older.id}
        rows = {row.subscriber_id: row for row in session.exec(select(Suppression))}
        assert {row.story_id for row in rows.values()} == {older.id}
        assert (rows[0].times, rows[0].score, rows[0].last_at) == (2, 60.0, now + HOUR)
        assert (older.peak_escalation, older.told(Direction.ESCALATION)) == (70.0, Level.WARNING)
        assert older.last_told_at == now + 2 * HOUR and older.changed
        assert find_story(session, younger.id) == older == find_story(session, older.id)
        assert (younger.peak_escalation, younger.told_escalation, younger.changed) == (0, 0, False)


def test_a_trace_leads_through_several_merges_to_the_story_that_is_left(database: Database, now: datetime) -> None:
    with database.write() as session:
        first, second, third = (tell(session, now + hours * HOUR, 10.0) for hours in range(3))
        merge(session, third, second)
        merge(session, second, first)
        assert find_story(session, third.id) is first
        assert find_story(session, third.id + 100) is None


@pytest.mark.parametrize(("early", "late"), [(45.0, 70.0), (70.0, 45.0), (70.0, 70.0), (90.0, 45.0)])
def test_nothing_that_either_told_rings_again(database: Database, now: datetime, early: float, late: float) -> None:
    with database.write() as session:
        add_subscriber(session, now)
        older, younger = tell(session, now, early), tell(session, now + 2 * HOUR, late)
        before = len(session.exec(select(Alert)).all())
        assert before == 2
        merge(session, younger, older)
        assert raise_alerts(session, SETTINGS, now + 3 * HOUR) <= 1  # a confirmation
        rang = [alert for alert in session.exec(select(Alert)) if alert.kind in ("new", "raised", "eased")]
        assert len(rang) == 2
        assert raise_alerts(session, SETTINGS, now + 4 * HOUR) == 0


def test_who_was_told_the_younger_alone_hears_its_correction(database: Database, now: datetime) -> None:
    with database.write() as session:
        older = tell(session, now, 70.0)
        chat = add_subscriber(session, now + HOUR)
        younger = tell(session, now + 2 * HOUR, 70.0)
        (told,) = session.exec(select(Delivery)).all()
        told.state = DeliveryState.SENT
        merge(session, younger, older)
        raise_alerts(session, SETTINGS, now + 3 * HOUR)
        correction = session.exec(select(Delivery).where(Delivery.edits_id == told.id)).one()
        assert correction.subscriber_id == chat.id
        button = session.exec(select(Alert).where(Alert.story_id == younger.id)).one()  # in the message that is there
        assert find_story(session, button.story_id) is older
        assert told.alert_id == button.id  # for its reasons and for counts of what was told


def all_there(session: Session) -> None:
    for row in session.exec(select(Delivery).where(Delivery.state == DeliveryState.WAITING)):
        row.state = DeliveryState.SENT
    session.flush()


@pytest.mark.parametrize(
    ("early", "late", "sent_first", "goes"),
    [
        (45.0, 70.0, False, [1]),
        (70.0, 45.0, False, [0]),
        (70.0, 70.0, False, [1]),
        (70.0, 70.0, True, []),
        (45.0, 70.0, True, [1]),
    ],
    ids=["later is louder", "earlier is louder", "as loud", "told as loud before", "told less before"],
)
def test_one_message_that_waits_tells_a_chat_of_both(
    database: Database, now: datetime, early: float, late: float, sent_first: bool, goes: list[int]
) -> None:
    with database.write() as session:
        add_subscriber(session, now)
        older = tell(session, now, early)
        if sent_first:
            all_there(session)
        younger = tell(session, now + 2 * HOUR, late)
        merge(session, younger, older)
        session.expire_all()
        rows = session.exec(select(Delivery).order_by(Delivery.id)).all()
        assert [number for number, row in enumerate(rows) if row.state == DeliveryState.WAITING] == goes
        ended = [row.error for row in rows if row.state == DeliveryState.FAILED]
        assert ended == ["told by another story that turned out to be the same"] * (2 - sent_first - len(goes))


def test_a_change_that_waits_for_a_message_of_the_younger_ends_and_the_next_judgement_makes_it(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        older = tell(session, now, 70.0)
        add_subscriber(session, now)
        younger = tell(session, now + HOUR, 70.0)
        all_there(session)
        (told,) = session.exec(select(Delivery)).all()
        common = {"subscriber_id": told.subscriber_id, "alert_id": None, "send_after": now, "created_at": now}
        key = f"update:{younger.id}:1:2:3"
        waits = Delivery(key=key, edits_id=told.id, priority=Priority.UPDATE, **common)
        session.add(waits)
        merge(session, younger, older)
        session.refresh(waits)
        assert waits.state == DeliveryState.FAILED
        last = session.exec(select(Alert).order_by(Alert.id.desc())).first()
        assert last is not None and last.facts[TOLD_APART]


def test_a_chat_that_was_told_another_status_than_the_last_has_its_message_changed(
    database: Database, now: datetime
) -> None:
    """The older as somebody's word to one chat, the younger as confirmed to another; it stays confirmed."""
    with database.write() as session:
        first = add_subscriber(session, now)
        older = tell(session, now, 70.0)
        first.state = SubscriberState.STOPPED
        second = add_subscriber(session, now)
        younger = Story(title="x", first_seen_at=now + HOUR, last_seen_at=now + HOUR)
        session.add(younger)
        session.flush()
        for _ in range(3):
            feed, facts = add_feed(session, now), {"dyad": "RU-UA", "signals": {"troop_buildup": 0.9}}
            add_reading(session, feed, now + HOUR, "Troops", 70.0, story_id=younger.id, gathered=True, **facts)
        raise_alerts(session, SETTINGS, now + HOUR)
        assert (older.status, younger.status) == (StoryStatus.UNCONFIRMED, StoryStatus.CONFIRMED)
        all_there(session)
        first.state = SubscriberState.ACTIVE
        merge(session, younger, older)
        assert raise_alerts(session, SETTINGS, now + 2 * HOUR) == 0
        edits = session.exec(select(Delivery).where(Delivery.priority == Priority.UPDATE)).all()
        assert {row.subscriber_id for row in edits} == {first.id, second.id}
        assert all("nconfirmed" not in str(row.message["plain"]) for row in edits)
        older.changed = True
        raise_alerts(session, SETTINGS, now + 3 * HOUR)  # once
        assert len(session.exec(select(Delivery).where(Delivery.priority == Priority.UPDATE)).all()) == 2


def test_what_was_taken_back_is_never_made_one_with_another(database: Database, now: datetime) -> None:
    with database.write() as session:
        one, other = tell(session, now, 45.0), tell(session, now + HOUR, 45.0)
        assert not any_taken_back(session, one, other)
        told = session.exec(select(Alert).where(Alert.story_id == one.id)).one()
        values = {"direction": told.direction, "level": 1, "score": 5.0, "rule": "r", "created_at": now}
        session.add(Alert(story_id=one.id, kind=AlertKind.RETRACTED, **values))
        assert any_taken_back(session, one, other) and any_taken_back(session, other, one)
        other.status = StoryStatus.RETRACTED
        assert any_taken_back(session, other)


def test_a_verdict_on_an_alert_that_both_told_reaches_the_label_queue(database: Database, now: datetime) -> None:
    with database.write() as session:
        add_subscriber(session, now)
        older, younger = tell(session, now, 70.0), tell(session, now + HOUR, 70.0)
        merge(session, younger, older)
        twin = session.exec(select(Alert).where(Alert.story_id == younger.id)).one()
        session.add(Verdict(kind=VerdictKind.WRONG, text="Troops", alert_id=twin.id, created_at=now))
        session.flush()
        doubt, _ = next_doubt(session, now, set())
        assert doubt is not None and doubt.why == "called wrong"


def test_what_was_told_of_a_part_is_heard_of_the_whole_after_several_merges(database: Database, now: datetime) -> None:
    with database.write() as session:
        chat = add_subscriber(session, now)
        stories = []
        for hours in range(3):
            stories.append(tell(session, now + hours * HOUR, 70.0))
            all_there(session)
        first, second, third = stories
        merge(session, third, second)
        merge(session, second, first)
        session.expire_all()
        assert third.merged_into == first.id and third.whole_id == first.id == first.whole_id
        assert len(heard_of(session, first.id)[chat.id]) == 3


def test_a_trace_is_gone_with_its_story_and_keeps_it_while_its_alert_is_needed(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        add_subscriber(session, now)
        older, younger = tell(session, now, 70.0), tell(session, now + HOUR, 70.0)
        merge(session, younger, older)
        twin = session.exec(select(Alert).where(Alert.story_id == younger.id)).one()
        later = now + timedelta(days=99)
        twin.created_at = later
        forget_old(session, Articles(retention_days=30), later)
        assert {story.id for story in session.exec(select(Story))} == {older.id, younger.id}
        twin.created_at = now
        for row in session.exec(select(Delivery)):
            row.state = DeliveryState.SENT
        session.flush()
        forget_old(session, Articles(retention_days=30), later)
        assert session.exec(select(Story)).all() == []


def test_no_trace_outlives_its_story(database: Database, now: datetime) -> None:
    with database.write() as session:
        older, younger = tell(session, now, 10.0), tell(session, now + HOUR, 10.0)
        merge(session, younger, older)
        session.execute(delete(Story).where(Story.id == older.id))
        session.expire_all()
        assert session.exec(select(Story.id)).all() == []


def test_of_a_long_story_only_the_last_readings_are_asked(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.write() as session:
        story = tell(session, now, 10.0)
        feed = add_feed(session, now)
        for _ in range(ASKED):
            add_reading(session, feed, now, "Talks", story_id=story.id, gathered=True, dyad="IL-IR")
        asked = said_of(session, story)
        assert len(asked) == ASKED and {said.dyad for said in asked} == {"IL-IR"}


def said(dyad: str | None = None, up: float = 60.0, down: float = 20.0, *signals: str) -> Said:
    return Said(dyad, up, down, frozenset(signals))


RISES, EASES = said("RU-UA"), said("RU-UA", 20.0, 60.0)


@pytest.mark.parametrize(
    ("ones", "others", "may"),
    [
        ([said()], [said()], True),
        ([RISES], [said()], True),
        ([RISES], [said("IL-IR")], False),
        ([RISES], [EASES], False),
        ([RISES, RISES, said("IL-IR", 20.0, 60.0)], [said("RU-UA", 60.0, 60.0)], True),
        ([said(None, 60, 20, "threat")], [said(None, 60, 20, "expulsion")], False),
        ([said(None, 60, 20, "threat"), RISES], [said(None, 60, 20, "expulsion", "threat")], True),
        ([said(None, 60, 20, "threat")], [said()], True),
        ([], [EASES], True),
    ],
    ids=["no pair", "one pair", "two pairs", "two ways", "the commonest pair and way", "two kinds", "a kind in both",
         "a kind in one", "nothing said"],
)  # fmt: skip
def test_stories_of_other_pairs_ways_or_kinds_are_never_one(ones: list[Said], others: list[Said], may: bool) -> None:
    assert may_be_one(ones, others) is may is may_be_one(others, ones)


def test_of_one_reading_that_nobody_was_told_of_only_the_pair_is_asked() -> None:
    threat, expulsion = said("RU-UA", 60, 20, "threat"), said("RU-UA", 20, 60, "expulsion")
    assert not may_be_one([threat], [expulsion])
    assert may_be_one([threat], [expulsion], told=False) and may_be_one([threat, threat], [expulsion], told=False)
    assert not may_be_one([threat] * 2, [expulsion] * 2, told=False)
    assert not may_be_one([threat], [said("IL-IR")], told=False)


HALVES = ("Blast at arms depot in Tarn", "Explosions shake harbour district, residents told to stay indoors")
BRIDGE = "Explosions and blast at arms depot in Tarn shake harbour district, residents told to stay indoors"
PARTIES = [{"code": "VARNIA", "name": "Varnia"}, {"code": "KESTRIA", "name": "Kestria"}]


def gathered(
    database: Database, now: datetime, *titles: str, dyads: Sequence[str] = ("RU-UA",) * 3
) -> list[int | None]:
    """Store and gather one after the other; the story of each in the end."""
    index = StoryIndex()
    with database.write() as session:
        feed, readings = add_feed(session, now), list[Reading]()
        for number, (title, dyad) in enumerate(zip(titles, dyads, strict=False)):
            at = now + number * HOUR
            readings.append(add_reading(session, feed, at, title, 60.0, actors=PARTIES, dyad=dyad))
            gather_stories(session, index, SETTINGS.stories)
        return [reading.story_id for reading in readings]


def test_an_article_that_may_join_two_stories_that_are_alike_makes_them_one(
    sqlite_database: Database, now: datetime
) -> None:
    assert len(set(gathered(sqlite_database, now, *HALVES))) == 2
    assert len(set(gathered(sqlite_database, now + 200 * HOUR, *HALVES, BRIDGE))) == 1


def test_stories_of_two_pairs_stay_apart_whatever_bridges_them(sqlite_database: Database, now: datetime) -> None:
    assert len(set(gathered(sqlite_database, now, *HALVES, BRIDGE, dyads=("RU-UA", "IL-IR", "IL-IR")))) == 2


def test_what_comes_after_a_merge_joins_the_story_that_is_left(sqlite_database: Database, now: datetime) -> None:
    stories = gathered(sqlite_database, now, *HALVES, BRIDGE)
    with sqlite_database.write() as session:
        later = add_reading(session, add_feed(session, now), now + 4 * HOUR, HALVES[1], 60.0, actors=PARTIES)
        gather_stories(session, load_index(session, SETTINGS.stories), SETTINGS.stories)  # as after a restart
        assert {later.story_id} == set(stories)


def test_a_merged_story_is_neither_disputed_nor_judged(database: Database, now: datetime) -> None:
    with database.write() as session:
        older, younger = tell(session, now, 45.0), tell(session, now + HOUR, 45.0)
        younger.status, younger.contested, younger.told_contested = StoryStatus.CONTESTED, ["ceasefire"], True
        merge(session, younger, older)
        assert (younger.status, younger.told_contested, older.told_contested) == (StoryStatus.UNCONFIRMED, False, True)
        raise_alerts(session, SETTINGS, now + 2 * HOUR)
        assert (younger.articles, younger.changed, younger.level_escalation) == (0, False, 0)
