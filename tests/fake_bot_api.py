"""Bot API requests in over HTTP, what Telegram would answer out; records them, and fails as a test scripts it.

In a test: `async with FakeBotApi() as fake:` and hand `fake.base_url` to the bot. By itself, for tests that kill
the bot: `python tests/fake_bot_api.py PORT LOGFILE` (0: any port, printed) appends every accepted message as JSON.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from fake_bot_text import complaint
from fake_chats import FakeChats
from fake_limits import FakeLimits
from fake_webhook import FakeWebhook, complaint_about_webhook

TOKEN = "123456789:AAF-fake_token_for_tests_0123456789ab"
BOT: dict[str, Any] = {"id": 123456789, "is_bot": True, "first_name": "Tocsin", "username": "tocsin_test_bot"}
FOREVER_S = 3600
Json = dict[str, Any]


class Refusal(Exception):
    """An answer with ok=false."""

    def __init__(self, status: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.answer = {"ok": False, "error_code": status, "description": description}
        if parameters:
            self.answer["parameters"] = parameters


@dataclass
class Failure:
    """What happens instead of an answer: a refusal, a dropped connection, or none at all.

    `accepted` says whether Telegram nevertheless took the request before the connection dropped or hung.
    """

    refusal: Refusal | None = None
    body: str | None = None
    accepted: bool = False
    hang: bool = False


def forbidden(reason: str = "bot was blocked by the user") -> Failure:
    return Failure(Refusal(403, f"Forbidden: {reason}"))


def bad_request(reason: str = "chat not found") -> Failure:
    return Failure(Refusal(400, f"Bad Request: {reason}"))


def migrated(new_chat_id: int) -> Failure:
    reason = "Bad Request: group chat was upgraded to a supergroup chat"
    return Failure(Refusal(400, reason, {"migrate_to_chat_id": new_chat_id}))


def unauthorized() -> Failure:
    return Failure(Refusal(401, "Unauthorized"))


def conflict() -> Failure:
    return Failure(Refusal(409, "Conflict: terminated by other getUpdates request"))


def flood(retry_after: int) -> Failure:
    reason = f"Too Many Requests: retry after {retry_after}"
    return Failure(Refusal(429, reason, {"retry_after": retry_after}))


def server_error(status: int = 502, html: bool = False) -> Failure:
    names = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}
    page = f"<html><title>{status} {names[status]}</title></html>" if html else None
    return Failure(Refusal(status, names[status]), body=page)


def dropped(accepted: bool) -> Failure:
    return Failure(accepted=accepted)


def hanging(accepted: bool = False) -> Failure:
    return Failure(accepted=accepted, hang=True)


@dataclass
class Call:
    """One request: the method's name and its parameters, with JSON ones parsed and files as bytes."""

    method: str
    params: Json = field(default_factory=dict)

    @property
    def chat_id(self) -> int | None:
        return self.params.get("chat_id")

    @property
    def text(self) -> str:
        return str(self.params.get("text") or self.params.get("caption") or "")


@dataclass
class _Script:
    failure: Failure
    method: str | None
    chat_id: int | None
    times: int


