"""A bot at work for an admin, against the fake: presses, texts and files go in as updates over HTTP."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fake_updates as updates
import pytest
from fake_bot_api import TOKEN, Call, FakeBotApi
from sqlmodel import SQLModel, select

from bot.chat.desk import AdminTools, ChatParts
from bot.chat.limiter import Limiter
from bot.chat.receiver import receive_updates
from bot.chat.serving import Pace
from bot.errands import Done
from bot.feeds.types import FetchError, ParsedEntry, ParsedFeed
from config.errors import TocsinError
from config.load import DEFAULT_FOLDER, load_settings
from config.schema import Settings
from models import Change, Subscriber, SubscriberState
from models.database import Database, open_database
from tests.rows import UNLIMITED

NOW = datetime(2022, 2, 17, 12, 0, tzinfo=UTC)
ADMIN, SECOND, ANNA, GROUP, CHANNEL = 1001, 1002, 42, -1005, -1007
A, B = "https://a.example/rss", "https://b.example/rss"
HOSTILE = '<b>Bob</b> & <a href="https://evil.example">x</a>\u202e\n\nApproved'
FEEDS = f'# mine\n[[feeds]]\nurl = "{A}"  # the first\ntitle = "Alpha"\n\n[[feeds]]\nurl = "{B}"\n'


@dataclass
class Bench:
    """A bot at work against the fake, with a folder of settings of its own."""

    fake: FakeBotApi
    database: Database
    folder: Path
    settings: Settings
    preview: ParsedFeed | FetchError
    now: datetime = NOW
    commands: list[list[str]] = field(default_factory=list)
    asked_by: list[int] = field(default_factory=list)
    outcome: Done | TocsinError = field(
        default_factory=lambda: Done(0, "┏━━━┳━━━┓\n┃ told ┃ 3 ┃\n└───┴───┘\nall went well <b>")
    )

    stuck: bool = False
    poller: asyncio.Task[None] | None = None

    async def start(self) -> None:
        limiter = Limiter(lambda: UNLIMITED)
        tools = AdminTools(self.folder, self.reload, self.look, self.run)
        parts = ChatParts(self.database, lambda: self.settings, lambda: self.now, limiter, tools)
        pace = Pace(poll_s=1, stop_s=0.2)
        self.poller = asyncio.create_task(receive_updates(TOKEN, self.fake.base_url, parts, pace))

    async def stop(self) -> None:
        assert self.poller is not None
        self.poller.cancel()
        await asyncio.gather(self.poller, return_exceptions=True)

    async def restart(self) -> None:
        """Once Telegram knows that everything was handled: on a busy machine the rest would come again."""
        await self.fake.until(lambda: self.fake.confirmed >= self.fake.last_update)
        await self.stop()
        await self.start()

    async def reload(self) -> bool:
        former, self.settings = self.settings, load_settings(self.folder, {})
        return former != self.settings

    async def look(self, _url: str) -> ParsedFeed:
        if isinstance(self.preview, FetchError):
            raise self.preview
        return self.preview

    async def run(self, command: Sequence[str], asked_by: int) -> Done:
        self.asked_by.append(asked_by)
        self.commands.append(list(command))
        if self.stuck:
            await asyncio.Event().wait()
        if isinstance(self.outcome, TocsinError):
            raise self.outcome
        if "--html" in command:
            await asyncio.to_thread(Path(command[-1]).write_text, "<html>plots</html>")
        return self.outcome

    async def say(self, text: str, user_id: int = ADMIN) -> Call:
        """Write to the bot and wait for its answer."""
        number = len(self.fake.messages)
        await self.fake.push(updates.private(text, user_id))
        return (await self.fake.sent(number + 1))[number]

    async def press(self, data: str, user_id: int = ADMIN) -> Call:
        """Press a button and wait for the page it turns to."""
        number = len(self.fake.calls_of("editMessageText"))
        await self.fake.push(updates.press(data, user_id))
        return (await self.fake.called("editMessageText", number + 1))[number]

    async def follow(self, page: Call, words: str) -> Call:
        """Press the button of a page that says `words`."""
        return await self.press(button(page, words))

    def add(self, *rows: SQLModel) -> None:
        with self.database.write() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def rows(self, table: Any) -> list[Any]:
        with self.database.read() as session:
            return list(session.exec(select(table).order_by(table.id)))

    def rows_of(self, table: Any) -> list[Any]:
        with self.database.read() as session:
            return list(session.exec(select(table)))

    def text(self, name: str) -> str:
        return (self.folder / f"{name}.toml").read_text(encoding="utf-8")

    def changes(self) -> list[tuple[Any, ...]]:
        return [(row.admin_id, row.area, row.key, row.before, row.after) for row in self.rows(Change)]


def buttons(page: Call) -> dict[str, str]:
    rows = (page.params.get("reply_markup") or {}).get("inline_keyboard", [])
    return {one["text"]: one["callback_data"] for row in rows for one in row}


def button(page: Call, words: str) -> str:
    return next(data for text, data in buttons(page).items() if words in text)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/tocsin.db", NOW)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "config"
    made.mkdir()
    for name in ("alerts", "digest"):
        shutil.copy(DEFAULT_FOLDER / f"{name}.toml", made)
    (made / "telegram.toml").write_text(f"admins = [{ADMIN}, {SECOND}]\n", encoding="utf-8")
    (made / "feeds.toml").write_text(FEEDS, encoding="utf-8")
    return made


def entry(title: str, at: datetime | None) -> ParsedEntry:
    return ParsedEntry("k" * 32, "", "", title, "", "", at, None, "h" * 32)


@pytest.fixture
async def bench(database: Database, folder: Path) -> AsyncIterator[Bench]:
    entries = (entry("Older", NOW - timedelta(days=1)), entry(f"Newest {HOSTILE}", NOW), entry("Undated", None))
    async with FakeBotApi() as fake:
        bench = Bench(fake, database, folder, load_settings(folder, {}), ParsedFeed(HOSTILE, None, entries, 0, None))
        await bench.start()
        yield bench
        await bench.stop()


def chat(chat_id: int, state: SubscriberState, **values: Any) -> Subscriber:
    return Subscriber(chat_id=chat_id, state=state, **{"created_at": NOW, "changed_at": NOW} | values)
