"""Who says what where in, Bot API updates out: what a `FakeBotApi` is pushed."""

import re
from typing import Any

from fake_bot_api import BOT, member

Json = dict[str, Any]
DATE = 1645099200
GROUP_ANONYMOUS_BOT = 1087968824
CHANNEL_BOT = 136817688


def user(user_id: int, name: str = "Oksana", username: str | None = None) -> Json:
    return {"id": user_id, "is_bot": False, "first_name": name} | ({"username": username} if username else {})


def _text(text: str) -> Json:
    command = re.match(r"/\w+(@\w+)?", text)
    entity = {"type": "bot_command", "offset": 0, "length": command.end()} if command else None
    return {"text": text, "entities": [entity]} if entity else {"text": text}


def private(text: str, user_id: int, name: str = "Oksana", username: str | None = None) -> Json:
    sender = user(user_id, name, username)
    chat = {"id": user_id, "type": "private", "first_name": name}
    return {"message": {"message_id": 1, "date": DATE, "chat": chat, "from": sender, **_text(text)}}


def group(text: str, chat_id: int, user_id: int, title: str = "Newsroom", topic: int | None = None) -> Json:
    chat = {"id": chat_id, "type": "supergroup", "title": title}
    message = {"message_id": 1, "date": DATE, "chat": chat, "from": user(user_id), **_text(text)}
    if topic is not None:
        message |= {"message_thread_id": topic, "is_topic_message": True}
    return {"message": message}


def anonymous_admin(text: str, chat_id: int) -> Json:
    update = group(text, chat_id, GROUP_ANONYMOUS_BOT)
    update["message"]["sender_chat"] = update["message"]["chat"]
    return update


def as_channel(text: str, chat_id: int, channel_id: int) -> Json:
    """A member of a group who writes in the name of a channel."""
    update = group(text, chat_id, CHANNEL_BOT)
    update["message"]["sender_chat"] = {"id": channel_id, "type": "channel", "title": "Some channel"}
    return update


def channel(text: str, chat_id: int, title: str = "Front page") -> Json:
    chat = {"id": chat_id, "type": "channel", "title": title}
    return {"channel_post": {"message_id": 1, "date": DATE, "chat": chat, "sender_chat": chat, **_text(text)}}


def forwarded(text: str, chat_id: int, channel_id: int) -> Json:
    """A post of a channel that Telegram itself puts into the channel's discussion group."""
    update = as_channel(text, chat_id, channel_id)
    update["message"] |= {"from": user(777000, "Telegram"), "is_automatic_forward": True}
    return update


def document(file_id: str, user_id: int, size: int = 100, name: str = "feeds.opml") -> Json:
    chat = {"id": user_id, "type": "private", "first_name": "Oksana"}
    file = {"file_id": file_id, "file_unique_id": file_id, "file_name": name, "file_size": size}
    return {"message": {"message_id": 1, "date": DATE, "chat": chat, "from": user(user_id), "document": file}}


def press(data: str, user_id: int, message_id: int = 1, chat: Json | None = None, topic: int = 0) -> Json:
    """A button under a message of the bot, in the private chat unless `chat` names another."""
    chat = chat or {"id": user_id, "type": "private", "first_name": "Oksana"}
    shown = {"message_id": message_id, "date": DATE, "chat": chat, "from": BOT, "text": "asked"}
    if topic:
        shown |= {"message_thread_id": topic, "is_topic_message": True}
    return {"callback_query": {"id": "77", "from": user(user_id), "chat_instance": "1", "data": data, "message": shown}}


def press_on_old(data: str, user_id: int, message_id: int, chat: Json) -> Json:
    """A button under a message so old that Telegram says no more of it than its chat and number."""
    update = press(data, user_id, message_id, chat)
    update["callback_query"]["message"] = {"message_id": message_id, "date": 0, "chat": chat}
    return update


def membership(chat_id: int, kind: str, by: int, old: str, new: str, title: str = "Newsroom") -> Json:
    """The bot itself was added, removed or blocked."""
    chat = {"id": chat_id, "type": kind, "title": title} if kind != "private" else {"id": chat_id, "type": kind}
    change = {"chat": chat, "from": user(by), "date": DATE}
    bot = {"user": BOT}
    return {
        "my_chat_member": change
        | {"old_chat_member": member(BOT["id"], old) | bot, "new_chat_member": member(BOT["id"], new) | bot}
    }


def added(chat_id: int, kind: str, *who: Json) -> Json:
    """Users were added to a group, as told in it."""
    chat = {"id": chat_id, "type": kind, "title": "Newsroom"}
    message = {"message_id": 1, "date": DATE, "chat": chat, "from": user(5), "new_chat_members": [*who]}
    return {"message": message}


def migration(old: int, new: int) -> Json:
    """A group became a supergroup, as told in the old group."""
    chat = {"id": old, "type": "group", "title": "Newsroom"}
    message = {"message_id": 1, "date": DATE, "chat": chat, "from": user(5), "migrate_to_chat_id": new}
    return {"message": message}


def migrated(old: int, new: int) -> Json:
    """The same as told in the new supergroup."""
    chat = {"id": new, "type": "supergroup", "title": "Newsroom"}
    message = {"message_id": 1, "date": DATE, "chat": chat, "from": user(5), "migrate_from_chat_id": old}
    return {"message": message}
