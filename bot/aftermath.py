"""A failed send in, its chat moved, paused or held out, and the admins told where only a person can help.

The row that failed is its sender's; this is about everything else that goes to the same place.
"""

from datetime import datetime, timedelta

from sqlmodel import Session

from bot.messages import to_admins
from bot.notices import tell_change, tell_once_since_it_worked
from bot.outlet import Chat, SendFailure
from config.schema import Settings
from models import Subscriber
from models.chats import block_chat, hold_chat, move_chat
from models.subscriber import find_subscriber


def learn_from(session: Session, settings: Settings, chat: Chat, failure: SendFailure, now: datetime) -> None:
    """Write down what a failure says of its chat or topic; docs/delivery.md lists what that can be."""
    if failure.moved_to is not None:
        move_chat(session, chat.chat_id, failure.moved_to)
    elif failure.retry_after_s is not None:
        hold_chat(session, chat.chat_id, now + timedelta(seconds=failure.retry_after_s))
    elif failure.closes:
        _pause(session, settings, chat, failure, now)
    elif failure.for_admins:
        known = find_subscriber(session, chat.chat_id, chat.thread_id)
        if known is not None:
            message = to_admins.unreachable(_describe(known), failure.for_admins, paused=False)
            tell_once_since_it_worked(session, settings, "unreachable", known, message, now)


def _pause(session: Session, settings: Settings, chat: Chat, failure: SendFailure, now: datetime) -> None:
    """A chat that removed the bot (403) wanted that, and nobody is told."""
    topic = chat.thread_id if failure.topic_gone else None
    paused = block_chat(session, chat.chat_id, str(failure), now, topic)
    if paused and failure.for_admins:
        message = to_admins.unreachable(_describe(paused[0]), failure.for_admins, paused=True)
        tell_change(session, settings, f"paused:{paused[0].id}", message, now)


def _describe(subscriber: Subscriber) -> str:
    return to_admins.describe(subscriber.name, subscriber.kind, subscriber.chat_id, subscriber.thread_id)
