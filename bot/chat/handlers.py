"""Updates from Telegram in, answers out: who may ask is found out here, what is answered is decided elsewhere."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, TypeVar

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
from bot.chat.buttons import Buttons, answer_press
from bot.chat.chat_admins import is_chat_admin
from bot.chat.desk import Desk
from bot.chat.menus import AdminMenus
from bot.chat.visitors import first_word, visitor_of
from bot.messages import joining, menu, replies
from bot.messages.chart import index_chart
from bot.messages.language import in_language
from bot.messages.message import Message
from config.errors import TocsinError
from config.schema import Settings
from models.chats import block_chat, move_chat

log = logging.getLogger(__name__)

T = TypeVar("T")
Context = ContextTypes.DEFAULT_TYPE
Handler = Callable[[Update, Context], Coroutine[Any, Any, None]]
GONE = (ChatMemberStatus.LEFT, ChatMemberStatus.BANNED)
#: Commands count in messages and in a channel's posts, never in edits of them, nor where Telegram forwards such a post
#: to the channel's group: there it is nobody's.
SPOKEN = (filters.UpdateType.MESSAGE | filters.UpdateType.CHANNEL_POST) & ~filters.IS_AUTOMATIC_FORWARD


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

    def __init__(self, desk: Desk, bot: telegram.Bot, menus: AdminMenus) -> None:
        self._desk = desk
        self._bot = bot
        self._menus = menus
        self._guesses = CodeGuesses()

    def attach(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Register every handler; an update goes to the first that fits."""
        answers: dict[str, Callable[[Ask], Message | None]] = {
            "stop": lambda ask: (
                mutes.stop_of_pair(ask.session, ask.settings, ask.visitor, ask.words)
                or access.leave(ask.session, ask.settings, ask.visitor, ask.now)
            ),
            "help": lambda ask: commands.show_help(ask.session, ask.settings, ask.visitor, ask.words),
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
            "privacy": _alone("privacy", lambda _ask: joining.privacy()),
            "forget": lambda ask: commands.ask_forget(ask.session, ask.visitor),
        }
        handlers = {name: self._command(name, answer) for name, answer in answers.items()}
        handlers |= {"start": self.start, "status": self.status, "digest": self.digest}
        for name, handler in handlers.items():
            application.add_handler(CommandHandler(name, handler, filters=SPOKEN))
        application.add_handler(CallbackQueryHandler(Buttons(self._desk, self._bot).press))
        application.add_handler(ChatMemberHandler(self.membership, ChatMemberHandler.MY_CHAT_MEMBER))
        application.add_handler(MessageHandler(filters.StatusUpdate.MIGRATE, self.migration))
        application.add_handler(MessageHandler(filters.StatusUpdate.NEW_CHAT_MEMBERS, self.newcomers))
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
            await self._desk.reply(
                visitor.chat,
                _not_before_strangers(
                    visitor, lambda s, cfg, now: access.join(s, cfg, visitor, code, self._guesses, now)
                ),
            )
            if self._is_admin(visitor.chat.chat_id):
                await self._menus.offer(self._bot, visitor.chat.chat_id)

    def _command(self, name: str, answer: Callable[[Ask], Message | None]) -> Handler:
        """A command that one function answers in one transaction; some are in groups their admins' only."""

        async def handle(update: Update, context: Context) -> None:
            visitor, words = visitor_of(update), tuple(context.args or ())

            def decision(session: Session, settings: Settings, now: datetime) -> Message | None:
                return answer(Ask(session, settings, visitor, words, now))

            if name not in menu.FOR_CHAT_ADMINS or await self._speaks_for_chat(update, visitor):
                asks_back = name == "forget"
                await self._desk.reply(
                    visitor.chat, decision if asks_back else _not_before_strangers(visitor, decision)
                )

        return handle

    async def status(self, update: Update, context: Context) -> None:
        """/status [RU UA], with a chart, drawn when the transaction is over"""
        visitor, words = visitor_of(update), tuple(context.args or ())
        shown = await self._desk.decide(
            _not_before_strangers(visitor, lambda s, cfg, now: choices.show_status(s, cfg, visitor, words, now))
        )
        message, drawn = shown or (None, None)
        chart = await asyncio.to_thread(index_chart, drawn[1], drawn[0]) if drawn else None
        await self._desk.answer(visitor.chat, message, chart)

    async def digest(self, update: Update, context: Context) -> None:
        """/digest"""
        visitor = visitor_of(update)
        shown = await self._desk.decide(
            _not_before_strangers(
                visitor,
                lambda s, _cfg, _now: (
                    (commands.no_words(s, visitor, "digest"), None) if context.args else choices.show_digest(s, visitor)
                ),
            )
        )
        await self._desk.answer(visitor.chat, *(shown or (None, None)))

    async def anything_else(self, update: Update, _context: Context) -> None:
        """Any other text in a private chat."""
        chat = visitor_of(update).chat
        known = [*menu.COMMANDS, *(menu.ADMIN_COMMAND if self._is_admin(chat.chat_id) else ())]
        await self._desk.answer(chat, _what_was_meant(first_word(update), known))

    async def addressed_to_us(self, update: Update, _context: Context) -> None:
        """An unknown command in a group or channel; without @our_name it may be for another bot."""
        command, _, name = first_word(update).partition("@")
        if name.lower() == self._bot.username.lower():
            visitor, meant = visitor_of(update), _what_was_meant(command, [*menu.COMMANDS])
            await self._desk.reply(visitor.chat, _not_before_strangers(visitor, lambda _s, _cfg, _now: meant))

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
        elif was_gone and change.chat.type == ChatType.GROUP:
            await self._greet(visitor_of(update))

    async def newcomers(self, update: Update, _context: Context) -> None:
        """Somebody was added to a group. That it was the bot, a supergroup is told here: a group that becomes one has
        the bot join it as well, before or after it says so, but without this message."""
        message = update.effective_message
        assert message is not None  # noqa: S101 - as above
        if message.chat.type == ChatType.SUPERGROUP and self._bot.id in [each.id for each in message.new_chat_members]:
            await self._greet(visitor_of(update))

    async def _greet(self, visitor: Visitor) -> None:
        await self._desk.reply(visitor.chat, lambda s, _cfg, _now: access.greet(s, visitor))

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
            await answer_press(update.callback_query, replies.something_went_wrong().plain, True)
        else:
            await self._desk.answer(visitor_of(update).chat, replies.something_went_wrong())

    def _is_admin(self, chat_id: int) -> bool:
        """Whether it is the private chat of an admin of the bot, whose id is that of the user."""
        return chat_id in self._desk.parts.settings().telegram.admins

    async def _speaks_for_chat(self, update: Update, visitor: Visitor) -> bool:
        """Whether the speaker may decide for the chat; tells them when not. Asked of Telegram at every command."""
        message, chat, user = update.effective_message, update.effective_chat, update.effective_user
        if chat is None or message is None or chat.type in (ChatType.PRIVATE, ChatType.CHANNEL):
            return True
        if message.sender_chat is not None:  # an anonymous admin speaks as the group, anybody else as another channel
            allowed: bool | None = message.sender_chat.id == chat.id
        else:
            allowed = user is not None and await is_chat_admin(self._bot, chat.id, user.id)
        if not allowed:
            await self._desk.answer(visitor.chat, joining.may_not_decide(allowed, in_language(visitor.language)))
        return bool(allowed)


def _not_before_strangers(
    visitor: Visitor, decision: Callable[[Session, Settings, datetime], T]
) -> Callable[[Session, Settings, datetime], T | None]:
    """`decision`, without its answer in a channel that neither was nor is subscribed: its readers asked for nothing."""

    def decide(session: Session, settings: Settings, now: datetime) -> T | None:
        before = access.is_subscribed(session, visitor)
        said = decision(session, settings, now)
        return said if before or access.is_subscribed(session, visitor) else None

    return decide if visitor.chat.kind == ChatType.CHANNEL else decision


def _alone(command: str, answer: Callable[[Ask], Message | None]) -> Callable[[Ask], Message | None]:
    """`answer`, for a command after which words mean nothing; they are not passed over in silence."""
    return lambda ask: commands.no_words(ask.session, ask.visitor, command) if ask.words else answer(ask)


def _what_was_meant(word: str, known: Sequence[str]) -> Message:
    """For a word that is none of the commands `known`: those that are spelled nearly so."""
    close = get_close_matches(word[1:].lower()[:30], known, n=2, cutoff=0.7) if word.startswith("/") else []
    return replies.did_you_mean(close) if close else replies.unknown_command()
