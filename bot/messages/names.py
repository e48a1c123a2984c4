"""Codes of parties, pairs and regions in, the names that people read out; moments by their clock."""

from calendar import month_abbr
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from bot.messages.language import Say
from config.schema import Actors

#: Party code -> its name.
Names = Mapping[str, str]
#: Letters that fit into the line above a chart, drawn with the widest pairs there are.
CHART_WIDTH = 43
#: The same above one of several small charts.
PANEL_WIDTH = 24
#: What a code of feeds.toml does not say by itself.
_REGIONS = {"ukraine-russia": "Ukraine and Russia"}


@lru_cache(maxsize=4)
def party_names(actors: Actors) -> Names:
    """The names of all parties known: those that ship and the admin's own."""
    from bot.model_shelf import extra_actors
    from classifiers.actors import Gazetteer

    return Gazetteer(extra_actors(actors)).names


def pair_name(dyad: str, names: Names) -> str:
    """ "RU-UA" -> "Russia – Ukraine"; a party without a name keeps its code."""
    return " – ".join(names.get(code, code) for code in dyad.split("-"))


def chart_title(dyad: str, names: Names, rest: str, most: int = CHART_WIDTH) -> str:
    """The pair and `rest` (" since 3 Mar") in one line of a chart: by codes where the names are too long for it."""
    title = f"{pair_name(dyad, names)}{rest}"
    return title if len(title) <= most else f"{dyad}{rest}"


def local_moment(at: datetime, timezone: str, say: Say) -> str:
    """ "17 Feb 14:00 (Europe/Kyiv)": a moment by a reader's clock, and whose that is."""
    return f"{local_day(at, timezone, say)} {at.astimezone(ZoneInfo(timezone)):%H:%M} ({timezone})"


def local_day(at: datetime, timezone: str, say: Say) -> str:
    """ "17 Feb", "17 févr.": the day by a reader's clock."""
    local = at.astimezone(ZoneInfo(timezone))
    return f"{local.day:02} {say(month_abbr[local.month])}"


def region_name(region: str) -> str:
    """ "middle-east" -> "Middle East"."""
    return _REGIONS.get(region, region.replace("-", " ").title())
