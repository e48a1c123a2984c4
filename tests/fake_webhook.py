"""Updates that wait in, POSTs to the bot's webhook out, again and again until one is answered with a 2xx.

As Telegram does it (https://core.telegram.org/bots/api#setwebhook): chats side by side, the updates of a chat one after
the other. `proxy` stands for the reverse proxy: it turns the public https address into one on loopback.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp

Json = dict[str, Any]
AGAIN_S = 0.02
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"


def complaint_about_webhook(params: Json) -> str | None:
    """Why Telegram refuses these parameters of setWebhook; None when it takes them."""
    url = urlsplit(params.get("url", ""))
    if url.scheme != "https":
        return "bad webhook: An HTTPS URL must be provided for webhook"
    if url.port not in (None, 443, 80, 88, 8443):
        return "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"
    if not re.fullmatch("[A-Za-z0-9_-]{0,256}", params.get("secret_token", "")):
        return "secret token contains unallowed characters"
    return None


class FakeWebhook:
    """`answers` holds (update_id, status) of every POST; status 0: none came. `url` is "" when no webhook is set.

    The next `lost_answers` answers are lost on their way.
    """

    def __init__(self, updates: list[Json], changed: Callable[[], Awaitable[None]]) -> None:
        self.proxy = ""
        self.url = ""
        self.secret = ""
        self.answers: list[tuple[int, int]] = []
        self.lost_answers = 0
        self._updates = updates
        self._changed = changed
        self._allowed: set[str] = set()
        self._last_error: Json = {}
        self._posting: dict[int, asyncio.Task[None]] = {}
        self._client: aiohttp.ClientSession | None = None

    async def set(self, params: Json) -> None:
        await self.delete()
        self.url, self.secret = params["url"], params.get("secret_token", "")
        self._allowed = params.get("allowed_updates") or set()
        self._last_error = {}
        self.resume()

    async def delete(self) -> None:
        self.url = ""
        await self.halt()

    def resume(self) -> None:
        """Send what waits; Telegram is there."""
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        self.deliver()

    async def halt(self) -> None:
        """Send nothing, and forget nothing; Telegram is away."""
        for task in (posting := list(self._posting.values())):
            task.cancel()
        await asyncio.gather(*posting, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
            self._client = None

    def info(self) -> Json:
        """A WebhookInfo."""
        waiting = len(self._updates)
        return {"url": self.url, "has_custom_certificate": False, "pending_update_count": waiting, **self._last_error}

    def deliver(self) -> None:
        """Begin with every chat for which an update waits and none is under way."""
        for update in list(self._updates):
            chat = _chat_of(update)
            if self.url and self._client is not None and chat not in self._posting:
                self._posting[chat] = asyncio.create_task(self._deliver_to(chat))

    async def _deliver_to(self, chat: int) -> None:
        try:
            while waiting := [update for update in self._updates if _chat_of(update) == chat]:
                wanted = not self._allowed or self._allowed & waiting[0].keys()
                if wanted and not await self._post(waiting[0]):
                    await asyncio.sleep(AGAIN_S)
                    continue
                with suppress(ValueError):  # dropped meanwhile
                    self._updates.remove(waiting[0])
                await self._changed()
        finally:
            del self._posting[chat]

    async def _post(self, update: Json) -> bool:
        status, error = await self.post(update)
        if self.lost_answers:
            self.lost_answers -= 1
            status, error = 0, "Connection timed out"
        self.answers.append((update["update_id"], status))
        if error:
            self._last_error = {"last_error_date": int(time.time()), "last_error_message": error}
        await self._changed()
        return not error

    async def post(self, update: Json) -> tuple[int, str]:
        assert self._client is not None
        headers = {SECRET_HEADER: self.secret} if self.secret else {}
        try:
            async with self._client.post(self.proxy + urlsplit(self.url).path, json=update, headers=headers) as answer:
                wrong = f"Wrong response from the webhook: {answer.status} {answer.reason}"
                return answer.status, "" if answer.ok else wrong
        except aiohttp.ClientError as error:
            return 0, f"Connection failed: {type(error).__name__}"


def _chat_of(update: Json) -> int:
    for content in update.values():
        if isinstance(content, dict):
            return int((content.get("chat") or content.get("message", {}).get("chat", {})).get("id", 0))
    return 0
