"""A token in, its updates handed to the handlers out, for as long as the program runs and whatever Telegram does.

The library's own Updater waits inside its start while Telegram is away, and ends for good, unseen, at the first 401.
`Poller` takes small rounds instead: hold the lease, say hello once, ask for updates, and after a failure wait longer.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, NoReturn
from uuid import uuid4

from telegram import BotCommand, BotCommandScopeAllChatAdministrators, BotCommandScopeAllGroupChats, Update
from telegram.error import Conflict, RetryAfter, TelegramError
from telegram.ext import Application, ApplicationBuilder, BaseUpdateProcessor

from bot.chat.admin import AdminHandlers
from bot.chat.api import TokenFilter, bot_url, keep_out_of_logs, make_request
from bot.chat.desk import ChatParts, Desk
from bot.chat.failures import as_failure, retry_after_s
from bot.chat.handlers import Handlers
from bot.messages.language import ENGLISH, LANGUAGES, in_language
from bot.messages.message import notice
from bot.messages.replies import COMMANDS
from bot.notices import tell_admins
from config.errors import TocsinError
from models.lease import drop_lease, take_lease

log = logging.getLogger(__name__)

AnyApplication = Application[Any, Any, Any, Any, Any, Any]
UPDATES = (Update.MESSAGE, Update.CHANNEL_POST, Update.CALLBACK_QUERY, Update.MY_CHAT_MEMBER)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. A poll with all its timeouts must end well within the lease."""

    poll_s: int = 10
    lease_s: float = 90
    first_pause_s: float = 1
    longest_pause_s: float = 60
    stop_s: float = 5
    serve_s: float = 20


DEFAULT_PACE = Pace()


