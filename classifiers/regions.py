"""codes of parties -> the regions they are at home in, in the words of config/feeds.toml. The table: `regions.toml`."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

REGIONS_FILE = Path(__file__).with_name("regions.toml")
#: The region that every story is of; it tells none from another.
WORLD = "world"


def regions_of(parties: Iterable[str]) -> frozenset[str]:
    """Where `parties` are at home; a party that the table does not have is at home nowhere."""
    homes = _homes()
    return frozenset(region for party in parties for region in homes.get(party, ()))


@cache
def _homes() -> Mapping[str, frozenset[str]]:
    homes: dict[str, set[str]] = defaultdict(set)
    for region, parties in tomllib.loads(REGIONS_FILE.read_text(encoding="utf-8")).items():
        for party in parties.split():
            homes[party].add(region)
    return {party: frozenset(regions) for party, regions in homes.items()}
