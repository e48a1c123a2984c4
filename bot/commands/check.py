"""check, health: is everything as it must be, and if not, what to do."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from bot.app import utc_now
from bot.commands.options import Config, DatabaseUrl, config_folder, console, database_url
from bot.model_shelf import live_classifier
from config.errors import TocsinError
from config.load import load_settings
from config.schema import Settings, Webhook
from config.secrets import TELEGRAM_BASE_URL, TELEGRAM_TOKEN, read_secret, read_webhook_secret
from models import Feed, FeedHealth, Lease
from models.database import open_database

if TYPE_CHECKING:
    import telegram

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `advice` says what to do when it is not ok."""

    what: str
    state: str
    said: str
    advice: str = ""


def check(config: Config = None, database: DatabaseUrl = None) -> None:
    """Look at config, database, model, feeds and Telegram, and say what to do about each problem. Changes nothing but
    the database's schema, which is brought up to date. Exit code 1 when something failed.

    Example: python -m bot check
    """
    folder, url = config_folder(config), database_url(database)
    settings, finding = _settings(folder)
    findings = [finding, _guarded("database", lambda: _database(url), "see docs/operations.md, “Database”")]
    if settings is not None:
        findings.append(
            _guarded("model", lambda: _model(settings), "docs/classifier.md, “Training”, says how models are kept")
        )
        findings.append(_guarded("feeds", lambda: _feeds(settings, url), "run `python -m bot feeds test`"))
        findings.append(_guarded("telegram", lambda: _telegram(settings), "README, “Connect Telegram”"))
        if settings.telegram.webhook.url:
            advice = "docs/telegram.md, “A webhook instead of polling”"
            findings.append(_guarded("webhook", lambda: _webhook(settings.telegram.webhook), advice))
    _show(findings)
    if any(finding.state == FAILED for finding in findings):
        raise typer.Exit(1)


def health(config: Config = None, database: DatabaseUrl = None) -> None:
    """Exit 0 when a Tocsin is alive on this database (it says so every 30 seconds), else 1. For containers.

    Example: python -m bot health
    """
    opened = open_database(database_url(database), utc_now())
    with opened.read() as session:
        lease = session.get(Lease, "service")
    opened.close()
    if lease is None or lease.until < utc_now():
        console().print("No Tocsin runs on this database; start it with ./run.sh")
        raise typer.Exit(1)
    console().print(f"Alive: {lease.holder}")


def _guarded(what: str, look: Callable[[], Finding], advice: str) -> Finding:
    try:
        return look()
    except TocsinError as error:
        return Finding(what, FAILED, str(error), advice)


def _settings(folder: Path) -> tuple[Settings | None, Finding]:
    try:
        settings = load_settings(folder)
    except TocsinError as error:
        return None, Finding("config", FAILED, str(error), "mend the lines named; the comments give the ranges")
    return settings, Finding("config", OK, f"{folder}: {len(settings.feeds.feeds)} feeds")


def _database(url: str) -> Finding:
    opened = open_database(url, utc_now())
    try:
        with opened.write() as session:
            session.get(Lease, "service")
    finally:
        opened.close()
    return Finding("database", OK, opened.url)


def _model(settings: Settings) -> Finding:
    from classifiers.judgement import Document

    classifier = live_classifier(settings.actors)
    judged = classifier.judge([Document("Army masses tanks and artillery at the border, minister warns of invasion")])
    if judged[0].escalation <= judged[0].deescalation:
        return Finding("model", FAILED, f"{classifier.version} misreads a plain sentence", "run ./run.sh train")
    return Finding("model", OK, classifier.version)


def _feeds(settings: Settings, url: str) -> Finding:
    from sqlmodel import col, select

    if not settings.feeds.feeds:
        return Finding("feeds", WARNING, "none", "add one: python -m bot feeds add URL")
    opened = open_database(url, utc_now())
    with opened.read() as session:
        bad = select(Feed).where(col(Feed.enabled), col(Feed.health).in_((FeedHealth.BROKEN, FeedHealth.GONE)))
        broken = session.exec(bad).all()
        asked = session.exec(select(Feed.id).where(col(Feed.first_read_at).is_not(None)).limit(1)).first()
    opened.close()
    if broken:
        names = ", ".join(feed.title or feed.url for feed in broken[:5])
        return Finding("feeds", WARNING, f"{len(broken)} broken: {names}", "`python -m bot feeds list` says why")
    if asked is None:
        return Finding(
            "feeds", OK, f"{len(settings.feeds.feeds)} configured, none read yet", "./run.sh feeds test tries them"
        )
    return Finding("feeds", OK, f"{len(settings.feeds.feeds)} configured, none broken")


def _telegram(settings: Settings) -> Finding:
    token = read_secret(TELEGRAM_TOKEN)
    if token is None:
        return Finding("telegram", WARNING, "no token: alerts go to the terminal", f"set {TELEGRAM_TOKEN}; README")
    name = asyncio.run(_bot_name(token))
    if not settings.telegram.admins and settings.telegram.access == "approval":
        advice = "put your user id into config/telegram.toml, admins; /start tells it"
        return Finding("telegram", WARNING, f"{name}, but nobody can approve subscribers", advice)
    return Finding(
        "telegram", OK, f"{name}, {len(settings.telegram.admins)} admins, access by {settings.telegram.access}"
    )


def _webhook(wanted: Webhook) -> Finding:
    own = "from the environment" if read_webhook_secret() else "made at each start"
    said = f"{wanted.url}, heard on {wanted.listen_host}:{wanted.listen_port}, secret token {own}"
    token = read_secret(TELEGRAM_TOKEN)
    if token is None:
        return Finding("webhook", WARNING, said, f"of no use without {TELEGRAM_TOKEN}")
    info = asyncio.run(_webhook_info(token))
    if info.url != wanted.url:
        advice = "a running Tocsin sets it, or says in its log and to the admins why it cannot"
        return Finding("webhook", WARNING, f"{said}; not set at Telegram", advice)
    said = f"{said}; updates that wait: {info.pending_update_count}"
    if info.pending_update_count and info.last_error_message:
        advice = "look at the proxy, and whether Tocsin runs"
        return Finding("webhook", WARNING, f"{said}; Telegram met: {info.last_error_message}", advice)
    return Finding("webhook", OK, said)


async def _webhook_info(token: str) -> "telegram.WebhookInfo":
    from bot.chat.api import ask_webhook, open_bot

    async with open_bot(token, read_secret(TELEGRAM_BASE_URL)) as bot:
        return await ask_webhook(bot)


async def _bot_name(token: str) -> str:
    from bot.chat.api import ask_name, open_bot

    async with open_bot(token, read_secret(TELEGRAM_BASE_URL)) as bot:
        return await ask_name(bot)


def _show(findings: list[Finding]) -> None:
    out = console()
    table = Table(show_header=False, width=min(110, max(80, out.width)))
    for finding in findings:
        colour = {OK: "green", WARNING: "yellow", FAILED: "red"}[finding.state]
        said = finding.said + (f"\n→ {finding.advice}" if finding.advice else "")
        table.add_row(Text(finding.state, style=colour), finding.what, Text(said))
    out.print(table)