class ChatOrder(BaseUpdateProcessor):
    """Chats are served side by side, the updates of one chat in their order."""

    def __init__(self) -> None:
        super().__init__(max_concurrent_updates=256)
        self._locks: dict[int, tuple[asyncio.Lock, int]] = {}

    async def do_process_update(self, update: object, coroutine: Any) -> None:
        """Wait for the earlier updates of the same chat."""
        chat = update.effective_chat if isinstance(update, Update) else None
        key = chat.id if chat else 0
        lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, waiting + 1
        try:
            async with lock:
                await coroutine
        finally:
            lock, waiting = self._locks.pop(key)
            if waiting > 1:
                self._locks[key] = lock, waiting - 1

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Nothing to give back."""


def build_application(token: str, base_url: str | None, parts: ChatParts) -> AnyApplication:
    """The handlers on a bot of their own; asks Telegram nothing yet. Raises ConfigError for a bad `base_url`."""
    url = bot_url(base_url)
    keep_out_of_logs(token)
    files = f"{url.removesuffix('bot')}file/bot"
    builder = ApplicationBuilder().token(token).base_url(url).base_file_url(files).updater(None).job_queue(None)
    builder = builder.request(make_request(connections=64)).get_updates_request(make_request(connections=1))
    application = builder.concurrent_updates(ChatOrder()).build()
    desk = Desk(parts, application.bot)
    AdminHandlers(desk, application.bot).attach(application)
    Handlers(desk, application.bot).attach(application)
    return application


class Poller:
    """Polls one token for one process; others with the same database and token wait for their turn."""

    def __init__(self, token: str, base_url: str | None, parts: ChatParts, pace: Pace) -> None:
        self._application = build_application(token, base_url, parts)
        self._desk = Desk(parts, self._application.bot)
        self._redact = TokenFilter(token).redact
        self._parts = parts
        self._pace = pace
        self._lease = f"poller:{sha256(token.encode()).hexdigest()[:16]}"
        self._holder = f"{socket.gethostname()[:30]}:{os.getpid()}:{uuid4().hex[:8]}"
        self._holds_lease = False
        self._waits_for_lease = False
        self._offset: int | None = None
        self._next_offset: int | None = None
        self._confirmed: int | None = None
        self._failures = 0
        self._trouble = ""
        self._serving: set[asyncio.Task[None]] = set()

    async def run(self) -> NoReturn:
        """Until cancelled; then gives everything back within a few seconds."""
        try:
            while True:
                pause = await self._round()
                await asyncio.sleep(pause)
        finally:
            await self._close()

    async def _round(self) -> float:
        """One step; returns the seconds to wait before the next."""
        try:
            if not await self._keep_lease():
                return self._pace.lease_s / 6
            if not self._application.running:
                await self._say_hello()
            await self._poll()
        except TelegramError as error:
            return await self._pause_after(error)
        except TocsinError as error:
            return self._pause(f"{error}")
        except Exception:
            log.exception("poller_failed")
            return self._pace.longest_pause_s
        if self._trouble:
            log.info("poller_recovered failures=%s", self._failures)
        self._failures, self._trouble = 0, ""
        return 0.0

    async def _keep_lease(self) -> bool:
        length = timedelta(seconds=self._pace.lease_s)
        held = await self._desk.decide(lambda s, _, now: take_lease(s, self._lease, self._holder, now, length))
        if self._holds_lease and not held:
            log.error("poller_lost_lease lease=%s; another process answers from now on", self._lease)
        elif not held and not self._waits_for_lease:
            log.warning("poller_waits lease=%s; another process polls, or one was killed a moment ago", self._lease)
        self._holds_lease, self._waits_for_lease = held, not held
        return held

    async def _say_hello(self) -> None:
        application = self._application
        await application.initialize()
        await application.bot.delete_webhook(drop_pending_updates=False)
        await application.start()
        log.info("telegram_ready bot=@%s", application.bot.username)
        await self._set_commands()

    async def _set_commands(self) -> None:
        """The menu behind the / key; an ornament."""
        bot = self._application.bot
        try:
            for language in LANGUAGES:
                say, code = in_language(language), None if language == ENGLISH else language
                everything = [BotCommand(name, say(what)) for name, what in COMMANDS.items()]
                for_members = [command for command in everything if command.command in ("latest", "help")]
                await bot.set_my_commands(everything, language_code=code)
                await bot.set_my_commands(for_members, scope=BotCommandScopeAllGroupChats(), language_code=code)
                await bot.set_my_commands(everything, scope=BotCommandScopeAllChatAdministrators(), language_code=code)
        except TelegramError as error:
            log.warning("commands_not_set error=%s", self._redact(str(error)))

    async def _poll(self) -> None:
        bot = self._application.bot
        updates = await bot.get_updates(offset=self._offset, timeout=self._pace.poll_s, allowed_updates=UPDATES)
        self._confirmed = self._offset
        if updates:
            self._next_offset = updates[-1].update_id + 1
            await self._serve(updates)
            self._offset = self._next_offset

    async def _serve(self, updates: Sequence[Update]) -> None:
        """Handle updates before the next poll confirms them: what a killed process left, Telegram hands out again.

        One that takes very long (its chat has had its share of answers) holds up nobody else: it goes on by itself.
        """
        application = self._application
        serving = [
            asyncio.create_task(application.update_processor.process_update(update, application.process_update(update)))
            for update in updates
        ]
        self._serving.update(serving)
        for task in serving:
            task.add_done_callback(self._serving.discard)
        await asyncio.wait(serving, timeout=self._pace.serve_s)

    async def _pause_after(self, error: TelegramError) -> float:
        if isinstance(error, RetryAfter):
            return retry_after_s(error)
        if isinstance(error, Conflict):
            await self._tell_conflict()
            return self._pause(f"409 {error}")
        return self._pause(str(as_failure(error, "getUpdates")))

    def _pause(self, trouble: str) -> float:
        """Each trouble is logged loudly once, and again when it is over."""
        log.log(
            logging.DEBUG if trouble == self._trouble else logging.WARNING,
            "poller_paused error=%s",
            self._redact(trouble),
        )
        self._trouble = trouble
        self._failures += 1
        return min(self._pace.longest_pause_s, self._pace.first_pause_s * 2.0 ** min(self._failures - 1, 10))

    async def _tell_conflict(self) -> None:
        text = (
            "Another program polls Telegram with this bot's token (409 Conflict): each gets only some of the commands. "
            "Stop the other one, or give this one a token of its own from BotFather. Alerts are sent all the same."
        )
        with suppress(TocsinError):  # the pause that follows is logged either way
            await self._desk.decide(
                lambda s, cfg, now: tell_admins(s, cfg, f"poller-conflict:{now:%Y-%m-%d}", notice(text), now)
            )

    # The end --------------------------------------------------------------------------------------------------------

    async def _close(self) -> None:
        application = self._application
        try:
            async with asyncio.timeout(self._pace.stop_s):
                if self._serving:
                    await asyncio.wait(self._serving)
                self._offset = self._next_offset
                if application.running:
                    await application.stop()
                if self._holds_lease and self._offset != self._confirmed:
                    await application.bot.get_updates(offset=self._offset, timeout=0, limit=1)
        except (TimeoutError, TelegramError) as error:
            log.warning("poller_closed_early error=%r", error)
        await application.bot.shutdown()
        with suppress(TocsinError):  # it runs out by itself
            await self._desk.decide(lambda s, _cfg, _now: drop_lease(s, self._lease, self._holder))


async def run_poller(token: str, base_url: str | None, parts: ChatParts, pace: Pace = Pace()) -> NoReturn:
    """Answer people until the task is cancelled. Telegram may be away, now or later: it is tried again, for ever.

    Raises ConfigError at once when `base_url` is no address.
    """
    await Poller(token, base_url, parts, pace).run()
