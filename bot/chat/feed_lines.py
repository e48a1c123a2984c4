"""feeds.toml and the table of feeds in, the lines out that pages of /admin show, and which of them a button names."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bot.chat.admin_call import Call
from bot.messages.lines import one_line
from config.errors import ConfigError
from config.load import load_file
from config.schema import FeedEntry
from models import Feed, FeedHealth
from models.feed import feeds_by_url

MARKS = {"broken": "🔴", "gone": "⚫", "shaky": "🟠", "new": "⚪", "healthy": "🟢", "paused": "⏸"}


@dataclass(frozen=True, slots=True)
class Line:
    """A feed of feeds.toml and what is known of it."""

    entry: FeedEntry
    feed: Feed | None

    @property
    def health(self) -> str:
        """A word of MARKS."""
        if self.entry.paused:
            return "paused"
        return self.feed.health.value if self.feed else FeedHealth.NEW.value

    @property
    def name(self) -> str:
        """As the list shows it."""
        return one_line(self.entry.title or (self.feed.title if self.feed else "") or self.entry.url, 60)

    @property
    def key(self) -> str:
        """Names the feed in a button, also before it was ever read."""
        return entry_key(self.entry.url)


def entry_key(url: str) -> str:
    """An address in the few letters that a button holds."""
    return hashlib.sha256(url.encode()).hexdigest()[:12]


async def feed_lines(call: Call) -> list[Line]:
    """From the file, so that an edit shows at once; the troubled first."""
    entries: Sequence[FeedEntry] = load_file(call.tools.folder, "feeds").feeds
    known = await call.desk.decide(lambda s, _cfg, _now: feeds_by_url(s))
    order = list(MARKS)
    lines = [Line(entry, known.get(entry.url)) for entry in entries]
    return sorted(lines, key=lambda line: (order.index(line.health), line.name.casefold()))


async def feed_named(call: Call) -> Line:
    """The feed whose key is the first argument of the call. Raises ConfigError."""
    for line in await feed_lines(call):
        if line.key == call.arg:
            return line
    raise ConfigError("that feed is no longer in feeds.toml")
