"""The fake Bot API refuses what Telegram refuses, and works as a program of its own."""

import asyncio
import json
import sys
from pathlib import Path

import fake_bot_api
import fake_updates as updates
import pytest
import telegram
from fake_bot_api import TOKEN, FakeBotApi
from fake_bot_text import parse_html
from telegram.error import BadRequest, Conflict, InvalidToken

from bot.chat.api import open_bot


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<b>1 &lt; 2</b> &amp; more", "1 < 2 & more"),
        ('<a href="https://x.example/?a=1&amp;b=2">x</a>', "x"),
        ("2 > 1 & so on", "2 > 1 & so on"),
    ],
    ids=["tags and entities", "link", "bare > and &"],
)
def test_markup_that_telegram_takes(html: str, text: str) -> None:
    assert parse_html(html) == text


@pytest.mark.parametrize(
    "html", ["<b>open", "</b>", "<b><i>x</b></i>", "1 < 2", "<script>x</script>", '<a href="<">x</a>']
)
def test_markup_that_telegram_refuses(html: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        parse_html(html)


@pytest.mark.parametrize(
    ("text", "reason"), [(" ", "empty"), ("🔴" * 2049, "too long")], ids=["empty", "too long in UTF-16"]
)
async def test_text_that_telegram_refuses(text: str, reason: str) -> None:
    async with FakeBotApi() as fake, open_bot(TOKEN, fake.base_url) as bot:
        with pytest.raises(BadRequest, match=reason):
            await bot.send_message(1, text)
        assert fake.messages == []


async def test_updates_come_until_they_are_confirmed() -> None:
    async with FakeBotApi() as fake, open_bot(TOKEN, fake.base_url) as bot:
        first = await fake.push(updates.private("/help", 42))
        for _ in range(2):
            assert [update.update_id for update in await bot.get_updates()] == [first]
        assert await bot.get_updates(offset=first + 1) == ()
        assert fake.confirmed == first


async def test_a_second_poll_ends_the_first() -> None:
    async with FakeBotApi() as fake, open_bot(TOKEN, fake.base_url) as bot:
        waiting = asyncio.create_task(bot.get_updates(timeout=5))
        await fake.called("getUpdates")
        await bot.get_updates()
        with pytest.raises(Conflict):
            await waiting


async def test_another_token_is_refused() -> None:
    async with FakeBotApi() as fake, open_bot("1:other", fake.base_url) as bot:
        with pytest.raises(InvalidToken):
            await bot.get_me()


async def test_it_runs_as_a_program_that_logs_what_it_accepts(tmp_path: Path) -> None:
    log = tmp_path / "messages.jsonl"
    program = await asyncio.create_subprocess_exec(
        sys.executable, fake_bot_api.__file__, "0", str(log), stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    port = int(await program.stdout.readline())
    async with open_bot(TOKEN, f"http://127.0.0.1:{port}") as bot:
        sent: telegram.Message = await bot.send_message(42, "hello")
    program.kill()
    await program.wait()
    (line,) = log.read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {"method": "sendMessage", "chat_id": 42, "text": "hello"}
    assert sent.message_id == 1
