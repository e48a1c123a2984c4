"""benchmarks/story_set/*.jsonl -> labelled headlines, and two halves of them that share no story and no near miss."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.measure import read_jsonl

STORY_SET = Path(__file__).with_name("story_set")
DENSE = Path(__file__).with_name("dense")  # weeks as crowded as real ones, for the same; no weight is fitted on them
#: How a second reader, who saw no labels, grouped each week: the number of each headline's story, in order of time.
SECOND_READER = Path(__file__).with_name("second_stories.json")
CRISES = Path(__file__).with_name("crises")  # one file each, of seven to nine events; nothing is fitted on them


@dataclass(frozen=True, slots=True)
class Headline:
    """One text and the event it tells of; `near` is the event it is easily taken for, `week` its file's name."""

    story: str
    near: str | None
    outlet: str
    published: datetime
    title: str
    lead: str
    week: str

    @property
    def text(self) -> str:
        """Everything there is to read."""
        return f"{self.title}. {self.lead}" if self.lead else self.title


def read_story_set(folder: Path = STORY_SET) -> list[Headline]:
    """All headlines in order of time."""
    found = [
        Headline(
            story=record["story"],
            near=record["near"],
            outlet=record["outlet"],
            published=datetime.fromisoformat(record["published"]),
            title=record["title"],
            lead=record.get("lead", ""),
            week=path.stem,
        )
        for path in sorted(folder.glob("*.jsonl"))
        for record in read_jsonl(path)
    ]
    return sorted(found, key=lambda one: (one.published, one.story, one.title))


def read_second_reader() -> dict[Headline, tuple[str, int]]:
    """Each headline of the labelled weeks and the story a second reader put it in, who knew the rules and no labels."""
    weeks: dict[str, list[Headline]] = {}
    for one in read_story_set():
        weeks.setdefault(one.week, []).append(one)
    stories = json.loads(SECOND_READER.read_text(encoding="utf-8"))
    return {
        one: (week, number)
        for week, headlines in weeks.items()
        for one, number in zip(headlines, stories[week], strict=True)
    }


def groups_of(headlines: Iterable[Headline]) -> dict[str, str]:
    """Story -> the first id among all stories linked to it by `near`, directly or through others."""
    leader: dict[str, str] = {}

    def first(story: str) -> str:
        while leader.setdefault(story, story) != story:
            story = leader[story]
        return story

    for one in headlines:
        ends = {first(one.story), first(one.near or one.story)}
        for end in ends:
            leader[end] = min(ends)
    return {story: first(story) for story in leader}


def halves(headlines: Sequence[Headline]) -> tuple[list[Headline], list[Headline]]:
    """Half to tune on, half to test on. Each story goes by a hash of its group, so that added stories move none."""
    groups = groups_of(headlines)
    tuning = [one for one in headlines if _heads(groups[one.story])]
    test = [one for one in headlines if not _heads(groups[one.story])]
    return tuning, test


def _heads(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0
