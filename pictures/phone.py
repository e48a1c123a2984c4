"""Bot API requests over HTTP in, what the chats show out: a phone for a bot that speaks to nobody else.

It accepts whatever is well-formed; limits and failures are for tests/fake_bot_api.py.
"""

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web

TOKEN = "123456789:" + "x" * 35
BOT: dict[str, Any] = {"id": 123456789, "is_bot": True, "first_name": "Tocsin", "username": "tocsin_bot"}
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
        result: Any = BOT if method == "getMe" else True
        if method in ("sendMessage", "sendPhoto", "sendDocument", "editMessageText"):
            self.shown.append(_shown(params, len(self.shown) + 1))
            if self.shown[-1].file:
                self.file_came.set()
            chat = {"id": params["chat_id"], "type": "private"}
            result = {"message_id": self.shown[-1].id, "date": 0, "chat": chat, "text": self.shown[-1].html}
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


def _person(user_id: int) -> Json:
    return {"id": user_id, "is_bot": False, "first_name": "Ada", "language_code": "en"}


def typed(text: str, user_id: int) -> Json:
    """An update: somebody writes `text` in a private chat with the bot."""
    chat = {"id": user_id, "type": "private", "first_name": "Ada"}
    command = {"type": "bot_command", "offset": 0, "length": len(text.partition(" ")[0])}
    entities = [command] if text.startswith("/") else []
    message = {"message_id": 1, "date": 0, "chat": chat, "from": _person(user_id), "text": text}
    return {"update_id": 1, "message": message | {"entities": entities}}


def pressed(shown: Shown, label: str) -> Json:
    """An update: the button whose label holds `label`. Raises StopIteration when there is none."""
    data = next(data for row in shown.buttons for text, data in row if label in text)
    chat = {"id": shown.chat_id, "type": "private", "first_name": "Ada"}
    message = {"message_id": shown.id, "date": 0, "chat": chat, "from": BOT, "text": "…"}
    sender = _person(shown.chat_id)
    query = {"id": "1", "from": sender, "chat_instance": "1", "data": data, "message": message}
    return {"update_id": 1, "callback_query": query}
