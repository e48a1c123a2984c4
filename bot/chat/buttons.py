"""A press of a button in, what it asks for done and shown out. Who may press it is asked at every press."""

import logging
from dataclasses import replace

import telegram
from telegram import Update
from telegram.constants import ChatType
from telegram.error import TelegramError
from telegram.ext import ContextTypes

from bot.changes import admin
from bot.chat import access, choices, commands, verdicts
from bot.chat.access import Visitor
from bot.chat.chat_admins import is_chat_admin
from bot.chat.desk import Desk
from bot.chat.visitors import visitor_of
from bot.messages import joining
from bot.messages.language import in_language
from bot.messages.message import Message, notice
from bot.messages.settings import DONE
from bot.outlet import Chat
from models import SubscriberState
from models.delivery import topic_of_message

log = logging.getLogger(__name__)

OUTDATED = "This button is of another version; it does nothing."
TOO_OLD = "Telegram no longer says where this message stands; please write the command again."


class Buttons:
    """Buttons under requests, alerts, /settings and /forget; data is "KIND:..." and must fit exactly."""

    def __init__(self, desk: Desk, bot: telegram.Bot) -> None:
        self._desk = desk
        self._bot = bot

    async def press(self, update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
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
            await answer_press(query, OUTDATED, True)

    async def _press_join(self, update: Update, query: telegram.CallbackQuery, parts: list[str]) -> None:
        """Approve or Refuse, by somebody who is an admin of this bot at this moment."""
        verb, number, seen, *more = [*parts[1:], *["", "", SubscriberState.PENDING.value][len(parts) - 1 :]]
        if query.from_user.id not in self._desk.parts.settings().telegram.admins:
            await answer_press(query, "Only admins of this bot can do that.", True)
        elif verb not in ("yes", "no") or not number.isdecimal() or seen not in list(SubscriberState) or more:
            await answer_press(query, OUTDATED, True)
        else:
            answer = access.Answer(verb == "yes", SubscriberState(seen))
            outcome = await self._desk.decide(
                lambda s, cfg, now: access.answer_request(
                    s, cfg, int(number[:18]), answer, admin(query.from_user.id), now
                )
            )
            log.info("request_answered subscriber=%s admin=%s verdict=%s", number, query.from_user.id, verb)
            await self._show_outcome(query, outcome, visitor_of(update).chat)

    async def _press_setting(self, update: Update, query: telegram.CallbackQuery, parts: list[str]) -> None:
        visitor = await self._visitor(update, query)
        if visitor is None or not await self._may_press(query, visitor):
            return
        outcome = await self._desk.decide(lambda s, cfg, now: choices.press_setting(s, cfg, visitor, parts, now))
        over = outcome is None or parts[1:] == [DONE]
        if over and visitor.chat.kind == ChatType.CHANNEL and await self._taken_away(query):
            await answer_press(query, (outcome or joining.how_to_ask()).plain[:200])
            return
        await self._show_outcome(query, outcome or joining.how_to_ask(), visitor.chat, quietly=outcome is not None)

    async def _taken_away(self, query: telegram.CallbackQuery) -> bool:
        """Whether the page is gone, that a channel's readers need not see what it chose. One that stays is changed."""
        if query.message is None:
            return False
        try:
            return await self._bot.delete_message(query.message.chat.id, query.message.message_id)
        except TelegramError as error:  # 400 after 48 hours
            log.info("page_not_deleted chat=%s error=%s", query.message.chat.id, error)
            return False

    async def _press_alert(self, update: Update, query: telegram.CallbackQuery, parts: list[str]) -> None:
        visitor, verb = await self._visitor(update, query), parts[1] if len(parts) == 3 else ""
        if visitor is None:
            return
        if verb not in ("why", "mute", *verdicts.KINDS) or not parts[2].isdecimal():
            await answer_press(query, OUTDATED, True)
        elif verb == "why" and visitor.chat.kind != ChatType.PRIVATE:
            await self._explain_in_public(query, visitor, int(parts[2][:18]))
        elif verb != "mute" or await self._may_press(query, visitor):
            said = await self._desk.decide(
                lambda s, _cfg, now: verdicts.press_alert(s, visitor, verb, int(parts[2][:18]), now)
            )
            if isinstance(said, Message):
                await answer_press(query)
                await self._desk.answer(visitor.chat, said)
            elif not await answer_press(query, said) and verb == "mute" and visitor.chat.kind != ChatType.CHANNEL:
                await self._desk.answer(visitor.chat, notice(said))

    async def _explain_in_public(self, query: telegram.CallbackQuery, visitor: Visitor, alert_id: int) -> None:
        """Why? where others read along: posted once, as an answer to the alert; a channel's readers are told alone."""
        in_channel, chat_id = visitor.chat.kind == ChatType.CHANNEL, visitor.chat.chat_id
        alone = in_channel and not await is_chat_admin(self._bot, chat_id, query.from_user.id)
        said = await self._desk.decide(
            lambda s, _cfg, now: (
                verdicts.explain_in_brief(s, visitor, alert_id)
                if alone
                else verdicts.explain_once(s, visitor, alert_id, now)
            )
        )
        await answer_press(query, said, alone)

    async def _press_forget(self, update: Update, query: telegram.CallbackQuery, parts: list[str]) -> None:
        visitor = await self._visitor(update, query)
        if visitor is not None and await self._may_press(query, visitor):
            outcome = joining.kept()
            if parts[1] == "yes":
                outcome = await self._desk.decide(lambda s, _cfg, _now: commands.forget(s, visitor))
                log.info("chat_forgotten chat=%s", visitor.chat.chat_id)
            await self._show_outcome(query, outcome, visitor.chat)

    async def _visitor(self, update: Update, query: telegram.CallbackQuery) -> Visitor | None:
        """Who presses, and where; None when the place cannot be told, which they are.

        Of a message that is old Telegram sends the chat and the number, and not the topic.
        """
        visitor, message = visitor_of(update), query.message
        if message is None or message.is_accessible or visitor.chat.kind != ChatType.SUPERGROUP:
            return visitor
        chat_id, number = visitor.chat.chat_id, message.message_id
        topic = await self._desk.decide(lambda s, _cfg, _now: topic_of_message(s, chat_id, number))
        if topic is None:
            await answer_press(query, TOO_OLD, True)
            return None
        return replace(visitor, chat=replace(visitor.chat, thread_id=topic))

    async def _may_press(self, query: telegram.CallbackQuery, visitor: Visitor) -> bool:
        """Whether the one who pressed may decide for the chat now; tells them when not."""
        if visitor.chat.chat_id == query.from_user.id:
            return True
        allowed = await is_chat_admin(self._bot, visitor.chat.chat_id, query.from_user.id)
        if not allowed:
            await answer_press(query, joining.may_not_decide(allowed, in_language(visitor.language)).plain, True)
        return bool(allowed)

    async def _show_outcome(
        self, query: telegram.CallbackQuery, outcome: Message | None, chat: Chat, quietly: bool = False
    ) -> None:
        """The change is stored; that Telegram shows it is worth a try and no more. What cannot be edited any more is
        answered anew."""
        shown = outcome or notice("That request is gone.")
        await answer_press(query, None if quietly else shown.plain.partition("\n")[0][:200])
        if query.message is not None and query.message.is_accessible:
            await self._desk.turn(chat, query.message.message_id, shown)
        elif query.message is not None:
            await self._desk.answer(chat, shown)


async def answer_press(query: telegram.CallbackQuery, text: str | None = None, as_dialog: bool = False) -> bool:
    """Show a line to the one who pressed and nobody else; False when it was not: what was pressed before a stop of ours
    is done, and too old to be answered."""
    try:
        return await query.answer(text, show_alert=as_dialog)
    except TelegramError as error:
        log.info("press_not_answered user=%s error=%s", query.from_user.id, error)
        return False
