"""A Bot API on loopback that errs at random, from a seed, and knows what it accepted all the same.

Errors come in weather: every five minutes another share of the requests fails, up to all of them. A chat that blocked
the bot stays so, as does one that is gone and a group that became a supergroup, and `calm()` ends the rest.
"""

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiohttp import web

WEATHER = (0.05, 0.3, 0.6, 1.0)  # share of requests that fail
WEATHER_LASTS_S = 300.0
SLOW_S = 10.0
TOO_SLOW_S = 40.0  # longer than the bot waits for an answer
MOST_BLOCKED = 4
MOST_GONE = 2
TOKEN_IN_TEXT = re.compile(r"\[([a-z]+:\d+)\]")
#: Answers of a proxy or a broken gateway; none of them says whether the message was taken.
GARBAGE = (b"", b"<html>Sign in</html>", b"[]", b"null", b'"ok"', b'{"ok": true}', b'{"ok": true, "result": {}}')
Json = dict[str, Any]


class Place(NamedTuple):
    """A chat and its forum topic (0: none)."""

    chat_id: int
    thread_id: int


@dataclass(slots=True)
class Posted:
    """A message as it stands in a chat."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """One request that changed something: where, the text then, and whether it was in a message that was there."""

    place: Place
    text: str
    edited: bool = False


class Refused(Exception):
    """An answer with ok=false."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.body: Json = {"ok": False, "error_code": status, "description": description}
        if parameters:
            self.body["parameters"] = parameters


