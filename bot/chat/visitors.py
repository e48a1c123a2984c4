"""An update from Telegram in, who speaks in it and where out."""

import telegram
from telegram import Update
from telegram.constants import ChatType

from bot.chat.access import Visitor
from bot.messages.language import language_of
from bot.outlet import Chat


def visitor_of(update: Update) -> Visitor:
    """Who speaks in `update`, and where. A forum's topic is a place of its own."""
    chat, user, message = update.effective_chat, update.effective_user, update.effective_message
    assert chat is not None  # noqa: S101 - every kind of update we ask for happens in a chat
    private = chat.type == ChatType.PRIVATE
    topic = message.message_thread_id if message and message.is_topic_message and not private else None
    hidden = message is not None and message.sender_chat is not None
    name = _personal_name(user) if private and user else chat.title or ""
    language = language_of(user.language_code if private and user else None)
    user_id = None if hidden or user is None else user.id
    return Visitor(Chat(chat.id, topic or 0, str(chat.type)), user_id, name, language)


def first_word(update: Update) -> str:
    """What the text of `update` begins with, such as "/admin@our_bot"; "" when it has none."""
    message = update.effective_message
    return next(iter((message.text or "").split(maxsplit=1)), "") if message else ""


def _personal_name(user: telegram.User) -> str:
    return f"{user.full_name} (@{user.username})" if user.username else user.full_name
