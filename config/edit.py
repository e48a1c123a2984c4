"""feeds.toml in, feeds.toml out with a feed added, changed or removed; comments and order stay as the admin wrote them.

config/edit_value.py does the same for one value of any file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT, Array

from config.errors import ConfigError
from config.load import load_file, overridden_by
from config.schema import FeedEntry
from config.toml_file import locked, read_document, write_checked


def add_feeds(folder: Path, entries: Sequence[FeedEntry]) -> list[FeedEntry]:
    """Append `entries` to feeds.toml, leaving out addresses it has; returns those added. Raises ConfigError."""
    with _feeds_file(folder) as path:
        known = {feed.url for feed in load_file(folder, "feeds").feeds}
        new = list({entry.url: entry for entry in entries if entry.url not in known}.values())
        if new:
            write_checked(path, _with_feeds(read_document(path), new))
    return new


def remove_feed(folder: Path, url: str) -> FeedEntry:
    """Take the feed at `url` out of feeds.toml; returns what it was. Raises ConfigError when it is not there."""
    with _feeds_file(folder) as path:
        entry = _entry_of(folder, url)
        document = read_document(path)
        feeds: Any = document["feeds"]
        del feeds[_place(feeds, url)]
        write_checked(path, tomlkit.dumps(document))
    return entry


def edit_feed(folder: Path, url: str, values: Mapping[str, Any]) -> tuple[FeedEntry, FeedEntry]:
    """Set keys of the feed at `url` where it stands, None: take them out; returns what it was and is.

    Raises ConfigError, with nothing changed, when it is not there or a value is refused.
    """
    with _feeds_file(folder) as path:
        before = _entry_of(folder, url)
        document = read_document(path)
        feeds: Any = document["feeds"]
        table = feeds[_place(feeds, url)]
        for key, value in values.items():
            if value is not None:
                table[key] = value
            elif key in table:
                del table[key]
        write_checked(path, tomlkit.dumps(document))
        return before, _entry_of(folder, url)


def _feeds_file(folder: Path) -> Any:
    variable = overridden_by("feeds", ("feeds",))
    if variable is not None:
        raise ConfigError(
            f"{folder / 'feeds.toml'}: the feeds are set by the environment ({variable}); change it there"
        )
    return locked(folder, "feeds")


def _entry_of(folder: Path, url: str) -> FeedEntry:
    for entry in load_file(folder, "feeds").feeds:
        if entry.url == url:
            assert isinstance(entry, FeedEntry)  # noqa: S101 - for the type checker
            return entry
    raise ConfigError(f"{folder / 'feeds.toml'}: no feed has the address {url}; `feeds list` shows those there are")


def _place(feeds: AoT | Array, url: str) -> int:
    return next(index for index, table in enumerate(feeds) if table.get("url") == url)


def _with_feeds(document: tomlkit.TOMLDocument, new: Sequence[FeedEntry]) -> str:
    """The text of `document` with `new` at its end; an inline `feeds = [...]` stays inline."""
    feeds = document.setdefault("feeds", tomlkit.aot())
    if isinstance(feeds, Array) and not feeds:
        document.remove("feeds")
        feeds = document.setdefault("feeds", tomlkit.aot())
    for entry in new:
        table = tomlkit.inline_table() if isinstance(feeds, Array) else tomlkit.table()
        table.update(entry.model_dump(exclude_defaults=True, mode="json"))
        feeds.append(table)
    return tomlkit.dumps(document)
