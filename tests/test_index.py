"""Tension from stories on a fixed panel, without a look ahead; the command prints, draws, and names other pairs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from bot.app import utc_now
from bot.messages.names import chart_title, party_names
from bot.pipeline.index import DAY, HOUR, LOUDEST, USUAL_STEPS, busiest_pairs, span_before, tension, told_by_panel
from bot.replay.archive import Archive, ArchiveArticle
from bot.replay.engine import prepare, replay
from bot.spans import parse_end
from classifiers.judgement import Document, Judgement
from classifiers.labels import DIRECTIONS, SIGNALS
from config.errors import ConfigError
from config.schema import Actors, Settings
from models import Story
from models.database import Database, open_database
from tests.command_line import Bot, command_line
from tests.rows import add_feed, add_reading

START = datetime(2022, 2, 1, tzinfo=UTC)


def test_a_story_counts_once_a_day_however_many_repeat_it() -> None:
    once = tension([(1, START, 60.0, 10.0)], START, START + DAY, DAY)
    often = tension([(1, START + n * HOUR, 60.0 - n, 10.0) for n in range(9)], START, START + DAY, DAY)
    assert once == often
    assert (once[0].escalation, once[0].deescalation, once[0].balance) == (60 / LOUDEST, 10 / LOUDEST, 50 / LOUDEST)


def test_a_day_is_its_five_loudest_stories() -> None:
    (point,) = tension([(n, START, 10.0 * n, 0.0) for n in range(1, 9)], START, START + DAY, DAY)
    assert (point.escalation, point.stories) == (60.0, 8)


def test_the_usual_level_knows_only_what_came_before() -> None:
    rows = [(day, START + day * DAY, 50.0 if day < USUAL_STEPS else 100.0, 0.0) for day in range(USUAL_STEPS + 2)]
    points = tension(rows, START, START + len(rows) * DAY, DAY)
    assert [point.usual for point in points[:USUAL_STEPS]] == [None] * USUAL_STEPS
    assert points[USUAL_STEPS].usual == points[USUAL_STEPS + 1].usual == 50 / LOUDEST
    shorter = tension(rows[: USUAL_STEPS + 1], START, START + (USUAL_STEPS + 1) * DAY, DAY)
    assert shorter == points[: USUAL_STEPS + 1]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400), st.floats(0, 100), st.floats(0, 100)), max_size=40),
    st.sampled_from([DAY, HOUR]),
)
def test_every_step_has_a_point_within_bounds(rows: list[tuple[int, int, float, float]], step: timedelta) -> None:
    told = [(story, START + hours * HOUR, up, down) for story, hours, up, down in rows]
    points = tension(told, START, START + 400 * HOUR, step)
    assert [point.start for point in points] == [START + n * step for n in range(len(points))]
    assert points[-1].start < START + 400 * HOUR <= points[-1].start + step
    assert all(0 <= point.escalation <= 100 and 0 <= point.deescalation <= 100 for point in points)


def gathered(session: Session, now: datetime, dyad: str, followed: datetime, score: float = 60.0) -> None:
    story = Story(title="s", first_seen_at=now, last_seen_at=now, dyad=dyad, regions=["europe"], peak_escalation=score)
    session.add(story)
    session.flush()
    feed = add_feed(session, now, first_read_at=followed)
    add_reading(session, feed, now, "t", score, story_id=story.id, gathered=True, dyad=dyad)


def test_a_day_shown_stays_when_a_later_article_turns_the_pair_of_its_story(database: Database, now: datetime) -> None:
    since = now - 9 * DAY
    with database.write() as session:
        gathered(session, now - 2 * DAY, "RU-UA", now - 40 * DAY)
        before = tension(told_by_panel(session, since, "RU-UA"), since, now, DAY)
        story = session.exec(select(Story)).one()
        feed = add_feed(session, now, first_read_at=now - 40 * DAY)
        add_reading(session, feed, now - HOUR, "l", 80.0, story_id=story.id, gathered=True, dyad="BY-UA")
        add_reading(session, feed, now - HOUR, "of nobody", 99.0, story_id=story.id, gathered=True)
        story.dyad = "BY-UA"
        session.flush()
        after = tension(told_by_panel(session, since, "RU-UA"), since, now, DAY)
        turned = tension(told_by_panel(session, since, "BY-UA"), since, now, DAY)
    assert after == before
    assert [point.escalation for point in after if point.stories] == [60 / LOUDEST]
    assert [point.escalation for point in turned if point.stories] == [80 / LOUDEST]


def test_only_feeds_followed_before_the_span_count(database: Database, now: datetime) -> None:
    with database.write() as session:
        gathered(session, now, "RU-UA", now - 40 * DAY)
        gathered(session, now, "RU-UA", now - DAY)
        gathered(session, now, "IL-IR", now - 40 * DAY, 90.0)
    with database.read() as session:
        assert len(told_by_panel(session, now - 9 * DAY, "RU-UA")) == 1
        assert len(told_by_panel(session, now - 9 * DAY, region="europe")) == 2
        assert told_by_panel(session, now - 9 * DAY, region="asia") == []
        assert len(told_by_panel(session, now - 9 * DAY, region="world")) == 2
        assert busiest_pairs(session, now - 9 * DAY, now + HOUR) == ["IL-IR", "RU-UA"]


def test_the_command_prints_draws_and_names_other_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bot: Bot = command_line(tmp_path, monkeypatch, capsys)
    opened = open_database("sqlite:///tocsin.db", utc_now())
    with opened.write() as session:
        gathered(session, utc_now() - HOUR, "RU-UA", utc_now() - 90 * DAY)
    opened.close()
    done = bot("index", "--dyad", "ua-ru", "--plot", "p.png")
    assert done.code == 0, done.err
    assert "Russia – Ukraine, 30d" in done.out and "12" in done.words
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert "pairs in the news: RU-UA" in bot("index", "--dyad", "XX-YY").err


def test_a_charts_title_has_names_where_they_fit_and_codes_where_not() -> None:
    names = party_names(Actors())
    assert chart_title("RU-UA", names, " since 19 Oct") == "Russia – Ukraine since 19 Oct"
    assert chart_title("AE-BA", names, " since 19 Oct") == "AE-BA since 19 Oct"  # United Arab Emirates, Bosnia and ...


def test_a_span_begins_with_the_feeds_of_the_first_day_and_ends_with_the_newest_reading(
    database: Database, now: datetime
) -> None:
    with database.write() as session:
        assert span_before(session, 9 * DAY, None) is None
        for followed in (now - 40 * DAY, now - 40 * DAY + HOUR, now - 3 * DAY):
            gathered(session, now - 2 * DAY, "RU-UA", followed)
        newest = now - 2 * DAY + timedelta(microseconds=1)
        assert span_before(session, 9 * DAY, None) == (newest - 9 * DAY, newest)
        assert span_before(session, 90 * DAY, now) == (now - 40 * DAY + HOUR, now)


def test_a_kept_replay_is_shown_to_its_end_and_from_its_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bot: Bot = command_line(tmp_path, monkeypatch, capsys)
    articles = [
        ArchiveArticle(str(day), f"Russian missiles hit {place}, killing nine", START + day * DAY, f"S{day}")
        for day, place in enumerate(("Kyiv", "Odesa", "Lviv", "Izium"))
    ]
    replay(prepare(Archive(articles), Alarmed(), lambda *_: None), Settings(), lambda *_: None, "sqlite:///tocsin.db")
    done = bot("index", "--dyad", "RU-UA", "--since", "300w")
    assert done.code == 0, done.err
    assert "since 01 Feb 2022 to 04 Feb 2022" in done.words
    assert [day for day in ("Mon 31", "Tue 01", "Wed 02", "Thu 03", "Fri 04", "Sat 05") if day in done.out] == [
        "Tue 01",
        "Wed 02",
        "Thu 03",
        "Fri 04",
    ]
    part = bot("index", "--since", "2d", "--until", "2022-02-03")
    assert "2d to 03 Feb 2022" in part.words and "Wed 02" in part.out and "Fri 04" not in part.out
    assert "no date" in bot("index", "--until", "soon").err
    assert "nothing was read" in bot("index", "--until", "2021-02-03").err


class Alarmed:
    """Reads everything as an attack of one on the other."""

    def judge(self, documents: Sequence[Document]) -> list[Judgement]:
        chances = {name: float(name == "escalation") for name in DIRECTIONS}
        signals = dict.fromkeys(SIGNALS, 0.0)
        one = Judgement(80.0, 0.0, chances, 3, "asserted", signals, dyad=("RU", "UA"), model="alarmed")
        return [one for _ in documents]


def test_a_day_named_as_the_end_counts_whole() -> None:
    assert parse_end("2022-03-01") == datetime(2022, 3, 2, tzinfo=UTC)
    assert parse_end("2022-03-01T12:00+02:00") == datetime(2022, 3, 1, 10, tzinfo=UTC)
    with pytest.raises(ConfigError, match="no date"):
        parse_end("9999-12-31")
