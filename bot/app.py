"""Composition root: builds the parts, hands them to the stages, takes up changed settings, and stops cleanly.

One round of a stage is one method; bot/jobs.py calls them by the clock, `once` and the demo call them in a row.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.changes import record_found, record_since_last_run, remember_settings
from bot.feeds.fetcher import Fetcher
from bot.feeds.parser import ParsePool
from bot.feeds.types import FetchLimits, FetchRequest, ParsedFeed
from bot.messages.message import Message
from bot.model_shelf import classifier_in, shelf
from bot.notices import tell_trouble
from bot.outlet import Sender
from bot.pipeline.classify import read_new_articles
from bot.pipeline.cluster import gather_stories, load_index
from bot.pipeline.decide import raise_alerts
from bot.pipeline.deliver import drain_outbox
from bot.pipeline.digest import send_due_digests
from bot.pipeline.ingest import Ingested, fetch_due_feeds
from bot.pipeline.retain import forget_old
from bot.pipeline.story_index import StoryIndex
from bot.pipeline.tempo import raise_tempo
from bot.subscribers import replan_digests, settle_terminal
from bot.trouble import StageWatch
from config.errors import ConfigError, ModelError
from config.load import fingerprint, load_settings
from config.schema import Fetching, Settings
from models import Outlet, Priority
from models.database import Database, open_database
from models.feed import sync_feeds

if TYPE_CHECKING:
    from classifiers.classifier import Classifier

log = logging.getLogger(__name__)
VERSION = "0.1.0"
SETTINGS = "settings"  # as troubles name them
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Summary:
    """What one round of every stage came to."""

    ingested: Ingested = field(default_factory=Ingested)
    read: int = 0
    gathered: int = 0
    alerts: int = 0
    digests: int = 0
    sent: int = 0


class App:
    """The parts of a running Tocsin and one method per stage. Build it with `open_app`."""

    def __init__(self, folder: Path, database: Database, settings: Settings, clock: Clock) -> None:
        self.folder = folder
        self.database = database
        self.settings = settings
        self.clock = clock
        self.senders: dict[Outlet, Sender] = {}
        self.classifier: Classifier | None = None
        self._live_model: Path | None = None
        self._index: StoryIndex | None = None
        self._fetcher: Fetcher | None = None
        self._fetcher_is_old = False
        self._parser = ParsePool()
        self._fingerprint = fingerprint(folder)
        self._watch = StageWatch(self.tell_trouble)
        self._model_problem = ""
        self._reading = threading.Lock()
        self._stopping = threading.Event()

    # Stages -----------------------------------------------------------------------------------------------------------

    async def fetch(self) -> Ingested:
        """feeds -> articles"""
        if self._fetcher is not None and self._fetcher_is_old:
            await self._fetcher.__aexit__(None, None, None)
            self._fetcher = None
        if self._fetcher is None:
            self._fetcher_is_old = False
            self._fetcher = await Fetcher(fetch_limits(self.settings.service.fetch), self.clock).__aenter__()
        done = await fetch_due_feeds(self.database, self._fetcher, self._parser, self.settings, self.clock)
        if done.polled:
            log.info("fetched feeds=%s failed=%s new=%s edited=%s", done.polled, done.failed, done.new, done.edited)
        return done

    async def read(self, summary: Summary | None = None) -> Summary:
        """articles -> readings -> stories -> alerts"""
        summary = summary or Summary()
        await asyncio.to_thread(self._read_all, summary)
        if summary.read or summary.alerts:
            log.info("read articles=%s alerts=%s", summary.read, summary.alerts)
        return summary

    async def deliver(self) -> int:
        """deliveries -> messages"""
        max_age = timedelta(hours=self.settings.alerts.telling.max_age_hours)
        order = [Priority[kind.upper()] for kind in self.settings.telegram.rate.order]
        return await drain_outbox(
            self.database, self.senders, self.clock, max_age=max_age, order=order, settings=self.settings
        )

    async def digest(self) -> int:
        """a week -> digests that are due"""
        return await asyncio.to_thread(send_due_digests, self.database, self.settings, self.clock())

    async def tempo(self) -> int:
        """stories -> tempo alerts"""
        return await asyncio.to_thread(self._raise_tempo)

    async def tidy(self) -> int:
        """old articles -> nothing"""
        return await asyncio.to_thread(self._forget)

    async def once(self) -> Summary:
        """One round of every stage, in the order of the flow."""
        summary = Summary(ingested=await self.fetch())
        await self.read(summary)
        summary.alerts += await self.tempo()
        summary.digests = await self.digest()
        summary.sent = await self.deliver()
        return summary

    def _read_all(self, summary: Summary) -> None:
        with self._reading:  # a stop may leave a round behind in its thread; the next waits for it
            classifier = self.load_model()
            while not self._stopping.is_set() and (count := read_new_articles(self.database, classifier, self.clock())):
                summary.read += count
            if not self._stopping.is_set():
                self._gather_and_decide(summary)

    def _gather_and_decide(self, summary: Summary) -> None:
        if self._index is None:
            with self.database.read() as session:
                self._index = load_index(session, self.settings.alerts.stories)
        try:
            while not self._stopping.is_set() and (count := self._gather(self._index)):
                summary.gathered += count
        except Exception:
            self._index = None  # what it learned of the lost transaction is wrong: rebuild it at the next round
            raise
        with self.database.write() as session:
            zone = self.settings.digest.timezone
            summary.alerts += raise_alerts(session, self.settings.alerts, self.clock(), timezone=zone)

    def _gather(self, index: StoryIndex) -> int:
        with self.database.write() as session:
            return gather_stories(session, index, self.settings.alerts.stories)

    def _raise_tempo(self) -> int:
        with self.database.write() as session:
            return raise_tempo(session, self.settings.alerts, self.clock(), self.settings.digest.timezone)

    def _forget(self) -> int:
        with self.database.write() as session:
            return forget_old(session, self.settings.service.articles, self.clock())

    # Parts ------------------------------------------------------------------------------------------------------------

    def load_model(self) -> "Classifier":
        """The classifier, loaded at first use. Raises ModelError."""
        if self.classifier is None:
            self._live_model = shelf().live()
            self.classifier = classifier_in(self._live_model, self.settings.actors)
        return self.classifier

    async def _follow_promotion(self) -> None:
        """Let go of the model when another one was promoted; the next round loads that."""
        if self._live_model is None:
            return
        try:
            live = await asyncio.to_thread(lambda: shelf().live())
        except ModelError as error:
            if self._model_problem != str(error):
                self._model_problem = str(error)
                log.warning("models_refused %s", error)
            text = f"The model that should be live cannot be used; the one before it goes on.\n{error}"
            await self._watch.began("model", text, patience=1)
            return
        self._model_problem = ""
        await self._watch.ended("model", "The model that should be live can be used again.")
        if live != self._live_model:
            log.info("model_promoted folder=%s", live)
            self.classifier = None

    async def reload(self) -> bool:
        """Take up changed settings; a mistake leaves the old ones working.

        That it is so is told to the admins once, however often the file is saved before it is in order.
        """
        await self._follow_promotion()
        found = await asyncio.to_thread(fingerprint, self.folder)
        if found == self._fingerprint:
            return False
        self._fingerprint = found
        try:
            settings = await asyncio.to_thread(load_settings, self.folder)
        except ConfigError as error:
            log.warning("settings_refused %s", str(error).replace("\n", " | "))
            text = f"A change of the settings was refused; the old ones go on.\n{error}"
            await self._watch.began(SETTINGS, text, patience=1)
            return False
        await self._take_up(settings)
        await self.tell_settings_are_in_order()
        log.info("settings_reloaded feeds=%s", len(settings.feeds.feeds))
        return True

    async def _take_up(self, settings: Settings) -> None:
        former, self.settings = self.settings, settings
        if settings.actors != former.actors:
            self.classifier = None
        if settings.alerts.stories != former.alerts.stories:
            self._index = None
        if settings.service.fetch != former.service.fetch:
            self._fetcher_is_old = True  # replaced at the next round: requests may be under way in this one
        await asyncio.to_thread(self.sync, former)

    def sync(self, former: Settings | None = None) -> None:
        """Make the database match the settings: feeds, who hears when there is no Telegram, when digests are due.

        What differs from the `former` settings is recorded, if somebody edited a file by hand; at the start these are
        the settings that the run before this one had.
        """
        with self.database.write() as session:
            if former is not None:
                record_found(session, former, self.settings, self.clock())
            else:
                record_since_last_run(session, self.settings, self.clock())
            remember_settings(session, self.settings)
            sync_feeds(session, self.settings.feeds, self.clock())
            settle_terminal(session, self.settings, Outlet.TERMINAL in self.senders, self.clock())
            replan_digests(session, self.settings.digest, self.clock())

    async def tell_settings_are_in_order(self) -> None:
        """Queue a message for every admin who was told that they are not, by this run or one before."""
        await self._watch.ended(SETTINGS, "The settings are in order again and taken up.")

    async def tell_trouble(self, subject: str, broken: bool, message: Message) -> None:
        """Queue a warning for every admin that a stage does not work, or does again, if they do not know it."""
        await asyncio.to_thread(self._tell_trouble, subject, broken, message)

    def _tell_trouble(self, subject: str, broken: bool, message: Message) -> None:
        with self.database.write() as session:
            tell_trouble(session, self.settings, subject, broken, message, self.clock())

    async def preview(self, url: str) -> ParsedFeed:
        """What a feed brings at this moment; stores nothing. Raises FetchError."""
        async with Fetcher(fetch_limits(self.settings.service.fetch), self.clock) as fetcher:
            result = await fetcher.fetch(FetchRequest(url))
        return await self._parser.parse(result.body, result.headers, result.final_url, self.clock())

    def stop(self) -> None:
        """Ask rounds that are under way to end at their next step; what is left waits in the tables."""
        self._stopping.set()

    async def close(self) -> None:
        """Let go of everything that was opened."""
        self.stop()
        if self._fetcher is not None:
            await self._fetcher.__aexit__(None, None, None)
        await self._parser.__aexit__(None, None, None)
        with self._reading:
            self.database.close()


@contextlib.asynccontextmanager
async def open_app(
    folder: Path, database_url: str, senders: Mapping[Outlet, Sender], clock: Clock = utc_now
) -> AsyncIterator[App]:
    """An App with its settings checked, its database migrated and its feeds in step. Raises TocsinError."""
    settings = load_settings(folder)
    database = await asyncio.to_thread(open_database, database_url, clock())
    app = App(folder, database, settings, clock)
    app.senders = dict(senders)
    try:
        await asyncio.to_thread(app.sync)
        await app.tell_settings_are_in_order()
        yield app
    finally:
        await app.close()


def fetch_limits(fetching: Fetching) -> FetchLimits:
    """Settings as the fetcher takes them."""
    contact = f"; {fetching.contact}" if fetching.contact else ""
    return FetchLimits(
        connect_s=fetching.connect_seconds,
        read_s=fetching.read_seconds,
        total_s=fetching.total_seconds,
        max_bytes=int(fetching.max_megabytes * 2**20),
        per_host=fetching.per_host,
        concurrency=fetching.concurrency,
        allow_addresses=fetching.allow_addresses,
        user_agent=f"Tocsin/{VERSION} (news feed reader{contact})",
    )
