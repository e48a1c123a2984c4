"""send-test, digest: messages on demand."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from bot.app import utc_now
from bot.commands.options import Config, DatabaseUrl, config_folder, console, database_url
from bot.messages.message import Message, notice
from bot.outlet import Chat, Envelope
from bot.terminal import TerminalSender
from config.errors import ConfigError


def send_test(
    chat: Annotated[int, typer.Argument(help="A chat id; /start tells each person theirs. 0 is the terminal.")],
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Send one test message to a chat, and say what became of it.

    Example: python -m bot send-test 123456789
    """
    from bot.service import place_of

    place = place_of(config_folder(config), database_url(database))
    message = notice("This is a test message. Alerts will arrive here like this one.", "Tocsin: test")
    if chat == 0:
        asyncio.run(TerminalSender(console(), place.pictures).send(Envelope(_chat(0), message)))
        return
    if place.token is None:
        raise ConfigError("send-test: no Telegram token; set TOCSIN_TELEGRAM_TOKEN (README, “Connect Telegram”)")
    message_id = asyncio.run(_send(place.token, place.base_url, chat, message, config_folder(config)))
    console().print(f"Telegram accepted it: message {message_id} in chat {chat}.")


async def _send(token: str, base_url: str | None, chat: int, message: Message, folder: Path) -> int:
    from bot.chat.api import open_bot
    from bot.chat.limiter import Limiter
    from bot.chat.sender import TelegramSender
    from config.load import load_settings

    rate = load_settings(folder).telegram.rate
    async with open_bot(token, base_url) as bot:
        return await TelegramSender(bot, Limiter(lambda: rate)).send(Envelope(_chat(chat), message))


def _chat(chat_id: int) -> Chat:
    return Chat(chat_id, kind="private" if chat_id >= 0 else "group")


def digest(
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
            help="End of the week, in the time zone of config/digest.toml. Default: now.",
        ),
    ] = None,
    chart: Annotated[Path, typer.Option(help="Where the chart goes.")] = Path("var/charts"),
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Print the digest of the seven days before now (or --until) and save its chart. Nothing is sent.

    Example: python -m bot digest --until 2026-03-23
    """
    asyncio.run(_print_digest(until, chart, config_folder(config), database_url(database)))


async def _print_digest(until: datetime | None, pictures: Path, folder: Path, url: str) -> None:
    from bot.pipeline.digest import compose_digest
    from config.load import load_settings
    from models.database import open_database

    now = utc_now()
    settings = load_settings(folder)
    timezone = settings.digest.timezone
    end = until.replace(tzinfo=ZoneInfo(timezone)) if until else now
    if end.year < 1990:
        raise ConfigError(f"digest: --until {end:%Y-%m-%d}: there were no feeds then; name a day like {now:%Y-%m-%d}")
    opened = open_database(url, now)
    with opened.read() as session:
        message, picture = compose_digest(session, settings, end, timezone)
    opened.close()
    await TerminalSender(console(), pictures).send(Envelope(_chat(0), message, picture))
