"""Which articles are one story."""

import math
import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlmodel import select

from bot.pipeline.cluster import gather_stories, load_index
from bot.pipeline.story_index import POSTINGS, Entry, Match, StoryIndex
from bot.pipeline.story_words import story_words
from classifiers.classifier import load_classifier
from classifiers.judgement import ActorEntry, Document
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
    """As the shipped model reads them, and with nothing else in the window."""
    titles = [
        "Varnia moves troop trains toward Kestrian border",
        "Hackers take two Kestrian banks offline",
        "Kestria expels four Varnian diplomats",
        "Satellite photos reveal Varnian troop trains near the border with Kestria",
    ]
    parties = [ActorEntry("VARNIA", "Varnia", ("Varnian",)), ActorEntry("KESTRIA", "Kestria", ("Kestrian",))]
    judged = load_classifier(extra_actors=parties).judge([Document(title) for title in titles])
    with sqlite_database.write() as session:
        feed = add_feed(session, now)
        for title, one in zip(titles, judged, strict=True):
            read: Any = {"signals": dict(one.signals), "actors": one.to_dict()["actors"], "event": one.event}
            add_reading(session, feed, now, title, 60.0, **read)
        gather_stories(session, StoryIndex(), SETTINGS)
        stories = session.exec(select(Reading.story_id).order_by(Reading.id)).all()  # type: ignore[arg-type]
    assert len(set(stories[:3])) == 3
    assert stories[3] == stories[0]


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


def test_news_that_comes_days_late_still_finds_its_story(sqlite_database: Database, now: datetime) -> None:
    title, index = "Varnia moves troop trains toward Kestrian border", StoryIndex()
    found = []
    for when, words in ((0.0, title), (SETTINGS.window_hours, "Cholera in Port Orla"), (1.0, title + ", images show")):
        with sqlite_database.write() as session:
            reading = add_reading(session, add_feed(session, now), now + timedelta(hours=when), words, 60.0)
            gather_stories(session, index, SETTINGS)
            found.append(reading.story_id)
    assert found[0] == found[2] != found[1]


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
            match = surest(index, entry, timedelta(hours=72))
            out.append((match.story_id, match.sure) if match else None)
            index.add(number, entry)
        return out

    assert run() == run()
    assert all(match is None or 0.0 <= match[1] <= 1.0 for match in run())


def test_a_forgotten_article_leaves_nothing_behind_in_the_index(now: datetime) -> None:
    index = StoryIndex()
    index.add(1, Entry(1, now, story_words("troops at the border", "")))
    index.forget_before(now + timedelta(seconds=1))
    assert len(index) == 0
    assert surest(index, Entry(2, now, story_words("troops at the border", "")), timedelta(hours=72)) is None


def surest(index: StoryIndex, new: Entry, window: timedelta) -> Match | None:
    return next(iter(index.matches(new, window)), None)


def entry_of_corpus(rng: random.Random, story_id: int, moment: datetime) -> Entry:
    """Words with the frequencies of a language: the n-th most frequent one in n (Zipf)."""
    ranks = {int(math.exp(rng.uniform(0.0, math.log(20_000)))) for _ in range(30)}
    return Entry(story_id, moment, {f"word{rank}": 1.0 for rank in ranks})


def work_of_a_look_up(stored: int, now: datetime) -> tuple[float, float]:
    """Holders of words looked at, and articles compared, for each new article with `stored` ones in the window."""
    rng, index, looks = random.Random(stored), StoryIndex(), 50
    for number in range(stored):
        index.add(number, entry_of_corpus(rng, number // 3, now - number * timedelta(hours=72) / stored))
    for _ in range(looks):
        surest(index, entry_of_corpus(rng, 0, now), timedelta(hours=72))
    return index.work.holders / looks, index.work.compared / looks


def test_ten_times_the_articles_in_the_window_cost_a_look_up_no_more(now: datetime) -> None:
    (few_holders, few_compared), (holders, compared) = (work_of_a_look_up(stored, now) for stored in (1_000, 10_000))
    assert few_holders > 200  # or nothing was looked at in the first place
    assert holders <= 1.5 * few_holders
    assert compared <= 1.5 * few_compared


def test_of_many_articles_with_the_same_words_the_newest_are_found(now: datetime) -> None:
    index, hour = StoryIndex(), timedelta(hours=1)
    words = story_words("Shells fall on Havrin", "")
    for number in range(10 * POSTINGS):
        rare = words if number % 5 == 0 else {f"other{number}": 1.0}
        index.add(number, Entry(number, now - 60 * hour if number < 9 * POSTINGS else now, rare))
    match = surest(index, Entry(0, now, words), 72 * hour)
    assert match is not None
    assert match.story_id >= 9 * POSTINGS


def test_the_order_in_which_articles_were_indexed_does_not_matter(now: datetime) -> None:
    """After a restart they come in another order than they came in before."""
    rng = random.Random(1)
    entries = [(number, entry_of_corpus(rng, number, now)) for number in range(2 * POSTINGS)]
    new = [entry_of_corpus(rng, 0, now) for _ in range(20)]

    def matches(order: list[tuple[int, Entry]]) -> list[tuple[int, float] | None]:
        index = StoryIndex()
        for number, entry in order:
            index.add(number, entry)
        found = [surest(index, one, timedelta(hours=72)) for one in new]
        return [(match.story_id, match.sure) if match else None for match in found]

    assert matches(entries) == matches(rng.sample(entries, len(entries)))


def test_no_query_for_a_story_walks_through_the_archive(sqlite_database: Database, now: datetime) -> None:
    seen: dict[str, Any] = {}

    def note(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        seen.setdefault(statement, values)

    with sqlite_database.write() as session:
        feed = add_feed(session, now)
        for title in ("Shells fall on Havrin", "Shells fall on Havrin again", "Kestria expels four Varnian diplomats"):
            add_reading(session, feed, now, title, 60.0)
    event.listen(sqlite_database.engine, "before_cursor_execute", note)
    with sqlite_database.write() as session:
        gather_stories(session, StoryIndex(), SETTINGS)
        load_index(session, SETTINGS)
    event.remove(sqlite_database.engine, "before_cursor_execute", note)
    asked = {statement: values for statement, values in seen.items() if statement.startswith(("SELECT", "UPDATE"))}
    assert len(asked) > 5
    with sqlite_database.engine.connect() as connection:
        for statement, values in asked.items():
            steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
            assert not [step for step in steps if step.startswith("SCAN")], (statement, steps)
