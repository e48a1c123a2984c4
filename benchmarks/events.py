"""The bundled month, whose articles name their event -> how well stories match events, beside simpler rules."""

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.agreement import b_cubed
from bot.demo.newsroom import SAMPLE
from bot.model_shelf import extra_actors
from bot.pipeline.classify import LEAD_CHARS, OPENING_CHARS
from bot.pipeline.cluster import WORTH_A_STORY, kept_for
from bot.pipeline.cluster import entry_of as indexed
from bot.pipeline.merge import Said, may_be_one
from bot.pipeline.story_index import Entry, StoryIndex
from bot.pipeline.story_words import story_words
from classifiers.classifier import load_classifier
from classifiers.judgement import Document, Judgement
from config.load import load_settings
from config.schema import Stories
from models import Reading

SWEEP = (0.15, 0.22, 0.3, 0.4, 0.5, 0.6, 0.8)


@dataclass(frozen=True, slots=True)
class Told:
    """One article, the event it tells of, and what the classifier makes of it, and of its title alone."""

    event: str
    title: str
    summary: str
    text: str
    at: datetime
    judged: Judgement
    title_judged: Judgement


def main() -> None:
    """Print the table."""
    told = read_month()
    shipped = Stories().same_event
    table = Table(title=f"{len(told)} articles worth a story, {len({one.event for one in told})} events")
    for heading in ("rule", "precision", "recall", "B-cubed F1", "stories"):
        table.add_column(heading, justify="left" if heading == "rule" else "right")
    rules: dict[str, Callable[[Sequence[Told]], list[Hashable]]] = {
        "same title": lambda articles: [one.title.casefold() for one in articles],
        "words of title and summary only": lambda articles: best_of(articles, bare),
        **{f"shipped, sure of {value:.2f}{' *' if value == shipped else ''}": by(value) for value in SWEEP},
        "headlines alone, as sure": lambda articles: gather(articles, headline, shipped),
    }
    for name, rule in rules.items():
        stories = rule(told)
        found = b_cubed([one.event for one in told], stories)
        table.add_row(name, f"{found.precision:.3f}", f"{found.recall:.3f}", f"{found.f1:.3f}", str(len(set(stories))))
    Console(width=100).print(table)


def read_month() -> list[Told]:
    """The sample's articles that open stories, first versions, in the order of their time."""
    records = [json.loads(line) for path in sorted(SAMPLE.glob("*.jsonl")) for line in path.read_text().splitlines()]
    records = sorted((r for r in records if r["kind"] != "edit"), key=lambda r: (r["at"], r["id"]))
    actors = extra_actors(load_settings(SAMPLE).actors)
    documents = [Document(r["title"], r.get("summary", ""), r.get("text", "")) for r in records]
    classifier = load_classifier(extra_actors=actors)
    judged = classifier.judge(documents)
    by_title = classifier.judge([Document(document.title) for document in documents])
    return [
        Told(r["event"], d.title, d.summary, d.text, datetime.fromisoformat(r["at"]), j, t)
        for r, d, j, t in zip(records, documents, judged, by_title, strict=True)
        if max(j.escalation, j.deescalation) >= WORTH_A_STORY
    ]


def entry_of(one: Told) -> Entry:
    """As bot.pipeline.cluster indexes a reading."""
    compared: dict[str, Any] = {
        "title": one.title,
        "lead": one.summary[:LEAD_CHARS],
        "opening": one.text[:OPENING_CHARS],
        "actors": one.judged.to_dict()["actors"],
        "places": list(one.judged.places),
        "signals": one.judged.signals,
        "event": one.judged.event,
        "news_at": one.at,
    }
    return indexed(Reading(**compared))


def bare(one: Told) -> Entry:
    """Words of title and summary, nothing else."""
    return Entry(0, one.at, story_words(one.title, one.summary))


def headline(one: Told) -> Entry:
    """As it would be indexed if its feed gave headlines only."""
    return entry_of(replace(one, summary="", text="", judged=one.title_judged))


def gather(articles: Sequence[Told], entries: Callable[[Told], Entry], least: float) -> list[Hashable]:
    """The story of each article, in order."""
    index, settings, told = StoryIndex(), Stories(), _Untold()
    window = timedelta(hours=settings.window_hours)
    for number, one in enumerate(articles, 1):
        entry = entries(one)
        groups = index.regroup(number, entry, index.matches(entry, window), window, least, told)
        for group in groups:
            story = group.story_id or number + (0 if number in group.articles else len(articles))
            for each in group.articles:
                if each in index:
                    index.move(each, story)
                else:
                    index.add(each, replace(entry, story_id=story))
                told.note(each, story, one if each == number else None, entry)
        index.forget_before(one.at - kept_for(settings))
    return [told.story_of[number] for number in range(1, len(articles) + 1)]


class _Untold:
    """Stories of which no chat was told, and what was said of them."""

    def __init__(self) -> None:
        self.story_of: dict[int, int] = {}
        self._said: dict[int, Said] = {}

    def note(self, article: int, story: int, one: Told | None, entry: Entry) -> None:
        """An article is of this story from now on."""
        self.story_of[article] = story
        if one is not None:
            dyad = "-".join(one.judged.dyad) if one.judged.dyad else None
            self._said[article] = Said(dyad, one.judged.escalation, one.judged.deescalation, entry.signals)

    def is_firm(self, story_id: int) -> bool:
        """None is."""
        return False

    def may_be_one(self, one: int, other: int) -> bool:
        """As bot.pipeline.settle asks."""
        ones, others = ([self._said[a] for a, story in self.story_of.items() if story == each] for each in (one, other))
        return may_be_one(ones, others, told=False)


def by(least: float) -> Callable[[Sequence[Told]], list[Hashable]]:
    """The shipped rule at another sureness."""
    return lambda articles: gather(articles, entry_of, least)


def best_of(articles: Sequence[Told], entries: Callable[[Told], Entry]) -> list[Hashable]:
    """The best a rule can do on this month at any sureness of the sweep: a comparison that favours it."""
    events = [one.event for one in articles]
    return max((gather(articles, entries, value) for value in SWEEP), key=lambda stories: b_cubed(events, stories).f1)


if __name__ == "__main__":
    main()
