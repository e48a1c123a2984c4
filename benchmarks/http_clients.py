"""aiohttp and httpx fetch the same 20 KB feed from a server on loopback; a table of requests a second comes out.

    python -m benchmarks http_clients [--rounds 5] [--requests 1500]

The server runs in a process of its own. Runs are paired: in each round both clients do every load right after each
other, in alternating order, so that whatever else the machine does in that time falls on both.
"""

import argparse
import asyncio
import os
import platform
import time
from collections.abc import Awaitable, Callable, Coroutine
from importlib.metadata import version
from statistics import median
from typing import Any

import aiohttp
import httpx
from aiohttp import web
from rich.console import Console
from rich.table import Table

from benchmarks.measure import serving

BODY = b"<item><title>Talks resume</title></item>" * 512  # 20 KB
LOADS = (1, 50)
Client = Callable[[str, int, int], Coroutine[Any, Any, float]]


def feed() -> web.ServerRunner:
    """Answers every GET with BODY."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(body=BODY, content_type="application/rss+xml")

    return web.ServerRunner(web.Server(answer))


async def with_aiohttp(url: str, requests: int, at_once: int) -> float:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def get() -> None:
            async with session.get(url) as response:
                assert len(await response.read()) == len(BODY)

        return await rate(get, requests, at_once)


async def with_httpx(url: str, requests: int, at_once: int) -> float:
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx.AsyncClient(limits=limits, timeout=60) as session:

        async def get() -> None:
            assert len((await session.get(url)).content) == len(BODY)

        return await rate(get, requests, at_once)


async def rate(get: Callable[[], Awaitable[None]], requests: int, at_once: int) -> float:
    """Requests a second with `at_once` workers that share `requests`; the first request of each is not counted."""

    async def worker(count: int) -> None:
        for _ in range(count):
            await get()

    await asyncio.gather(*(worker(1) for _ in range(at_once)))
    start = time.perf_counter()
    await asyncio.gather(*(worker(requests // at_once) for _ in range(at_once)))
    return requests // at_once * at_once / (time.perf_counter() - start)


CLIENTS: dict[str, Client] = {"aiohttp": with_aiohttp, "httpx": with_httpx}


def measure(url: str, rounds: int, requests: int) -> dict[tuple[str, int], list[float]]:
    results: dict[tuple[str, int], list[float]] = {(name, load): [] for load in LOADS for name in CLIENTS}
    for number in range(rounds):
        order = list(CLIENTS) if number % 2 == 0 else list(reversed(CLIENTS))
        for load in LOADS:
            for name in order:
                results[name, load].append(asyncio.run(CLIENTS[name](url, requests, load)))
    return results


def show(results: dict[tuple[str, int], list[float]], rounds: int) -> None:
    versions = ", ".join(f"{name} {version(name)}" for name in CLIENTS)
    table = Table(title=f"GET of {len(BODY):,} bytes on loopback, requests/s, median of {rounds} (lowest to highest)")
    for column in ("at once", *CLIENTS, "aiohttp / httpx, per pair"):
        table.add_column(column, justify="right")
    for load in LOADS:
        runs = [results[name, load] for name in CLIENTS]
        ratios = [first / second for first, second in zip(*runs, strict=True)]
        cells = [f"{median(run):,.0f} ({min(run):,.0f} to {max(run):,.0f})" for run in runs]
        table.add_row(str(load), *cells, f"{median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")
    console = Console(width=110)
    console.print(table)
    console.print(f"{versions}, Python {platform.python_version()}, {os.cpu_count()} CPU cores, {platform.machine()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1500)
    given = parser.parse_args()
    with serving(feed) as address:
        show(measure(f"{address}/feed", given.rounds, given.requests), given.rounds)


if __name__ == "__main__":
    main()
