"""Feeds served over loopback by another process in, feeds/s and articles/s of `fetch_due_feeds` out.

    python -m benchmarks ingest [--feeds 200] [--items 30]

Three rounds on one database: everything is new; every answer is 304; every answer is 200 with the same body. SQLite
always, and PostgreSQL too when one answers at TOCSIN_TEST_POSTGRES (default: 127.0.0.1:5432).
"""

import argparse
import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, islice
from urllib.request import Request, urlopen
from uuid import uuid4

import psycopg
from aiohttp import web
from rich.table import Table

from benchmarks.measure import (
    START,
    console,
    loopback_service,
    machine,
    peak_mb,
    progress,
    read_texts,
    scratch_app,
    serving,
)
from bot.app import App
from bot.demo.feed_xml import WRITERS, Item
from bot.demo.play import SimulatedClock

POSTGRES = os.environ.get("TOCSIN_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
ROUNDS = (("all new", "new"), ("all 304", "304"), ("all the same body", "same"))
DUE_AGAIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Round:
    """One round of polling: how many feeds answered, how many articles were stored, and how long it took."""

    name: str
    feeds: int
    articles: int
    seconds: float


# The other side -------------------------------------------------------------------------------------------------------


def outlets(feeds: int, items: int) -> web.ServerRunner:
    """So many feeds of so many items; GET /size answers their mean size in bytes.

    POST /mode/304 makes matching validators count; POST /mode/same ignores them.
    """
    mode = ["new"]
    made = bodies(feeds, items)

    async def answer(request: web.BaseRequest) -> web.Response:
        _, first, second = (*request.path.split("/"), "")[:3]
        if first == "size":
            return web.Response(text=str(sum(map(len, made)) / len(made)))
        if first == "mode":
            mode[0] = second
            return web.Response()
        number = int(first)
        etag = f'"{number}"'
        if mode[0] == "304" and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=made[number], content_type="application/xml", headers={"ETag": etag})

    return web.ServerRunner(web.Server(answer), access_log=None)


def bodies(feeds: int, items: int) -> list[bytes]:
    """Feeds in the three formats in turn; each item has a headline, a summary and three sentences."""
    texts = read_texts()
    words = cycle(texts.everyday + texts.in_scope)
    made = []
    for number, writer in zip(range(feeds), cycle(WRITERS.values()), strict=False):
        entries = [_item(f"{number}-{place}", place, list(islice(words, 5))) for place in range(items)]
        made.append(writer(f"Outlet {number}", "https://news.example/", entries))
    return made


def _item(key: str, place: int, words: Sequence[str]) -> Item:
    moment = START - timedelta(minutes=20 * place)
    return Item(key, f"https://news.example/{key}", words[0], moment, moment, words[1], " ".join(words[2:]))


# Our side -------------------------------------------------------------------------------------------------------------


async def poll_rounds(address: str, feeds: int, url: str | None) -> list[Round]:
    """The three rounds on an empty database at `url` (None: SQLite in a scratch folder)."""
    clock = SimulatedClock(START)
    listed = "\n".join(f'[[feeds]]\nurl = "{address}/{number}"' for number in range(feeds))
    # All feeds share one host here, so the limit per host must not be what is measured.
    files = {"service.toml": loopback_service(per_host=20)}
    rounds = []
    async with scratch_app(clock, listed, files, database_url=url) as app:
        for name, mode in ROUNDS:
            await asyncio.to_thread(_set_mode, address, mode)
            rounds.append(await _round(app, name, feeds))
            clock.now += DUE_AGAIN
    return rounds


def _set_mode(address: str, mode: str) -> None:
    urlopen(Request(f"{address}/mode/{mode}", method="POST")).close()


async def _round(app: App, name: str, feeds: int) -> Round:
    polled = articles = 0
    start = time.perf_counter()
    with progress(name, feeds) as advance:
        while done := await app.fetch():
            if not done.polled:
                break
            if done.failed:
                raise RuntimeError(f"{done.failed} of {done.polled} feeds failed; the figures would say nothing")
            polled, articles = polled + done.polled, articles + done.new
            advance(done.polled)
    return Round(name, polled, articles, time.perf_counter() - start)


@contextmanager
def postgres() -> Iterator[str | None]:
    """The address of an empty scratch database, None when no server answers."""
    try:
        connection = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        yield None
        return
    name = f"tocsin_bench_{uuid4().hex[:12]}"
    with connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{POSTGRES.rsplit('/', 1)[0]}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def show(database: str, rounds: Sequence[Round]) -> Table:
    """One row per round."""
    table = Table(title=database, title_justify="left")
    for heading in ("round", "feeds", "new articles", "seconds", "feeds/s", "articles/s"):
        table.add_column(heading, justify="left" if heading == "round" else "right")
    for one in rounds:
        rates = (f"{one.feeds / one.seconds:,.0f}", f"{one.articles / one.seconds:,.0f}" if one.articles else "")
        table.add_row(one.name, str(one.feeds), f"{one.articles:,}", f"{one.seconds:.2f}", *rates)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=200, help="1 to 5000")
    parser.add_argument("--items", type=int, default=30, help="1 to 500")
    given = parser.parse_args()
    screen = console()
    with serving(outlets, min(given.feeds, 5000), min(given.items, 500)) as address:
        size = float(urlopen(f"{address}/size").read())
        screen.print(f"{given.feeds} feeds of {given.items} items, {size / 1000:.0f} kB each; {machine()}")
        screen.print(show("SQLite", asyncio.run(poll_rounds(address, given.feeds, None))))
        # The server's process has not ended yet, so the children are the parsers alone.
        memory = (
            f"Peak memory with SQLite: {peak_mb():.0f} MB, and {peak_mb(children=True):.0f} MB in the parsing process"
        )
        screen.print(memory)
        with postgres() as url:
            if url is None:
                screen.print(f"No PostgreSQL answers at {POSTGRES.rsplit('@', 1)[-1]}; left out.")
            else:
                screen.print(show("PostgreSQL", asyncio.run(poll_rounds(address, given.feeds, url))))


if __name__ == "__main__":
    main()
