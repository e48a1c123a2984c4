"""A config folder and a database in, Tocsin running until it is told to stop: outlets chosen, one process per database.

`run_service` keeps going on the timetable; `run_once` does one round of every stage.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from sqlmodel import select

from bot.app import VERSION, App, Clock, Summary, open_app, utc_now
from bot.chat.api import open_bot
from bot.chat.desk import AdminTools, ChatParts
from bot.chat.limiter import Limiter
from bot.chat.receiver import receive_updates
from bot.chat.sender import TelegramSender
from bot.errands import Errands
from bot.jobs import start_timetable
from bot.outlet import Sender
from bot.terminal import TerminalSender
from bot.unfinished import tell_unfinished
from config.errors import TocsinError
from config.secrets import TELEGRAM_BASE_URL, TELEGRAM_TOKEN, read_secret, read_webhook_secret
from models import Lease, Outlet
from models.database import Database
from models.delivery import recent_sends
from models.lease import drop_lease, take_lease

log = logging.getLogger(__name__)

LEASE_NAME = "service"
LEASE = timedelta(seconds=90)
RENEW_S = 30.0
RENEWING = "renew-lease"
STOP_S = 5.0
NOT_CONNECTED = (
    "No Telegram token: alerts are printed here. "
    "To send them to chats, set TOCSIN_TELEGRAM_TOKEN (README, “Connect Telegram”)."
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works: its config folder, its database, and the Telegram token if there is one.

    Without `webhook_secret` a webhook gets one that is made at the start.
    """

    config: Path
    database_url: str
    token: str | None
    base_url: str | None
    pictures: Path
    webhook_secret: str | None = None


def place_of(config: Path, database_url: str) -> Place:
    """A place with its secrets read from the environment. Raises ConfigError."""
    token, base_url = read_secret(TELEGRAM_TOKEN), read_secret(TELEGRAM_BASE_URL)
    return Place(config, database_url, token, base_url, Path("var/charts"), read_webhook_secret())


async def run_service(place: Place, console: Console, clock: Clock = utc_now) -> None:
    """Run until SIGINT or SIGTERM; then stop within seconds, leaving everything to the next start."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with _opened(place, console, clock) as (app, limiter), _only_one(app.database, clock, stop.set):
        _greet(app, place, console)
        await asyncio.to_thread(_tell_unfinished, app)
        scheduler = start_timetable(app)
        receiver = asyncio.create_task(_answer_people(place, app, limiter)) if limiter else None
        await stop.wait()
        console.print("Stopping; the next start goes on from here.")
        app.stop()
        scheduler.pause()  # its shutdown would cut off the rounds under way, and log each as a failure
        await _finish(receiver)
        scheduler.shutdown(wait=False)


async def run_once(place: Place, console: Console, clock: Clock = utc_now) -> Summary:
    """One round of every stage, cut short when another process takes the database over. Raises TocsinError."""
    async with _opened(place, console, clock) as (app, _limiter), _only_one(app.database, clock, app.stop):
        summary = await app.once()
        await app.tidy()
        return summary


@asynccontextmanager
async def _opened(place: Place, console: Console, clock: Clock) -> AsyncIterator[tuple[App, Limiter | None]]:
    """The app with its outlet: Telegram when there is a token, else the terminal."""
    if place.token is None:
        console.print(NOT_CONNECTED, style="yellow")
        terminal: dict[Outlet, Sender] = {Outlet.TERMINAL: TerminalSender(console, place.pictures)}
        async with open_app(place.config, place.database_url, terminal, clock) as app:
            app.load_model()
            yield app, None
        return
    async with open_app(place.config, place.database_url, {}, clock) as app:
        limiter = Limiter(lambda: app.settings.telegram.rate)  # asked at each turn, so that a reload is obeyed
        async with open_bot(place.token, place.base_url) as telegram_bot:
            app.senders[Outlet.TELEGRAM] = TelegramSender(telegram_bot, limiter)
            limiter.recall(await asyncio.to_thread(_sent_lately, app.database, clock()))
            app.load_model()
            yield app, limiter


def _sent_lately(database: Database, now: datetime) -> list[tuple[int, float]]:
    """What the run before this one sent within Telegram's longest window, a minute."""
    with database.read() as session:
        sends = recent_sends(session, now - timedelta(seconds=60))
    return [(chat_id, (now - at).total_seconds()) for chat_id, at in sends]


