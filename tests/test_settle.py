"""Articles that belong elsewhere move between stories, with all that hangs on them."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlmodel import Session, select

from bot.pipeline.cluster import gather_stories, load_index
from bot.pipeline.decide import raise_alerts
from bot.pipeline.story_index import StoryIndex
from config.schema import Alerts, Stories
from models import Reading, Story, StoryStatus
from models.database import Database
from tests.rows import add_feed, add_reading

SETTINGS = Alerts(stories=Stories(single_source_factor=1.0))
HOUR = timedelta(hours=1)
#: Two events and what was told before it was clear which it is of: words in common with none, by their vectors.
FIRST, BETWEEN, SECOND = ("Alpha", (100, 0)), ("Bravo", (60, 80)), ("Charlie", (-20, 98))


def tell(session: Session, at: datetime, what: tuple[str, tuple[int, int]], score: float = 30.0) -> Reading:
    """A reading that waits to be gathered."""
    title, vector = what
    stored = np.array(vector, dtype=np.int8).tobytes()
    return add_reading(session, add_feed(session, at), at, title, score, event=stored)


def gather(session: Session, index: StoryIndex) -> None:
    gather_stories(session, index, SETTINGS.stories)
    session.flush()


def test_an_article_moves_when_its_own_event_is_told_and_both_stories_are_judged_anew(
    database: Database, now: datetime
) -> None:
    index = StoryIndex()
    with database.write() as session:
        first, between = tell(session, now, FIRST, 20.0), tell(session, now + HOUR, BETWEEN, 38.0)
        gather(session, index)
        assert first.story_id == between.story_id
        raise_alerts(session, SETTINGS, now + HOUR)
        story = session.get_one(Story, first.story_id)
        assert (story.peak_escalation, story.last_seen_at, story.changed) == (38.0, now + HOUR, False)
        second = tell(session, now + 2 * HOUR, SECOND)
        gather(session, index)
        session.refresh(between)
        assert first.story_id == story.id != between.story_id == second.story_id
        other = session.get_one(Story, second.story_id)
        assert (story.last_seen_at, story.changed) == (now, True)
        assert (other.first_seen_at, other.last_seen_at, other.changed) == (now + HOUR, now + 2 * HOUR, True)
        raise_alerts(session, SETTINGS, now + 2 * HOUR)
        assert (story.peak_escalation, story.articles, other.peak_escalation, other.articles) == (20.0, 1, 38.0, 2)
        assert index.story_of(between.article_id) == other.id


def test_no_article_leaves_a_story_that_people_were_told_of(database: Database, now: datetime) -> None:
    index = StoryIndex()
    with database.write() as session:
        first, between = tell(session, now, FIRST, 60.0), tell(session, now + HOUR, BETWEEN)
        gather(session, index)
        assert raise_alerts(session, SETTINGS, now + HOUR) == 1
        tell(session, now + 2 * HOUR, SECOND)
        gather(session, index)
        session.refresh(between)
        assert first.story_id == between.story_id


def test_an_edit_follows_its_article(database: Database, now: datetime) -> None:
    index = StoryIndex()
    with database.write() as session:
        tell(session, now, FIRST)
        between = tell(session, now + HOUR, BETWEEN)
        gather(session, index)
        second = tell(session, now + 2 * HOUR, SECOND)
        values = between.model_dump(exclude={"id"}) | {"revision": 1, "latest": True, "gathered": False}
        edit = Reading(**values | {"story_id": None, "news_at": now + 3 * HOUR})
        between.latest = False
        session.add(edit)
        session.flush()
        gather(session, index)  # in one round with what moves the article
        session.refresh(between)
        assert second.story_id == between.story_id == edit.story_id


#: Two headlines too unlike to be one story, and one that is like both.
ONE, OTHER, LIKE_BOTH = ("Alpha", (100, 0)), ("Bravo", (25, 97)), ("Charlie", (79, 61))


@pytest.mark.parametrize("taken_back", [False, True], ids=["nothing speaks against it", "one was taken back"])
def test_a_story_that_keeps_no_article_becomes_part_of_the_other_unless_one_was_taken_back(
    database: Database, now: datetime, taken_back: bool
) -> None:
    index = StoryIndex()
    with database.write() as session:
        first, second = tell(session, now, ONE), tell(session, now + HOUR, OTHER)
        gather(session, index)
        apart = [first.story_id, second.story_id]
        assert len(set(apart)) == 2
        if taken_back:
            session.get_one(Story, first.story_id).status = StoryStatus.RETRACTED
        tell(session, now + 2 * HOUR, LIKE_BOTH)
        gather(session, index)
        for reading in (first, second):
            session.refresh(reading)
        if taken_back:
            assert [first.story_id, second.story_id] == apart
            return
        left = first.story_id
        assert {reading.story_id for reading in session.exec(select(Reading))} == {left}
        (trace,) = session.exec(select(Story).where(Story.id != left)).all()
        assert trace.merged_into == left


def test_what_moved_is_where_it_moved_after_a_restart(database: Database, now: datetime) -> None:
    index = StoryIndex()
    with database.write() as session:
        for hours, what in enumerate((FIRST, BETWEEN, SECOND)):
            tell(session, now + hours * HOUR, what)
            gather(session, index)
    with database.read() as session:
        again = load_index(session, SETTINGS.stories)
        articles = session.exec(select(Reading.article_id)).all()
    assert [again.story_of(each) for each in articles] == [index.story_of(each) for each in articles]
