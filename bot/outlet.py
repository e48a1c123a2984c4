"""What every place that messages come out of has in common: `Sender`, where to send, and how it can fail."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bot.messages.message import Message
from config.errors import SendError
from models.delivery import Priority


@dataclass(frozen=True, slots=True)
class Chat:
    """Where a message goes: a chat id as Telegram gives it, and a forum topic (0 for none)."""

    chat_id: int
    thread_id: int = 0
    kind: str = "private"


class SendFailure(SendError):
    """A message was not (or perhaps was) delivered; the attributes say what the caller does next.

    With none of them set the trouble is Telegram's, the network's or the token's, and not this message's.

    permanent       trying again cannot help
    unforeseen      nobody knows what it means: try again, but not for ever
    blocked         the chat removed the bot, is gone or lets it not write: stop sending there until it says /start
    topic_gone      the same, of the forum topic alone
    for_admins      what is wrong, when nobody but a person can set it right; the chat cannot say it itself
    lost_answer     the request may have been accepted: sending again may double the message
    retry_after_s   the earliest time to try this chat again, seconds
    moved_to        the chat has this new id
    """

    def __init__(  # noqa: PLR0913 - each is another thing to do next
        self,
        message: str,
        *,
        permanent: bool = False,
        unforeseen: bool = False,
        blocked: bool = False,
        topic_gone: bool = False,
        for_admins: str = "",
        lost_answer: bool = False,
        retry_after_s: float | None = None,
        moved_to: int | None = None,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.unforeseen = unforeseen
        self.blocked = blocked
        self.topic_gone = topic_gone
        self.for_admins = for_admins
        self.lost_answer = lost_answer
        self.retry_after_s = retry_after_s
        self.moved_to = moved_to

    @property
    def closes(self) -> bool:
        """Whether another kind of message would not get through either."""
        return self.blocked or self.topic_gone


async def _nothing() -> None:
    """What most senders have to do before a request."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message on its way to one chat.

    `photo` is a PNG. `edits` is the id of a message there that this one replaces, `replies_to` of one that it answers;
    if such a message is gone, this one is sent by itself, unless its `priority` is UPDATE. `begin` is awaited right
    before each request that may be accepted, and may raise to call it off.
    """

    chat: Chat
    message: Message
    photo: bytes | None = None
    priority: Priority = Priority.ALERT
    silent: bool = False
    link_preview: bool = False
    edits: int | None = None
    replies_to: int | None = None
    begin: Callable[[], Awaitable[None]] = _nothing


class Sender(Protocol):
    """Sends one message to one chat."""

    async def send(self, envelope: Envelope) -> int | None:
        """Deliver the message; returns its id where there is one. Raises SendFailure."""
        ...
