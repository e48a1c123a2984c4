"""Updates from Telegram in, answers out: who may ask is found out here, what is answered is decided elsewhere."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import telegram
from telegram import Update
from telegram.constants import ChatMemberStatus, ChatType
from telegram.error import TelegramError
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    ChatMemberHandler,
    CommandHandler,
    ContextTypes,
    MessageHandler,
    filters,
)

from bot.changes import admin
from bot.chat import access, choices, commands, verdicts
from bot.chat.access import CodeGuesses, Visitor
from bot.chat.desk import Desk
from bot.chat.sender import keyboard
from bot.messages import replies
from bot.messages.chart import index_chart
from bot.messages.message import Message
from bot.model_shelf import extra_actors
from bot.outlet import Chat
from classifiers.actors import Gazetteer
from config.errors import TocsinError
from models.chats import block_chat, move_chat
from models.delivery import Priority

log = logging.getLogger(__name__)

Context = ContextTypes.DEFAULT_TYPE
OUTDATED = "This button is of another version; it does nothing."
GONE = (ChatMemberStatus.LEFT, ChatMemberStatus.BANNED)
CHAT_ADMINS = (ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR)
#: Commands count in messages and in a channel's posts, never in edits of them.
SPOKEN = filters.UpdateType.MESSAGE | filters.UpdateType.CHANNEL_POST


class Handlers:
    """One method per kind of update."""

    def __init__(self, desk: Desk, bot: telegram.Bot) -> None:
        self._desk = desk
        self._bot = bot
        self._guesses = CodeGuesses()

    def attach(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Register every handler; an update goes to the first that fits."""
        for name, handler in {
            "start": self.start,
            "stop": self.stop,
            "help": self.help,
            "latest": self.latest,
            "threshold": self.threshold,
            "settings": self.settings,
            "watch": self._pair_command("dyads", add=True),
            "unwatch": self._pair_command("dyads", add=False),
            "mute": self._pair_command("muted_dyads", add=True),
            "unmute": self._pair_command("muted_dyads", add=False),
            "why": self.why,
            "missed": self.missed,
            "status": self.status,
            "digest": self.digest,
            "privacy": self.privacy,
            "forget": self.forget,
        }.items():
            application.add_handler(CommandHandler(name, handler, filters=SPOKEN))
        application.add_handler(CallbackQueryHandler(self.button))
        application.add_handler(ChatMemberHandler(self.membership, ChatMemberHandler.MY_CHAT_MEMBER))
        application.add_handler(MessageHandler(filters.StatusUpdate.MIGRATE, self.migration))
        private_text = filters.TEXT & filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE
        application.add_handler(MessageHandler(private_text, self.anything_else))
        application.add_error_handler(self.error)

    # Commands -----------------------------------------------------------------------------------------------------

    async def start(self, update: Update, context: Context) -> None:
        """/start [CODE]"""
        visitor = visitor_of(update)
        code = context.args[0] if context.args else ""
        if await self._speaks_for_chat(update, visitor):
            decision = await self._desk.decide(
                lambda s, cfg, now: access.join(s, cfg, visitor, code, self._guesses, now)
            )
            await self._desk.answer(visitor.chat, decision)

    async def stop(self, update: Update, _context: Context) -> None:
        """/stop"""
        visitor = visitor_of(update)
        if await self._speaks_for_chat(update, visitor):
            await self._desk.answer(
                visitor.chat, await self._desk.decide(lambda s, cfg, now: access.leave(s, cfg, visitor, now))
            )

    async def threshold(self, update: Update, context: Context) -> None:
        """/threshold [LEVEL] [DIRECTION]"""
        visitor, words = visitor_of(update), list(context.args or ())
        if await self._speaks_for_chat(update, visitor):
            await self._desk.reply(visitor.chat, lambda s, cfg, _: commands.set_levels(s, cfg.alerts, visitor, words))

    async def help(self, update: Update, _context: Context) -> None:
        """/help"""
        visitor = visitor_of(update)
        await self._desk.answer(
            visitor.chat, await self._desk.decide(lambda s, _cfg, _now: commands.show_help(s, visitor))
        )

    async def latest(self, update: Update, _context: Context) -> None:
        """/latest"""
        visitor = visitor_of(update)
        await self._desk.answer(
            visitor.chat, await self._desk.decide(lambda s, _cfg, _now: commands.show_latest(s, visitor))
        )

    async def settings(self, update: Update, context: Context) -> None:
        """/settings [KEY VALUE ...]"""
        visitor, words = visitor_of(update), list(context.args or ())
        if await self._speaks_for_chat(update, visitor):
            await self._desk.reply(visitor.chat, lambda s, cfg, now: choices.show_settings(s, cfg, visitor, words, now))

    def _pair_command(self, field: str, add: bool) -> Callable[[Update, Context], Coroutine[Any, Any, None]]:
        """/watch, /unwatch, /mute and /unmute A B"""

        async def handle(update: Update, context: Context) -> None:
            visitor, words = visitor_of(update), list(context.args or ())
            if await self._speaks_for_chat(update, visitor):
                await self._desk.reply(
                    visitor.chat,
                    lambda s, cfg, _: choices.choose_pair(
                        s, visitor, Gazetteer(extra_actors(cfg.actors)), words, field, add
                    ),
                )

        return handle

    async def why(self, update: Update, _context: Context) -> None:
        """/why"""
        visitor = visitor_of(update)
        await self._desk.reply(visitor.chat, lambda s, _cfg, _now: commands.show_why(s, visitor))

    async def status(self, update: Update, _context: Context) -> None:
        """/status, with a chart, drawn when the transaction is over"""
        visitor = visitor_of(update)
        message, drawn = await self._desk.decide(lambda s, cfg, now: choices.show_status(s, cfg, visitor, now))
        chart = await asyncio.to_thread(index_chart, drawn[1], drawn[0]) if drawn else None
        await self._desk.answer(visitor.chat, message, chart)

    async def digest(self, update: Update, _context: Context) -> None:
        """/digest"""
        visitor = visitor_of(update)
        message, chart = await self._desk.decide(lambda s, _cfg, _now: choices.show_digest(s, visitor))
        await self._desk.answer(visitor.chat, message, chart)

    async def missed(self, update: Update, _context: Context) -> None:
        """/missed"""
        visitor = visitor_of(update)
        await self._desk.reply(visitor.chat, lambda s, _cfg, now: commands.show_missed(s, visitor, now))

    async def privacy(self, update: Update, _context: Context) -> None:
        """/privacy, for everybody"""
        await self._desk.answer(visitor_of(update).chat, replies.privacy())

    async def forget(self, update: Update, _context: Context) -> None:
        """/forget"""
        visitor = visitor_of(update)
        if await self._speaks_for_chat(update, visitor):
            await self._desk.reply(visitor.chat, lambda s, _cfg, _now: commands.ask_forget(s, visitor))

    async def anything_else(self, update: Update, _context: Context) -> None:
        """Any other text in a private chat."""
        message = update.effective_message
        word = (message.text or "").split(maxsplit=1)[0] if message and (message.text or "").strip() else ""
        close = get_close_matches(word.lstrip("/").lower()[:30], replies.COMMANDS, n=1) if word.startswith("/") else []
        await self._desk.answer(
            visitor_of(update).chat, replies.did_you_mean(close[0]) if close else replies.unknown_command()
        )

    # Buttons ------------------------------------------------------------------------------------------------------

    async def button(self, update: Update, _context: Context) -> None:
        """A button was pressed; who may press it is asked at every press."""
        query = update.callback_query
        assert query is not None  # noqa: S101 - for the type checker; the handler's filter says so
        parts = (query.data or "").split(":")
        pressed = {"join": self._press_join, "set": self._press_setting, "alert": self._press_alert}
        if parts[0] == "forget" and len(parts) == 2:
            await self._press_forget(update, query, parts)
        elif parts[0] in pressed:
            await pressed[parts[0]](update, query, parts)
        else:
            await query.answer(OUTDATED, show_alert=True)

    async def _press_join(self, _update: Update, query: telegram.CallbackQuery, parts: list[str]) -> None:
        """Approve or Refuse, by somebody who is an admin of this bot at this moment."""
        verb, number = [*parts[1:], "", ""][:2]
        if query.from_user.id not in self._desk.parts.settings().telegram.admins:
            await query.answer("Only admins of this bot can do that.", show_alert=True)
        elif verb not in ("yes", "no") or not number.isdecimal() or len(parts) != 3:
            await query.answer(OUTDATED, show_alert=True)
        else:
            outcome = await self._desk.decide(
                lambda s, cfg, now: access.answer_request(
                    s, cfg, int(number), verb == "yes", admin(query.from_user.id), now
                )
            )
            log.info("request_answered subscriber=%s admin=%s verdict=%s", number, query.from_user.id, verb)
            await self._show_outcome(query, outcome)

    async def _press_setting(self, update: Update, query: telegram.CallbackQuery, parts: list[str]) -> None:
        visitor = visitor_of(update)
        if not await self._may_press(query, visitor):
            return
        outcome = await self._desk.decide(lambda s, cfg, now: choices.press_setting(s, cfg, visitor, parts, now))
        await self._show_outcome(query, outcome or replies.how_to_ask(), quietly=outcome is not None)

    async def _press_alert(self, update: Update, query: telegram.CallbackQuery, parts: list[str]) -> None:
        visitor, verb = visitor_of(update), parts[1] if len(parts) == 3 else ""
        if verb not in ("why", "mute", *verdicts.KINDS) or not parts[2].isdecimal():
            await query.answer(OUTDATED, show_alert=True)
        elif verb != "mute" or await self._may_press(query, visitor):
            said = await self._desk.decide(
                lambda s, _cfg, now: verdicts.press_alert(s, visitor, verb, int(parts[2][:18]), now)
            )
            with suppress(TelegramError):  # what was said is stored; an answer to an old press is refused
                await query.answer(said if isinstance(said, str) else None)
            if isinstance(said, Message):
                await self._desk.answer(visitor.chat, said)

    async def _press_forget(self, update: Update, query: telegram.CallbackQuery, parts: list[str]) -> None:
        visitor = visitor_of(update)
        if await self._may_press(query, visitor):
            outcome = replies.kept()
            if parts[1] == "yes":
                outcome = await self._desk.decide(lambda s, _cfg, _now: commands.forget(s, visitor))
                log.info("chat_forgotten chat=%s", visitor.chat.chat_id)
            await self._show_outcome(query, outcome)

    async def _may_press(self, query: telegram.CallbackQuery, visitor: Visitor) -> bool:
        """Whether the one who pressed may decide for the chat now; tells them when not."""
        chat_id, user_id = visitor.chat.chat_id, query.from_user.id
        if chat_id == user_id:
            return True
        if (await self._bot.get_chat_member(chat_id, user_id)).status in CHAT_ADMINS:
            return True
        await query.answer("Only admins of this chat can do that.", show_alert=True)
        return False

    async def _show_outcome(
        self, query: telegram.CallbackQuery, outcome: Message | None, quietly: bool = False
    ) -> None:
        """The change is stored; that Telegram shows it is worth a try and no more."""
        shown = outcome or Message(html="That request is gone.", plain="That request is gone.")
        try:
            await query.answer(None if quietly else shown.plain.partition("\n")[0][:200])
            if query.message is not None:
                await self._desk.parts.limiter.wait(query.message.chat.id, Priority.REPLY)
                await query.edit_message_text(shown.html, parse_mode="HTML", reply_markup=keyboard(shown))
        except TelegramError as error:
            log.info("outcome_not_shown admin=%s error=%s", query.from_user.id, error)

    # Things that happen to the bot --------------------------------------------------------------------------------

    async def membership(self, update: Update, _context: Context) -> None:
        """The bot was added to a chat, removed from one, or blocked."""
        change = update.my_chat_member
        assert change is not None  # noqa: S101 - as above
        was_gone, is_gone = (member.status in GONE for member in (change.old_chat_member, change.new_chat_member))
        if is_gone:
            chat_id = change.chat.id
            await self._desk.decide(lambda s, _cfg, now: block_chat(s, chat_id, "the chat removed the bot", now))
            log.info("removed_from_chat chat=%s", chat_id)
        elif was_gone and change.chat.type == ChatType.CHANNEL:
            await self._added_to_channel(visitor_of(update))
        elif was_gone and change.chat.type in (ChatType.GROUP, ChatType.SUPERGROUP):
            await self._desk.answer(visitor_of(update).chat, replies.how_to_ask())

    async def _added_to_channel(self, visitor: Visitor) -> None:
        """Whoever may add a bot to a channel speaks for it; its readers are told nothing unless it is let in."""
        admins = self._desk.parts.settings().telegram.admins
        if visitor.user_id not in admins and self._desk.parts.settings().telegram.access == "invite":
            return  # the code comes with /start as a post
        decision = await self._desk.decide(lambda s, cfg, now: access.join(s, cfg, visitor, "", self._guesses, now))
        if visitor.user_id in admins:
            await self._desk.answer(visitor.chat, decision)

    async def migration(self, update: Update, _context: Context) -> None:
        """A group became a supergroup: told once in the old chat and once in the new."""
        message = update.effective_message
        assert message is not None  # noqa: S101 - as above
        old = message.migrate_from_chat_id or message.chat.id
        new = message.migrate_to_chat_id or message.chat.id
        await self._desk.decide(lambda s, _cfg, _now: move_chat(s, old, new))
        log.info("chat_moved old=%s new=%s", old, new)

    async def error(self, update: object, context: Context) -> None:
        """An update could not be handled: our log says why, the person that it was noticed."""
        chat = update.effective_chat if isinstance(update, Update) else None
        known = isinstance(context.error, TocsinError | TelegramError)
        trace = None if known else context.error
        log.error("update_failed chat=%s error=%r", chat.id if chat else None, context.error, exc_info=trace)
        if isinstance(update, Update) and chat is not None and update.my_chat_member is None:
            await self._desk.answer(visitor_of(update).chat, replies.something_went_wrong())

    async def _speaks_for_chat(self, update: Update, visitor: Visitor) -> bool:
        """Whether the speaker may decide for the chat; tells them when not. Asked of Telegram at every command."""
        message, chat, user = update.effective_message, update.effective_chat, update.effective_user
        if chat is None or message is None or chat.type in (ChatType.PRIVATE, ChatType.CHANNEL):
            return True
        if message.sender_chat is not None:  # an anonymous admin speaks as the group, anybody else as another channel
            allowed = message.sender_chat.id == chat.id
        else:
            allowed = user is not None and (await self._bot.get_chat_member(chat.id, user.id)).status in CHAT_ADMINS
        if not allowed:
            await self._desk.answer(visitor.chat, replies.only_chat_admins())
        return allowed


def visitor_of(update: Update) -> Visitor:
    """Who speaks in `update`, and where. A forum's topic is a place of its own."""
    chat, user, message = update.effective_chat, update.effective_user, update.effective_message
    assert chat is not None  # noqa: S101 - every kind of update we ask for happens in a chat
    private = chat.type == ChatType.PRIVATE
    topic = message.message_thread_id if message and message.is_topic_message and not private else None
    hidden = message is not None and message.sender_chat is not None
    name = _personal_name(user) if private and user else chat.title or ""
    return Visitor(Chat(chat.id, topic or 0, str(chat.type)), None if hidden or user is None else user.id, name)


def _personal_name(user: telegram.User) -> str:
    return f"{user.full_name} (@{user.username})" if user.username else user.full_name
