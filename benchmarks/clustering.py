"""The labelled stories read by the shipped model and gathered by the real stage -> how well stories match events.

    python -m benchmarks clustering [--errors FILE] [--fit] [--count-words] [--crises] [--dense]

Each headline is stored as an article of its outlet, read by the shipped classifier and gathered by `gather_stories` one
at a time, in order of time and in five other orders of arrival within each week. What the classifier finds to bear on
no tension opens no story; all rules are measured on the rest. Parameters of ours and of the rivals were chosen on the
tuning half; the test half is measured by itself.
"""

import argparse
import random
import tempfile
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from rich.table import Table
from sqlmodel import Session, col, delete, select, update

from benchmarks.agreement import b_cubed, pairs
from benchmarks.labelled_stories import CRISES, DENSE, Headline, halves, read_second_reader, read_story_set
from benchmarks.measure import console, progress
from benchmarks.rival_stories import (
    best_likeness,
    by_title,
    event_vectors,
    lead_clusters,
    shipped_encoder,
    tf_idf,
    untuned_encoder,
)
from bot.pipeline.classify import read_new_articles
from bot.pipeline.cluster import WORTH_A_STORY, entry_of, gather_stories
from bot.pipeline.likeness import Shared
from bot.pipeline.story_index import StoryIndex
from bot.pipeline.story_words import story_words
from bot.pipeline.word_counts import COUNTED, WordCounts, count_words, write_counts
from classifiers.classifier import load_classifier
from classifiers.corpus_files import read_corpus
from config.errors import ModelError
from config.schema import Stories
from models import Article, Feed, Reading, Story
from models.database import Database, open_database

ORDERS = 5
WINDOW = timedelta(hours=Stories().window_hours)


@dataclass(frozen=True, slots=True)
class Row:
    """One rule on one set of headlines."""

    rule: str
    events: Sequence[Hashable]
    stories: Sequence[Hashable]


@contextmanager
def stored(headlines: Sequence[Headline]) -> Iterator[tuple[Database, dict[int, Headline], str]]:
    """A scratch database in which every headline was read; which reading is whose, and the model's name."""
    classifier = load_classifier()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'bench.db'}", headlines[-1].published)
        with database.write() as session:
            of_article = _store(session, headlines)
        with progress("articles read", len(headlines)) as advance:
            while read := read_new_articles(database, classifier, headlines[-1].published):
                advance(read)
        with database.read() as session:
            readings = session.exec(select(Reading)).all()
        worth = [each for each in readings if max(each.escalation, each.deescalation) >= WORTH_A_STORY]
        yield database, {each.id: of_article[each.article_id] for each in worth}, classifier.version
        database.close()


def _store(session: Session, headlines: Sequence[Headline]) -> dict[int, Headline]:
    feeds: dict[str, Feed] = {}
    out = {}
    for number, one in enumerate(headlines):
        if one.outlet not in feeds:
            feed = Feed(url=f"https://{len(feeds)}.example/", publisher=one.outlet, next_fetch_at=one.published)
            session.add(feed)
            session.flush()
            feeds[one.outlet] = feed
        url = f"https://news.example/{number}"
        article = Article(
            feed_id=feeds[one.outlet].id,
            entry_key=str(number),
            url=url,
            canonical_url=url,
            title=one.title,
            summary=one.lead,
            content_hash=str(number),
            published_at=one.published,
            news_at=one.published,
            seen_at=one.published,
        )
        session.add(article)
        session.flush()
        out[article.id] = one
    return out


def gathered(database: Database, arrivals: Sequence[int], settings: Stories) -> list[Hashable]:
    """The story of each reading when `gather_stories` gets them one by one in this order; nothing is kept."""
    with database.engine.connect() as connection, Session(bind=connection) as session:
        session.execute(update(Reading).values(gathered=True, story_id=None))
        session.execute(delete(Story))
        index = StoryIndex()
        for reading_id in arrivals:
            session.execute(update(Reading).where(Reading.id == reading_id).values(gathered=False))  # type: ignore[arg-type]
            session.expire_all()
            gather_stories(session, index, settings, limit=1)
            session.flush()
        found = dict(session.exec(select(Reading.id, Reading.story_id)).all())
        session.rollback()
    return [found[reading_id] for reading_id in arrivals]


def shuffled(readings: dict[int, Headline], seed: int) -> list[int]:
    """Another order of arrival: any within a week, weeks in order."""
    rng = random.Random(seed)
    return sorted(readings, key=lambda reading_id: (readings[reading_id].week, rng.random()))


def ours(database: Database, readings: dict[int, Headline], settings: Stories) -> Iterator[Row]:
    """The shipped clusterer in order of time, and the worst and the mean of other orders of arrival."""
    orders = {"ours, in order of time": list(readings)}
    orders |= {f"ours, other order {seed}": shuffled(readings, seed) for seed in range(1, ORDERS + 1)}
    with progress("orders of arrival", len(orders)) as advance:
        for name, order in orders.items():
            stories = gathered(database, order, settings)
            advance()
            yield Row(name, [readings[reading_id].story for reading_id in order], stories)


def rivals(headlines: Sequence[Headline], tuning: Sequence[Headline]) -> Iterator[Row]:
    """Simpler rules, each at its best likeness on the tuning half."""
    events = [one.story for one in headlines]
    yield Row("same title", events, by_title(headlines))
    embedders = {"TF-IDF only": lambda: tf_idf, "shipped encoder only, by signal": shipped_encoder}
    embedders |= {"the same, by event": event_vectors, "untuned encoder only": untuned_encoder}
    for name, make in embedders.items():
        try:
            embed = make()
        except ModelError as error:
            console().print(f"left out: {name}: {error}", style="bold red", markup=False)
            continue
        least = best_likeness(tuning, embed([one.text for one in tuning]))
        vectors = embed([one.text for one in headlines])
        yield Row(f"{name} ({least:.2f})", events, lead_clusters(headlines, vectors, least))


