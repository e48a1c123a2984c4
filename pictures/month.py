"""The bundled month lived through with a phone in hand, the chats worth showing out.

Everything shown was sent by the bot: alerts and digest by the real pipeline, answers by the real handlers, the backtest
by the real command. Only the news is invented, and the clock is moved.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from telegram import Update

from bot.app import App, utc_now
from bot.chat.application import AnyApplication, build_application
from bot.chat.desk import AdminTools, ChatParts
from bot.chat.limiter import Limiter
from bot.chat.sender import TelegramSender
from bot.demo.play import START, SimulatedClock, Stage, demo_app, live_through
from bot.errands import Done, Errands
from bot.spans import parse_span
from config.schema import Rate
from models import Outlet
from pictures.drawing import Bubble
from pictures.markup import paragraphs, plain
from pictures.phone import TOKEN, Phone, Shown, pressed, typed

ADMIN = 1001
LONGEST_S = 600
UNTIL = datetime(2026, 3, 31, 18, tzinfo=UTC)  # two hours after the accord, when four weeks say what is usual
AT_ONCE = Rate(per_second=1000.0, private_per_second=30.0, group_per_minute=1000.0, paid_broadcast=True)


@dataclass(frozen=True, slots=True)
class Picture:
    """A chat to be drawn: the name of its file without ending, what it shows, and its bubbles."""

    name: str
    title: str
    bubbles: tuple[Bubble, ...]


@dataclass(slots=True)
class Chat:
    """An admin's private chat with the bot."""

    phone: Phone
    application: AnyApplication

    async def say(self, text: str) -> list[Shown]:
        """Write to the bot; returns what it shows in answer."""
        return await self._hand_over(typed(text, ADMIN))

    async def press(self, shown: Shown, *labels: str) -> Shown:
        """Press a button, then one of the page that it leads to, and so on; returns the last page."""
        for label in labels:
            shown = [shown, *await self._hand_over(pressed(shown, label))][-1]
        return shown

    async def wait_for_file(self) -> list[Shown]:
        """What comes by itself from now on, up to a file."""
        before = len(self.phone.shown)
        async with asyncio.timeout(LONGEST_S):
            await self.phone.file_came.wait()
        return self.phone.shown[before:]

    async def _hand_over(self, update: Mapping[str, object]) -> list[Shown]:
        before = len(self.phone.shown)
        await self.application.process_update(Update.de_json(dict(update), self.application.bot))
        return self.phone.shown[before:]


async def live(folder: Path, progress: Console) -> list[Picture]:
    """Play the month into a database in `folder` and go through the chats. Raises TocsinError."""
    clock = SimulatedClock(START)
    async with opened(folder, clock) as (app, chat):
        await live_through(app, clock, UNTIL, progress)
        return [*_told(chat.phone.shown), *await asked(chat), *await chosen(chat), *await administered(chat)]


@asynccontextmanager
async def opened(folder: Path, clock: SimulatedClock) -> AsyncIterator[tuple[App, Chat]]:
    """Tocsin on the bundled outlets with an empty database in `folder`, and an admin who has joined."""
    async with (
        Phone() as phone,
        demo_app(Console(file=io.StringIO()), Stage(folder), clock) as app,
        _answering(app, phone, folder) as application,
    ):
        chat = Chat(phone, application)
        for wish in ("/start", "/threshold watch", "/settings budget 50"):  # whatever rings is told
            await chat.say(wish)
        yield app, chat


@asynccontextmanager
async def _answering(app: App, phone: Phone, folder: Path) -> AsyncIterator[AnyApplication]:
    """The app with an admin and Telegram beside the terminal, and its handlers."""
    (app.folder / "telegram.toml").write_text(f"admins = [{ADMIN}]\n", encoding="utf-8")
    await app.reload()
    limiter = Limiter(lambda: AT_ONCE)
    errands = Errands(app.folder, f"sqlite:///{folder / 'demo.db'}")

    async def run(command: Sequence[str], asked_by: int) -> Done:
        return await errands.run(_counted_from(app.clock(), command), asked_by)

    tools = AdminTools(app.folder, app.reload, app.preview, run)
    parts = ChatParts(app.database, lambda: app.settings, app.clock, limiter, tools)
    application = build_application(TOKEN, phone.url, parts)
    await application.initialize()
    app.senders[Outlet.TELEGRAM] = TelegramSender(application.bot, limiter)
    try:
        yield application
    finally:
        await application.shutdown()


