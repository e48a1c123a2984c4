"""A natural mix of articles in, how fast they are read, gathered and decided on, and in how much memory, out.

    python -m benchmarks reading [--articles 1000] [--out-of-scope 0.7]

An article is a headline, a summary and five sentences of the project's own texts, no text used twice as far as they
reach. First the classifier alone, in batches as the pipeline hands them over; then the stages after fetching, through
the App and SQLite.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, islice

from rich.table import Table

from benchmarks.measure import START, Collector, console, machine, peak_mb, progress, read_texts, scratch_app
from bot.app import App, Summary
from bot.demo.play import SimulatedClock
from bot.pipeline.classify import read_new_articles
from classifiers.classifier import Classifier, load_classifier
from classifiers.judgement import Document
from models import Article, Feed, Outlet

BATCH = 200
SENTENCES = 5
FEEDS = 40


def compose(count: int, out_of_scope: float) -> list[Document]:
    """`count` articles, `out_of_scope` of them (0-1) about everyday matters, evenly mixed."""
    texts = read_texts()
    everyday, in_scope = cycle(texts.everyday), cycle(texts.in_scope)
    return [_article(everyday if _is_everyday(at, out_of_scope) else in_scope) for at in range(count)]


def _is_everyday(at: int, share: float) -> bool:
    return int((at + 1) * share) > int(at * share)


def _article(words: Iterator[str]) -> Document:
    title, summary, *sentences = islice(words, 2 + SENTENCES)
    return Document(title, summary, " ".join(sentences), START, "Outlet")


def judge_all(classifier: Classifier, documents: Sequence[Document]) -> float:
    """Seconds to read all documents in batches."""
    start = time.perf_counter()
    with progress("classifier alone", len(documents)) as advance:
        for at in range(0, len(documents), BATCH):
            advance(len(classifier.judge(documents[at : at + BATCH])))
    return time.perf_counter() - start


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds to store readings, and then to find stories and raise alerts; how much came of it."""

    read_s: float
    decide_s: float
    summary: Summary


async def through_stages(classifier: Classifier, documents: Sequence[Document]) -> Stages:
    """The stages from stored articles to alerts, as the App runs them."""
    async with scratch_app(SimulatedClock(START), senders={Outlet.TERMINAL: Collector()}) as app:
        app.classifier = classifier
        _store(app, documents)
        start = time.perf_counter()
        with progress("read, gather, decide", len(documents)) as advance:
            while count := read_new_articles(app.database, classifier, START):
                advance(count)
            read = time.perf_counter()
            summary = await app.read()  # all is read by now: what is left is gathering and deciding
        return Stages(read - start, time.perf_counter() - read, summary)


def _store(app: App, documents: Sequence[Document]) -> None:
    """The articles as ingest leaves them, spread over three days and FEEDS feeds."""
    with app.database.write() as session:
        feeds = [
            Feed(url=f"https://outlet-{at}.example/", publisher=f"Outlet {at}", next_fetch_at=START)
            for at in range(FEEDS)
        ]
        session.add_all(feeds)
        session.flush()
        for at, document in enumerate(documents):
            moment = START - timedelta(hours=72) * (1 - at / len(documents))
            session.add(
                Article(
                    feed_id=feeds[at % FEEDS].id,
                    entry_key=str(at),
                    url=f"https://news.example/{at}",
                    canonical_url=f"https://news.example/{at}",
                    title=document.title,
                    summary=document.summary,
                    text=document.text,
                    content_hash=str(at),
                    news_at=moment,
                    seen_at=moment,
                )
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=1000, help="1 to 20000")
    parser.add_argument("--out-of-scope", type=float, default=0.7, help="share of everyday articles, 0 to 1")
    given = parser.parse_args()
    documents = compose(min(given.articles, 20_000), given.out_of_scope)
    table = Table("what", "figure", title_justify="left", title=f"{len(documents):,} articles")
    table.add_row("memory before the model is loaded", f"{peak_mb():.0f} MB")
    start = time.perf_counter()
    classifier = load_classifier()
    table.add_row("load the model", f"{time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    first = classifier.judge(documents[:1])
    table.add_row("the first article alone", f"{1000 * (time.perf_counter() - start):.0f} ms")
    table.add_row("memory with the model", f"{peak_mb():.0f} MB")
    seconds = judge_all(classifier, documents)
    table.add_row("classifier alone", f"{len(documents) / seconds:.0f} articles/s")
    stages = asyncio.run(through_stages(classifier, documents))
    table.add_row("read: classifier and database", f"{len(documents) / stages.read_s:.0f} articles/s")
    what = f"gather, decide ({stages.summary.alerts} alerts)"
    table.add_row(what, f"{len(documents) / stages.decide_s:.0f} articles/s")
    table.add_row("read, gather, decide", f"{len(documents) / (stages.read_s + stages.decide_s):.0f} articles/s")
    table.add_row("peak memory", f"{peak_mb():.0f} MB")
    screen = console()
    screen.print(table)
    screen.print(f"model {first[0].model}; {machine()}")


if __name__ == "__main__":
    main()
