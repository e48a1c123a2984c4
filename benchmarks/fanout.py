"""One alert to thousands of chats through the real sender, to a Bot API on loopback that counts: its pace and limits.

    python -m benchmarks fanout [--chats 2000] [--per-second 30 1000]

The other process refuses with 429 what Telegram would refuse (so many messages in any second over all, one a second to
a chat) and notes when each message came. In the middle of it a person's command is answered and a critical alert is
raised for one chat: how many messages are still accepted before each of these is what overtaking is worth.
"""

import argparse
import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from rich.table import Table

from benchmarks.measure import START, console, machine, peak_mb, progress, scratch_app, serving
from benchmarks.outbox import prepare
from bot.app import App
from bot.chat.api import open_bot
from bot.chat.limiter import Limiter
from bot.chat.sender import TelegramSender
from bot.demo.play import SimulatedClock
from bot.messages.message import notice
from bot.outlet import Chat, Envelope
from bot.pipeline.decide import raise_alerts
from bot.pipeline.deliver import drain_outbox
from config.schema import FREE_PER_SECOND, Rate
from models import Delivery, Outlet, Priority
from models.delivery import open_deliveries
from models.subscriber import find_subscriber

TOKEN = "123456:" + "x" * 35
REPLY, CRITICAL = "a reply to a command", "a critical alert"
PERSON = 10**9
TOO_MANY = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 1}}


@dataclass(frozen=True, slots=True)
class Fanned:
    """What one run came to. `busiest` is the most messages in any second, `refused` the 429s; waits are in messages."""

    chats: int
    allowed: float
    seconds: float
    accepted: int
    busiest: int
    refused: int
    reply_after: int
    critical_after: int
    cpu_s: float
    memory_mb: float

    @property
    def kept(self) -> float:
        """Share of the allowed rate that was used, 0-1."""
        return self.accepted / self.seconds / self.allowed


# The other side -------------------------------------------------------------------------------------------------------


