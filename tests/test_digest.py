"""The weekly digest: due once a week, also after downtime, never twice, with a chart."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from bot.messages.chart import Day, week_chart
from bot.messages.message import Message
from bot.notices import enqueue_all
from bot.pipeline.digest import compose_digest, daily_tension, send_due_digests, week_facts
from config.schema import ActorEntry, Actors, Settings
from models import Alert, Article, Delivery, Digest, Direction, Priority, Story, Subscriber, SubscriberState
from models.database import Database
from models.story import StoryStatus
from tests.rows import add_feed, add_reading, add_subscriber, statements

SETTINGS = Settings()
MONDAY = datetime.fromisoformat("2026-03-16T08:00:00+00:00")
PNG = b"\x89PNG\r\n\x1a\n"


def subscribe(database: Database, due: datetime = MONDAY, **values: object) -> int:
    with database.write() as session:
        return add_subscriber(session, MONDAY - timedelta(days=20), digest_due_at=due, **values).id


def queued(database: Database) -> list[Delivery]:
    with database.read() as session:
        return list(session.exec(select(Delivery).order_by(Delivery.id)).all())  # type: ignore[arg-type]


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
        facts = week_facts(session, SETTINGS, MONDAY - timedelta(days=7), MONDAY)
        assert len(session.exec(select(Article)).all()) == 2
    assert [line.title for line in facts.escalating] == ["Armour masses"]
    assert [line.title for line in facts.easing] == ["Truce signed"]
    assert [line.note for line in facts.contested] == ["disputed: ceasefire"]
    assert (facts.articles, facts.articles_before, facts.alerts["critical"]) == (1, 1, 1)
    assert (facts.pairs[0].escalation, facts.pairs[0].escalation_before) == (88, 20)


def test_a_days_tension_is_the_mean_of_its_five_loudest_stories(database: Database) -> None:
    since = MONDAY - timedelta(days=7)
    with database.write() as session:
        feed = add_feed(session, since)
        for number, score in enumerate((100.0, 50.0)):
            story = Story(title=str(number), first_seen_at=since, last_seen_at=since)
            session.add(story)
            session.flush()
            for telling in (score, score / 2):  # a second, milder report of the same story adds nothing
                add_reading(session, feed, since + timedelta(hours=30), "x", telling, story_id=story.id)
    with database.read() as session:
        days = daily_tension(session, since, MONDAY)
    assert [round(day.escalation) for day in days] == [0, 30, 0, 0, 0, 0, 0]


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
        message, _chart = compose_digest(session, settings, MONDAY)
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
        message, _chart = compose_digest(session, SETTINGS, until)
    ((days, title),) = drawn
    span = f"{days[0].day:%d %b} to {days[-1].day:%d %b %Y}"
    assert span == "09 Mar to 15 Mar 2026"
    assert message.plain.startswith(f"🗓 Week of {span}\n")
    assert message.title.endswith(span) and title == f"Tension, {span}"


def test_a_chart_is_a_picture_as_wide_as_a_phone() -> None:
    days = [Day((MONDAY + timedelta(days=n)).date(), 10.0 * n, 5.0 * n) for n in range(7)]
    picture = week_chart(days, [], "Tension")
    assert picture[:8] == PNG
    assert int.from_bytes(picture[16:20]) == 1080
