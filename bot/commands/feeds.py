"""feeds list | add | pause | resume | remove | test | import | export: the feeds of config/feeds.toml."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text
from sqlmodel import Session

from bot import changes
from bot.app import fetch_limits, utc_now
from bot.changes import who_asks
from bot.commands.options import Config, DatabaseUrl, config_folder, console, database_url, progress
from bot.feeds.fetcher import Fetcher
from bot.feeds.newcomer import LONGEST_NAME, newcomer, newcomers
from bot.feeds.opml import OpmlFeed, read_opml, write_opml
from bot.feeds.parser import ParsePool
from bot.feeds.types import FetchError, FetchRequest, ParsedFeed
from bot.feeds.urls import safe_url
from bot.model_shelf import live_classifier
from classifiers.judgement import Document
from config.errors import ConfigError
from config.load import load_file, load_settings
from config.schema import FeedEntry, Settings
from models import Feed

app = typer.Typer(
    help="The feeds Tocsin reads: list, add, pause, resume, remove, test, import, export.", no_args_is_help=True
)
SHOWN = 15
T = TypeVar("T")


@app.command("list")
def list_feeds(config: Config = None, database: DatabaseUrl = None) -> None:
    """Every feed with its health, pace and last error.

    Example: python -m bot feeds list
    """
    from models.database import open_database
    from models.feed import feeds_by_url

    entries = sorted(load_settings(config_folder(config)).feeds.feeds, key=lambda entry: entry.title.casefold())
    opened = open_database(database_url(database), utc_now())
    with opened.read() as session:
        known = feeds_by_url(session)
    opened.close()
    table = Table(title=f"{len(entries)} feeds", title_justify="left")
    for heading in ("health", "title", "every", "last read", "address and last error"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        table.add_row(*_row(entry, known.get(entry.url)))
    console().print(table)


def _row(entry: FeedEntry, feed: Feed | None) -> tuple[str | Text, ...]:
    """A feed that is paused, or that Tocsin has not met yet, has nothing but its entry in feeds.toml."""
    if feed is None:
        return "paused" if entry.paused else "new", Text(entry.title), "-", "never", Text(entry.url)
    every = f"{feed.interval_s // 60} min" if feed.interval_s else "-"
    read = f"{feed.last_read_at:%d %b %H:%M}" if feed.last_read_at else "never"
    address = Text(feed.address + (f"\n{feed.last_error}" if feed.last_error else ""))
    return feed.health.value, Text(entry.title or feed.title), every, read, address


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="The feed's address.")],
    title: Annotated[str, typer.Option(help="Default: the feed's own.")] = "",
    publisher: Annotated[str, typer.Option(help="Who publishes it. Default: as feeds of the same site say.")] = "",
    family: Annotated[str, typer.Option(help="A [families.NAME] of feeds.toml; counts as one source.")] = "",
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Add a feed to feeds.toml; a running Tocsin takes it up within seconds.

    Example: python -m bot feeds add https://example.org/rss.xml --publisher "Example News"
    """
    folder = config_folder(config)
    address = _usable(url)
    entry = _entry(address, title, publisher, family, _known(folder))
    added = _recorded(database, lambda session, now: changes.add(session, folder, who_asks(), [entry], now))
    console().print(
        f"Added {address} to {folder / 'feeds.toml'}. Look at what it brings: python -m bot feeds test {address}"
        if added
        else f"{address} is in {folder / 'feeds.toml'} already."
    )


