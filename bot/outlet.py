"""What every place that messages come out of has in common: `Sender`, where to send, and how it can fail."""

from dataclasses import dataclass
from typing import Protocol

from bot.messages.message import Message
from config.errors import SendError


@dataclass(frozen=True, slots=True)
class Chat:
    """Where a message goes: a chat id as Telegram gives it, and a forum topic (0 for none)."""

    chat_id: int
    thread_id: int = 0
    kind: str = "private"


class SendFailure(SendError):
    """A message was not (or perhaps was) delivered; the attributes say what the caller does next.

    permanent       trying again cannot help
    blocked         the chat removed the bot: stop sending there until it says /start
    lost_answer     the request may have been accepted: sending again may double the message
    retry_after_s   the earliest time to try this chat again, seconds
    moved_to        the chat has this new id
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        blocked: bool = False,
        lost_answer: bool = False,
        retry_after_s: float | None = None,
        moved_to: int | None = None,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.blocked = blocked
        self.lost_answer = lost_answer
        self.retry_after_s = retry_after_s
        self.moved_to = moved_to


class Sender(Protocol):
    """Sends one message to one chat."""

    async def send(self, chat: Chat, message: Message, photo: bytes | None = None) -> int | None:
        """Deliver `message` (with a PNG when given); returns the message id where there is one.

        Raises SendFailure.
        """
        ...
