"""/admin: presses, texts and files of admins in, pages out. Who is an admin is asked at every single one of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import telegram
from telegram import Update
from telegram.constants import ChatType
from telegram.error import TelegramError
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes, MessageHandler, filters

from bot.chat import (
    admin_feeds,
    admin_history,
    admin_labels,
    admin_operate,
    admin_subscribers,
    admin_thresholds,
)
from bot.chat.admin_call import CANCEL, Call, Page, Reply, TextWanted, answered_by_text, menu, page
from bot.chat.buttons import OUTDATED, answer_press
from bot.chat.desk import LONGEST_RETRY_S, AdminTools, Desk
from bot.chat.failures import as_failure
from bot.chat.handlers import SPOKEN
from bot.chat.menus import AdminMenus
from bot.chat.sender import TelegramSender
from bot.chat.visitors import first_word, visitor_of
from bot.messages import replies
from bot.messages.message import Message, notice
from bot.outlet import Chat, Envelope, SendFailure
from config.errors import TocsinError
from models.delivery import Priority

log = logging.getLogger(__name__)

Context = ContextTypes.DEFAULT_TYPE
PAGES: Mapping[str, Page] = MappingProxyType(
    {
        "feeds": admin_feeds.show,
        "set": admin_thresholds.show,
        "log": admin_history.show,
        "people": admin_subscribers.show,
        "label": admin_labels.show,
        "ops": admin_operate.show,
    }
)
NOT_AN_ADMIN = "Only admins of this bot can do that."
PRIVATE = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE


class _OfAdmins(filters.MessageFilter):
    """Texts of whoever is an admin at this moment."""

    def __init__(self, is_admin: Callable[[int], bool]) -> None:
        super().__init__()
        self._is_admin = is_admin

    def filter(self, message: telegram.Message) -> bool:
        return message.from_user is not None and self._is_admin(message.from_user.id)


class AdminHandlers:
    """Finds out who asks, hands the call to its page, and shows what that gives."""

    def __init__(self, desk: Desk, bot: telegram.Bot, menus: AdminMenus) -> None:
        self._desk = desk
        self._bot = bot
        self._menus = menus
        self._sender = TelegramSender(bot, desk.parts.limiter, patience_s=LONGEST_RETRY_S)
        self._errands: set[asyncio.Task[None]] = set()

    def attach(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Register what is for admins; attach it before the handlers for everybody."""
        application.add_handler(CommandHandler("admin", self.command, filters=SPOKEN))
        application.add_handler(CallbackQueryHandler(self.button, pattern="^adm:"))
        application.add_handler(MessageHandler(PRIVATE & filters.Document.ALL, self.document))
        answers = PRIVATE & filters.TEXT & ~filters.COMMAND & _OfAdmins(self._is_admin)
        application.add_handler(MessageHandler(answers, self.text))

    async def command(self, update: Update, context: Context) -> None:
        """/admin [PAGE]"""
        chat, user = update.effective_chat, update.effective_user
        assert chat is not None  # noqa: S101 - the handler's filter says so
        is_admin = user is not None and self._is_admin(user.id)
        if chat.type != ChatType.PRIVATE:
            await self._answer_elsewhere(update, is_admin)
        elif user is None or not is_admin:
            await self._desk.answer(Chat(chat.id), replies.unknown_command())
            await self._menus.withdraw(self._bot, chat.id)
        else:
            await self._menus.offer(self._bot, user.id)
            words = [word.lower()[:20] for word in context.args or ()]
            await self._send(user.id, await self._run(user.id, words[0] if words else "", "list", ()))

    async def _answer_elsewhere(self, update: Update, is_admin: bool) -> None:
        """In a group or channel, where without @our_name it may be for another bot."""
        if first_word(update).lower().endswith(f"@{self._bot.username.lower()}"):
            where = notice("/admin works in a private chat with me.")
            await self._desk.answer(visitor_of(update).chat, where if is_admin else replies.unknown_command())

    async def button(self, update: Update, _context: Context) -> None:
        """A button of a page."""
        query = update.callback_query
        assert query is not None  # noqa: S101 - as above
        user_id, chat = query.from_user.id, query.message.chat.id if query.message else 0
        if not (query.data or "").startswith("adm:"):  # the library lets an empty one through every pattern
            await answer_press(query, OUTDATED, True)
            return
        if not self._is_admin(user_id) or chat != user_id:
            await answer_press(query, NOT_AN_ADMIN, True)
            return
        await answer_press(query)  # at once: an answer after a long step is refused as too old
        _, topic, verb, *args = [*(query.data or "").split(":"), "", ""]
        reply = await self._run(user_id, topic, verb, [arg for arg in args if arg])
        await self._show(query, user_id, reply)

    async def text(self, update: Update, _context: Context) -> None:
        """A text of an admin, which may answer a question."""
        message, user = update.effective_message, update.effective_user
        assert message is not None and user is not None  # noqa: S101 - as above
        asked, wanted = await answered_by_text(self._desk, user.id)
        if not asked:
            await self._desk.answer(Chat(user.id), replies.unknown_command())
        elif wanted is None:
            await self._send(user.id, page("That question is out of date. /admin starts again."))
        else:
            await self._send(user.id, await self._take_answer(user.id, wanted, message.text or ""))

    async def document(self, update: Update, _context: Context) -> None:
        """A file of an admin is taken for OPML; of others, for nothing."""
        message, user = update.effective_message, update.effective_user
        assert message is not None  # noqa: S101 - as above
        if user is None or not self._is_admin(user.id) or message.document is None:
            return
        tools = self._desk.parts.admin
        if tools is not None:
            call = self._call(user.id, tools, ())
            try:
                reply = await admin_feeds.read_file(call, message.document)
            except TelegramError as error:
                reply = page(f"The file could not be fetched: {as_failure(error, 'getFile')}", back="feeds:list")
            except TocsinError as error:
                reply = page(str(error), back="feeds:list")
            await self._send(user.id, reply)

    # What they have in common -------------------------------------------------------------------------------------

    def _is_admin(self, user_id: int) -> bool:
        return user_id in self._desk.parts.settings().telegram.admins

    async def _run(self, user_id: int, topic: str, verb: str, args: Sequence[str]) -> Reply:
        """The page, or why there is none: an error of ours says what to do next."""
        tools = self._desk.parts.admin
        if tools is None:
            return page("Settings cannot be changed from here.")
        if topic == CANCEL:
            await self._call(user_id, tools, ()).drop_question()
            topic, verb, args = verb, *[*args, ""][:1], args[1:]
        if topic not in PAGES:
            return menu()
        try:
            return await PAGES[topic](self._call(user_id, tools, args), verb)
        except TocsinError as error:
            _note_refusal(user_id, topic, verb, error)
            return page(str(error), back="menu" if topic == "ops" else f"{topic}:list")

    async def _take_answer(self, user_id: int, wanted: TextWanted, text: str) -> Reply:
        """The page that a text leads to; one that is refused is asked for again, so that it can be mended."""
        tools = self._desk.parts.admin
        if tools is None or wanted.topic not in PAGES:
            return menu()
        call = self._call(user_id, tools, (*wanted.args, text))
        try:
            return await PAGES[wanted.topic](call, wanted.verb)
        except TocsinError as error:
            _note_refusal(user_id, wanted.topic, wanted.verb, error)
            return await call.ask_again(wanted, str(error))

    def _call(self, user_id: int, tools: AdminTools, args: Sequence[str]) -> Call:
        return Call(user_id, self._desk, tools, self._bot, self._later, args)

    def _later(self, user_id: int, coming: Awaitable[Reply]) -> None:
        """Send a page when it is ready; presses meanwhile are served."""

        async def send_when_ready() -> None:
            try:
                reply = await coming
            except TocsinError as error:
                reply = page(str(error), back="menu")
            if self._is_admin(user_id):
                await self._send(user_id, reply)

        task = asyncio.create_task(send_when_ready())
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _show(self, query: telegram.CallbackQuery, user_id: int, reply: Reply) -> None:
        """Turn the page in place."""
        if query.message is not None:
            await self._desk.turn(Chat(user_id), query.message.message_id, reply.message)
        await self._attachments(user_id, reply)

    async def _send(self, user_id: int, reply: Reply) -> None:
        await self._deliver(user_id, reply.message)
        await self._attachments(user_id, reply)

    async def _attachments(self, user_id: int, reply: Reply) -> None:
        if reply.photo is not None:
            await self._deliver(user_id, notice("The last two weeks"), reply.photo)
        if reply.document is not None:
            name, data = reply.document
            envelope = Envelope(Chat(user_id), notice(name), priority=Priority.REPLY)
            try:
                await self._sender.send_document(envelope, name, data)
            except SendFailure as failure:
                log.warning("file_not_sent admin=%s error=%s", user_id, failure)
                await self._deliver(user_id, notice(f"The file could not be sent: {failure}"))

    async def _deliver(self, user_id: int, message: Message, photo: bytes | None = None) -> None:
        await self._desk.deliver(Envelope(Chat(user_id), message, photo, priority=Priority.REPLY))


def _note_refusal(user_id: int, topic: str, verb: str, error: TocsinError) -> None:
    log.info("admin_refused admin=%s page=%s:%s error=%s", user_id, topic, verb, error)
