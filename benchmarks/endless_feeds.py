"""Feeds on loopback that grow by one article with every poll, served by a process of its own that survives its readers.

Each article stays in its feed for the next polls, so that one which a killed reader did not store is there again; its
words are its own, so that it is a story of its own; and its mark, such as "1x17", says which it is.
"""

import json
import logging
import random
import re
from typing import Any
from urllib.request import Request, urlopen

from aiohttp import web

SHOWN = 30
MARK = re.compile(r"\b\d+x\d+\b")
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


def title(feed: int, number: int) -> str:
    """Words nobody used before, and the mark."""
    chance = random.Random(f"{feed} {number}")
    words = ["".join(chance.choices(_SYLLABLES, k=4)).capitalize() for _ in range(6)]
    return " ".join([*words, f"{feed}x{number}"])


def freeze(address: str) -> dict[str, int]:
    """No feed grows any more; returns how many articles each has published, by its number."""
    with urlopen(Request(f"{address}/freeze", method="POST")) as answer:
        published: dict[str, int] = json.load(answer)
        return published


def endless_feeds() -> web.AppRunner:
    """The server; feed 1 is at /feed/1, and so on."""
    logging.getLogger().addHandler(logging.NullHandler())  # else each reader that was killed leaves a traceback
    published: dict[str, int] = {}
    frozen = False

    async def feed(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        published[name] = published.get(name, 0) + (not frozen)
        return web.Response(body=_rss(int(name), published[name]), content_type="application/rss+xml")

    async def stop_growing(_request: web.Request) -> web.Response:
        nonlocal frozen
        frozen = True
        return web.json_response(published)

    app = web.Application()
    routes: list[Any] = [web.get("/feed/{name}", feed), web.post("/freeze", stop_growing)]
    app.add_routes(routes)
    return web.AppRunner(app, access_log=None)


def _rss(feed: int, newest: int) -> bytes:
    """Without dates: what turns up is news."""
    numbers = range(newest, max(newest - SHOWN, 0), -1)
    items = "".join(
        f"<item><title>{title(feed, number)}</title><guid isPermaLink='false'>{feed}x{number}</guid>"
        f"<link>https://outlet{feed}.example/{number}</link></item>"
        for number in numbers
    )
    return f'<rss version="2.0"><channel><title>Outlet {feed}</title>{items}</channel></rss>'.encode()
