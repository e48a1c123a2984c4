"""What every benchmark needs: the machine in words, memory, a progress bar, a scratch App, a server, and texts."""

import asyncio
import json
import multiprocessing
import os
import platform
import random
import resource
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import web
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bot.app import App, open_app
from bot.demo.play import SimulatedClock
from bot.outlet import Envelope, Sender
from classifiers.corpus_files import CORPUS
from config.load import DEFAULT_FOLDER
from models import Outlet

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SAMPLE = Path(__file__).parents[1] / "bot" / "demo" / "sample"
Runner = web.AppRunner | web.ServerRunner


class Collector:
    """A sender that accepts everything at once and remembers how much."""

    def __init__(self) -> None:
        self.sent = 0

    async def send(self, envelope: Envelope) -> int | None:
        """Accept it; the message id is its number."""
        await envelope.begin()
        self.sent += 1
        return self.sent


def console() -> Console:
    """As wide as the terminal, and wide enough for the tables where there is none."""
    found = Console()
    return found if found.is_terminal else Console(width=120)


def machine() -> str:
    """The machine in general terms."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} CPU cores, {memory:.0f} GB, {platform.machine()}, Python {platform.python_version()}"


def peak_mb(children: bool = False) -> float:
    """The most memory this process (or the largest of its ended children) ever held, MB."""
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    divisor = 2**20 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(who).ru_maxrss / divisor


@contextmanager
def progress(title: str, total: int) -> Iterator[Any]:
    """A bar on the terminal; yields `advance(steps=1)`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda steps=1: bar.advance(task, steps)


@asynccontextmanager
async def scratch_app(
    clock: SimulatedClock,
    feeds_toml: str = "",
    files: Mapping[str, str] | None = None,
    senders: Mapping[Outlet, Sender] | None = None,
    database_url: str | None = None,
) -> AsyncIterator[App]:
    """Tocsin with the shipped settings, an empty database, and leave to poll loopback; `files` replaces settings."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as scratch:
        folder = Path(scratch)
        for name in ("alerts.toml", "digest.toml", "service.toml", "actors.toml"):
            if (DEFAULT_FOLDER / name).exists():
                shutil.copy(DEFAULT_FOLDER / name, folder / name)
        given = {"feeds.toml": feeds_toml, "service.toml": loopback_service()} | dict(files or {})
        for name, text in given.items():
            (folder / name).write_text(text, encoding="utf-8")
        url = database_url or f"sqlite:///{folder / 'bench.db'}"
        async with open_app(folder, url, senders or {}, clock) as app:
            yield app


def loopback_service(**fetch: Any) -> str:
    """service.toml with the defaults, loopback allowed, and what `fetch` changes."""
    values = {"allow_addresses": ["127.0.0.0/8"], **fetch}
    return "[fetch]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items()) + "\n"


@contextmanager
def serving(serve: Callable[..., Runner], *args: Any) -> Iterator[str]:
    """A process of its own that serves what `serve(*args)` makes on a free port of loopback; yields its address."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, serve, *args), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


def _serve(pipe: Connection, serve: Callable[..., Runner], *args: Any) -> None:
    async def run() -> None:
        runner = serve(*args)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


@dataclass(frozen=True, slots=True)
class Texts:
    """Labelled sentences and headlines of the training corpus, and ordinary articles of the demo, as material."""

    in_scope: tuple[str, ...]
    everyday: tuple[str, ...]


def read_texts(seed: int = 1) -> Texts:
    """Everything the project wrote, split by whether it bears on tension, shuffled the same way every time."""
    in_scope: list[str] = []
    everyday: list[str] = []
    for path in sorted(CORPUS.glob("*.jsonl")):
        for record in read_jsonl(path):
            for row in record.get("sentences", [record]):
                if "text" in row:
                    (everyday if row.get("direction") == "none" else in_scope).append(row["text"])
    for record in read_jsonl(SAMPLE / "everyday.jsonl"):
        everyday += [record["title"], record.get("summary", ""), *record.get("text", "").split(". ")]
    return Texts(_shuffled(in_scope, seed), _shuffled(filter(None, everyday), seed))


def _shuffled(texts: Iterable[str], seed: int) -> tuple[str, ...]:
    each_once = list(dict.fromkeys(texts))
    random.Random(seed).shuffle(each_once)
    return tuple(each_once)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """One object per line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
