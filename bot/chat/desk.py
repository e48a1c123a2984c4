"""A decision to be made in, its transaction and the answer to the chat out: what every handler does with both hands.

Answers go out at once through the limiter, before alerts; only what must outlive a crash goes through the outbox.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import telegram
from sqlmodel import Session

from bot.aftermath import learn_from
from bot.chat.limiter import Limit, Limiter, Window
from bot.chat.sender import TelegramSender
from bot.errands import Done
from bot.feeds.types import ParsedFeed
from bot.messages.message import Message
from bot.notices import tell_trouble
from bot.outlet import Chat, Envelope, SendFailure
from config.errors import TocsinError
from config.schema import Settings
from models.database import Database
from models.delivery import Priority

log = logging.getLogger(__name__)

T = TypeVar("T")
#: Answers to one chat; further commands are obeyed in silence, so that nobody can eat up a group's share of messages.
ANSWERS = Limit(10, 60)
LONGEST_RETRY_S = 30.0


@dataclass(frozen=True, slots=True)
class AdminTools:
    """What /admin needs beyond: the folder of settings, their reload (did anything change?), and one look at a feed.

    `preview` raises FetchError. `run` runs one of our commands by itself for an admin (a user id); it may take minutes.
    """

    folder: Path
    reload: Callable[[], Awaitable[bool]]
    preview: Callable[[str], Awaitable[ParsedFeed]]
    run: Callable[[Sequence[str], int], Awaitable[Done]]


@dataclass(frozen=True, slots=True)
class ChatParts:
    """What the edge to people needs of the program. Settings and time are asked for at every update.

    Without `admin` there is no /admin.
    """

    database: Database
    settings: Callable[[], Settings]
    clock: Callable[[], datetime]
    limiter: Limiter
    admin: AdminTools | None = None


class Desk:
    """Decides in the database and answers in the chat."""

    def __init__(self, parts: ChatParts, bot: telegram.Bot) -> None:
        self.parts = parts
        self.bot = bot
        self._sender = TelegramSender(bot, parts.limiter, patience_s=LONGEST_RETRY_S)
        self._answers = Window()

    async def decide(self, decision: Callable[[Session, Settings, datetime], T]) -> T:
        """Run `decision` in one transaction, off the event loop."""
        settings, now = self.parts.settings(), self.parts.clock()

        def transaction() -> T:
            with self.parts.database.write() as session:
                return decision(session, settings, now)

        return await asyncio.to_thread(transaction)

    async def reply(self, chat: Chat, decision: Callable[[Session, Settings, datetime], Message | None]) -> None:
        """Decide, and tell the chat."""
        await self.answer(chat, await self.decide(decision))

    async def answer(self, chat: Chat, message: Message | None, photo: bytes | None = None) -> None:
        """Tell the chat, if there is anything to tell and it has not had its fill; a failure is logged."""
        now = self.parts.clock().timestamp()
        if message is None or self._answers.delay(chat.chat_id, ANSWERS, now) > 0:
            return
        self._answers.forget_before(now - ANSWERS.seconds)
        self._answers.add(chat.chat_id, ANSWERS, now)
        await self.deliver(Envelope(chat, message, photo, Priority.REPLY))

    async def turn(self, chat: Chat, message_id: int, message: Message) -> None:
        """Show a message in place of one that is there, or anew where that is gone; a failure is logged: what the
        message tells of is stored."""
        await self.deliver(Envelope(chat, message, priority=Priority.REPLY, edits=message_id))

    async def deliver(self, envelope: Envelope) -> None:
        """Send at once; what a failure says of the chat is kept, and more than log it nobody can do."""
        try:
            await self._send(envelope)
        except SendFailure as failure:
            log.warning("answer_failed chat=%s error=%s", envelope.chat.chat_id, failure)
            await self.note_failure(envelope.chat, failure)

    async def note_failure(self, chat: Chat, failure: SendFailure) -> None:
        """Keep what a failed answer says of its chat, for the outbox and over a restart; that this failed is logged."""
        try:
            await self.decide(lambda s, cfg, now: learn_from(s, cfg, chat, failure, now))
        except TocsinError as error:
            log.warning("failure_not_noted chat=%s error=%s", chat.chat_id, error)

    async def tell_trouble(self, subject: str, broken: bool, message: Message) -> None:
        """Queue a message for every admin, if that it is broken (or no longer) is news. Raises DatabaseError."""
        await self.decide(lambda s, cfg, now: tell_trouble(s, cfg, subject, broken, message, now))

    async def _send(self, envelope: Envelope) -> None:
        """Once more after flood control, which the limiter then waits out."""
        try:
            await self._sender.send(envelope)
        except SendFailure as failure:
            if failure.retry_after_s is None or failure.retry_after_s > LONGEST_RETRY_S:
                raise
            await self.note_failure(envelope.chat, failure)
            await asyncio.sleep(failure.retry_after_s)
            await self._sender.send(envelope)
