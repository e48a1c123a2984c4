"""An envelope in, a message in Telegram out, or a `SendFailure` that says what to do next."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import telegram
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import RetryAfter, TelegramError

from bot.chat.failures import as_failure, is_bad_markup, retry_after_s
from bot.chat.limiter import Limiter
from bot.messages.message import CAPTION_LIMIT, Message, clip, units
from bot.outlet import Envelope, SendFailure
from models.delivery import Priority

log = logging.getLogger(__name__)

#: Short, because messages to other chats may wait behind this one; the outbox brings it back when its turn is near.
PATIENCE_S = 5.0


class TelegramSender:
    """A `bot.outlet.Sender`: waits for the limiter's turn before each request, at most `patience_s`.

    It does not retry: its caller has the outbox for that, or a person who can ask again.
    """

    def __init__(self, bot: telegram.Bot, limiter: Limiter, patience_s: float = PATIENCE_S) -> None:
        self._bot = bot
        self._limiter = limiter
        self._patience_s = patience_s

    async def send(self, envelope: Envelope) -> int:
        """Deliver the message, as the caption of its photo if it fits, else before it; returns the id of the text.

        Markup that Telegram cannot parse goes as plain text. Raises SendFailure.
        """
        if envelope.edits is not None and await self._edit(envelope, envelope.edits):
            return envelope.edits
        if envelope.priority is Priority.UPDATE:  # sent anew it would disturb who has deleted it
            raise SendFailure("the message that this would update is gone", permanent=True)
        if envelope.photo is None:
            return await self._send_text(envelope)
        if units(envelope.message.plain) <= CAPTION_LIMIT:
            return await self._send_captioned(envelope, envelope.photo)
        sent = await self._send_text(envelope)  # first, so that a repetition cannot double the picture
        await self._send_bare_photo(envelope, envelope.photo)
        return sent

    async def send_document(self, envelope: Envelope, name: str, data: bytes) -> int:
        """Send a file called `name` with the message as its caption. Raises SendFailure."""

        async def attempt(text: str, parse_mode: ParseMode | None) -> telegram.Message:
            file = telegram.InputFile(data, filename=name)
            return await self._bot.send_document(
                document=file, caption=text, parse_mode=parse_mode, **self._common(envelope)
            )

        return _id_of(await self._marked_up_or_plain(envelope, attempt))

    async def _edit(self, envelope: Envelope, message_id: int) -> bool:
        """Replace the text of an earlier message; False when that message is gone or too old."""

        async def attempt(text: str, parse_mode: ParseMode | None) -> telegram.Message | bool:
            return await self._bot.edit_message_text(
                text=text,
                parse_mode=parse_mode,
                chat_id=envelope.chat.chat_id,
                message_id=message_id,
                link_preview_options=_preview(envelope),
                reply_markup=keyboard(envelope.message),
            )

        try:
            await self._marked_up_or_plain(envelope, attempt, paid=False)  # edits cannot be paid for
        except SendFailure as failure:
            if "not modified" in str(failure):  # it says so already
                return True
            if not failure.permanent or failure.closes:
                raise
            log.info("edit_refused chat=%s error=%s", envelope.chat.chat_id, failure)
            return False
        return True

    async def _send_text(self, envelope: Envelope) -> int:
        async def attempt(text: str, parse_mode: ParseMode | None) -> telegram.Message:
            rest = self._common(envelope) | {"link_preview_options": _preview(envelope)}
            return await self._bot.send_message(
                text=text, parse_mode=parse_mode, reply_markup=keyboard(envelope.message), **rest
            )

        return _id_of(await self._marked_up_or_plain(envelope, attempt))

    async def _send_captioned(self, envelope: Envelope, photo: bytes) -> int:
        async def attempt(text: str, parse_mode: ParseMode | None) -> telegram.Message:
            rest = self._common(envelope) | {"reply_markup": keyboard(envelope.message)}
            return await self._bot.send_photo(photo=photo, caption=text, parse_mode=parse_mode, **rest)

        try:
            return _id_of(await self._marked_up_or_plain(envelope, attempt))
        except SendFailure as failure:
            if not failure.permanent or failure.closes:
                raise
            log.warning("photo_refused chat=%s error=%s", envelope.chat.chat_id, failure)
        return await self._send_text(envelope)  # a group may allow text only

    async def _send_bare_photo(self, envelope: Envelope, photo: bytes) -> None:
        """The picture is an ornament: the text has arrived, so that whatever happens now is only noted."""
        quietly = self._common(envelope) | {"disable_notification": True}
        try:
            paid = self._limiter.pays(envelope.priority)
            await self._request(envelope, lambda: self._bot.send_photo(photo=photo, **quietly), paid)
        except SendFailure as failure:
            log.warning("photo_left_out chat=%s error=%s", envelope.chat.chat_id, failure)

    async def _marked_up_or_plain(
        self,
        envelope: Envelope,
        attempt: Callable[[str, ParseMode | None], Awaitable[telegram.Message | bool]],
        paid: bool | None = None,
    ) -> telegram.Message | bool:
        """`paid`: whether it may cost a fee; None for what its kind says."""
        message = envelope.message
        paid = self._limiter.pays(envelope.priority) if paid is None else paid
        try:
            return await self._request(envelope, lambda: attempt(message.html, ParseMode.HTML), paid)
        except SendFailure as failure:
            if not (isinstance(failure.__cause__, TelegramError) and is_bad_markup(failure.__cause__)):
                raise
            log.warning("markup_refused chat=%s error=%s", envelope.chat.chat_id, failure)
        return await self._request(envelope, lambda: attempt(clip(message.plain), None), paid)

    async def _request(
        self, envelope: Envelope, call: Callable[[], Awaitable[telegram.Message | bool]], paid: bool
    ) -> telegram.Message | bool:
        chat_id = envelope.chat.chat_id
        where = f"chat {chat_id}"
        await self._await_turn(envelope, where, paid)
        await envelope.begin()
        try:
            async with self._limiter.request(chat_id, paid):
                return await call()
        except RetryAfter as error:
            self._limiter.hold(chat_id, retry_after_s(error))
            raise as_failure(error, where) from error
        except TelegramError as error:
            raise as_failure(error, where) from error
        except (AttributeError, KeyError, TypeError) as error:  # JSON that is not the Bot API's, as a proxy may answer
            raise SendFailure(f"{where}: Telegram's answer cannot be read: {error!r}", lost_answer=True) from error

    async def _await_turn(self, envelope: Envelope, where: str, paid: bool) -> None:
        """Raise SendFailure rather than hold a claimed delivery until somebody else claims it too."""
        chat_id, patience_s = envelope.chat.chat_id, self._patience_s
        delay = self._limiter.delay(chat_id, paid)
        if delay <= patience_s and await self._limiter.wait(chat_id, envelope.priority, patience_s, paid):
            return
        delay = max(1.0, self._limiter.delay(chat_id, paid))
        raise SendFailure(f"{where}: had its share of messages; next in {delay:.0f} s", retry_after_s=delay)

    def _common(self, envelope: Envelope) -> dict[str, Any]:
        """What every way of sending takes."""
        replies_to = envelope.replies_to
        answer = ReplyParameters(replies_to, allow_sending_without_reply=True) if replies_to is not None else None
        return {
            "chat_id": envelope.chat.chat_id,
            "message_thread_id": envelope.chat.thread_id or None,
            "disable_notification": envelope.silent or envelope.message.silent,
            "reply_parameters": answer,
            "allow_paid_broadcast": self._limiter.pays(envelope.priority) or None,
        }


def _preview(envelope: Envelope) -> LinkPreviewOptions:
    return LinkPreviewOptions(is_disabled=not envelope.link_preview)


def _id_of(sent: telegram.Message | bool) -> int:
    """Only an edit of a message in another way than ours answers with a mere True."""
    return sent.message_id if isinstance(sent, telegram.Message) else 0


def keyboard(message: Message) -> InlineKeyboardMarkup | None:
    if not message.buttons:
        return None
    rows = [[InlineKeyboardButton(button.text, callback_data=button.data) for button in row] for row in message.buttons]
    return InlineKeyboardMarkup(rows)
