"""An archive of dated articles in, feeds over loopback HTTP out, as each outlet would have shown them at a moment.

Used by the demo and by anything that replays an archive through the real pipeline.
"""

import hashlib
import json
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bot.demo.feed_xml import WRITERS, Item

ITEMS_IN_A_FEED = 40
SAMPLE = Path(__file__).parent / "sample"


@dataclass(slots=True)
class Outlet:
    """One feed of the archive: who publishes it, in which format, and every version of every item."""

    id: str
    title: str
    family: str = ""
    format: str = "rss20"
    weight: float = 1.0
    aligned: str = ""
    homepage: str = "https://news.example/"
    items: list[Item] = field(default_factory=list)

    def at(self, moment: datetime) -> list[Item]:
        """What the feed shows at `moment`: the newest items, each in its latest version so far."""
        shown: dict[str, Item] = {}
        for item in self.items:
            if item.updated <= moment:
                shown[item.guid] = item
        return sorted(shown.values(), key=lambda item: item.published, reverse=True)[:ITEMS_IN_A_FEED]


def read_sample(folder: Path = SAMPLE, more: Sequence[Path] = ()) -> list[Outlet]:
    """The bundled month: outlets.toml and every *.jsonl of `folder`; `more` files tell what else the outlets say.

    A line is one version of an item: `outlet` (an id of outlets.toml), `at` (ISO 8601), `guid` (again: an edit), `url`,
    `title`, `summary`, `text`. What else stands there (`kind`, `of`, `event`) is for tests and benchmarks.
    """
    described = tomllib.loads((folder / "outlets.toml").read_text(encoding="utf-8"))["outlet"]
    outlets = {entry["id"]: Outlet(**entry) for entry in described}
    records: list[dict[str, Any]] = []
    for path in [*sorted(folder.glob("*.jsonl")), *more]:
        records += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    versions: dict[tuple[str, str], datetime] = {}
    for record in sorted(records, key=lambda record: record["at"]):
        updated = datetime.fromisoformat(record["at"])
        published = versions.setdefault((record["outlet"], record["guid"]), updated)
        words = {key: record.get(key, "") for key in ("guid", "url", "title", "summary", "text")}
        outlets[record["outlet"]].items.append(Item(**words, published=published, updated=updated))
    return list(outlets.values())


class Newsroom:
    """Serves outlets on a loopback port: `async with Newsroom(outlets, clock) as newsroom`."""

    def __init__(self, outlets: Sequence[Outlet], clock: Callable[[], datetime]) -> None:
        self._outlets = {outlet.id: outlet for outlet in outlets}
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self.requests: dict[int, int] = defaultdict(int)
        self.port = 0

    def url(self, outlet: Outlet) -> str:
        """Where `outlet`'s feed is."""
        return f"http://127.0.0.1:{self.port}/{outlet.id}.xml"

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/{outlet}.xml", self._serve)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        outlet = self._outlets.get(request.match_info["outlet"])
        if outlet is None:
            raise web.HTTPNotFound
        body = WRITERS[outlet.format](outlet.title, outlet.homepage, outlet.at(self._clock()))
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        unchanged = request.headers.get("If-None-Match") == etag
        status = 304 if unchanged else 200
        self.requests[status] += 1
        if unchanged:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, content_type="application/xml", headers={"ETag": etag})


def feeds_toml(newsroom: Newsroom, outlets: Iterable[Outlet], actor_codes: dict[str, str]) -> str:
    """feeds.toml for a newsroom; `actor_codes` turns a state's name into the code that `aligned` wants."""
    outlets = list(outlets)
    families = {outlet.family or outlet.id: outlet for outlet in outlets}
    lines = []
    for family, outlet in families.items():
        aligned = actor_codes.get(outlet.aligned, "")
        lines += [f"[families.{family}]", f"name = {json.dumps(family)}", f'aligned = "{aligned}"']
    for outlet in outlets:
        lines += [
            "[[feeds]]",
            f'url = "{newsroom.url(outlet)}"',
            f"title = {json.dumps(outlet.title, ensure_ascii=False)}",
            f"publisher = {json.dumps(outlet.title, ensure_ascii=False)}",
            f'family = "{outlet.family or outlet.id}"',
            f"weight = {float(outlet.weight)}",
        ]
    return "\n".join(lines) + "\n"
