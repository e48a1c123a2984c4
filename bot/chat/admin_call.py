"""What every page of /admin is given, and what it gives back."""

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import telegram
from pydantic import TypeAdapter, ValidationError

from bot.changes import Who, admin
from bot.chat.desk import AdminTools, Desk
from bot.messages.message import Button, Message, notice
from bot.unfinished import note_begun
from config.errors import TocsinError
from models.memo import forget
from models.question import Question, put_question, take_question, token_for_text

T = TypeVar("T")
PATIENCE = timedelta(minutes=15)
#: As topic of a button: drop the question, and go to the page that the rest names.
CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Reply:
    """A page to show in place of the one before; with a file or a picture (PNG) that goes as a message of its own."""

    message: Message
    document: tuple[str, bytes] | None = None
    photo: bytes | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One press or text of somebody who is an admin at this moment."""

    user_id: int
    desk: Desk
    tools: AdminTools
    bot: telegram.Bot
    later: "Callable[[int, Awaitable[Reply]], None]"  # sends a page when it is ready
    args: Sequence[str] = field(default=())

    @property
    def who(self) -> Who:
        """As the record names them."""
        return admin(self.user_id)

    @property
    def now(self) -> datetime:
        """The moment of the press."""
        return self.desk.parts.clock()

    @property
    def arg(self) -> str:
        """The first argument, or nothing."""
        return self.args[0] if self.args else ""

    async def hold(self, payload: object) -> str:
        """A token for a button of the reply, because a button carries 64 bytes; what it stands for is kept."""
        token = secrets.token_urlsafe(8)
        await self._keep(token, payload)
        return token

    async def take(self, kind: type[T]) -> T | None:
        """What the button that was pressed stands for, once; None when it is out of date."""
        found = await self.desk.decide(lambda s, _cfg, _now: take_question(s, self.arg, self.user_id, kind.__name__))
        return _read(found, kind, self.now)

    async def ask(self, topic: str, verb: str, text: str, args: Sequence[str] = (), back: str = "") -> Reply:
        """A page that asks for a text: it goes to `verb` of `topic`, behind `args`. Cancel leads to `back`."""
        return await self.ask_again(TextWanted(topic, verb, tuple(args), text, back or f"{topic}:list"))

    async def ask_again(self, wanted: "TextWanted", problem: str = "") -> Reply:
        """The page of a question, put for the first time or after an answer with a `problem`."""
        await self._keep(token_for_text(self.user_id), wanted)
        text = f"{problem}\n\n{wanted.question}" if problem else wanted.question
        return page(text, ((Button("Cancel", f"adm:{CANCEL}:{wanted.back}"),),))

    async def drop_question(self) -> None:
        """No text is waited for any more."""
        await answered_by_text(self.desk, self.user_id)

    async def _keep(self, token: str, payload: object) -> None:
        kept, kind = TypeAdapter(type(payload)).dump_json(payload).decode(), type(payload).__name__
        asked = Question(token=token, admin_id=self.user_id, kind=kind, payload=kept, until=self.now + PATIENCE)
        await self.desk.decide(lambda s, _cfg, now: put_question(s, asked, now))


@dataclass(frozen=True, slots=True)
class TextWanted:
    """Which step of which page the next text of an admin is for, and how it was asked for."""

    topic: str
    verb: str
    args: tuple[str, ...] = ()  # what the step is given before the text
    question: str = ""
    back: str = "menu"  # the page that Cancel leads to


async def answered_by_text(desk: Desk, user_id: int) -> tuple[bool, TextWanted | None]:
    """Whether a text was asked for, and what it is for; asked for and None: too late."""
    token, kind = token_for_text(user_id), TextWanted.__name__
    found = await desk.decide(lambda s, _cfg, _now: take_question(s, token, user_id, kind))
    return found is not None, _read(found, TextWanted, desk.parts.clock())


def _read(found: Question | None, kind: type[T], now: datetime) -> T | None:
    """The payload of a question in time; one of another version of Tocsin may not be readable."""
    if found is None or now >= found.until:
        return None
    with suppress(ValidationError):
        return TypeAdapter(kind).validate_json(found.payload)
    return None


LAST_WORDS = 1500


async def outcome(call: Call, command: Sequence[str], back: str) -> Reply:
    """Run one of our commands and show the end of what it said; one that a stop cuts off is told at the next start."""
    begun = await call.desk.decide(lambda s, _cfg, _now: note_begun(s, call.user_id, command))
    try:
        done = await call.tools.run(command, call.user_id)
    except TocsinError:
        await call.desk.decide(lambda s, _cfg, _now: forget(s, begun))
        raise
    await call.desk.decide(lambda s, _cfg, _now: forget(s, begun))
    await call.tools.reload()
    ended = "Done." if done.code == 0 else f"It failed with status {done.code}."
    return page(f"{command[0]}: {ended}\n\n{without_frames(done.output)[-LAST_WORDS:]}", back=back)


def without_frames(text: str) -> str:
    """What a command printed, for a narrow screen without a fixed pitch: dots between columns, no frames."""
    lines = (
        re.sub(r"\s*[│┃]\s*", "   ", re.sub(r"[─━┏┓┗┛┡┩┳┻╇┴┬├┤┼└┘┌┐╭╮╰╯]", "", line)) for line in text.splitlines()
    )
    kept = (" · ".join(part for part in re.split(r" {3,}", line.strip()) if part) for line in lines)
    return "\n".join(line for line in kept if line)


Page = Callable[[Call, str], Awaitable[Reply]]
Rows = Sequence[Sequence[Button]]
OUT_OF_DATE = "That question is out of date; here is where it stands now."


def page(text: str, rows: Rows = (), back: str = "") -> Reply:
    """A page of plain text with its buttons and, last, the way back to the page `back` ("feeds:list")."""
    last = ((Button("« Back", f"adm:{back}"),),) if back else ()
    return Reply(notice(text, "Admin", (*(tuple(row) for row in rows if row), *last)))


MENU = (
    (Button("Feeds", "adm:feeds:list"), Button("Thresholds", "adm:set:list")),
    (Button("Subscribers", "adm:people:list"), Button("Label queue", "adm:label:list")),
    (Button("History and undo", "adm:log:list"), Button("Numbers", "adm:ops:stats")),
    (Button("Broadcast", "adm:ops:write"), Button("Send test", "adm:ops:test")),
    (Button("Models", "adm:ops:models"), Button("Backup", "adm:ops:backup")),
    (Button("Reload settings", "adm:ops:reload"),),
)


def menu() -> Reply:
    """The first page."""
    return page("What would you like to look at?", MENU)


def number(text: str, most: int = 10**9) -> int:
    """A number in a button; 0 for anything else."""
    return min(int(text), most) if text.isascii() and text.isdecimal() and len(text) < 12 else 0


def turner(topic: str, at: int, total: int, size: int, more: str = "") -> list[Button]:
    """Buttons to the page before and the page after."""
    buttons = []
    if at > 0:
        buttons.append(Button("‹", f"adm:{topic}:list:{at - 1}{more}"))
    if (at + 1) * size < total:
        buttons.append(Button("›", f"adm:{topic}:list:{at + 1}{more}"))
    return buttons
