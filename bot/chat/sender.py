"""A message and a chat in, a message in Telegram out, or a `SendFailure` that says what to do next."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import telegram
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions
from telegram.constants import ParseMode
from telegram.error import RetryAfter, TelegramError

from bot.chat.failures import as_failure, is_bad_markup, retry_after_s
from bot.chat.limiter import Limiter
from bot.messages.message import CAPTION_LIMIT, Message, clip, units
from bot.outlet import Chat, SendFailure
from models.delivery import Priority

log = logging.getLogger(__name__)

#: Short, because messages to other chats may wait behind this one; the outbox brings it back when its turn is near.
PATIENCE_S = 5.0


class TelegramSender:
    """A `bot.outlet.Sender`: waits for the limiter's turn before each request, at most `patience_s`.

    It does not retry: its caller has the outbox for that, or a person who can ask again.
    """

    def __init__(
        self, bot: telegram.Bot, limiter: Limiter, priority: Priority = Priority.ALERT, patience_s: float = PATIENCE_S
    ) -> None:
        self._bot = bot
        self._limiter = limiter
        self._priority = priority
        self._patience_s = patience_s

    async def send(self, chat: Chat, message: Message, photo: bytes | None = None) -> int:
        """Deliver `message`, as the caption of `photo` if it fits, else after it; returns the id of the text.

        Markup that Telegram cannot parse goes as plain text. Raises SendFailure.
        """
        if photo is None:
            return await self._send_text(chat, message)
        if units(message.plain) <= CAPTION_LIMIT:
            return await self._send_captioned(chat, message, photo)
        await self._send_bare_photo(chat, message, photo)
        return await self._send_text(chat, message)

    async def _send_text(self, chat: Chat, message: Message) -> int:
        async def attempt(text: str, parse_mode: ParseMode | None) -> telegram.Message:
            preview = LinkPreviewOptions(is_disabled=True)
            rest = _common(chat, message) | {"link_preview_options": preview, "reply_markup": keyboard(message)}
            return await self._bot.send_message(text=text, parse_mode=parse_mode, **rest)

        return await self._marked_up_or_plain(chat, message, attempt)

    async def _send_captioned(self, chat: Chat, message: Message, photo: bytes) -> int:
        async def attempt(text: str, parse_mode: ParseMode | None) -> telegram.Message:
            rest = _common(chat, message) | {"reply_markup": keyboard(message)}
            return await self._bot.send_photo(photo=photo, caption=text, parse_mode=parse_mode, **rest)

        try:
            return await self._marked_up_or_plain(chat, message, attempt)
        except SendFailure as failure:
            if not failure.permanent or failure.blocked:
                raise
            log.warning("photo_refused chat=%s error=%s", chat.chat_id, failure)
        return await self._send_text(chat, message)  # a group may allow text only

    async def _send_bare_photo(self, chat: Chat, message: Message, photo: bytes) -> None:
        """The picture is an ornament: refused, or its answer lost, the text goes all the same."""
        quietly = _common(chat, message) | {"disable_notification": True}
        try:
            await self._request(chat, lambda: self._bot.send_photo(photo=photo, **quietly))
        except SendFailure as failure:
            if failure.blocked or not (failure.permanent or failure.lost_answer):
                raise
            log.warning("photo_left_out chat=%s error=%s", chat.chat_id, failure)

    async def _marked_up_or_plain(
        self, chat: Chat, message: Message, attempt: Callable[[str, ParseMode | None], Awaitable[telegram.Message]]
    ) -> int:
        try:
            sent = await self._request(chat, lambda: attempt(message.html, ParseMode.HTML))
        except SendFailure as failure:
            if not (isinstance(failure.__cause__, TelegramError) and is_bad_markup(failure.__cause__)):
                raise
            log.warning("markup_refused chat=%s error=%s", chat.chat_id, failure)
            sent = await self._request(chat, lambda: attempt(clip(message.plain), None))
        return sent.message_id

    async def _request(self, chat: Chat, call: Callable[[], Awaitable[telegram.Message]]) -> telegram.Message:
        where = f"chat {chat.chat_id}"
        await self._await_turn(chat, where)
        try:
            return await call()
        except RetryAfter as error:
            self._limiter.hold(chat.chat_id, retry_after_s(error))
            raise as_failure(error, where) from error
        except TelegramError as error:
            raise as_failure(error, where) from error
        except (KeyError, TypeError) as error:  # JSON that is not the Bot API's, as a proxy may answer
            raise SendFailure(f"{where}: Telegram's answer cannot be read: {error!r}", lost_answer=True) from error

    async def _await_turn(self, chat: Chat, where: str) -> None:
        """Raise SendFailure rather than hold a claimed delivery until somebody else claims it too."""
        delay = self._limiter.delay(chat.chat_id)
        if delay <= self._patience_s and await self._limiter.wait(chat.chat_id, self._priority, self._patience_s):
            return
        delay = max(1.0, self._limiter.delay(chat.chat_id))
        raise SendFailure(f"{where}: had its share of messages; next in {delay:.0f} s", retry_after_s=delay)


def _common(chat: Chat, message: Message) -> dict[str, Any]:
    thread = chat.thread_id or None
    return {"chat_id": chat.chat_id, "message_thread_id": thread, "disable_notification": message.silent}


def keyboard(message: Message) -> InlineKeyboardMarkup | None:
    if not message.buttons:
        return None
    rows = [[InlineKeyboardButton(button.text, callback_data=button.data) for button in row] for row in message.buttons]
    return InlineKeyboardMarkup(rows)