def second_reader(headlines: Sequence[Headline]) -> Iterator[Row]:
    """What a careful reader makes of headlines of the labelled weeks, which is as good as labels allow."""
    read = read_second_reader()
    if all(one in read for one in headlines):
        yield Row("a second reader, blind", [one.story for one in headlines], [read[one] for one in headlines])


def table(title: str, rows: Sequence[Row]) -> Table:
    """Precision, recall and F1 of each rule, by articles (B-cubed) and by pairs of articles."""
    out = Table(title=title, title_justify="left")
    headings = ("B-cubed precision", "recall", "F1", "pair precision", "recall", "F1", "stories")
    out.add_column("rule")
    for heading in headings:
        out.add_column(heading, justify="right")
    for row in rows:
        measured = (b_cubed(row.events, row.stories), pairs(row.events, row.stories))
        figures = [f"{value:.3f}" for one in measured for value in (one.precision, one.recall, one.f1)]
        out.add_row(row.rule, *figures, str(len(set(row.stories))))
    return out


def errors(readings: dict[int, Headline], stories: Sequence[Hashable]) -> Iterator[str]:
    """Stories that mix events, and events told in several stories, as text to read."""
    of_story, of_event = defaultdict(list), defaultdict(set)
    for one, story in zip(readings.values(), stories, strict=True):
        of_story[story].append(one)
        of_event[one.story].add(story)
    for story, members in of_story.items():
        if len({one.story for one in members}) > 1:
            yield f"MIXED {story}"
            yield from (f"    {one.story:32} {one.published:%d %H:%M}  {one.title}" for one in members)
    for event, parts in of_event.items():
        if len(parts) > 1:
            yield f"SPLIT {event}"
            for part in parts:
                yield from (f"    {part:5} {one.title}" for one in of_story[part] if one.story == event)


def measure(name: str, headlines: Sequence[Headline], tuning: Sequence[Headline], report: Path | None) -> None:
    """Print the table of one set; write the errors in order of time to `report`."""
    with stored(headlines) as (database, readings, model):
        rows = list(ours(database, readings, Stories()))
    kept = list(readings.values())
    rows += [*rivals(kept, tuning), *second_reader(kept)]
    title = f"{name}: {len(kept)} headlines of {len({one.story for one in kept})} events, model {model}"
    console().print(table(f"{title}; {len(headlines) - len(kept)} more open no story", rows))
    if report:
        report.write_text("\n".join(errors(readings, rows[0].stories)) + "\n", encoding="utf-8")


def labelled_pairs(
    readings: Iterable[Reading], of: dict[int, Headline], vectors: bool
) -> tuple[list[Shared], list[bool]]:
    """What each pair of a week and window shares when the later headline comes; whether both tell of one event."""
    shared, same = list[Shared](), list[bool]()
    indexes = defaultdict[str, StoryIndex](StoryIndex)
    for reading in readings:
        one, index = of[reading.id], indexes[of[reading.id].week]
        entry = entry_of(reading)
        for earlier, pair in index.shared(entry if vectors else replace(entry, event=None), WINDOW).items():
            shared.append(pair)
            same.append(of[earlier].story == one.story)
        index.add(reading.id, entry)
    return shared, same


def words_of_corpus() -> WordCounts:
    """How common each word is in the project's labelled texts."""
    return count_words(story_words(text.text, "") for text in read_corpus().texts)


def fit(tuning: Sequence[Headline]) -> None:
    """Print the weights for bot/pipeline/likeness.py, fitted on pairs of the tuning half, and what they tell apart."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score

    with stored(tuning) as (database, of, model), database.read() as session:
        readings = session.exec(select(Reading).where(col(Reading.id).in_(of)).order_by(col(Reading.id))).all()
        for name, vectors in (("WITH_VECTORS", True), ("WITHOUT_VECTORS", False)):
            shared, same = labelled_pairs(readings, of, vectors)
            fitted = LogisticRegression(C=10.0, max_iter=5000).fit(shared, same)
            precision = average_precision_score(same, fitted.decision_function(shared))
            numbers = ", ".join(f"{weight:.2f}" for weight in fitted.coef_[0])
            console().print(f"{name} = Weights({fitted.intercept_[0]:.2f}, Shared({numbers}))", markup=False)
            told = f"{len(same):,} pairs, {sum(same):,} of one event; average precision {precision:.3f}; model {model}"
            console().print(f"# {told}", markup=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", type=Path, help="write what went wrong in the tuning half to this file")
    parser.add_argument("--fit", action="store_true", help="fit the weights of likeness.py anew and print them")
    parser.add_argument("--count-words", action="store_true", help=f"write {COUNTED.name} anew from the corpus")
    parser.add_argument("--crises", action="store_true", help="measure on many short crises that nothing was fitted on")
    parser.add_argument("--dense", action="store_true", help="measure on weeks as crowded as real ones")
    given = parser.parse_args()
    if given.count_words:
        write_counts(words_of_corpus())
        return
    headlines = read_story_set()
    tuning, test = halves(headlines)
    if given.fit:
        fit(tuning)
        return
    if given.crises:
        measure("Crises", read_story_set(CRISES), tuning, given.errors)
        return
    if given.dense:
        measure("Dense weeks", read_story_set(DENSE), tuning, given.errors)
        return
    measure("Tuning half", tuning, tuning, given.errors)
    measure("Test half", test, tuning, None)
    measure("Both", headlines, tuning, None)


if __name__ == "__main__":
    main()
