"""An OPML file goes in, a list of feeds comes out, and the reverse.

Read with expat directly, because only there a document type can be refused at the moment it begins, in any character
set, before anything it declares is expanded.
"""

import html
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from xml.parsers import expat  # the document type, where the danger of expat lies, is refused below

from bot.feeds.text import plain_text
from bot.feeds.urls import safe_url
from config.errors import FeedError

MAX_BYTES = 2 * 2**20
MAX_FEEDS = 5_000
_MAX_DEPTH = 50
_MAX_CHARS = 200
# Characters that cannot stand in XML, not even escaped.
_NOT_XML = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpmlFeed:
    """A subscription; `category` is the path of folders it stands in ("World/Europe"), "" for none."""

    url: str  #: http or https
    title: str = ""
    category: str = ""


def read_opml(data: bytes, report: Callable[[str], None] = log.warning) -> list[OpmlFeed]:
    """The feeds of an OPML 1.0 or 2.0 document in their order, each address once.

    `report` gets a sentence about every outline that was left out. Raises FeedError naming what is wrong with a
    document that cannot be used: not XML, not OPML, with a document type (no honest OPML has one; entity bombs do),
    over 2 MiB, over 5,000 feeds, or nested deeper than 50 folders.
    """
    if len(data) > MAX_BYTES:
        raise FeedError(f"the OPML file has {len(data):,} bytes; at most {MAX_BYTES:,} are read")
    reading = _Reading(report)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reading.refuse_doctype
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise FeedError(f"the OPML file is not well-formed XML: {error}") from error
    return list(reading.feeds.values())


def write_opml(feeds: Iterable[OpmlFeed], title: str = "Tocsin feeds") -> bytes:
    """An OPML 2.0 document in UTF-8 that `read_opml` reads back; feeds next to each other share a folder."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<opml version="2.0">',
        f"<head><title>{_escaped(title)}</title></head>",
    ]
    lines.append("<body>")
    for category, members in groupby(feeds, key=lambda feed: feed.category):
        folders = [part for part in category.split("/") if part]
        lines += [f'<outline text="{_escaped(folder)}">' for folder in folders]
        lines += [_outline(feed) for feed in members]
        lines += ["</outline>"] * len(folders)
    return "\n".join([*lines, "</body>", "</opml>", ""]).encode("utf-8")


class _Reading:
    """What expat has told so far: the folders that are open and the feeds found in them."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.feeds: dict[str, OpmlFeed] = {}
        self._report = report
        self._open: list[str | None] = []  # for each open element its folder name, None when it is no folder

    def refuse_doctype(self, *_: object) -> None:
        raise FeedError("the OPML file has a document type declaration, which is refused")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name.lower() != "opml":
            raise FeedError(f"the file is not OPML: its first element is <{name[:40]}>")
        if len(self._open) > _MAX_DEPTH:
            raise FeedError(f"the OPML file nests its folders deeper than {_MAX_DEPTH}")
        folder = None
        if name.lower() == "outline":
            given = {key.lower(): value for key, value in attributes.items()}
            title = plain_text(given.get("title") or given.get("text") or "", _MAX_CHARS)
            if "xmlurl" in given:
                self._add(given["xmlurl"], title, given.get("category", ""))
            else:
                folder = title.replace("/", " ").strip()
        self._open.append(folder)

    def end(self, _: str) -> None:
        self._open.pop()

    def _add(self, address: str, title: str, own_category: str) -> None:
        url = safe_url(address)
        if url is None:
            self._report(f"left out {plain_text(address, 100)!r}: not an http or https address")
        elif url in self.feeds:
            self._report(f"left out {url}: listed twice")
        elif len(self.feeds) >= MAX_FEEDS:
            raise FeedError(f"the OPML file lists more than {MAX_FEEDS:,} feeds")
        else:
            category = "/".join(folder for folder in self._open if folder) or _first_category(own_category)
            self.feeds[url] = OpmlFeed(url, title, category)


def _first_category(given: str) -> str:
    # The attribute of OPML 2.0: comma-separated, slashes between the levels.
    return plain_text(given.partition(",")[0], _MAX_CHARS).strip("/ ")


def _outline(feed: OpmlFeed) -> str:
    title = _escaped(feed.title or feed.url)
    return f'<outline type="rss" text="{title}" title="{title}" xmlUrl="{_escaped(feed.url)}"/>'


def _escaped(text: str) -> str:
    return html.escape(_NOT_XML.sub(" ", text))
