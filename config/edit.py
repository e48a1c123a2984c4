"""feeds.toml in, feeds.toml out with a feed added or removed; comments and order stay as the admin wrote them."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array

from config.errors import ConfigError
from config.load import check_text, load_settings
from config.schema import FeedEntry


def add_feeds(folder: Path, entries: Sequence[FeedEntry]) -> list[FeedEntry]:
    """Append `entries` to feeds.toml, leaving out addresses it has; returns those added. Raises ConfigError."""
    with _locked(folder) as path:
        known = {feed.url for feed in load_settings(folder).feeds.feeds}
        new = list({entry.url: entry for entry in entries if entry.url not in known}.values())
        if new:
            _write_checked(path, _with_feeds(_read(path), new))
    return new


def remove_feed(folder: Path, url: str) -> None:
    """Take the feed at `url` out of feeds.toml. Raises ConfigError when it is not there."""
    with _locked(folder) as path:
        document = _read(path)
        feeds = document.get("feeds")
        if isinstance(feeds, AoT | Array):
            for index, table in enumerate(feeds):
                if isinstance(table, dict) and table.get("url") == url:
                    del feeds[index]
                    _write_checked(path, tomlkit.dumps(document))
                    return
    raise ConfigError(f"{folder / 'feeds.toml'}: no feed has the address {url}; `feeds list` shows those there are")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Hold the folder against another edit, so that none is lost; gives the file to edit."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder / "feeds.toml"
    finally:
        os.close(handle)


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


def _read(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8-sig")) if path.exists() else tomlkit.document()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigError(f"{path}: cannot be edited: {error}") from error


def _write_checked(path: Path, text: str) -> None:
    """Replace the file in one step, and only by one that passes the check."""
    check_text("feeds", path, text)
    target = path.resolve()  # a link stays a link
    try:
        mode = target.stat().st_mode if target.exists() else 0o644
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".feeds-", suffix=".toml")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).chmod(mode)
            Path(temporary).replace(target)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
