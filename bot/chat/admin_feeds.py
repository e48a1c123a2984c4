"""/admin, Feeds: a press in; the list with health, a preview, and feeds.toml with a feed more, less or paused out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import telegram
from pydantic import ValidationError

from bot import changes
from bot.chat.admin_call import OUT_OF_DATE, Call, Reply, number, page, turner
from bot.feeds.opml import MAX_BYTES, OpmlFeed, read_opml, write_opml
from bot.feeds.types import ParsedFeed
from bot.feeds.urls import safe_url
from bot.messages.lines import one_line
from bot.messages.message import Button
from config.errors import ConfigError, FeedError
from config.load import load_file
from config.schema import FeedEntry
from models import Feed, FeedHealth
from models.feed import feeds_by_url

SIZE = 8
HEADLINES = 5
MARKS = {"broken": "🔴", "gone": "⚫", "shaky": "🟠", "new": "⚪", "healthy": "🟢", "paused": "⏸"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Feeds an admin is about to add."""

    entries: tuple[FeedEntry, ...]


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
        return hashlib.sha256(self.entry.url.encode()).hexdigest()[:12]


async def show(call: Call, verb: str) -> Reply:
    """One page or step."""
    steps = {
        "one": _one,
        "pause": _pause,
        "resume": _resume,
        "rm": _ask_remove,
        "rmyes": _remove,
        "add": _ask_address,
        "address": _preview,
        "addyes": _add,
        "opml": _ask_file,
        "out": _export,
    }
    return await steps.get(verb, _list)(call)


# Looking --------------------------------------------------------------------------------------------------------------


async def _lines(call: Call) -> list[Line]:
    """From the file, so that an edit shows at once; the troubled first."""
    entries: Sequence[FeedEntry] = load_file(call.tools.folder, "feeds").feeds
    known = await call.desk.decide(lambda s, _cfg, _now: feeds_by_url(s))
    order = list(MARKS)
    lines = [Line(entry, known.get(entry.url)) for entry in entries]
    return sorted(lines, key=lambda line: (order.index(line.health), line.name.casefold()))


