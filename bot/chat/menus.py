"""A bot in, its command menus and description set, per language. An ornament; that it fails is logged."""

import logging
from collections.abc import Iterable

import telegram
from telegram import (
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeChat,
)
from telegram.error import TelegramError

from bot.chat.failures import as_failure
from bot.messages.language import ENGLISH, LANGUAGES, Say, in_language
from bot.messages.menu import ADMIN_COMMAND, COMMANDS, DESCRIPTION, FOR_CHAT_ADMINS, SHORT_DESCRIPTION

log = logging.getLogger(__name__)

FOR_MEMBERS = [name for name in COMMANDS if name not in FOR_CHAT_ADMINS]


async def offer_commands(bot: telegram.Bot) -> None:
    """The menu behind the / key: everything, and to ordinary members of a group what they may use."""
    try:
        for language in LANGUAGES:
            await _offer(bot, language, [*COMMANDS])
            await _offer(bot, language, FOR_MEMBERS, BotCommandScopeAllGroupChats())
            await _offer(bot, language, [*COMMANDS], BotCommandScopeAllChatAdministrators())
    except TelegramError as error:
        log.warning("commands_not_set error=%s", as_failure(error, "setMyCommands"))


async def describe_bot(bot: telegram.Bot) -> None:
    """What a chat shows before /start, and the bot's profile. Set only where it changed: Telegram limits how often."""
    try:
        for language in LANGUAGES:
            await _describe(bot, in_language(language), "" if language == ENGLISH else language)
    except TelegramError as error:
        log.warning("description_not_set error=%s", as_failure(error, "setMyDescription"))


async def _describe(bot: telegram.Bot, say: Say, code: str) -> None:
    long, short = say(DESCRIPTION), say(SHORT_DESCRIPTION)
    if (await bot.get_my_description(language_code=code)).description != long:
        await bot.set_my_description(long, language_code=code)
    if (await bot.get_my_short_description(language_code=code)).short_description != short:
        await bot.set_my_short_description(short, language_code=code)


class AdminMenus:
    """/admin in the menus of who is an admin, and of nobody who was."""

    def __init__(self) -> None:
        self._with_admin: set[int] = set()
        self._followed: frozenset[int] = frozenset()

    async def follow(self, bot: telegram.Bot, admins: Iterable[int]) -> None:
        """Once after each change of who the admins (user ids) are, the start included."""
        now = frozenset(admins)
        if now == self._followed:
            return
        former, self._followed = self._followed, now
        for user_id in sorted(now - former):
            await self.offer(bot, user_id)
        for user_id in sorted(self._with_admin - now):
            await self.withdraw(bot, user_id)

    async def offer(self, bot: telegram.Bot, user_id: int) -> None:
        """To an admin; tried again when they write, where Telegram knew no chat with them yet."""
        if user_id not in self._with_admin:
            self._with_admin.add(user_id)
            if not await offer_admin_command(bot, user_id):
                self._with_admin.discard(user_id)

    async def withdraw(self, bot: telegram.Bot, user_id: int) -> None:
        """From who is no admin any more."""
        self._with_admin.discard(user_id)
        await withdraw_admin_command(bot, user_id)


async def withdraw_admin_command(bot: telegram.Bot, user_id: int) -> None:
    """The menu of who is no admin any more becomes that of everybody."""
    try:
        for language in LANGUAGES:
            code = None if language == ENGLISH else language
            await bot.delete_my_commands(BotCommandScopeChat(user_id), language_code=code)
    except TelegramError as error:
        log.info("commands_not_set former_admin=%s error=%s", user_id, as_failure(error, "deleteMyCommands"))


async def offer_admin_command(bot: telegram.Bot, user_id: int) -> bool:
    """/admin in the menu of an admin of the bot; False when Telegram knows no chat with them yet, or fails."""
    try:
        for language in LANGUAGES:
            await _offer(bot, language, [*COMMANDS, *ADMIN_COMMAND], BotCommandScopeChat(user_id))
    except TelegramError as error:
        log.info("commands_not_set admin=%s error=%s", user_id, as_failure(error, "setMyCommands"))
        return False
    return True


async def _offer(bot: telegram.Bot, language: str, names: list[str], scope: BotCommandScope | None = None) -> None:
    say, code = in_language(language), None if language == ENGLISH else language
    words = COMMANDS | ADMIN_COMMAND
    await bot.set_my_commands([BotCommand(name, say(words[name])) for name in names], scope, language_code=code)