class ErringApi:
    """sendMessage, sendPhoto and editMessageText; `clock` gives seconds."""

    def __init__(self, seed: int, clock: Callable[[], float]) -> None:
        self._chance = random.Random(seed)
        self._clock = clock
        self._calm = False
        self._weather = list[float]()
        self._next_id = 1
        self.posted: dict[int, Posted] = {}
        self.accepted: list[Accepted] = []
        self.blocked: set[int] = set()
        self.gone: set[int] = set()
        self.moved: dict[int, int] = {}
        self.errors: Counter[str] = Counter()
        self.requests = 0
        self.base_url = ""
        app = web.Application(client_max_size=50 * 2**20)
        app.router.add_post("/bot{token}/{method}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def calm(self) -> None:
        """From now on there are no errors but those of chats that blocked the bot or moved."""
        self._calm = True

    def now_at(self, place: Place) -> Place:
        """Where a chat is after it moved."""
        return Place(self.moved.get(place.chat_id, place.chat_id), place.thread_id)

    # One request ------------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        method, form = request.match_info["method"], dict(await request.post())
        try:
            error = self._error()
            if error is not None:
                self.errors[error] += 1
                answer: web.StreamResponse = await getattr(self, f"_{error}")(request, method, form)
                return answer
            return web.json_response(self._accept(method, form))
        except Refused as refused:
            return web.json_response(refused.body, status=refused.status)

    def _error(self) -> str | None:
        if self._calm or self._chance.random() >= self._share():
            return None
        return self._chance.choices(list(ERRORS), list(ERRORS.values()))[0]

    def _share(self) -> float:
        span = int(self._clock() // WEATHER_LASTS_S)
        while len(self._weather) <= span:
            self._weather.append(self._chance.choice(WEATHER))
        return self._weather[span]

    def _accept(self, method: str, form: Json) -> Json:
        """What Telegram does without errors. Raises Refused."""
        place, text = _place(form), str(form.get("text") or form.get("caption") or "")
        if place.chat_id in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        if place.chat_id in self.gone:
            raise Refused(400, "Bad Request: chat not found")
        if place.chat_id in self.moved:
            raise self._upgraded(place.chat_id)
        if method == "editMessageText":
            return self._edit(int(form["message_id"]), place, text)
        message_id, self._next_id = self._next_id, self._next_id + 1
        self.posted[message_id] = Posted(place, text)
        self.accepted.append(Accepted(place, text))
        return _message(message_id, place.chat_id)

    def _edit(self, message_id: int, place: Place, text: str) -> Json:
        posted = self.posted.get(message_id)
        if posted is None or posted.place.chat_id != place.chat_id:  # a supergroup does not have the group's messages
            raise Refused(400, "Bad Request: message to edit not found")
        if posted.text == text:
            raise Refused(400, "Bad Request: message is not modified: specified new message content is the same")
        posted.text = text
        self.accepted.append(Accepted(posted.place, text, edited=True))
        return _message(message_id, place.chat_id)

    def _upgraded(self, chat_id: int) -> Refused:
        reason = "Bad Request: group chat was upgraded to a supergroup chat"
        return Refused(400, reason, migrate_to_chat_id=self.moved[chat_id])

    def _perhaps_accept(self, method: str, form: Json) -> None:
        """Taken or not, the asker is not told."""
        if self._chance.random() < 0.5:
            try:
                self._accept(method, form)
            except Refused:
                return

    # What goes wrong; each is named in ERRORS -------------------------------------------------------------------------

    async def _flood(self, _request: web.Request, _method: str, _form: Json) -> web.StreamResponse:
        seconds = self._chance.choice((1, 3, 20, 60, 400))
        raise Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)

    async def _flood_without_a_time(self, _request: web.Request, _method: str, _form: Json) -> web.StreamResponse:
        raise Refused(429, "Too Many Requests")

    async def _server_error(self, _request: web.Request, _method: str, _form: Json) -> web.StreamResponse:
        status = self._chance.choice((500, 502, 503))
        body = self._chance.choice((json.dumps(Refused(status, "Internal").body).encode(), *GARBAGE))
        return web.Response(body=body, status=status)

    async def _gateway_timeout(self, _request: web.Request, method: str, form: Json) -> web.StreamResponse:
        self._perhaps_accept(method, form)
        return web.Response(text="<html>504 Gateway Time-out</html>", status=504)

    async def _blocked(self, _request: web.Request, method: str, form: Json) -> web.StreamResponse:
        if len(self.blocked) < MOST_BLOCKED:
            self.blocked.add(_place(form).chat_id)
        return web.json_response(self._accept(method, form))

    async def _chat_not_found(self, _request: web.Request, method: str, form: Json) -> web.StreamResponse:
        if len(self.gone) < MOST_GONE:
            self.gone.add(_place(form).chat_id)
        return web.json_response(self._accept(method, form))

    async def _bad_markup(self, _request: web.Request, method: str, form: Json) -> web.StreamResponse:
        if form.get("parse_mode"):
            raise Refused(400, "Bad Request: can't parse entities: unsupported start tag")
        return web.json_response(self._accept(method, form))

    async def _moved(self, _request: web.Request, method: str, form: Json) -> web.StreamResponse:
        chat_id = _place(form).chat_id
        if -1000 < chat_id < 0:
            self.moved[chat_id] = chat_id - 1_000_000
        return web.json_response(self._accept(method, form))

    async def _dropped(self, request: web.Request, method: str, form: Json) -> web.StreamResponse:
        self._perhaps_accept(method, form)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _garbage(self, _request: web.Request, method: str, form: Json) -> web.StreamResponse:
        self._perhaps_accept(method, form)
        return web.Response(body=self._chance.choice(GARBAGE))

    async def _too_slow(self, _request: web.Request, method: str, form: Json) -> web.StreamResponse:
        self._perhaps_accept(method, form)
        await asyncio.sleep(TOO_SLOW_S)
        return web.Response()

    async def _slow(self, _request: web.Request, method: str, form: Json) -> web.StreamResponse:
        await asyncio.sleep(SLOW_S)
        return web.json_response(self._accept(method, form))

    async def _not_ours(self, _request: web.Request, _method: str, _form: Json) -> web.StreamResponse:
        raise self._chance.choice((Refused(401, "Unauthorized"), Refused(404, "Not Found"), Refused(409, "Conflict")))


#: Name -> weight.
ERRORS = {
    "flood": 12,
    "flood_without_a_time": 4,
    "server_error": 15,
    "gateway_timeout": 4,
    "blocked": 1,
    "chat_not_found": 1,
    "bad_markup": 5,
    "moved": 2,
    "dropped": 8,
    "garbage": 8,
    "too_slow": 4,
    "slow": 6,
    "not_ours": 3,
}


def tokens(text: str) -> list[str]:
    """The marks in a text by which its delivery is known, such as "alert:7" in "[alert:7]"."""
    return TOKEN_IN_TEXT.findall(text)


def _place(form: Json) -> Place:
    return Place(int(form["chat_id"]), int(form.get("message_thread_id") or 0))


def _message(message_id: int, chat_id: int) -> Json:
    chat = {"id": chat_id, "type": "private" if chat_id > 0 else "supergroup"}
    return {"ok": True, "result": {"message_id": message_id, "date": 1772431200, "chat": chat}}
