"""A token and the parts in, the handlers on a bot of their own out, served chat by chat whichever way updates come."""

import asyncio
import logging
from typing import Any

from telegram import Update
from telegram.ext import Application, ApplicationBuilder, BaseUpdateProcessor

from bot.chat.admin import AdminHandlers
from bot.chat.api import bot_url, keep_out_of_logs, make_request
from bot.chat.desk import ChatParts, Desk
from bot.chat.handlers import Handlers
from bot.chat.menus import AdminMenus, describe_bot, offer_commands

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


def build_application(token: str, base_url: str | None, parts: ChatParts, menus: AdminMenus) -> AnyApplication:
    """The handlers on a bot of their own; asks Telegram nothing yet. Raises ConfigError for a bad `base_url`."""
    url = bot_url(base_url)
    keep_out_of_logs(token)
    files = f"{url.removesuffix('bot')}file/bot"
    builder = ApplicationBuilder().token(token).base_url(url).base_file_url(files).updater(None).job_queue(None)
    builder = builder.request(make_request(connections=64)).get_updates_request(make_request(connections=1))
    application = builder.concurrent_updates(ChatOrder()).build()
    desk = Desk(parts, application.bot)
    AdminHandlers(desk, application.bot, menus).attach(application)
    Handlers(desk, application.bot, menus).attach(application)
    return application


async def say_hello(application: AnyApplication) -> None:
    """Ask who the bot is, which proves the token, and set its menus. Raises TelegramError."""
    await application.initialize()
    await application.start()
    log.info("telegram_ready bot=@%s", application.bot.username)
    await offer_commands(application.bot)
    await describe_bot(application.bot)
