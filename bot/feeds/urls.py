"""An article's URL as published goes in; a safe link, or one spelling for all the ways it is written, comes out."""

import re
from urllib.parse import SplitResult, urlsplit

from w3lib.url import canonicalize_url, safe_url_string

_MAX_CHARS = 2_000
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\]", re.IGNORECASE)

# Parameters that say how a reader came to the article and never which article it is.
_TRACKING = re.compile(
    r"utm_\w+|at_(?:medium|campaign|link_\w+|bbc_team|format|ptr_name|custom\d)|mc_[ce]id|pk_\w+|piwik_\w+|mtm_\w+|hsa_\w+|"
    r"_hs(?:enc|mi)|vero_\w+|oly_\w+_id|ns_(?:mchannel|source|campaign|linkname|fee)|wt[._]?mc\w*|wt_?zmc|itm_\w+|"
    r"[gdy]clid|gclsrc|[gw]braid|msclkid|fbclid|twclid|ttclid|igshid|igsh|_openstat|_ga|_gl|epik|xtor|ftag|"
    r"cmp(?:id)?|icid|ncid|ocid|s_cid|smid|smtyp|sref|sr_share|soc_src|soc_trk|spm|guccounter|guce_\w+|taid|"
    r"ref_?(?:src|url)|traffic_?source|__twitter_impression|amp_\w+|jsessionid|phpsessid",
    re.IGNORECASE,
)
# These do it only with such a value; with another one they may be what tells two articles apart.
_SWITCH = re.compile(
    r"(?:amp|m|mobile|outputtype|output|rss|feed|source|src|ref|via|from|share|partner)="
    r"(?:|0|1|true|amp|rss2?|feeds?|atom|twitter|x|facebook|telegram|whatsapp|email|newsletter|social|share|google|home(?:page)?)",
    re.IGNORECASE,
)
_AMP_CACHE = re.compile(
    r"https?://(?:(?:www\.)?google\.[a-z.]{2,6}/amp|[\w.-]+\.cdn\.ampproject\.org/[a-z])/(?:s/)?(?=[\w-]+\.)",
    re.IGNORECASE,
)
_FRONT_LABEL = re.compile(r"^(?:(?:www|m|mobile|amp|touch)\.)+(?=[^.]+\.[^.]+)")
_INNER_LABEL = re.compile(r"(?<=\.)(?:(?:m|mobile|amp)\.)+(?=[^.]+\.[^.]+)")
_AMP_SEGMENT = re.compile(r"/amp(?=/|$)", re.IGNORECASE)
_AMP_ENDING = re.compile(r"(?:[._-]amp)+(?=\.html?$|$)", re.IGNORECASE)
_SESSION = re.compile(r";jsessionid=[^/]*", re.IGNORECASE)


def safe_url(url: str) -> str | None:
    """`url` in ASCII if a reader may be sent there, else None.

    Only http and https with a host, without user name or password (they disguise where a link leads), at most 2,000
    characters.
    """
    parts = _split(url)
    if parts is None or "@" in parts.netloc:
        return None
    host = parts.hostname or ""
    return parts.geturl() if _HOST.fullmatch(f"[{host}]" if ":" in host else host) else None


def canonical_url(url: str) -> str:
    """The identity of the article behind `url`, "" for what `safe_url` refuses. Applying it twice changes nothing.

    Leaves out tracking parameters, fragments, AMP and mobile spellings, `www.`, default ports and a trailing slash,
    sorts the query, and says https throughout; it is for comparing and need not be an address that answers.
    """
    safe = safe_url(_AMP_CACHE.sub("https://", url.strip(), count=1))
    if safe is None:
        return ""
    parts = urlsplit(canonicalize_url(safe))
    query = "&".join(pair for pair in parts.query.split("&") if pair and not _is_tracking(pair))
    return SplitResult("https", _netloc(parts), _path(parts.path), query, "").geturl()


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(safe_url_string(url.strip()[: _MAX_CHARS + 1]))
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or port == 0 or len(parts.geturl()) > _MAX_CHARS:
        return None
    return parts


def _netloc(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    host = _INNER_LABEL.sub("", _FRONT_LABEL.sub("", host))
    shown = f"[{host}]" if ":" in host else host
    return shown if parts.port in {None, 80, 443} else f"{shown}:{parts.port}"


def _path(path: str) -> str:
    path = _SESSION.sub("", path).rstrip("/")
    # Taking one marker away can uncover the next ("/a/amp.amp").
    while (shorter := _without_amp(path)) != path:
        path = shorter
    return path or "/"


def _without_amp(path: str) -> str:
    shorter = _AMP_SEGMENT.sub("", path) or path
    return _AMP_ENDING.sub("", shorter).rstrip("/")


def _is_tracking(pair: str) -> bool:
    name = pair.partition("=")[0]
    return bool(_TRACKING.fullmatch(name) or _SWITCH.fullmatch(pair if "=" in pair else f"{pair}="))
