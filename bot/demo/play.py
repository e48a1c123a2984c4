"""The bundled month in, watched as it would have been lived: the real pipeline over loopback, with time compressed.

Nothing here decides anything. The outlets' feeds are served as they stood at the simulated moment; Tocsin polls, reads,
judges and delivers with its own code, and the terminal shows what reached a subscriber.
"""

import asyncio
import io
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from sqlmodel import Session, col, func, select

from bot.app import App, open_app
from bot.demo.newsroom import SAMPLE, Newsroom, feeds_toml, read_sample
from bot.messages.alert import alert_message
from bot.outlet import Chat, Envelope
from bot.terminal import TerminalSender
from config.errors import DatabaseError
from config.load import DEFAULT_FOLDER
from models import Alert, Article, Direction, Feed, Level, Outlet, Story, Suppression, SuppressionReason
from models.database import open_database
from models.story import is_whole

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
END = datetime(2026, 4, 6, 9, tzinfo=UTC)  # the Monday after the month, so that its last week is summed up too
STEP = timedelta(hours=2)
CODES = {"Varnia": "VARNIA", "Kestria": "KESTRIA"}


@dataclass(slots=True)
class SimulatedClock:
    """Time that moves when told to."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays: a folder for charts and database, and, when they are not to be the shipped ones, the folder
    of alerts.toml and digest.toml, and the database's URL. The loudest alerts are drawn into `picture`, an SVG; `more`
    are files of what the outlets tell besides the bundled month."""

    folder: Path
    config: Path = DEFAULT_FOLDER
    database_url: str | None = None
    picture: Path | None = None
    more: tuple[Path, ...] = ()


async def play_demo(console: Console, stage: Stage, start: datetime = START, end: datetime = END) -> None:
    """Play the month from `start` to `end` into an empty database, printing what rings. Raises TocsinError."""
    clock = SimulatedClock(start)
    async with demo_app(console, stage, clock) as app:
        await live_through(app, clock, end, console)
        _show_summary(app, console, stage.folder)
        if stage.picture is not None:
            await _draw(app, stage.picture)


@asynccontextmanager
async def demo_app(console: Console, stage: Stage, clock: SimulatedClock) -> AsyncIterator[App]:
    """Tocsin on the bundled outlets, served over loopback; a database of its own in the folder starts empty."""
    url = stage.database_url or _start_empty(stage.folder)
    outlets = read_sample(more=stage.more)
    async with Newsroom(outlets, clock) as newsroom:
        with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as scratch:
            config = Path(scratch)
            _write_config(config, stage.config, feeds_toml(newsroom, outlets, CODES))
            senders = {Outlet.TERMINAL: TerminalSender(console, stage.folder)}
            _refuse_used(url, clock.now)
            async with open_app(config, url, senders, clock) as app:
                yield app


def _start_empty(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("demo.db", "demo.db-wal", "demo.db-shm"):
        (folder / name).unlink(missing_ok=True)
    return f"sqlite:///{folder / 'demo.db'}"


def _refuse_used(url: str, now: datetime) -> None:
    database = open_database(url, now)
    with database.read() as session:
        used = session.exec(select(func.count()).select_from(Feed)).one()
    database.close()
    if used:
        raise DatabaseError("demo: this database holds data; name an empty one, or leave out --database")


def _write_config(folder: Path, source: Path, feeds: str) -> None:
    """The admin's thresholds and digest, the invented parties, and leave to poll loopback."""
    for name in ("alerts.toml", "digest.toml"):
        if (source / name).exists():
            shutil.copy(source / name, folder / name)
    shutil.copy(SAMPLE / "actors.toml", folder / "actors.toml")
    service = {"allow_addresses": ["127.0.0.0/8"], "max_interval_minutes": 120}
    lines = [f"{key} = {json.dumps(value)}" for key, value in service.items()]
    (folder / "service.toml").write_text("[fetch]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    (folder / "feeds.toml").write_text(feeds, encoding="utf-8")


async def live_through(app: App, clock: SimulatedClock, end: datetime, console: Console) -> None:
    """One round of every stage each two hours until `end`, with a bar on the console."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=(end - clock.now) / STEP)
        while clock.now < end:
            progress.update(task, advance=1, description=f"{clock.now:%a %d %b %H:%M}")
            await app.once()
            clock.now += STEP


def _show_summary(app: App, console: Console, folder: Path) -> None:
    with app.database.read() as session:
        articles = session.exec(select(func.count()).select_from(Article)).one()
        stories = session.exec(select(func.count()).select_from(Story).where(is_whole())).one()
        alerts = session.exec(select(func.count()).select_from(Alert)).one()
        console.print(_suppressed_table(session))
    console.print(
        f"\n{articles} articles read, {stories} stories followed, {alerts} alerts raised. "
        f"Database and charts: {folder}\n"
        "Next: ./run.sh starts Tocsin on the feeds of config/feeds.toml; README.md shows how to connect Telegram."
    )


async def _draw(app: App, picture: Path) -> None:
    """The critical alert with most sources and the disputed easing, as the terminal showed them."""
    paper = Console(record=True, width=100, file=io.StringIO(), force_terminal=True, highlight=False)
    with app.database.read() as session:
        alerts = session.exec(select(Alert).order_by(col(Alert.id))).all()
    plain = [alert for alert in alerts if alert.level >= Level.CRITICAL and not alert.facts["contested"]]
    disputed = [alert for alert in alerts if alert.facts["contested"] and alert.direction is Direction.DEESCALATION]
    for alert in (*sorted(plain, key=lambda alert: -alert.facts["independent"])[:1], *disputed[:1]):
        await TerminalSender(paper, picture.parent).send(Envelope(Chat(0), alert_message(alert)))
    await asyncio.to_thread(picture.parent.mkdir, parents=True, exist_ok=True)
    paper.save_svg(str(picture), title="Tocsin")


def _suppressed_table(session: Session) -> Table:
    """What was not told, and why: the counts, and the loudest story of each reason."""
    table = Table(title="Not told, and why", title_justify="left", title_style="bold", width=100)
    for heading in ("reason", "stories", "times", "loudest"):
        table.add_column(heading, justify="right" if heading in ("stories", "times") else "left", overflow="fold")
    for reason in SuppressionReason:
        rows = session.exec(
            select(Suppression, Story)
            .join(Story)
            .where(Suppression.reason == reason)
            .order_by(col(Suppression.score).desc(), col(Suppression.id))
        ).all()
        if rows:
            loudest, story = rows[0]
            stories = len({row.story_id for row, _ in rows})
            times = sum(row.times for row, _ in rows)
            words = Text(f"{loudest.score:.0f} {loudest.direction}: {story.title}")
            table.add_row(reason.value, str(stories), str(times), words)
    return table
