"""The labelled stories are what their README says, and agreement is measured as defined."""

import re
from collections import Counter, defaultdict
from datetime import timedelta
from itertools import pairwise

import pytest

from benchmarks.agreement import b_cubed, pairs
from benchmarks.labelled_stories import (
    CRISES,
    DENSE,
    STORY_SET,
    Headline,
    groups_of,
    halves,
    read_second_reader,
    read_story_set,
)
from benchmarks.measure import read_jsonl

HEADLINES = read_story_set()
STORIES = {one.story for one in HEADLINES}


def plain(title: str) -> str:
    return " ".join(re.findall(r"\w+", title.casefold()))


def test_every_record_has_the_fields_and_no_others() -> None:
    for path in (*STORY_SET.glob("*.jsonl"), *DENSE.glob("*.jsonl")):
        for number, record in enumerate(read_jsonl(path), 1):
            where = f"{path.name}:{number}"
            assert {"story", "near", "outlet", "published", "title"} <= record.keys(), where
            assert record.keys() <= {"story", "near", "outlet", "published", "title", "lead"}, where
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", record["story"]), where
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00Z", record["published"]), where
            for name in ("outlet", "title", "lead"):
                assert record.get(name, "x") == record.get(name, "x").strip() != "", where
            assert len(record["title"]) <= 160, where


def test_a_story_stands_in_one_file_and_lasts_less_than_the_window() -> None:
    weeks, times = defaultdict(set), defaultdict(list)
    for one in HEADLINES:
        weeks[one.story].add(one.week)
        times[one.story].append(one.published)
    assert [story for story, files in weeks.items() if len(files) > 1] == []
    assert [story for story, at in times.items() if max(at) - min(at) > timedelta(hours=72)] == []


def test_a_file_covers_one_week() -> None:
    for week in {one.week for one in HEADLINES}:
        at = [one.published for one in HEADLINES if one.week == week]
        assert max(at) - min(at) < timedelta(days=8), week


def test_no_headline_stands_twice_except_as_wire_copy_in_another_outlet() -> None:
    of_title, outlets = defaultdict(set), defaultdict(list)
    for one in HEADLINES:
        of_title[plain(one.title)].add(one.story)
        outlets[plain(one.title)].append(one.outlet)
    assert [title for title, stories in of_title.items() if len(stories) > 1] == []
    assert [title for title, names in outlets.items() if len(set(names)) < len(names)] == []
    assert sum(len(names) - 1 for names in outlets.values()) <= 0.05 * len(HEADLINES)


def test_dense_weeks_are_as_crowded_as_they_say_and_share_nothing_with_the_others() -> None:
    dense, others = read_story_set(DENSE), HEADLINES + read_story_set(CRISES)
    assert not {one.story for one in dense} & {one.story for one in others}
    assert not {plain(one.title) for one in dense} & {plain(one.title) for one in others}
    sizes, weeks = Counter(one.story for one in dense), {one.story: one.week for one in dense}
    assert 0.3 < sum(size == 1 for size in sizes.values()) / len(sizes) < 0.4
    assert [one.story for one in dense if one.near and weeks.get(one.near) != one.week] == []
    assert len({(one.story, one.near) for one in dense}) == len(sizes)
    for story in sizes:
        at = [one.published for one in dense if one.story == story]
        assert max(at) - min(at) <= timedelta(hours=72), story


def test_a_second_reader_grouped_every_headline_and_nearly_as_labelled() -> None:
    read = read_second_reader()
    assert read.keys() == set(HEADLINES)
    assert b_cubed([one.story for one in read], list(read.values())).f1 > 0.95


def test_leads_are_not_repeated() -> None:
    leads = Counter(plain(one.lead) for one in HEADLINES if one.lead)
    assert [lead for lead, count in leads.items() if count > 1] == []


def test_a_near_miss_names_another_story_of_the_same_week_and_is_the_same_throughout_a_story() -> None:
    weeks = {one.story: one.week for one in HEADLINES}
    near: dict[str, set[str | None]] = defaultdict(set)
    for one in HEADLINES:
        near[one.story].add(one.near)
        if one.near is not None:
            assert one.near != one.story
            assert weeks.get(one.near) == one.week, one
    assert [story for story, named in near.items() if len(named) > 1] == []


def test_halves_share_no_story_and_no_near_miss() -> None:
    tuning, test = halves(HEADLINES)
    assert len(tuning) + len(test) == len(HEADLINES)
    groups = groups_of(HEADLINES)
    assert not {groups[one.story] for one in tuning} & {groups[one.story] for one in test}
    assert 0.35 < len(test) / len(HEADLINES) < 0.65


def test_a_chain_of_near_misses_is_one_group() -> None:
    def told(story: str, near: str | None) -> Headline:
        return Headline(story, near, "Outlet", HEADLINES[0].published, "Title", "", "2020-01")

    groups = groups_of([told("c", "b"), told("b", "a"), told("a", None), told("z", None)])
    assert groups == {"a": "a", "b": "a", "c": "a", "z": "z"}


@pytest.mark.parametrize(
    ("stories", "precision", "recall", "pair_precision", "pair_recall"),
    [
        ("1122", 1.0, 1.0, 1.0, 1.0),
        ("1111", 0.5, 1.0, 1 / 3, 1.0),
        ("1234", 1.0, 0.5, 1.0, 0.0),
        ("1222", 2 / 3, 0.75, 1 / 3, 0.5),
    ],
    ids=["as labelled", "all in one", "each alone", "one astray"],
)
def test_agreement_is_as_defined(
    stories: str, precision: float, recall: float, pair_precision: float, pair_recall: float
) -> None:
    by_article, by_pair = b_cubed("aabb", stories), pairs("aabb", stories)
    assert (by_article.precision, by_article.recall) == pytest.approx((precision, recall))
    assert (by_pair.precision, by_pair.recall) == pytest.approx((pair_precision, pair_recall))


def test_the_crises_have_the_same_form_meet_in_no_window_and_share_no_headline_with_the_stories() -> None:
    crises = read_story_set(CRISES)
    measured = {plain(one.title) for one in HEADLINES}
    assert [one.title for one in crises if plain(one.title) in measured] == []
    times = defaultdict(list)
    for one in crises:
        times[one.week].append(one.published)
    spans = sorted((min(at), max(at)) for at in times.values())
    assert all(start - end > timedelta(hours=72) for (_, end), (start, _) in pairwise(spans))
    events = {one.story: one.week for one in crises}
    assert [one.story for one in crises if one.near and events[one.near] != one.week] == []
