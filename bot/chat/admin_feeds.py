"""/admin, Feeds: a press in; the list with health, a preview, and feeds.toml with a feed more, less or paused out."""

from collections.abc import Sequence
from dataclasses import dataclass

import telegram

from bot import changes
from bot.chat.admin_call import OUT_OF_DATE, Call, Reply, number, page, turner
from bot.chat.admin_feed_edit import EDITING, edit_button, traits
from bot.chat.feed_lines import MARKS, Line, feed_lines, feed_named
from bot.feeds.newcomer import newcomer, newcomers
from bot.feeds.opml import MAX_BYTES, OpmlFeed, read_opml, write_opml
from bot.feeds.types import ParsedFeed
from bot.feeds.urls import safe_url
from bot.messages.lines import one_line
from bot.messages.message import Button
from config.errors import ConfigError, FeedError
from config.schema import FeedEntry

SIZE = 8
HEADLINES = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """Feeds an admin is about to add."""

    entries: tuple[FeedEntry, ...]


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
        **EDITING,
    }
    return await steps.get(verb, _list)(call)


# Looking --------------------------------------------------------------------------------------------------------------


async def _list(call: Call) -> Reply:
    lines = await feed_lines(call)
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


async def _one(call: Call) -> Reply:
    return _details(await feed_named(call))


def _details(line: Line) -> Reply:
    feed = line.feed
    text = [line.name, line.entry.url, "", f"{MARKS[line.health]} {line.health}"]
    text += traits(line.entry)
    if feed is not None:
        text.append(f"last read: {feed.last_read_at:%d %b %H:%M} UTC" if feed.last_read_at else "never read")
        text.append(f"every {feed.interval_s // 60} minutes" if feed.interval_s else "")
        if feed.failures:
            text.append(f"{feed.failures} failures in a row: {one_line(feed.last_error or '', 300)}")
    turn = Button("Resume", f"adm:feeds:resume:{line.key}") if line.entry.paused else None
    turn = turn or Button("Pause", f"adm:feeds:pause:{line.key}")
    rows = ([edit_button(line.entry), turn, Button("Remove", f"adm:feeds:rm:{line.key}")],)
    return page("\n".join(part for part in text if part is not None), rows, back="feeds:list")


# Changing -------------------------------------------------------------------------------------------------------------


async def _pause(call: Call) -> Reply:
    return await _set_paused(call, True)


async def _resume(call: Call) -> Reply:
    return await _set_paused(call, False)


async def _set_paused(call: Call, paused: bool) -> Reply:
    line, folder = await feed_named(call), call.tools.folder
    await call.desk.decide(lambda s, _cfg, now: changes.pause(s, folder, call.who, line.entry.url, paused, now))
    await call.tools.reload()
    return _details(await feed_named(call))


async def _ask_remove(call: Call) -> Reply:
    line = await feed_named(call)
    rows = ([Button("Remove it", f"adm:feeds:rmyes:{line.key}")],)
    return page(
        f"Remove {line.name}?\n{line.entry.url}\n\nIts articles stay. History brings it back.", rows, back="feeds:list"
    )


async def _remove(call: Call) -> Reply:
    line, folder = await feed_named(call), call.tools.folder
    await call.desk.decide(lambda s, _cfg, now: changes.remove(s, folder, call.who, line.entry.url, now))
    await call.tools.reload()
    return page(f"Removed: {line.name}\n{line.entry.url}", back="feeds:list")


async def _ask_address(call: Call) -> Reply:
    return await call.ask("feeds", "address", "Send me the address of the feed (RSS or Atom).")


async def _preview(call: Call) -> Reply:
    """Fetch first: an address that brings nothing is not added."""
    url, known = _address(call.arg), [line.entry for line in await feed_lines(call)]
    if any(entry.url == url for entry in known):
        raise ConfigError(f"{url} is there already")
    try:
        parsed = await call.tools.preview(url)
    except FeedError as error:
        raise FeedError(f"That address cannot be read as a feed: {error}") from error
    entry = newcomer(url, parsed.title, known)
    token = await call.hold(Wanted((entry,)))
    rows = ([Button("Add it", f"adm:feeds:addyes:{token}"), Button("Cancel", "adm:feeds:list")],)
    return page("\n".join([_preview_text(url, parsed), "", *traits(entry)]), rows)


def _address(text: str) -> str:
    """What was typed, as a web address; a phone's browser shows it without the http."""
    typed = text.strip()
    url = safe_url(typed)
    if url is None and "://" not in typed and "." in typed.partition("/")[0]:
        url = safe_url(f"https://{typed}")
    if url is None:
        raise ConfigError("that is not a web address; it looks like https://example.org/rss.xml")
    return url


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
        text = "\n".join([f"Added: {added[0].url}", "It is read within a minute.", "", *traits(added[0])])
        return page(text, ([edit_button(added[0])],), back="feeds:list")
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
    known = {line.entry.url: line.entry for line in await feed_lines(call)}
    new = newcomers([feed for feed in found if feed.url not in known], list(known.values()))
    text = [f"{len(found)} feeds in the file: {len(new)} new, {len(found) - len(new)} there already."]
    text += [f"• {one_line(entry.title or entry.url, 80)}" for entry in new[:HEADLINES]]
    text += [f"... and {len(new) - HEADLINES} more"] if len(new) > HEADLINES else []
    text += [_without_region(new)] if new else []
    text += [one_line(problem, 150) for problem in problems[:HEADLINES]]
    if not new:
        return page("\n".join(text), back="feeds:list")
    token = await call.hold(Wanted(tuple(new)))
    rows = ([Button(f"Add {len(new)}", f"adm:feeds:addyes:{token}"), Button("Cancel", "adm:feeds:list")],)
    return page("\n".join(text), rows)


def _without_region(new: Sequence[FeedEntry]) -> str:
    many = sum(not entry.regions for entry in new)
    if not many:
        return "Each stands in a folder that is a region."
    return f"{many} stand in no folder that is a region: whoever chose regions does not hear them until Edit says some."


async def _export(call: Call) -> Reply:
    lines = await feed_lines(call)
    feeds = [OpmlFeed(line.entry.url, line.name, ", ".join(line.entry.regions)) for line in lines]
    reply = page(f"{len(feeds)} feeds, as a file below.", back="feeds:list")
    return Reply(reply.message, document=("tocsin-feeds.opml", write_opml(feeds)))