def _counted_from(now: datetime, command: Sequence[str]) -> list[str]:
    """A command of its own process reads the real clock: "--since 7d" as it has to be said there."""
    words = list(command)
    if "--since" in words:
        at = words.index("--since") + 1
        words[at] = f"{(utc_now() - now + parse_span(words[at])).days}d"
    return words


# What is shown --------------------------------------------------------------------------------------------------------


def _told(shown: Sequence[Shown]) -> list[Picture]:
    """What came by itself: an alert, a dispute with both sides, one that was confirmed later, one taken back."""
    alert = _first(shown, lambda one: "CRITICAL" in one.html and "DISPUTED" not in one.html)
    confirmed = _first(shown, lambda one: "CONFIRMED" in one.html and "CONFIRMED" not in _sent(shown, one.id).html)
    disputed = _first(shown, lambda one: "EASING" in one.html and one.html.count("⚖") > 1)
    retracted = _first(shown, lambda one: "RETRACTED" in one.html and one.answers is not None)
    taken_back = _sent(shown, retracted.answers or 0)
    quote = "".join(run.text for run in paragraphs(taken_back.html)[0])
    return [
        Picture("alert", "An alert", (_bubble(alert),)),
        Picture("disputed", "An alert that is disputed", (_bubble(disputed),)),
        Picture("confirmed", "An alert, once it is confirmed", (_bubble(confirmed),)),
        Picture("retracted", "An alert that is taken back", (_bubble(taken_back), _bubble(retracted, quote))),
    ]


async def asked(chat: Chat) -> list[Picture]:
    """What is answered about the news: /why, /status, /digest."""
    titles = {"why": "Why an alert rang", "status": "Tension and choices", "digest": "The weekly digest"}
    return [Picture(name, title, await _conversation(chat, f"/{name}")) for name, title in titles.items()]


async def chosen(chat: Chat) -> list[Picture]:
    """/settings with some choices made, in each language."""
    for wish in ("/settings budget default", "/settings quiet 22:30 06:30", "/watch Kestria Varnia"):
        await chat.say(wish)
    english = await _conversation(chat, "/settings")
    await chat.say("/settings language fr")
    french = await _conversation(chat, "/settings")
    await chat.say("/settings language en")
    return [
        Picture("settings", "The first page of /settings", english),
        Picture("settings-fr", "The first page of /settings in French", french),
    ]


async def administered(chat: Chat) -> list[Picture]:
    """/admin, a threshold changed after a backtest, a headline that waits for a label."""
    opening = await _conversation(chat, "/admin")
    first = chat.phone.shown[-1]
    question = await chat.press(first, "Thresholds", "Levels", "watch", "-5")
    await chat.press(question, "Backtest")
    verdict = await chat.wait_for_file()
    alert = next(one for one in reversed(chat.phone.shown) if "Wrong" in str(one.buttons))
    await chat.press(alert, "Wrong")
    return [
        Picture("admin", "The first page of /admin", opening),
        Picture("threshold", "A lower threshold and what it would ring", (_bubble(question),)),
        Picture("backtest", "The same question after a backtest", tuple(map(_bubble, verdict))),
        Picture("label", "A headline that waits for a label", (_bubble(await chat.press(first, "Label queue")),)),
    ]


async def _conversation(chat: Chat, text: str) -> tuple[Bubble, ...]:
    return (Bubble(plain(text), mine=True), *map(_bubble, await chat.say(text)))


def _bubble(shown: Shown, quote: str = "") -> Bubble:
    text = plain(f"📄 {shown.file}") if shown.file else paragraphs(shown.html) if shown.html else []
    return Bubble(text, [[label for label, _data in row] for row in shown.buttons], shown.photo, quote)


def _first(shown: Sequence[Shown], fits: Callable[[Shown], bool]) -> Shown:
    found = next((one for one in shown if fits(one)), None)
    if found is None:
        raise LookupError(
            "the month told no message of a kind that is to be drawn: look at what ./run.sh demo tells now"
        )
    return found


def _sent(shown: Sequence[Shown], message_id: int) -> Shown:
    """A message as it was before any edit."""
    return _first(shown, lambda one: one.id == message_id)
