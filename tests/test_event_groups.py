"""The event groups are what the corpus's README says, and share no headline with what stories are measured with."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.labelled_stories import read_story_set
from benchmarks.measure import read_jsonl
from classifiers.event_groups import EVENT_GROUPS, read_event_groups
from config.errors import ModelError

RECORDS = [record for path in sorted(EVENT_GROUPS.glob("*.jsonl")) for record in read_jsonl(path)]


def words(title: str) -> str:
    return " ".join(re.findall(r"\w+", title.casefold()))


def test_every_record_names_week_event_hour_and_title_and_a_near_event_of_the_same_week() -> None:
    weeks = defaultdict(set)
    for record in RECORDS:
        assert record.keys() <= {"week", "event", "near", "hours", "title", "lead"}
        assert isinstance(record["hours"], int) and len(record["title"].split()) >= 3
        weeks[record["event"]].add(record["week"])
    assert [event for event, found in weeks.items() if len(found) > 1] == []
    for record in RECORDS:
        assert record["near"] is None or weeks[record["near"]] == {record["week"]}, record["event"]


def test_no_headline_stands_in_the_stories_that_are_measured() -> None:
    measured = {words(one.title) for one in read_story_set()}
    assert [record["title"] for record in RECORDS if words(record["title"]) in measured] == []


def test_the_events_of_a_week_compete_and_each_is_told_more_than_once(tmp_path: Path) -> None:
    told = [
        {"week": "a", "event": "raid", "title": "Raid on the port"},
        {"week": "a", "event": "raid", "title": "Port raided", "lead": "At dawn."},
        {"week": "a", "event": "once", "title": "Told but once"},
        {"week": "a", "event": "talks", "title": "Talks open in Kessara"},
        {"week": "a", "event": "talks", "title": "Envoys sit down in Kessara"},
        {"week": "alone", "event": "only", "title": "Nothing competes with this"},
        {"week": "alone", "event": "only", "title": "Nothing vies with this"},
    ]
    (tmp_path / "some.jsonl").write_text("\n".join(map(json.dumps, told)), encoding="utf-8")
    assert read_event_groups(tmp_path) == [
        {
            "raid": ["Raid on the port", "Port raided. At dawn."],
            "talks": ["Talks open in Kessara", "Envoys sit down in Kessara"],
        }
    ]


@pytest.mark.parametrize("line", ["{", "[]", '{"week": "a"}', "3"])
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "some.jsonl").write_text(f'{{"week": "a", "event": "b", "title": "c"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(ModelError, match=r"some\.jsonl:2: no headline of an event"):
        read_event_groups(tmp_path)
