"""An archive of short articles in, what it costs to live through it out: articles/s, statements and CPU an article.

    python -m benchmarks replay [--articles 2000] [--per-day 300] [--seed 1]

The archive is written as a file and lived through as `python -m bot replay FILE` does it: read, cleaned, classified,
stored, gathered and decided on in steps of half an hour, on SQLite. An article is a headline, a summary and five
sentences of the project's own texts; two thirds are about everyday matters, the rest tell of events in one to four
articles each, by different outlets within a day. Some link the page that another outlet links, some the one page of a
running report. Only the rate is wall time. CPU time is that of the process: `stories` and `decisions` are what the
stage's functions take in the thread that lives through the archive, `rest` what else that thread does (storing,
commits), `reading` all the remainder: the file, cleaning, the classifier in its threads, and storing what it read.
"""

import argparse
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import Engine, event

from benchmarks.measure import START, console, machine, peak_mb, read_texts
from bot.commands.options import teller
from bot.pipeline.classify import Judge
from bot.replay import engine
from bot.replay.archive import read_archive
from bot.replay.engine import Replayed
from classifiers.classifier import load_classifier
from classifiers.judgement import Document
from config.schema import Settings

SENTENCES, PASSAGES = 5, 7
OUTLETS = 40
EVERYDAY = 0.66  # of all articles
MOST_COPIES = 4
SAME_PAGE, LIVE_PAGE = 0.1, 0.05  # of the articles about an event
LIVE_URL = "https://news.example/live"
#: What the engine calls for each stage while it lives through an archive.
STAGES = {
    "unread_articles": "reading",
    "store_readings": "reading",
    "gather_stories": "stories",
    "raise_alerts": "decisions",
    "raise_tempo": "decisions",
}
Line = dict[str, str]


@dataclass(frozen=True, slots=True)
class Cost:
    """What living through an archive took: seconds, CPU seconds by stage, SQL statements and transactions written."""

    seconds: float
    cpu_s: dict[str, float]
    statements: int
    commits: int
    lived: Replayed


def compose(count: int, per_day: float, seed: int) -> list[Line]:
    """`count` articles in order of time, so many a day; the same ones for the same seed."""
    rng = random.Random(seed)
    texts = read_texts(seed)
    everyday = cycle(texts.everyday)
    lines: list[Line] = []
    wanted = round(count * EVERYDAY)
    while len(lines) < wanted:
        lines.append(_line(rng, list(islice(everyday, PASSAGES)), _moment(rng, count, per_day)))
    events = _events(rng, cycle(texts.in_scope), count, per_day)
    lines += islice(events, count - len(lines))
    lines.sort(key=lambda line: line["published"])
    return [line | {"id": str(number)} for number, line in enumerate(lines)]


def _events(rng: random.Random, sentences: Iterator[str], count: int, per_day: float) -> Iterator[Line]:
    while True:
        told = list(islice(sentences, PASSAGES + 2))
        first = _moment(rng, count, per_day)
        page = f"https://news.example/{rng.getrandbits(40)}"
        for copy in range(rng.randint(1, MOST_COPIES)):
            line = _line(rng, rng.sample(told, PASSAGES), first + copy * timedelta(hours=rng.uniform(0, 8)))
            chance = rng.random()
            if chance < SAME_PAGE + LIVE_PAGE:
                line["url"] = page if chance < SAME_PAGE else LIVE_URL
            yield line


def _moment(rng: random.Random, count: int, per_day: float) -> datetime:
    return START + timedelta(days=rng.uniform(0, count / per_day))


def _line(rng: random.Random, words: Sequence[str], published: datetime) -> Line:
    title, summary, *sentences = words
    return {
        "title": title,
        "summary": summary,
        "text": " ".join(sentences),
        "url": f"https://news.example/{rng.getrandbits(40)}",
        "source": f"Outlet {rng.randrange(OUTLETS)}",
        "published": published.isoformat(timespec="seconds"),
    }


def live_through(lines: Sequence[Line], judge: Judge, tell: engine.Tell) -> Cost:
    """Replay the articles as from a file, with the shipped settings."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder, _clocked() as spent, _counted() as counts:
        path = Path(folder) / "archive.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        start, cpu = time.perf_counter(), time.process_time()
        prepared = engine.prepare(read_archive(path), judge, tell)
        living = time.thread_time()
        lived = engine.replay(prepared, Settings(), tell)
        living = time.thread_time() - living
        seconds, total = time.perf_counter() - start, time.process_time() - cpu
    cpu_s = {
        "reading": total - living + spent["reading"],
        "stories": spent["stories"],
        "decisions": spent["decisions"],
        "rest": living - sum(spent.values()),
    }
    return Cost(seconds, cpu_s, counts["statements"], counts["commits"], lived)


@contextmanager
def _clocked() -> Iterator[defaultdict[str, float]]:
    """CPU seconds that the stages of the engine take the thread they run in meanwhile."""
    spent: defaultdict[str, float] = defaultdict(float)

    def clocked(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            start = time.thread_time()
            try:
                return work(*args, **options)
            finally:
                spent[stage] += time.thread_time() - start

        return run

    plain = {name: getattr(engine, name) for name in STAGES}
    for name, stage in STAGES.items():
        setattr(engine, name, clocked(stage, plain[name]))
    try:
        yield spent
    finally:
        for name, work in plain.items():
            setattr(engine, name, work)


@contextmanager
def _counted() -> Iterator[defaultdict[str, int]]:
    """Statements sent to any database meanwhile (many rows at once are one), and commits."""
    counts: defaultdict[str, int] = defaultdict(int)

    def statement(*_: Any) -> None:
        counts["statements"] += 1

    def commit(*_: Any) -> None:
        counts["commits"] += 1

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", commit)
    try:
        yield counts
    finally:
        event.remove(Engine, "before_cursor_execute", statement)
        event.remove(Engine, "commit", commit)


def report(count: int, cost: Cost) -> Table:
    """The figures, an article."""
    table = Table("", "", box=None, show_header=False)
    table.columns[1].justify = "right"
    table.add_row("lived through", f"{count:,} articles, {cost.lived.days:.1f} days")
    table.add_row("stories, alerts", f"{cost.lived.stories:,}, {len(cost.lived.alerts):,}")
    table.add_row("rate", f"{count / cost.seconds:.0f} articles/s")
    table.add_row("statements an article", f"{cost.statements / count:.1f}")
    table.add_row("commits", f"{cost.commits}")
    table.add_row("CPU an article", f"{sum(cost.cpu_s.values()) / count * 1000:.1f} ms")
    for stage, seconds in cost.cpu_s.items():
        table.add_row(f"  {stage}", f"{seconds / count * 1000:.1f} ms")
    table.add_row("peak memory", f"{peak_mb():.0f} MB")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=2000)
    parser.add_argument("--per-day", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the archive to FILE and do nothing else")
    given = parser.parse_args()
    lines = compose(given.articles, given.per_day, given.seed)
    if given.write:
        given.write.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
        return
    classifier = load_classifier()
    classifier.judge([Document(lines[0]["title"])])  # what loads at first use is not the archive's
    with Progress(console=Console(stderr=True), transient=True) as bars:
        cost = live_through(lines, classifier, teller(bars))
    screen = console()
    screen.print(report(given.articles, cost))
    screen.print(f"model {classifier.version}; {machine()}")


if __name__ == "__main__":
    main()