class FakeBotApi:
    """A Bot API on loopback for one token. `calls` holds every request, `messages` those sends that were accepted.

    `limits` answers 429 to what is too much, a `strict` one knows which messages there are, and every answer takes
    `delay_s`; by default there is none of that. `chats` says which topics there are.
    """

    def __init__(
        self,
        token: str = TOKEN,
        log: Path | None = None,
        limits: FakeLimits | None = None,
        strict: bool = False,
        delay_s: float = 0,
    ) -> None:
        self.limits = limits
        self.chats = FakeChats(strict)
        self.delay_s = delay_s
        self.token = token
        self.port = 0
        self.calls: list[Call] = []
        self.messages: list[Call] = []
        self.members: dict[tuple[int, int], str] = {}
        self.files: dict[str, bytes] = {}
        self.descriptions: dict[tuple[str, str], str] = {}
        self.confirmed = 0
        self._log = log
        self._updates: list[Json] = []
        self._next_update = 1000
        self._next_message = 1
        self._poll = 0
        self._scripts: list[_Script] = []
        self._changed = asyncio.Condition()
        self.webhook = FakeWebhook(self._updates, self._notify)
        self._runner: web.AppRunner | None = None

    @property
    def last_update(self) -> int:
        """The id of the update pushed last."""
        return self._next_update

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/bot"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        app = web.Application(client_max_size=50 * 2**20)
        app.router.add_post("/bot{token}/{method}", self._answer)
        app.router.add_get("/file/bot{token}/{path}", self._download)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port or self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        if self.webhook.url:
            self.webhook.resume()

    async def stop(self) -> None:
        await self.webhook.halt()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # What a test does ----------------------------------------------------------------------------------------------

    def fail(
        self, failure: Failure, method: str | None = None, chat_id: int | None = None, times: int = FOREVER_S
    ) -> None:
        """Answer the next `times` requests that match with `failure`; later scripts are asked first."""
        self._scripts.insert(0, _Script(failure, method, chat_id, times))

    def heal(self) -> None:
        """Forget every scripted failure."""
        self._scripts.clear()

    async def push(self, update: Json) -> int:
        """Something happened in a chat; returns the update's id."""
        self._next_update += 1
        self._updates.append({"update_id": self._next_update, **update})
        self.webhook.deliver()
        await self._notify()
        return self._next_update

    async def until(self, reached: Callable[[], bool], timeout_s: float = 60) -> None:
        """Wait until `reached()` holds; it is asked after every request. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(reached)

    async def sent(self, number: int) -> list[Call]:
        """Wait until so many messages were accepted; returns all."""
        await self.until(lambda: len(self.messages) >= number)
        return self.messages

    async def called(self, method: str, number: int = 1) -> list[Call]:
        """Wait until a method was called so often; returns these calls."""
        await self.until(lambda: len(self.calls_of(method)) >= number)
        return self.calls_of(method)

    def calls_of(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    # What Telegram does --------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        call = Call(request.match_info["method"], await _parameters(request))
        self.calls.append(call)
        try:
            if request.match_info["token"] != self.token:
                raise Refusal(401, "Unauthorized")
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            failure = self._scripted(call)
            if failure is not None:
                return await self._fail(request, call, failure)
            return web.json_response({"ok": True, "result": await self._result(call)})
        except Refusal as refusal:
            return web.json_response(refusal.answer, status=refusal.status)
        finally:
            await self._notify()

    def _scripted(self, call: Call) -> Failure | None:
        for script in self._scripts:
            wanted = script.method in (None, call.method) and script.chat_id in (None, call.chat_id)
            if wanted and script.times > 0:
                script.times -= 1
                return script.failure
        return None

    async def _fail(self, request: web.Request, call: Call, failure: Failure) -> web.StreamResponse:
        if failure.body is not None and failure.refusal is not None:
            return web.Response(text=failure.body, status=failure.refusal.status, content_type="text/html")
        if failure.refusal is not None:
            raise failure.refusal
        if failure.accepted:
            await self._result(call)
        await self._notify()
        if failure.hang:
            await asyncio.sleep(FOREVER_S)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _result(self, call: Call) -> Any:
        handlers: dict[str, Callable[[Call], Awaitable[Any]]] = {
            "getMe": self._get_me,
            "getUpdates": self._get_updates,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._get_webhook_info,
            "sendMessage": self._send,
            "sendPhoto": self._send,
            "sendDocument": self._send,
            "getFile": self._get_file,
            "editMessageText": self._edit,
            "editMessageReplyMarkup": self._edit,
            "getChatMember": self._get_chat_member,
            "getChatAdministrators": self._get_chat_administrators,
        }
        if call.method in ("answerCallbackQuery", "deleteMessage", "setMyCommands", "deleteMyCommands"):
            return True
        if call.method.endswith(("MyDescription", "MyShortDescription")):
            return self._profile(call)
        if call.method not in handlers:
            raise Refusal(404, "Not Found")
        return await handlers[call.method](call)

    def _profile(self, call: Call) -> Any:
        """The bot's descriptions, by kind and language."""
        kind = "short_description" if "Short" in call.method else "description"
        key = kind, call.params.get("language_code", "")
        if call.method.startswith("set"):
            self.descriptions[key] = call.params[kind]
            return True
        return {kind: self.descriptions.get(key, "")}

    async def _get_me(self, _call: Call) -> Json:
        return BOT

    async def _get_updates(self, call: Call) -> list[Json]:
        if self.webhook.url:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        self._poll += 1
        poll, offset = self._poll, int(call.params.get("offset", 0))
        allowed = call.params.get("allowed_updates")
        self.confirmed = max(self.confirmed, offset - 1)
        self._updates[:] = [
            u for u in self._updates if u["update_id"] >= offset and (not allowed or allowed & u.keys())
        ]
        await self._notify()
        try:
            async with asyncio.timeout(float(call.params.get("timeout", 0))), self._changed:
                await self._changed.wait_for(lambda: bool(self._updates) or self._poll != poll)
        except TimeoutError:
            return []
        if self._poll != poll:
            raise Refusal(409, "Conflict: terminated by other getUpdates request")
        return self._updates[:100]

    async def _set_webhook(self, call: Call) -> bool:
        if (reason := complaint_about_webhook(call.params)) is not None:
            raise Refusal(400, f"Bad Request: {reason}")
        if call.params.get("drop_pending_updates"):
            self._updates.clear()
        self._poll += 1  # ends a poll that is under way
        await self.webhook.set(call.params)
        return True

    async def _delete_webhook(self, call: Call) -> bool:
        if call.params.get("drop_pending_updates"):
            self._updates.clear()
        await self.webhook.delete()
        return True

    async def _get_webhook_info(self, _call: Call) -> Json:
        return self.webhook.info()

    async def _send(self, call: Call) -> Json:
        self._limit(call)
        _check(call)
        _refuse(self.chats.complaint_about_place(call.params))
        if call.method == "sendPhoto" and not call.params.get("photo"):
            raise Refusal(400, "Bad Request: there is no photo in the request")
        self.messages.append(call)
        message_id = self._next_message
        self._next_message += 1
        self.chats.note(message_id, call.params)
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"method": call.method, **_loggable(call.params)}) + "\n")
        return _message(message_id, call)

    async def _edit(self, call: Call) -> Json:
        self._limit(call)
        if call.method == "editMessageText":
            _check(call)
            _refuse(self.chats.complaint_about_edit(call.params))
            self.chats.note(int(call.params["message_id"]), call.params)
        return _message(int(call.params["message_id"]), call)

    def _limit(self, call: Call) -> None:
        wait = self.limits.retry_after(call.chat_id or 0) if self.limits is not None else None
        if wait is not None and (refusal := flood(wait).refusal) is not None:
            raise refusal

    async def _get_chat_member(self, call: Call) -> Json:
        status = self.members.get((call.params["chat_id"], call.params["user_id"]), "member")
        return member(call.params["user_id"], status)

    async def _get_chat_administrators(self, call: Call) -> list[Json]:
        here = [(who, status) for (chat, who), status in self.members.items() if chat == call.params["chat_id"]]
        return [member(who, status) for who, status in here if status in ("administrator", "creator")]

    async def _get_file(self, call: Call) -> Json:
        name = call.params["file_id"]
        if name not in self.files:
            raise Refusal(400, "Bad Request: invalid file_id")
        size = len(self.files[name])
        return {"file_id": name, "file_unique_id": name, "file_size": size, "file_path": name}

    async def _download(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != self.token:
            return web.Response(status=404)
        return web.Response(body=self.files[request.match_info["path"]])

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def _parameters(request: web.Request) -> Json:
    params: Json = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            params[name] = value.file.read()
        else:
            params[name] = _parsed(name, str(value))
    if "allowed_updates" in params:
        params["allowed_updates"] = set(params["allowed_updates"])
    return params


def _check(call: Call) -> None:
    _refuse(complaint(call.method, call.params))


def _refuse(reason: str | None) -> None:
    if reason is not None:
        raise Refusal(400, f"Bad Request: {reason}")


def _parsed(name: str, value: str) -> Any:
    if name in ("text", "caption", "parse_mode", "callback_query_id", "url", "secret_token"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _loggable(params: Json) -> Json:
    return {key: value for key, value in params.items() if not isinstance(value, bytes | set)}


def _message(message_id: int, call: Call) -> Json:
    chat_id = call.params.get("chat_id", 0)
    chat = {"id": chat_id, "type": "private" if chat_id > 0 else "supergroup"}
    return {"message_id": message_id, "date": 1645099200, "chat": chat, "text": call.text}


def member(user_id: int, status: str) -> Json:
    """A ChatMember as Telegram describes one."""
    user = {"id": user_id, "is_bot": False, "first_name": "Someone"}
    rights = (
        "be_edited",
        "manage_chat",
        "delete_messages",
        "manage_video_chats",
        "restrict_members",
        "promote_members",
    )
    more = ("change_info", "invite_users", "post_stories", "edit_stories", "delete_stories")
    extra: Json = {"is_anonymous": False} if status in ("administrator", "creator") else {}
    if status == "administrator":
        extra |= {f"can_{right}": True for right in (*rights, *more)}
    if status == "kicked":
        extra = {"until_date": 0}
    return {"user": user, "status": status, **extra}


async def _serve(port: int, log: Path) -> None:
    fake = FakeBotApi(log=log)
    await fake.start(port)
    print(fake.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