def _tell_unfinished(app: App) -> None:
    with app.database.write() as session:
        tell_unfinished(session, app.settings, app.clock())


async def _answer_people(place: Place, app: App, limiter: Limiter) -> None:
    tools = AdminTools(app.folder, app.reload, app.preview, Errands(place.config, place.database_url).run)
    parts = ChatParts(app.database, lambda: app.settings, app.clock, limiter, tools)
    await receive_updates(place.token or "", place.base_url, parts, webhook_secret=place.webhook_secret)


async def _finish(receiver: "asyncio.Task[None] | None") -> None:
    """Give what is under way a few seconds; what is cut off is claimed by nobody and done by the next start."""
    if receiver is not None:
        receiver.cancel()
    ours = asyncio.current_task()
    rest = [task for task in asyncio.all_tasks() if task is not ours and task.get_name() != RENEWING]
    _done, late = await asyncio.wait(rest, timeout=STOP_S) if rest else (set(), set())
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


# One process per database ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def _only_one(database: Database, clock: Clock, lost: Callable[[], object]) -> AsyncIterator[None]:
    """Hold the database's lease, renewed in the background; `lost` is called when another process took it over.

    Raises TocsinError while another process runs on the database.
    """
    holder = f"{socket.gethostname()[:50]}:{os.getpid()}"
    if not await asyncio.to_thread(_take, database, holder, clock):
        raise TocsinError(
            f"another Tocsin runs on {database.url} ({await asyncio.to_thread(_holder, database)}); stop it first, or, "
            f"if its machine died, try again in {LEASE.seconds} seconds"
        )
    renewing = asyncio.create_task(_renew(database, holder, clock, lost), name=RENEWING)
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        with contextlib.suppress(TocsinError):  # it runs out by itself
            await asyncio.to_thread(_drop, database, holder)


async def _renew(database: Database, holder: str, clock: Clock, lost: Callable[[], object]) -> None:
    while True:
        await asyncio.sleep(RENEW_S)
        try:
            held = await asyncio.to_thread(_take, database, holder, clock)
        except TocsinError as error:  # busy or away for a moment: the lease outlasts two more tries
            log.warning("lease_not_renewed error=%s", error)
            continue
        if not held:
            log.error("lease_lost: another process works on this database now; this one stops")
            lost()
            return


def _take(database: Database, holder: str, clock: Clock) -> bool:
    with database.write() as session:
        for lease in session.exec(select(Lease)):
            _free_if_dead(lease, clock())
        session.flush()
        session.expunge_all()  # take_lease tries to insert a row that this session may have just read
        return take_lease(session, LEASE_NAME, holder, clock(), LEASE)


def _free_if_dead(lease: Lease, now: datetime) -> None:
    """A process of this machine that was killed cannot give its leases back (this one, or the poller's); nobody should
    wait for it. Holders are named HOST:PID, with or without more behind."""
    host, _, rest = lease.holder.partition(":")
    pid = rest.partition(":")[0]
    if host and socket.gethostname().startswith(host) and pid.isdigit() and not _is_alive(int(pid)):
        lease.until = now


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _holder(database: Database) -> str:
    with database.read() as session:
        lease = session.get(Lease, LEASE_NAME)
        return lease.holder if lease else "it stopped just now"


def _drop(database: Database, holder: str) -> None:
    with database.write() as session:
        drop_lease(session, LEASE_NAME, holder)


def _greet(app: App, place: Place, console: Console) -> None:
    count = len(app.settings.feeds.feeds)
    model = app.load_model().version
    console.print(f"Tocsin {VERSION}: {count} feeds, model {model}, {app.database.url}, config {place.config}")
    console.print("The first round takes a minute or two. Ctrl-C stops.", style="dim")
