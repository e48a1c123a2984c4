"""The bundled month, whose articles name their event -> how well stories match events, beside simpler rules."""

import json
from collections import defaultdict
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
from bot.pipeline.cluster import MOST_TWINS, WORTH_A_STORY, kept_for
from bot.pipeline.cluster import entry_of as indexed
from bot.pipeline.merge import Said, may_be_one, sure_enough
from bot.pipeline.story_index import Entry, StoryIndex, story_words
from classifiers.classifier import load_classifier
from classifiers.judgement import Document, Judgement
from config.load import load_settings
from config.schema import Stories
from models import Reading

SWEEP = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)


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
    index, settings, stories = StoryIndex(), Stories().model_copy(update={"same_event": least}), list[int]()
    window, said = timedelta(hours=settings.window_hours), defaultdict[int, list[Said]](list)
    for number, one in enumerate(articles, 1):
        entry = entries(one)
        matches = [match for match in index.matches(entry, window) if match.sure >= least]
        story = matches[0].story_id if matches else number
        index.add(number, replace(entry, story_id=story))
        stories.append(story)
        dyad = "-".join(one.judged.dyad) if one.judged.dyad else None
        said[story].append(Said(dyad, one.judged.escalation, one.judged.deescalation, entry.signals))
        enough = sure_enough(settings)
        for other in matches[1 : 1 + MOST_TWINS]:
            alike = other.sure >= enough and index.alike(story, other.story_id, window) >= enough
            if alike and may_be_one(said[story], said[other.story_id]):
                older, younger = sorted((story, other.story_id))
                index.merge(younger, older)
                said[older] += said.pop(younger)
                stories, story = [older if each == younger else each for each in stories], older
        index.forget_before(one.at - kept_for(settings))
    return list(stories)


def by(least: float) -> Callable[[Sequence[Told]], list[Hashable]]:
    """The shipped rule at another sureness."""
    return lambda articles: gather(articles, entry_of, least)


def best_of(articles: Sequence[Told], entries: Callable[[Told], Entry]) -> list[Hashable]:
    """The best a rule can do on this month at any sureness of the sweep: a comparison that favours it."""
    events = [one.event for one in articles]
    return max((gather(articles, entries, value) for value in SWEEP), key=lambda stories: b_cubed(events, stories).f1)


if __name__ == "__main__":
    main()
