"""Bot API requests over HTTP in, what the chats show out: phones for a bot that speaks to nobody else.

They accept whatever is well-formed, unless a chat is `away`; limits and failures are for tests/fake_bot_api.py.
"""

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web

TOKEN = "123456789:" + "x" * 35
BOT: dict[str, Any] = {"id": 123456789, "is_bot": True, "first_name": "Tocsin", "username": "tocsin_bot"}
DATE = 1772344800  # of every message; 0 would say that it is too old to be edited
OWNER: dict[str, Any] = {"status": "creator", "user": BOT, "is_anonymous": False}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the chat shows it from some moment on.

    `photo` is a PNG; `buttons` are rows of (label, data); `answers` is the id of the message that it answers.
    """

    chat_id: int
    id: int
    html: str = ""
    photo: bytes = b""
    file: str = ""
    buttons: tuple[tuple[tuple[str, str], ...], ...] = ()
    answers: int | None = None


class Phone:
    """`async with Phone() as phone`: a Bot API at `phone.url`. `shown` grows with every send and every edit."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self.away: set[int] = set()  # chats that Telegram does not reach for now
        self.file_came = asyncio.Event()
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The prefix that a bot is given."""
        return f"http://127.0.0.1:{self._port}/bot"

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=50 * 2**20)
        application.router.add_post("/bot{token}/{method}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        params = await _parameters(request)
        method = request.match_info["method"]
        result: Any = {"getMe": BOT, "getChatMember": OWNER}.get(method, True)
        if params.get("chat_id") in self.away:
            return web.json_response({"ok": False, "error_code": 502, "description": "Bad Gateway"}, status=502)
        if method in ("sendMessage", "sendPhoto", "sendDocument", "editMessageText"):
            self.shown.append(_shown(params, len(self.shown) + 1))
            if self.shown[-1].file:
                self.file_came.set()
            chat = {"id": params["chat_id"], "type": "private" if params["chat_id"] > 0 else "supergroup"}
            result = {"message_id": self.shown[-1].id, "date": DATE, "chat": chat, "text": self.shown[-1].html}
        return web.json_response({"ok": True, "result": result})


def _shown(params: Json, next_id: int) -> Shown:
    rows = params.get("reply_markup", {}).get("inline_keyboard", [])
    return Shown(
        chat_id=params["chat_id"],
        id=params.get("message_id", next_id),
        html=params.get("text") or params.get("caption", ""),
        photo=params.get("photo", b""),
        file=params.get("document", ""),
        buttons=tuple(tuple((one["text"], one["callback_data"]) for one in row) for row in rows),
        answers=params.get("reply_parameters", {}).get("message_id"),
    )


async def _parameters(request: web.Request) -> Json:
    params: Json = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            params[name] = value.file.read() if name == "photo" else value.filename
        else:
            params[name] = str(value) if name in ("text", "caption", "parse_mode") else _parsed(str(value))
    return params


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


# What people do -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Who writes, and where: in private, or in a topic of the group with the id `group`, which is negative."""

    user_id: int
    name: str = "Ada"
    group: int = 0
    title: str = ""
    topic: int = 0

    @property
    def chat_id(self) -> int:
        """That of the group, in private the person's."""
        return self.group or self.user_id


def _person(place: Place) -> Json:
    return {"id": place.user_id, "is_bot": False, "first_name": place.name, "language_code": "en"}


def _message(place: Place, message_id: int, sender: Json, text: str) -> Json:
    chat = {"id": place.user_id, "type": "private", "first_name": place.name}
    topic = {}
    if place.group:
        chat = {"id": place.group, "type": "supergroup", "title": place.title, "is_forum": True}
        topic = {"message_thread_id": place.topic, "is_topic_message": True}
    return {"message_id": message_id, "date": DATE, "chat": chat, "from": sender, "text": text} | topic


def typed(text: str, place: Place) -> Json:
    """An update: somebody writes `text` to the bot."""
    command = {"type": "bot_command", "offset": 0, "length": len(text.partition(" ")[0])}
    entities = [command] if text.startswith("/") else []
    return {"update_id": 1, "message": _message(place, 1, _person(place), text) | {"entities": entities}}


def pressed(shown: Shown, label: str, place: Place) -> Json:
    """An update: the button whose label holds `label`. Raises StopIteration when there is none."""
    data = next(data for row in shown.buttons for text, data in row if label in text)
    message = _message(place, shown.id, BOT, "…")
    query = {"id": "1", "from": _person(place), "chat_instance": "1", "data": data, "message": message}
    return {"update_id": 1, "callback_query": query}
