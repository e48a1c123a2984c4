"""A feed's address, title and folder in, its entry for feeds.toml out: whose it is, and the regions it is about.

Whose it is, feeds of the same site say that are there already: two feeds of one publisher are one source, or an alert
would be confirmed by who raised it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from bot.feeds.opml import OpmlFeed
from bot.messages.lines import one_line
from bot.messages.names import region_name
from config.errors import ConfigError
from config.schema import REGIONS, FeedEntry
from config.sites import site_of

LONGEST_NAME = 200


def newcomer(url: str, title: str, known: Sequence[FeedEntry], category: str = "") -> FeedEntry:
    """The entry of a feed that is new beside `known` ones; `category` is the path of its OPML folders.

    Raises ConfigError for an address that no feed may have.
    """
    publisher, family = owner(url, title, known)
    regions = regions_in(category, offered_regions(known))
    try:
        return FeedEntry(
            url=url, title=one_line(title, LONGEST_NAME), publisher=publisher, family=family, regions=regions
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"{url[:200]}: {first['msg'].removeprefix('Value error, ')}") from error


def newcomers(feeds: Iterable[OpmlFeed], known: Sequence[FeedEntry]) -> list[FeedEntry]:
    """The entries of an OPML file's feeds. Raises ConfigError."""
    return [newcomer(feed.url, feed.title, known, feed.category) for feed in feeds]


def owner(url: str, title: str, known: Sequence[FeedEntry]) -> tuple[str, str]:
    """Publisher and family: those that most feeds of the same site have, else the site; its title on a shared host."""
    owners = Counter((entry.publisher, entry.family) for entry in of_same_site(url, known))
    del owners["", ""]
    if owners:
        return owners.most_common(1)[0][0]
    return site_of(url) or one_line(title, LONGEST_NAME), ""


def of_same_site(url: str, known: Iterable[FeedEntry]) -> list[FeedEntry]:
    """Those of `known` that the same site serves."""
    site = site_of(url)
    return [entry for entry in known if site and site_of(entry.url) == site]


def offered_regions(known: Iterable[FeedEntry]) -> list[str]:
    """Regions that feeds.toml suggests, then those that its feeds name besides."""
    return list(dict.fromkeys([*REGIONS, *(region for entry in known for region in entry.regions)]))


def regions_in(text: str, offered: Iterable[str]) -> tuple[str, ...]:
    """Those of `offered` that a folder's path or a list names, by code or as people read them: "World/Middle East"."""
    codes = {slug(spelling): region for region in offered for spelling in (region, region_name(region))}
    named = (slug(part) for part in re.split("[,/;]", text))
    return tuple(dict.fromkeys(codes[name] for name in named if name in codes))


def slug(text: str) -> str:
    """ "Middle East " -> "middle-east"."""
    return re.sub(r"[\W_]+", "-", text.casefold()).strip("-")
