"""feeds.toml in, feeds.toml out with a feed added or removed; comments and order stay as the admin wrote them."""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from config.errors import ConfigError
from config.load import load_settings
from config.schema import FeedEntry


def add_feeds(folder: Path, entries: Sequence[FeedEntry]) -> list[FeedEntry]:
    """Append `entries` to feeds.toml, leaving out addresses it has; returns those added. Raises ConfigError."""
    known = {feed.url for feed in load_settings(folder).feeds.feeds}
    new = list({entry.url: entry for entry in entries if entry.url not in known}.values())
    document = _read(folder)
    feeds = document.setdefault("feeds", tomlkit.aot())
    for entry in new:
        table = tomlkit.table()
        table.update(entry.model_dump(exclude_defaults=True, mode="json"))
        feeds.append(table)
    if new:
        _write_checked(folder, document)
    return new


def remove_feed(folder: Path, url: str) -> None:
    """Take the feed at `url` out of feeds.toml. Raises ConfigError when it is not there."""
    document = _read(folder)
    feeds = document.get("feeds")
    if isinstance(feeds, AoT):
        for index, table in enumerate(feeds):
            if table.get("url") == url:
                del feeds[index]
                _write_checked(folder, document)
                return
    raise ConfigError(f"{folder / 'feeds.toml'}: no feed has the address {url}; `feeds list` shows those there are")


def _read(folder: Path) -> tomlkit.TOMLDocument:
    path = folder / "feeds.toml"
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigError(f"{path}: cannot be edited: {error}") from error


def _write_checked(folder: Path, document: tomlkit.TOMLDocument) -> None:
    """Replace feeds.toml in one step, and only by a file that passes the check."""
    text = tomlkit.dumps(document)
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "feeds.toml").write_text(text, encoding="utf-8")
        load_settings(Path(scratch))
    path = folder / "feeds.toml"
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".feeds-", suffix=".toml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if path.exists():
            Path(temporary).chmod(path.stat().st_mode)
        Path(temporary).replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise ConfigError(f"{path}: cannot be written: {error}") from error
