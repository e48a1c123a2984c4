"""What a story's readings amount to: independent sources, scores, status."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.pipeline.weigh import count_sources, weigh
from config.schema import Stories
from models import Article, Direction, Feed, Reading, StoryStatus
from models.reading import ReadingWithSource

SETTINGS = Stories()
WIRE = (
    "TELMAR (Meridian) - Varnia moved two armoured brigades to the border with Kestria on Tuesday, satellite images "
    "showed, in the largest shift of its forces since the end of the war thirty years ago."
)


def row(
    now: datetime, escalation: float = 50.0, *, family: str = "a", aligned: str = "", **values: Any
) -> ReadingWithSource:
    weight = values.pop("weight", 1.0)
    backlog, regions = values.pop("backlog", False), values.pop("regions", [])
    of_feed = {"family": family, "aligned": aligned, "weight": weight, "regions": regions}
    feed = Feed(id=1, url=f"https://{family}.example", next_fetch_at=now, **of_feed)
    article = Article(
        id=1, feed_id=1, entry_key="k", title="t", content_hash="h", news_at=now, seen_at=now, backlog=backlog
    )
    defaults: dict[str, Any] = {
        "id": 1, "article_id": 1, "model": "test", "title": "t", "escalation": escalation, "deescalation": 0.0,
        "severity": 2, "status": "asserted", "news_at": now, "read_at": now,
    }  # fmt: skip
    return Reading(**defaults | values), article, feed


def test_outlets_of_one_family_are_one_source(now: datetime) -> None:
    assert count_sources([row(now, family="bbc"), row(now, family="bbc"), row(now, family="dw")]) == 2


def test_a_wire_text_printed_by_three_publishers_is_one_source(now: datetime) -> None:
    copies = [row(now, family=name, opening=WIRE) for name in ("meridian", "courier", "observer")]
    assert count_sources(copies) == 1


def test_a_copy_without_its_dateline_is_still_a_copy(now: datetime) -> None:
    bare = WIRE.split(" - ", 1)[1]
    assert count_sources([row(now, family="meridian", opening=WIRE), row(now, family="bell", opening=bare)]) == 1


def test_short_openings_that_coincide_are_no_copies(now: datetime) -> None:
    assert count_sources([row(now, family=name, opening="Read the full story here.") for name in "ab"]) == 2


def test_a_single_source_counts_less_and_a_second_one_lifts_it(now: datetime) -> None:
    alone = weigh([row(now, 70)], SETTINGS, now)
    joined = weigh([row(now, 70), row(now, 65, family="b")], SETTINGS, now)
    assert alone.escalation == pytest.approx(70 * SETTINGS.single_source_factor)
    assert joined.escalation == pytest.approx(70)


def test_a_feeds_weight_moves_its_score_and_never_past_100(now: datetime) -> None:
    assert weigh([row(now, 80, weight=0.5)], SETTINGS, now).escalation == pytest.approx(40 * 0.9)
    assert weigh([row(now, 80, weight=2.0)], SETTINGS, now).escalation == pytest.approx(100 * 0.9)


def test_backlog_and_faded_articles_are_context_without_score(now: datetime) -> None:
    old = row(now - timedelta(hours=SETTINGS.memory_hours), 90, family="old")
    before_us = row(now, 90, family="before", backlog=True)
    weight = weigh([old, before_us, row(now, 30)], SETTINGS, now)
    assert weight.escalation == pytest.approx(30)
    assert weight.sources == 3
    assert [reading.escalation for reading, _, _ in weight.top[Direction.ESCALATION]] == [30]


def test_parties_that_contradict_each_other_in_two_articles_make_the_story_contested(now: datetime) -> None:
    def claim(who: str, stance: str) -> list[dict[str, str]]:
        return [{"claimant": who, "signal": "troop_withdrawal", "stance": stance, "sentence": "..."}]

    signals = {"troop_withdrawal": 0.8}
    rows = [
        row(now, claims=claim("Varnia", "affirm"), signals=signals),
        row(now, family="b", claims=claim("NATO", "deny"), signals=signals),
    ]
    weight = weigh(rows, SETTINGS, now)
    assert (weight.status, weight.contested) == (StoryStatus.CONTESTED, ("troop_withdrawal",))


def opposite_claims(about: str, other: str = "Iran") -> list[dict[str, Any]]:
    signals = {"troop_withdrawal": 0.8, "troop_buildup": 0.8}
    said = (("Iran", "troop_withdrawal", other), ("Israel", "troop_buildup", about))
    return [
        {
            "claims": [{"claimant": who, "signal": signal, "stance": "affirm", "sentence": who, "about": whose}],
            "signals": signals,
        }
        for who, signal, whose in said
    ]


def test_parties_that_affirm_opposites_of_one_party_make_the_story_contested_in_both(now: datetime) -> None:
    rows = [row(now, family=name, **values) for name, values in zip("ab", opposite_claims("Iran"), strict=True)]
    weight = weigh(rows, SETTINGS, now)
    assert (weight.status, weight.contested) == (StoryStatus.CONTESTED, ("troop_buildup", "troop_withdrawal"))
    assert weight.stances["troop_buildup"] == {"Israel": "affirm"}


@pytest.mark.parametrize(
    "claims",
    [opposite_claims("Israel"), opposite_claims("", "")],
    ids=["each of its own troops", "a reading of an old model does not say whose"],
)
def test_opposite_acts_of_two_parties_contest_nothing(now: datetime, claims: list[dict[str, Any]]) -> None:
    rows = [row(now, family=name, **values) for name, values in zip("ab", claims, strict=True)]
    assert weigh(rows, SETTINGS, now).contested == ()


def test_one_party_that_repeats_itself_contests_nothing(now: datetime) -> None:
    claims = [
        {"claimant": "Varnia", "signal": "troop_withdrawal", "stance": stance, "sentence": "..."}
        for stance in ("affirm", "deny")
    ]
    rows = [row(now, claims=claims, signals={"troop_withdrawal": 0.8})] * 2
    assert weigh(rows, SETTINGS, now).contested == ()


def test_a_stray_denial_of_something_the_article_is_not_about_contests_nothing(now: datetime) -> None:
    claims = [
        {"claimant": who, "signal": "threat", "stance": stance, "sentence": "..."}
        for who, stance in (("Varnia", "affirm"), ("NATO", "deny"))
    ]
    assert weigh([row(now, claims=claims, signals={"threat": 0.3, "sanctions": 0.9})], SETTINGS, now).contested == ()


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([{"family": "a"}], StoryStatus.UNCONFIRMED),
        ([{"family": "a"}, {"family": "b"}], StoryStatus.CONFIRMED),
        ([{"family": "a", "status": "claimed"}, {"family": "b", "status": "claimed"}], StoryStatus.UNCONFIRMED),
        ([{"family": "a", "aligned": "RU"}, {"family": "b", "aligned": "RU"}], StoryStatus.UNCONFIRMED),
        ([{"family": "a", "aligned": "RU"}, {"family": "b"}], StoryStatus.CONFIRMED),
    ],
    ids=["one source", "two sources", "both quote claims", "both speak for a party", "one of two is neutral"],
)
def test_a_story_is_confirmed_by_independent_sources_of_which_one_is_neutral(
    now: datetime, rows: list[dict[str, Any]], status: StoryStatus
) -> None:
    assert weigh([row(now, dyad="RU-UA", **values) for values in rows], SETTINGS, now).status is status


def test_nothing_weighs_nothing(now: datetime) -> None:
    assert weigh([], SETTINGS, now).escalation == 0.0


def actors(*codes: str) -> list[dict[str, str]]:
    return [{"code": code, "name": code} for code in codes]


@pytest.mark.parametrize(
    ("values", "regions"),
    [
        ({"dyad": "IL-IR", "regions": ["world"]}, ("middle-east",)),
        ({"dyad": "IL-RU", "regions": ["africa", "world"]}, ("africa", "middle-east", "ukraine-russia")),
        ({"actors": actors("IN", "PK"), "regions": ["world"]}, ("south-asia",)),
        ({"dyad": "KESTRIA-VARNIA", "regions": ["europe", "world"]}, ("europe",)),
        ({"regions": ["europe", "world"]}, ()),
        ({"regions": ["world"]}, ()),
        ({"places": ["NG", "CM"], "regions": ["world"]}, ("africa",)),
        ({"actors": actors("RU"), "places": ["IN"]}, ("south-asia", "ukraine-russia")),
        ({"dyad": "IL-IR", "places": ["FR"]}, ("middle-east",)),
    ],
    ids=[
        "a pair",
        "a pair and a regional feed",
        "no pair: who is named",
        "parties at home nowhere",
        "nobody",
        "nothing",
        "nobody, but a place",
        "one party and a place abroad",
        "a pair says it without its places",
    ],
)
def test_a_story_is_of_the_regions_of_its_parties_and_feeds_but_the_world_is_no_place(
    now: datetime, values: dict[str, Any], regions: tuple[str, ...]
) -> None:
    assert weigh([row(now, **values)], SETTINGS, now).regions == regions


def test_without_a_pair_only_the_parties_named_most_say_where_a_story_is(now: datetime) -> None:
    rows = [row(now, actors=actors("IN", "PK")), row(now, actors=actors("IN", "PK", "US"))]
    assert weigh(rows, SETTINGS, now).regions == ("south-asia",)
