"""A token and the parts in, the handlers on a bot of their own out, served chat by chat whichever way updates come."""

import asyncio
import logging
from typing import Any

from telegram import BotCommand, BotCommandScopeAllChatAdministrators, BotCommandScopeAllGroupChats, Update
from telegram.error import TelegramError
from telegram.ext import Application, ApplicationBuilder, BaseUpdateProcessor

from bot.chat.admin import AdminHandlers
from bot.chat.api import bot_url, keep_out_of_logs, make_request
from bot.chat.desk import ChatParts, Desk
from bot.chat.failures import as_failure
from bot.chat.handlers import Handlers
from bot.messages.language import ENGLISH, LANGUAGES, in_language
from bot.messages.replies import COMMANDS

log = logging.getLogger(__name__)

AnyApplication = Application[Any, Any, Any, Any, Any, Any]
#: What handlers use; asked of Telegram alike by getUpdates and setWebhook (`allowed_updates`).
UPDATES = (Update.MESSAGE, Update.CHANNEL_POST, Update.CALLBACK_QUERY, Update.MY_CHAT_MEMBER)


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


async def say_hello(application: AnyApplication) -> None:
    """Ask who the bot is, which proves the token, and set its menus. Raises TelegramError."""
    await application.initialize()
    await application.start()
    log.info("telegram_ready bot=@%s", application.bot.username)
    await _offer_commands(application)


async def _offer_commands(application: AnyApplication) -> None:
    """The menu behind the / key; an ornament."""
    bot = application.bot
    try:
        for language in LANGUAGES:
            say, code = in_language(language), None if language == ENGLISH else language
            everything = [BotCommand(name, say(what)) for name, what in COMMANDS.items()]
            for_members = [command for command in everything if command.command in ("latest", "help")]
            await bot.set_my_commands(everything, language_code=code)
            await bot.set_my_commands(for_members, scope=BotCommandScopeAllGroupChats(), language_code=code)
            await bot.set_my_commands(everything, scope=BotCommandScopeAllChatAdministrators(), language_code=code)
    except TelegramError as error:
        log.warning("commands_not_set error=%s", as_failure(error, "setMyCommands"))
