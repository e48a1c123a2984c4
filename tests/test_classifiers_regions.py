"""The table of homes: it speaks the words of config and knows the parties that the gazetteer knows."""

import tomllib
from pathlib import Path

from classifiers.actors import Gazetteer
from classifiers.regions import REGIONS_FILE, WORLD, regions_of
from config.load import load_file

HOMES = {region: codes.split() for region, codes in tomllib.loads(REGIONS_FILE.read_text()).items()}
#: Without a word in feeds.toml, or of all the world.
NOWHERE = {
    *("AU", "FJ", "NC", "NZ", "PF", "PG", "SB", "VU"),
    *("UN", "IAEA", "ICC", "ICRC", "G7", "AL_QAEDA", "BRA"),
}


def test_regions_are_those_of_the_shipped_feeds() -> None:
    feeds = load_file(Path(__file__).parents[1] / "config", "feeds").feeds
    assert set(HOMES) == {region for feed in feeds for region in feed.regions} - {WORLD}


def test_every_party_that_is_known_has_a_home_or_is_named_here_as_having_none() -> None:
    assert {code for code in Gazetteer().kinds if not regions_of([code])} == NOWHERE


def test_no_party_is_listed_that_nobody_knows_and_none_twice_in_a_region() -> None:
    known = Gazetteer().kinds
    for region, codes in HOMES.items():
        assert len(codes) == len(set(codes)), region
        assert not [code for code in codes if len(code) > 2 and code not in known], region


def test_a_party_may_be_at_home_in_two_regions() -> None:
    assert regions_of(["UA"]) == {"europe", "ukraine-russia"}
    assert regions_of(["IL", "KESTRIA"]) == {"middle-east"}