class CountingApi:
    """sendMessage with limits in sliding windows; everything else it is asked says ok."""

    def __init__(self, per_second: float, per_chat_s: float) -> None:
        self._per_second = per_second
        self._per_chat_s = per_chat_s
        self._window: deque[float] = deque()
        self._last: dict[str, float] = {}
        self.accepted: list[tuple[float, str, str]] = []
        self.refused = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Accept or refuse one message."""
        form = await request.post()
        chat, text, now = str(form.get("chat_id")), str(form.get("text")), time.monotonic()
        while self._window and self._window[0] <= now - 1:
            self._window.popleft()
        if len(self._window) >= self._per_second or self._last.get(chat, -9.0) > now - self._per_chat_s:
            self.refused += 1
            return web.json_response(TOO_MANY, status=429)
        self._window.append(now)
        self._last[chat] = now
        self.accepted.append((now, text, chat))
        sent = {"message_id": len(self.accepted), "date": 0, "chat": {"id": int(chat), "type": "private"}, "text": ""}
        return web.json_response({"ok": True, "result": sent})

    async def report(self, _request: web.Request) -> web.Response:
        """All that was seen."""
        return web.json_response({"accepted": self.accepted, "refused": self.refused})


def telegram(per_second: float, per_chat_s: float = 1.0) -> web.AppRunner:
    """A Bot API that accepts so many messages a second, and one a chat every `per_chat_s` seconds."""
    logging.getLogger().addHandler(logging.NullHandler())  # else each client that was killed leaves a traceback
    api = CountingApi(per_second, per_chat_s)
    app = web.Application()
    app.router.add_post("/bot{token}/sendMessage", api.answer)
    app.router.add_get("/report", api.report)
    return web.AppRunner(app, access_log=None)


# Our side -------------------------------------------------------------------------------------------------------------


async def fan_out(chats: int, per_second: float, address: str) -> Fanned:
    """Raise one alert for so many chats and send it, with two interruptions in the middle."""
    rate = Rate(per_second=per_second, paid_broadcast=per_second > FREE_PER_SECOND)
    limiter = Limiter(lambda: rate)
    async with (
        open_bot(TOKEN, address) as bot,
        scratch_app(RealPace(START), senders={Outlet.TELEGRAM: TelegramSender(bot, limiter)}) as app,
    ):
        prepare(app, chats)
        with app.database.write() as session:
            raise_alerts(session, app.settings.alerts, START)
        cpu, start = time.process_time(), time.perf_counter()
        interruption = asyncio.create_task(_interrupt(app, TelegramSender(bot, limiter), chats, per_second))
        sent = await _drain(app)
        seconds = time.perf_counter() - start
        asked = await interruption
        cpu = time.process_time() - cpu
        report = await _report(address)
    return _measured(chats, per_second, seconds, sent + 1, asked, report, cpu)


class RealPace(SimulatedClock):
    """Begins at a moment of ours and goes on as real time does, so that what is held falls due."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        """Now."""
        return START + timedelta(seconds=time.monotonic() - self._began)


async def _drain(app: App) -> int:
    """Until nothing is left, as the timetable would: what was held for a second is taken up again."""
    sent = 0
    while True:
        sent += await drain_outbox(app.database, app.senders, app.clock)
        with app.database.read() as session:
            if open_deliveries(session) == 0:
                return sent
        await asyncio.sleep(0.2)


async def _interrupt(app: App, sender: TelegramSender, chats: int, per_second: float) -> float:
    """A third of the way through, answer somebody and raise a critical alert; when that was (monotonic, s)."""
    await asyncio.sleep(chats / per_second / 3)
    asked = time.monotonic()
    await asyncio.to_thread(_raise_critical, app, chats)  # a write that waits for another holds up no request
    await sender.send(Envelope(Chat(PERSON), notice(REPLY), priority=Priority.REPLY))
    return asked


def _raise_critical(app: App, chat_id: int) -> None:
    with app.database.write() as session:
        last = find_subscriber(session, chat_id)
        assert last is not None
        urgent = Delivery(subscriber_id=last.id, key=CRITICAL, rank=-3, send_after=START, created_at=START)
        urgent.message = notice(CRITICAL).to_json()
        session.add(urgent)


async def _report(address: str) -> dict[str, Any]:
    from aiohttp import ClientSession

    async with ClientSession() as session, session.get(f"{address}/report") as answer:
        found: dict[str, Any] = await answer.json()
        return found


def _measured(
    chats: int, per_second: float, seconds: float, sent: int, asked: float, report: dict[str, Any], cpu: float
) -> Fanned:
    """`asked` and the server's times are of one machine's monotonic clock."""
    accepted = [(float(at), str(text)) for at, text, _chat in report["accepted"]]
    if len(accepted) != sent or sent != chats + 2:
        raise RuntimeError(f"expected {chats + 2} messages, sent {sent}, and {len(accepted)} arrived")
    waits = {
        what: sum(asked <= at < arrived for at, _ in accepted)
        for what in (REPLY, CRITICAL)
        for arrived in [next(at for at, text in accepted if what in text)]
    }
    return Fanned(
        chats=chats,
        allowed=per_second,
        seconds=seconds,
        accepted=sent,
        busiest=_busiest([at for at, _ in accepted]),
        refused=int(report["refused"]),
        reply_after=waits[REPLY],
        critical_after=waits[CRITICAL],
        cpu_s=cpu,
        memory_mb=peak_mb(),
    )


def _busiest(times: list[float]) -> int:
    window: deque[float] = deque()
    most = 0
    for at in times:
        window.append(at)
        while window[0] <= at - 1:
            window.popleft()
        most = max(most, len(window))
    return most


def show(results: list[Fanned]) -> Table:
    """One row a run."""
    table = Table(title=f"One alert to many chats over HTTP; {machine()}", title_justify="left")
    headings = ("chats", "allowed/s", "sent/s", "kept", "busiest second", "429", "reply after", "critical after")
    for heading in (*headings, "CPU ms/message", "peak MB"):
        table.add_column(heading, justify="right")
    for one in results:
        table.add_row(
            f"{one.chats:,}",
            f"{one.allowed:g}",
            f"{one.accepted / one.seconds:.1f}",
            f"{one.kept:.1%}",
            str(one.busiest),
            str(one.refused),
            f"{one.reply_after} messages",
            f"{one.critical_after} messages",
            f"{1000 * one.cpu_s / one.accepted:.1f}",
            f"{one.memory_mb:.0f}",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=2000, help="1 to 100000")
    rates = parser.add_argument("--per-second", type=float, nargs="+", default=[30.0, 1000.0])
    rates.help = "messages allowed over all, each 1 to 1000"
    given = parser.parse_args()
    results = []
    with progress("rates", len(given.per_second)) as advance:
        for per_second in given.per_second:
            with serving(telegram, per_second) as address:
                results.append(asyncio.run(fan_out(min(given.chats, 100_000), per_second, address)))
            advance()
    console().print(show(results))


if __name__ == "__main__":
    main()
