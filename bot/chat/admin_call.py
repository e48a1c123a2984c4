"""What every page of /admin is given, and what it gives back."""

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import telegram

from bot.changes import Who, admin
from bot.chat.desk import AdminTools, Desk
from bot.messages.message import Button, Message, notice

T = TypeVar("T")
PATIENCE = timedelta(minutes=15)
MOST_HELD = 50


@dataclass(frozen=True, slots=True)
class Reply:
    """A page to show in place of the one before; with a file or a picture (PNG) that goes as a message of its own."""

    message: Message
    document: tuple[str, bytes] | None = None
    photo: bytes | None = None


class Questions:
    """What admins were asked and have not answered, in memory: after a restart the question is put again.

    A text is expected by at most one question a person; what a button stands for is held under a token, because a
    button carries 64 bytes.
    """

    def __init__(self) -> None:
        self._expected: dict[int, tuple[str, str, datetime]] = {}
        self._held: dict[str, tuple[int, Any, datetime]] = {}
        self.skipped: set[int] = set()

    def expect(self, user_id: int, topic: str, verb: str, now: datetime) -> None:
        """The next text of `user_id` answers `topic` and `verb`."""
        self._expected[user_id] = (topic, verb, now + PATIENCE)

    def expects(self, user_id: int) -> bool:
        """Whether a text of this person answers anything, be it too late."""
        return user_id in self._expected

    def answered(self, user_id: int, now: datetime) -> tuple[str, str] | None:
        """Topic and verb that a text is for; None when there is none, or no more."""
        topic, verb, until = self._expected.pop(user_id, ("", "", now))
        return (topic, verb) if now < until else None

    def hold(self, user_id: int, payload: object, now: datetime) -> str:
        """A token for a button."""
        self._held = {key: held for key, held in self._held.items() if held[2] > now}
        while len(self._held) >= MOST_HELD:
            del self._held[next(iter(self._held))]
        token = secrets.token_urlsafe(8)
        self._held[token] = (user_id, payload, now + PATIENCE)
        return token

    def take(self, user_id: int, token: str, kind: type[T], now: datetime) -> T | None:
        """What was held for this person, once; None when it is out of date."""
        owner, payload, until = self._held.get(token, (0, None, now))
        if owner != user_id or now >= until or not isinstance(payload, kind):
            return None
        del self._held[token]
        return payload


@dataclass(frozen=True, slots=True)
class Call:
    """One press or text of somebody who is an admin at this moment."""

    user_id: int
    desk: Desk
    tools: AdminTools
    questions: Questions
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

    def hold(self, payload: object) -> str:
        """A token for a button of the reply."""
        return self.questions.hold(self.user_id, payload, self.now)

    def take(self, kind: type[T]) -> T | None:
        """What the button that was pressed stands for."""
        return self.questions.take(self.user_id, self.arg, kind, self.now)

    def ask(self, topic: str, verb: str, text: str) -> Reply:
        """A page that asks for a text."""
        self.questions.expect(self.user_id, topic, verb, self.now)
        return page(text, ((Button("Cancel", f"adm:{topic}:list"),),))


LAST_WORDS = 1500


async def outcome(call: Call, command: Sequence[str], back: str) -> Reply:
    """Run one of our commands and show the end of what it said."""
    done = await call.tools.run(command)
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
