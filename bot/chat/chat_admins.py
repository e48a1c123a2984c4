"""A chat and a person in, whether they are one of its admins out. Asked of Telegram every time."""

import telegram
from telegram.constants import ChatMemberStatus
from telegram.error import BadRequest

ADMINS = (ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR)


async def is_chat_admin(bot: telegram.Bot, chat_id: int, user_id: int) -> bool | None:
    """None where Telegram tells the bot neither who this is nor who the admins are. Raises TelegramError.

    It promises to tell of others only where the bot is an admin itself, and hides members of some groups from the rest
    (https://core.telegram.org/bots/api#getchatmember).
    """
    try:
        return (await bot.get_chat_member(chat_id, user_id)).status in ADMINS
    except BadRequest:
        return await _is_listed(bot, chat_id, user_id)


async def _is_listed(bot: telegram.Bot, chat_id: int, user_id: int) -> bool | None:
    try:
        return user_id in [each.user.id for each in await bot.get_chat_administrators(chat_id)]
    except BadRequest:
        return None
