"""Sends and edits in, what Telegram says of messages and topics that are not there out; knows what each message says.

Until a test names a chat's topics, every topic is there; messages are looked up only where `strict`.
"""

import json
from typing import Any

Json = dict[str, Any]


class FakeChats:
    """What was posted, and which places are open."""

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.topics: dict[int, set[int]] = {}
        self.closed_topics: set[tuple[int, int]] = set()
        self._posted: dict[tuple[int, int], str] = {}

    def complaint_about_place(self, params: Json) -> str | None:
        """Why a message cannot be posted there, or None."""
        chat_id, topic = params.get("chat_id", 0), params.get("message_thread_id")
        if topic is not None and chat_id in self.topics and topic not in self.topics[chat_id]:
            return "message thread not found"
        if (chat_id, topic) in self.closed_topics:
            return "TOPIC_CLOSED"
        answers = params.get("reply_parameters") or {}
        lost = "message_id" in answers and (chat_id, answers["message_id"]) not in self._posted
        if self.strict and lost and not answers.get("allow_sending_without_reply"):
            return "message to be replied not found"
        return None

    def complaint_about_edit(self, params: Json) -> str | None:
        """Why a message cannot be changed to that, or None."""
        if not self.strict:
            return None
        before = self._posted.get(_key(params))
        if before is None:
            return "message to edit not found"
        if before == _look(params):
            return (
                "message is not modified: specified new message content and reply markup are exactly the same as a "
                "current content and reply markup of the message"
            )
        return None

    def note(self, message_id: int, params: Json) -> None:
        """A message was posted or edited."""
        self._posted[params.get("chat_id", 0), message_id] = _look(params)


def _key(params: Json) -> tuple[int, int]:
    return params.get("chat_id", 0), int(params["message_id"])


def _look(params: Json) -> str:
    return json.dumps([params.get("text") or params.get("caption"), params.get("reply_markup")], sort_keys=True)