async def _list(call: Call) -> Reply:
    lines = await _lines(call)
    at = min(number(call.arg), max(0, len(lines) - 1) // SIZE)
    shown = lines[at * SIZE : (at + 1) * SIZE]
    text = [f"{at * SIZE + i}. {MARKS[line.health]} {line.name}" for i, line in enumerate(shown, 1)]
    counts = ", ".join(
        f"{mark} {health} {count}"
        for health, mark in MARKS.items()
        if (count := sum(line.health == health for line in lines))
    )
    numbers = [Button(str(at * SIZE + i), f"adm:feeds:one:{line.key}") for i, line in enumerate(shown, 1)]
    rows = (
        numbers[: SIZE // 2],
        numbers[SIZE // 2 :],
        turner("feeds", at, len(lines), SIZE),
        [Button("Add a feed", "adm:feeds:add")],
        [Button("OPML in", "adm:feeds:opml"), Button("OPML out", "adm:feeds:out")],
    )
    head = f"{len(lines)} feeds: {counts}" if lines else "There are no feeds yet."
    return page("\n".join([head, "", *text]), rows, back="menu")


async def _find(call: Call) -> Line:
    for line in await _lines(call):
        if line.key == call.arg:
            return line
    raise ConfigError("that feed is no longer in feeds.toml")


async def _one(call: Call) -> Reply:
    return _details(await _find(call))


def _details(line: Line) -> Reply:
    feed = line.feed
    text = [line.name, line.entry.url, "", f"{MARKS[line.health]} {line.health}"]
    if line.entry.publisher or line.entry.family:
        text.append(f"publisher: {one_line(line.entry.publisher or line.entry.family)}")
    if feed is not None:
        text.append(f"last read: {feed.last_read_at:%d %b %H:%M} UTC" if feed.last_read_at else "never read")
        text.append(f"every {feed.interval_s // 60} minutes" if feed.interval_s else "")
        if feed.failures:
            text.append(f"{feed.failures} failures in a row: {one_line(feed.last_error or '', 300)}")
    turn = Button("Resume", f"adm:feeds:resume:{line.key}") if line.entry.paused else None
    rows = ([turn or Button("Pause", f"adm:feeds:pause:{line.key}"), Button("Remove", f"adm:feeds:rm:{line.key}")],)
    return page("\n".join(part for part in text if part is not None), rows, back="feeds:list")


# Changing -------------------------------------------------------------------------------------------------------------


async def _pause(call: Call) -> Reply:
    return await _set_paused(call, True)


async def _resume(call: Call) -> Reply:
    return await _set_paused(call, False)


async def _set_paused(call: Call, paused: bool) -> Reply:
    line, folder = await _find(call), call.tools.folder
    await call.desk.decide(lambda s, _cfg, now: changes.pause(s, folder, call.who, line.entry.url, paused, now))
    await call.tools.reload()
    return _details(await _find(call))


async def _ask_remove(call: Call) -> Reply:
    line = await _find(call)
    rows = ([Button("Remove it", f"adm:feeds:rmyes:{line.key}")],)
    return page(
        f"Remove {line.name}?\n{line.entry.url}\n\nIts articles stay. History brings it back.", rows, back="feeds:list"
    )


async def _remove(call: Call) -> Reply:
    line, folder = await _find(call), call.tools.folder
    await call.desk.decide(lambda s, _cfg, now: changes.remove(s, folder, call.who, line.entry.url, now))
    await call.tools.reload()
    return page(f"Removed: {line.name}\n{line.entry.url}", back="feeds:list")


async def _ask_address(call: Call) -> Reply:
    return await call.ask("feeds", "address", "Send me the address of the feed (RSS or Atom).")


async def _preview(call: Call) -> Reply:
    """Fetch first: an address that brings nothing is not added."""
    url = safe_url(call.arg.strip())
    if url is None:
        raise ConfigError("that is not a web address; it must start with http:// or https://")
    if any(line.entry.url == url for line in await _lines(call)):
        raise ConfigError(f"{url} is there already")
    try:
        parsed = await call.tools.preview(url)
    except FeedError as error:
        raise FeedError(f"That address cannot be read as a feed: {error}") from error
    token = await call.hold(Wanted((_entry(url, parsed.title),)))
    rows = ([Button("Add it", f"adm:feeds:addyes:{token}"), Button("Cancel", "adm:feeds:list")],)
    return page(_preview_text(url, parsed), rows)


def _preview_text(url: str, parsed: ParsedFeed) -> str:
    dated = sorted(parsed.entries, key=lambda e: e.published_at.timestamp() if e.published_at else 0.0, reverse=True)
    lines = [
        f"• {one_line(entry.title, 150)} ({f'{entry.published_at:%d %b %H:%M}' if entry.published_at else 'no date'})"
        for entry in dated[:HEADLINES]
    ]
    problem = [f"The feed is damaged but usable: {one_line(parsed.problem, 200)}"] if parsed.problem else []
    empty = ["It has no entries at this moment."] if not lines else []
    head = f"{one_line(parsed.title, 150) or url}: {len(parsed.entries)} entries"
    return "\n".join([head, url, "", *lines, *empty, *problem])


async def _add(call: Call) -> Reply:
    wanted, folder = await call.take(Wanted), call.tools.folder
    if wanted is None:
        return page(OUT_OF_DATE, back="feeds:list")
    added = await call.desk.decide(lambda s, _cfg, now: changes.add(s, folder, call.who, wanted.entries, now))
    await call.tools.reload()
    if len(wanted.entries) == 1 and added:
        return page(f"Added: {added[0].url}\nIt is read within a minute.", back="feeds:list")
    return page(f"{len(added)} feeds added, {len(wanted.entries) - len(added)} were there already.", back="feeds:list")


# OPML -----------------------------------------------------------------------------------------------------------------


async def _ask_file(call: Call) -> Reply:
    return page(
        "Send me the OPML file, as feed readers export it. Nothing is added before you say yes.", back="feeds:list"
    )


async def read_file(call: Call, document: telegram.Document) -> Reply:
    """A file that an admin sent: what it would add. Raises FeedError, TelegramError."""
    if (document.file_size or 0) > MAX_BYTES:
        raise FeedError(f"the file has {document.file_size:,} bytes; at most {MAX_BYTES:,} are read")
    problems: list[str] = []
    file = await call.bot.get_file(document.file_id)
    found = read_opml(bytes(await file.download_as_bytearray()), problems.append)
    known = {line.entry.url for line in await _lines(call)}
    new = tuple(_entry(feed.url, feed.title) for feed in found if feed.url not in known)
    text = [f"{len(found)} feeds in the file: {len(new)} new, {len(found) - len(new)} there already."]
    text += [f"• {one_line(entry.title or entry.url, 80)}" for entry in new[:HEADLINES]]
    text += [f"... and {len(new) - HEADLINES} more"] if len(new) > HEADLINES else []
    text += [one_line(problem, 150) for problem in problems[:HEADLINES]]
    if not new:
        return page("\n".join(text), back="feeds:list")
    token = await call.hold(Wanted(new))
    rows = ([Button(f"Add {len(new)}", f"adm:feeds:addyes:{token}"), Button("Cancel", "adm:feeds:list")],)
    return page("\n".join(text), rows)


async def _export(call: Call) -> Reply:
    lines = await _lines(call)
    feeds = [OpmlFeed(line.entry.url, line.name, ", ".join(line.entry.regions)) for line in lines]
    reply = page(f"{len(feeds)} feeds, as a file below.", back="feeds:list")
    return Reply(reply.message, document=("tocsin-feeds.opml", write_opml(feeds)))


def _entry(url: str, title: str) -> FeedEntry:
    try:
        return FeedEntry(url=url, title=one_line(title, 200))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"{url[:200]}: {first['msg'].removeprefix('Value error, ')}") from error
