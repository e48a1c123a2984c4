"""Which articles are one story."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from bot.pipeline.cluster import gather_stories, load_index
from bot.pipeline.story_index import Entry, StoryIndex, story_words
from config.schema import Stories
from models import Reading, Story
from models.database import Database
from tests.rows import add_feed, add_reading

SETTINGS = Stories()
KIND = {"troop_buildup": 0.9}
PARTIES = [{"code": "VARNIA", "name": "Varnia"}, {"code": "KESTRIA", "name": "Kestria"}]


def stories_of(database: Database, *titles: str, at: list[datetime], **values: object) -> list[int | None]:
    """Store one reading per title, gather, and return each one's story."""
    with database.write() as session:
        feed = add_feed(session, at[0])
        for title, moment in zip(titles, at, strict=True):
            add_reading(session, feed, moment, title, 60.0, **values)
    with database.write() as session:
        gather_stories(session, StoryIndex(), SETTINGS)
    with database.read() as session:
        return list(session.exec(select(Reading.story_id).order_by(Reading.id)).all())  # type: ignore[arg-type]


def test_two_tellings_of_one_event_are_one_story(sqlite_database: Database, now: datetime) -> None:
    first, second = stories_of(
        sqlite_database,
        "Varnia moves troop trains toward Kestrian border, satellite images show",
        "Satellite photos reveal Varnian troop trains near the border with Kestria",
        at=[now, now + timedelta(hours=2)],
        signals=KIND,
        actors=PARTIES,
    )
    assert first == second is not None


def test_other_events_between_the_same_parties_stay_apart(sqlite_database: Database, now: datetime) -> None:
    titles = [
        "Varnia moves troop trains toward Kestrian border",
        "Hackers take two Kestrian banks offline",
        "Kestria expels four Varnian diplomats",
    ]
    stories = stories_of(sqlite_database, *titles, at=[now] * 3, actors=PARTIES)
    assert len(set(stories)) == 3


def test_the_same_words_after_the_window_are_a_new_story(sqlite_database: Database, now: datetime) -> None:
    title = "Varnia moves troop trains toward Kestrian border"
    later = now + timedelta(hours=SETTINGS.window_hours + 1)
    first, second = stories_of(sqlite_database, title, title, at=[now, later])
    assert first != second


def test_headlines_of_one_act_are_one_story_though_few_words_coincide(sqlite_database: Database, now: datetime) -> None:
    titles = [
        "Blast tears through arms depot outside Tarn",
        "Night of explosions at ammunition depot, Tarn residents told to stay indoors until morning",
    ]
    filler = [f"Minister {name} opens a harbour" for name in ("Orla", "Pell", "Quist", "Rown")]
    first, *_, last = stories_of(sqlite_database, titles[0], *filler, titles[1], at=[now] * 6, actors=PARTIES)
    assert first == last


@pytest.mark.parametrize(
    ("feeds", "hours", "together"),
    [(2, 0, True), (2, SETTINGS.window_hours + 1, False), (1, 0, False)],
    ids=["in two feeds", "in two feeds, long after", "another entry of one feed: a live page"],
)
def test_one_page_is_one_story_in_two_feeds_within_the_window(
    sqlite_database: Database, now: datetime, feeds: int, hours: float, together: bool
) -> None:
    page = "https://news.example/one"
    with sqlite_database.write() as session:
        first = add_feed(session, now)
        second = add_feed(session, now) if feeds == 2 else first
        add_reading(session, first, now, "Shells fall on Havrin", 60.0, canonical_url=page)
        later = now + timedelta(hours=hours)
        add_reading(session, second, later, "Envoys discuss grain exports", 60.0, canonical_url=page)
    with sqlite_database.write() as session:
        gather_stories(session, StoryIndex(), SETTINGS)
        stories = {reading.story_id for reading in session.exec(select(Reading))}
    assert (len(stories) == 1) is together


def test_text_that_bears_on_nothing_opens_no_story(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.write() as session:
        add_reading(session, add_feed(session, now), now, "Rovers win the cup", 3.0)
    with sqlite_database.write() as session:
        assert gather_stories(session, StoryIndex(), SETTINGS) == 1
        assert gather_stories(session, StoryIndex(), SETTINGS) == 0
        assert session.exec(select(Story)).all() == []


def test_an_edit_stays_in_the_story_of_the_article(sqlite_database: Database, now: datetime) -> None:
    index = StoryIndex()
    with sqlite_database.write() as session:
        reading = add_reading(session, add_feed(session, now), now, "Blast heard in Ostrel", 50.0)
        gather_stories(session, index, SETTINGS)
        reading.latest = False
        edited = Reading(**reading.model_dump(exclude={"id"}) | {"revision": 1, "latest": True, "gathered": False})
        edited.story_id, edited.title = None, "Gas leak blamed: no missile, says fire service"
        session.add(edited)
        session.flush()
        gather_stories(session, index, SETTINGS)
        assert edited.story_id == reading.story_id


def test_an_index_rebuilt_after_a_restart_gives_the_same_stories(sqlite_database: Database, now: datetime) -> None:
    title = "Varnia moves troop trains toward Kestrian border"
    (first,) = stories_of(sqlite_database, title, at=[now])
    with sqlite_database.write() as session:
        add_reading(session, add_feed(session, now), now + timedelta(hours=1), title + ", images show", 60.0)
        gather_stories(session, load_index(session, SETTINGS), SETTINGS)
        assert {reading.story_id for reading in session.exec(select(Reading))} == {first}


words = st.lists(st.sampled_from(["troops", "border", "talks", "truce", "shells", "envoy", "port"]), min_size=1)


@settings(max_examples=60)
@given(st.lists(words, min_size=1, max_size=12))
def test_the_same_articles_in_the_same_order_give_the_same_matches(texts: list[list[str]]) -> None:
    now = datetime.fromisoformat("2026-03-12T09:30:00+00:00")

    def run() -> list[tuple[int, float] | None]:
        index, out = StoryIndex(), []
        for number, text in enumerate(texts):
            entry = Entry(number + 1, now, story_words(" ".join(text), ""))
            match = index.best_match(entry, timedelta(hours=72))
            out.append((match.story_id, match.similarity) if match else None)
            index.add(number, entry)
        return out

    assert run() == run()
    assert all(match is None or 0.0 <= match[1] <= 1.2 for match in run())


def test_a_forgotten_article_leaves_nothing_behind_in_the_index(now: datetime) -> None:
    index = StoryIndex()
    index.add(1, Entry(1, now, story_words("troops at the border", "")))
    index.forget_before(now + timedelta(seconds=1))
    assert len(index) == 0
    assert index.best_match(Entry(2, now, story_words("troops at the border", "")), timedelta(hours=72)) is None