@app.command()
def remove(
    url: Annotated[str, typer.Argument(help="The address as feeds.toml has it.")],
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Take a feed out of feeds.toml. Its articles stay.

    Example: python -m bot feeds remove https://example.org/rss.xml
    """
    folder = config_folder(config)
    _recorded(database, lambda session, now: changes.remove(session, folder, who_asks(), url, now))
    console().print(f"Removed {url}.")


@app.command()
def pause(
    url: Annotated[str, typer.Argument(help="The address as feeds.toml has it.")],
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Stop asking a feed, and keep its entry in feeds.toml.

    Example: python -m bot feeds pause https://example.org/rss.xml
    """
    _pause(url, True, config_folder(config), database)


@app.command()
def resume(
    url: Annotated[str, typer.Argument(help="The address as feeds.toml has it.")],
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Ask a paused feed again.

    Example: python -m bot feeds resume https://example.org/rss.xml
    """
    _pause(url, False, config_folder(config), database)


def _pause(url: str, paused: bool, folder: Path, database: str | None) -> None:
    done = _recorded(database, lambda session, now: changes.pause(session, folder, who_asks(), url, paused, now))
    word = "paused" if paused else "being read"
    console().print(f"{url} is {word}." if done else f"{url} is {word} already.")


@app.command("import")
def import_opml(
    file: Annotated[Path, typer.Argument(help="An OPML file, as feed readers export it.")],
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Add every feed of an OPML file to feeds.toml, leaving out those it has.

    Example: python -m bot feeds import subscriptions.opml
    """
    out = console()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"feeds import {file}: cannot be read: {error.strerror}") from error
    found = read_opml(data, lambda problem: out.print(Text(problem)))
    folder = config_folder(config)
    entries = newcomers(found, _known(folder))
    added = _recorded(database, lambda session, now: changes.add(session, folder, who_asks(), entries, now))
    out.print(f"{len(added)} feeds added, {len(found) - len(added)} were there already.")


@app.command("export")
def export_opml(
    file: Annotated[Path, typer.Argument(help="Where the OPML goes.")],
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Write the feeds as OPML, for other feed readers.

    Example: python -m bot feeds export tocsin.opml
    """
    feeds = load_settings(config_folder(config)).feeds.feeds
    try:
        file.write_bytes(write_opml(OpmlFeed(feed.url, feed.title, ", ".join(feed.regions)) for feed in feeds))
    except OSError as error:
        raise ConfigError(f"feeds export {file}: cannot be written: {error.strerror}") from error
    console().print(f"{len(feeds)} feeds written to {file}.")


# test -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tried:
    """What asking a feed once gave."""

    url: str
    parsed: ParsedFeed | None = None
    error: FetchError | None = None


@app.command()
def test(
    url: Annotated[
        str | None, typer.Argument(help="One address; without it, every feed of feeds.toml is tried.")
    ] = None,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Fetch a feed now and show what would be read, with scores. Stores nothing.

    Example: python -m bot feeds test https://feeds.bbci.co.uk/news/world/rss.xml
    """
    settings = load_settings(config_folder(config))
    urls = [_usable(url)] if url else [feed.url for feed in settings.feeds.feeds]
    results = asyncio.run(_try_all(urls, settings))
    if url:
        _show_one(results[0], settings)
    else:
        _show_all(results)
    if any(result.error for result in results):
        raise typer.Exit(1)


async def _try_all(urls: list[str], settings: Settings) -> list[Tried]:
    async with Fetcher(fetch_limits(settings.service.fetch)) as fetcher, ParsePool() as parser:
        waiting = [asyncio.create_task(_try(url, fetcher, parser)) for url in urls]
        with progress(console()) as bars:
            finished = bars.track(asyncio.as_completed(waiting), total=len(urls), description="asking")
            results = {result.url: result for result in [await task for task in finished]}
    return [results[url] for url in urls]


async def _try(url: str, fetcher: Fetcher, parser: ParsePool) -> Tried:
    try:
        result = await fetcher.fetch(FetchRequest(url))
        return Tried(url, await parser.parse(result.body, result.headers, result.final_url, utc_now()))
    except FetchError as error:
        return Tried(url, error=error)


def _show_one(tried: Tried, settings: Settings) -> None:
    if tried.parsed is None:
        said = str(tried.error)
        raise ConfigError(said if tried.url in said else f"{tried.url}: {said}")
    feed = tried.parsed
    entries = feed.entries[:SHOWN]
    documents = [Document(entry.title, entry.summary, entry.text, entry.published_at) for entry in entries]
    judged = live_classifier(settings.actors).judge(documents)
    table = Table(title=Text(f"{feed.title or tried.url}: {len(feed.entries)} entries"), title_justify="left")
    for heading in ("published", "escalation", "easing", "title", "signals"):
        table.add_column(heading, justify="right" if heading in ("escalation", "easing") else "left", overflow="fold")
    for entry, judgement in zip(entries, judged, strict=True):
        date = f"{entry.published_at:%d %b %H:%M}" if entry.published_at else f"no date ({entry.date_problem})"
        signals = ", ".join(name for name, probability in judgement.signals.items() if probability >= 0.5)
        scores = (f"{judgement.escalation:.0f}", f"{judgement.deescalation:.0f}")
        table.add_row(date, *scores, Text(entry.title), signals.replace("_", " "))
    out = console()
    out.print(table)
    if feed.problem:
        out.print(Text(f"The feed is damaged but usable: {feed.problem}"))


def _show_all(results: list[Tried]) -> None:
    table = Table(title=f"{len(results)} feeds", title_justify="left")
    for heading in ("", "entries", "address", "problem"):
        table.add_column(heading, overflow="fold")
    for tried in results:
        entries = str(len(tried.parsed.entries)) if tried.parsed else "-"
        problem = str(tried.error or (tried.parsed and tried.parsed.problem) or "")
        table.add_row("failed" if tried.error else "ok", entries, tried.url, Text(problem))
    console().print(table)


def _recorded(database: str | None, edit: Callable[[Session, datetime], T]) -> T:
    """Do `edit`, which records itself, in one transaction."""
    from models.database import open_database

    now = utc_now()
    opened = open_database(database_url(database), now)
    try:
        with opened.write() as session:
            return edit(session, now)
    finally:
        opened.close()


def _usable(url: str) -> str:
    address = safe_url(url)
    if address is None:
        raise ConfigError(f"feeds: {url!r} is not a web address; it must start with http:// or https://")
    return address


def _known(folder: Path) -> Sequence[FeedEntry]:
    known: Sequence[FeedEntry] = load_file(folder, "feeds").feeds
    return known


def _entry(url: str, title: str, publisher: str, family: str, known: Sequence[FeedEntry]) -> FeedEntry:
    """Whose it is, as the admin says, else as feeds of the same site have it."""
    try:
        entry = FeedEntry(url=url, title=title[:LONGEST_NAME], publisher=publisher[:LONGEST_NAME], family=family)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"feeds: {first['loc'][0]}: {first['msg']}, got {str(first['input'])[:100]!r}") from error
    return entry if publisher or family else newcomer(url, title, known)
