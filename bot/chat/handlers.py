"""Updates from Telegram in, answers out: who may ask is found out here, what is answered is decided elsewhere."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

import telegram
from sqlmodel import Session
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

from bot.chat import access, choices, commands, mutes, stories, verdicts
from bot.chat.access import CodeGuesses, Visitor
from bot.chat.buttons import CHAT_ADMINS, Buttons
from bot.chat.desk import Desk
from bot.chat.visitors import visitor_of
from bot.messages import replies
from bot.messages.chart import index_chart
from bot.messages.message import Message
from config.errors import TocsinError
from config.schema import Settings
from models.chats import block_chat, move_chat

log = logging.getLogger(__name__)

Context = ContextTypes.DEFAULT_TYPE
Handler = Callable[[Update, Context], Coroutine[Any, Any, None]]
GONE = (ChatMemberStatus.LEFT, ChatMemberStatus.BANNED)
#: Commands count in messages and in a channel's posts, never in edits of them.
SPOKEN = filters.UpdateType.MESSAGE | filters.UpdateType.CHANNEL_POST


@dataclass(frozen=True, slots=True)
class Ask:
    """A command as one transaction sees it; `words` follow its name."""

    session: Session
    settings: Settings
    visitor: Visitor
    words: Sequence[str]
    now: datetime


class Handlers:
    """One method per kind of update."""

    def __init__(self, desk: Desk, bot: telegram.Bot) -> None:
        self._desk = desk
        self._bot = bot
        self._guesses = CodeGuesses()

    def attach(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Register every handler; an update goes to the first that fits."""
        answers: dict[str, Callable[[Ask], Message | None]] = {
            "stop": lambda ask: (
                mutes.stop_of_pair(ask.session, ask.settings, ask.visitor, ask.words)
                or access.leave(ask.session, ask.settings, ask.visitor, ask.now)
            ),
            "help": lambda ask: commands.show_help(ask.session, ask.visitor, ask.words),
            "latest": lambda ask: commands.show_latest(ask.session, ask.settings.alerts, ask.visitor, ask.words),
            "threshold": lambda ask: commands.set_levels(ask.session, ask.settings.alerts, ask.visitor, ask.words),
            "settings": lambda ask: choices.show_settings(ask.session, ask.settings, ask.visitor, ask.words, ask.now),
            "watch": lambda ask: choices.watch(ask.session, ask.settings, ask.visitor, ask.words),
            "unwatch": lambda ask: choices.unwatch(ask.session, ask.settings, ask.visitor, ask.words),
            "mute": lambda ask: mutes.mute(ask.session, ask.settings, ask.visitor, ask.words, ask.now),
            "unmute": lambda ask: mutes.unmute(ask.session, ask.settings, ask.visitor, ask.words, ask.now),
            "why": lambda ask: stories.show_why(ask.session, ask.settings, ask.visitor, ask.words, ask.now),
            "story": lambda ask: stories.show_story(ask.session, ask.settings, ask.visitor, ask.words, ask.now),
            "missed": _alone("missed", lambda ask: commands.show_missed(ask.session, ask.visitor, ask.now)),
            "feedback": lambda ask: verdicts.take_feedback(ask.session, ask.settings, ask.visitor, ask.words, ask.now),
            "privacy": _alone("privacy", lambda _ask: replies.privacy()),
            "forget": lambda ask: commands.ask_forget(ask.session, ask.visitor),
        }
        handlers = {name: self._command(answer, name in replies.FOR_CHAT_ADMINS) for name, answer in answers.items()}
        handlers |= {"start": self.start, "status": self.status, "digest": self.digest}
        for name, handler in handlers.items():
            application.add_handler(CommandHandler(name, handler, filters=SPOKEN))
        application.add_handler(CallbackQueryHandler(Buttons(self._desk, self._bot).press))
        application.add_handler(ChatMemberHandler(self.membership, ChatMemberHandler.MY_CHAT_MEMBER))
        application.add_handler(MessageHandler(filters.StatusUpdate.MIGRATE, self.migration))
        private_text = filters.TEXT & filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE
        application.add_handler(MessageHandler(private_text, self.anything_else))
        application.add_handler(MessageHandler(filters.COMMAND & SPOKEN, self.addressed_to_us))
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

    def _command(self, answer: Callable[[Ask], Message | None], for_admins: bool) -> Handler:
        """A command that one function answers in one transaction; `for_admins`: in groups their admins' only."""

        async def handle(update: Update, context: Context) -> None:
            visitor, words = visitor_of(update), tuple(context.args or ())
            if not for_admins or await self._speaks_for_chat(update, visitor):
                await self._desk.reply(visitor.chat, lambda s, cfg, now: answer(Ask(s, cfg, visitor, words, now)))

        return handle

    async def status(self, update: Update, context: Context) -> None:
        """/status [RU UA], with a chart, drawn when the transaction is over"""
        visitor, words = visitor_of(update), tuple(context.args or ())
        message, drawn = await self._desk.decide(lambda s, cfg, now: choices.show_status(s, cfg, visitor, words, now))
        chart = await asyncio.to_thread(index_chart, drawn[1], drawn[0]) if drawn else None
        await self._desk.answer(visitor.chat, message, chart)

    async def digest(self, update: Update, context: Context) -> None:
        """/digest"""
        visitor = visitor_of(update)
        message, chart = await self._desk.decide(
            lambda s, _cfg, _now: (
                (commands.no_words(s, visitor, "digest"), None) if context.args else choices.show_digest(s, visitor)
            )
        )
        await self._desk.answer(visitor.chat, message, chart)

    async def anything_else(self, update: Update, _context: Context) -> None:
        """Any other text in a private chat."""
        await self._desk.answer(visitor_of(update).chat, _what_was_meant(_first_word(update)))

    async def addressed_to_us(self, update: Update, _context: Context) -> None:
        """An unknown command in a group or channel; without @our_name it may be for another bot."""
        command, _, name = _first_word(update).partition("@")
        if name.lower() == self._bot.username.lower():
            await self._desk.answer(visitor_of(update).chat, _what_was_meant(command))

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
        if not isinstance(update, Update) or chat is None or update.my_chat_member is not None:
            return
        if update.callback_query is not None and chat.type != ChatType.PRIVATE:  # others read along
            with suppress(TelegramError):
                await update.callback_query.answer(replies.something_went_wrong().plain, show_alert=True)
        else:
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


def _alone(command: str, answer: Callable[[Ask], Message | None]) -> Callable[[Ask], Message | None]:
    """`answer`, for a command after which words mean nothing; they are not passed over in silence."""
    return lambda ask: commands.no_words(ask.session, ask.visitor, command) if ask.words else answer(ask)


def _first_word(update: Update) -> str:
    message = update.effective_message
    return next(iter((message.text or "").split(maxsplit=1)), "") if message else ""


def _what_was_meant(word: str) -> Message:
    """For a word that is no command of ours: those that are spelled nearly so."""
    known = [*replies.COMMANDS]
    close = get_close_matches(word[1:].lower()[:30], known, n=2, cutoff=0.7) if word.startswith("/") else []
    return replies.did_you_mean(close) if close else replies.unknown_command()
