"""A web address in, the site out that answers for it: whoever runs one host of a site runs the others too."""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

#: Labels under which countries hand out names (bbc.co.uk, aa.com.tr). The public list of such suffixes is longer and
#: changes weekly; what it would add are hosts of towns and schools.
_UNDER_COUNTRIES = frozenset(
    ("ac", "co", "com", "edu", "gob", "go", "gouv", "gov", "govt", "gv", "mil", "ne", "net", "nom", "or", "org")
)
#: Each name below these is somebody else's.
_HOMES_OF_MANY = frozenset(
    ("blogspot.com", "ghost.io", "github.io", "livejournal.com", "substack.com", "tumblr.com", "wordpress.com")
)
#: Here the path says whose a feed is, not the host.
_SHARED = frozenset(
    (
        "bing.com",
        "feed43.com",
        "feedblitz.com",
        "feedburner.com",
        "fetchrss.com",
        "google.com",
        "medium.com",
        "openrss.org",
        "reddit.com",
        "rss.app",
        "rsshub.app",
        "t.me",
        "youtube.com",
    )
)


@lru_cache(maxsize=10_000)
def site_of(url: str) -> str:
    """ "https://feeds.bbci.co.uk/news/rss.xml" -> "bbci.co.uk"; "" where the host does not say whose a feed is."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
    if _is_address(host):
        return host
    labels = host.split(".")
    site = ".".join(labels[-_depth(labels) :])
    return "" if site in _SHARED else site


def _depth(labels: list[str]) -> int:
    """How many labels of a host name its site."""
    under_country = len(labels[-1]) == 2 and len(labels) > 1 and labels[-2] in _UNDER_COUNTRIES
    return 3 if under_country or ".".join(labels[-2:]) in _HOMES_OF_MANY else 2


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
