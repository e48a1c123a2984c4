"""Tocsin on the bundled outlets in, chats with it out: what people write and press there, and what they are shown."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from telegram import Update

from bot.app import App, utc_now
from bot.chat.application import AnyApplication, build_application
from bot.chat.desk import AdminTools, ChatParts
from bot.chat.limiter import Limiter
from bot.chat.menus import AdminMenus
from bot.chat.sender import TelegramSender
from bot.demo.play import SimulatedClock, Stage, demo_app
from bot.errands import Done, Errands
from bot.spans import parse_span
from config.schema import Rate
from models import Outlet
from pictures.drawing import Bubble
from pictures.markup import paragraphs, plain
from pictures.phone import TOKEN, Phone, Place, Shown, pressed, typed

ADMIN = 1001
AFTER = Path(__file__).with_name("after.jsonl")  # the day after the month, with what it lacks
LONGEST_S = 600
AT_ONCE = Rate(per_second=1000.0, private_per_second=30.0, group_per_minute=1000.0, paid_broadcast=True)


@dataclass(frozen=True, slots=True)
class Picture:
    """A chat to be drawn: the name of its file without ending, what it shows, and its bubbles; of a group its name."""

    name: str
    title: str
    bubbles: tuple[Bubble, ...]
    group: str = ""


@dataclass(slots=True)
class Chat:
    """A place and the bot in it."""

    app: App
    phone: Phone
    application: AnyApplication
    place: Place

    @property
    def shown(self) -> list[Shown]:
        """All that it showed so far."""
        return [one for one in self.phone.shown if one.chat_id == self.place.chat_id]

    def beside(self, place: Place) -> "Chat":
        """Another chat with the same bot."""
        return Chat(self.app, self.phone, self.application, place)

    async def say(self, text: str) -> list[Shown]:
        """Write to the bot; returns what it shows in answer."""
        return await self._hand_over(typed(text, self.place))

    async def press(self, shown: Shown, *labels: str) -> Shown:
        """Press a button, then one of the page that it leads to, and so on; returns the last page."""
        for label in labels:
            shown = [shown, *await self._hand_over(pressed(shown, label, self.place))][-1]
        return shown

    async def wait_for_file(self) -> list[Shown]:
        """What comes by itself from now on, up to a file."""
        before = len(self.shown)
        async with asyncio.timeout(LONGEST_S):
            await self.phone.file_came.wait()
        return self.shown[before:]

    async def wait_for_mail(self) -> list[Shown]:
        """What waits for it in the outbox."""
        before = len(self.shown)
        await self.app.deliver()
        return self.shown[before:]

    async def ask(self, text: str) -> tuple[Bubble, ...]:
        """What somebody writes and what is answered, to be drawn."""
        return (Bubble(plain(text), mine=True), *map(bubble_of, await self.say(text)))

    async def _hand_over(self, update: Mapping[str, object]) -> list[Shown]:
        before = len(self.shown)
        await self.application.process_update(Update.de_json(dict(update), self.application.bot))
        return self.shown[before:]


@asynccontextmanager
async def opened(folder: Path, clock: SimulatedClock) -> AsyncIterator[tuple[App, Chat]]:
    """Tocsin on the bundled outlets with an empty database in `folder`, and an admin who has joined."""
    async with (
        Phone() as phone,
        demo_app(Console(file=io.StringIO()), Stage(folder, more=(AFTER,)), clock) as app,
        _answering(app, phone, folder) as application,
    ):
        chat = Chat(app, phone, application, Place(ADMIN))
        for wish in ("/start", "/threshold watch", "/settings budget 50"):  # whatever rings is told
            await chat.say(wish)
        yield app, chat


@asynccontextmanager
async def _answering(app: App, phone: Phone, folder: Path) -> AsyncIterator[AnyApplication]:
    """The app with an admin, and with Telegram in place of the terminal, and its handlers."""
    (app.folder / "telegram.toml").write_text(f"admins = [{ADMIN}]\n", encoding="utf-8")
    await app.reload()
    limiter = Limiter(lambda: AT_ONCE)
    errands = Errands(app.folder, f"sqlite:///{folder / 'demo.db'}")

    async def run(command: Sequence[str], asked_by: int) -> Done:
        return await errands.run(_counted_from(app.clock(), command), asked_by)

    tools = AdminTools(app.folder, app.reload, app.preview, run)
    parts = ChatParts(app.database, lambda: app.settings, app.clock, limiter, tools)
    application = build_application(TOKEN, phone.url, parts, AdminMenus())
    await application.initialize()
    app.senders = {Outlet.TELEGRAM: TelegramSender(application.bot, limiter)}
    await asyncio.to_thread(app.sync, app.settings)  # which ends the terminal's subscription: it hears what admins do
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


def bubble_of(shown: Shown, quote: str = "") -> Bubble:
    """A message, and the beginning of that which it answers."""
    text = plain(f"📄 {shown.file}") if shown.file else paragraphs(shown.html) if shown.html else []
    return Bubble(text, [[label for label, _data in row] for row in shown.buttons], shown.photo, quote)


def beginning(shown: Shown) -> str:
    """The first line of a message, as an answer to it quotes it."""
    return "".join(run.text for run in paragraphs(shown.html)[0])
