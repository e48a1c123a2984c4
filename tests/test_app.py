"""The whole way: feeds on loopback in, messages at a fake Bot API out, through restarts, reloads and a real process."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import fake_updates as updates
import pytest
from fake_bot_api import TOKEN, FakeBotApi, hanging
from rich.console import Console
from sqlmodel import select

from bot.app import App, open_app
from bot.demo.play import SimulatedClock
from bot.messages.message import Message
from bot.outlet import Envelope
from bot.service import Place, run_once
from config.errors import FeedError, ModelError
from models import Article, Change, Delivery, Feed, Lease, Memo, Outlet, Reading, Story, Subscriber
from models.database import Database, open_database
from tests.feed_server import FeedServer, Reply, rss
from tests.rows import add_article, add_feed, add_subscriber

ROOT = Path(__file__).resolve().parent.parent
ATTACK = (
    "Russian troops cross into Ukraine, missiles hit Kyiv",
    "Russian armour crossed the Ukrainian border before dawn and missiles struck Kyiv, killing dozens, officials said.",
)
FOOTBALL = ("Rovers beat City in cup thriller", "A late header sent Rovers through to the semi-final on Saturday.")


@dataclass
class Collected:
    """A sender that keeps what it is given."""

    messages: list[Message] = field(default_factory=list)

    async def send(self, envelope: Envelope) -> int | None:
        self.messages.append(envelope.message)
        return len(self.messages)


def feed(*articles: tuple[str, str], at: datetime) -> Reply:
    items = [
        f"<title>{title}</title><description>{text}</description><link>https://news.example/{abs(hash(title))}</link>"
        f"<guid>{title}</guid><pubDate>{format_datetime(at)}</pubDate>"
        for title, text in articles
    ]
    return Reply(rss(*items))


def write_config(folder: Path, *urls: str, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    feeds = "\n".join(f'[[feeds]]\nurl = "{url}"\npublisher = "P{number}"' for number, url in enumerate(urls))
    texts = {
        "feeds": feeds,
        "service": '[fetch]\nallow_addresses = ["127.0.0.0/8"]\n[timetable]\nfetch_seconds = 1.0\nread_seconds = 1.0\n'
        "reload_seconds = 1.0",
    } | files
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


async def test_one_round_brings_an_attack_from_feed_to_chat_and_leaves_football_alone(
    server: FeedServer, database_url: str, now: datetime, tmp_path: Path
) -> None:
    server.script("/a", feed(ATTACK, FOOTBALL, at=now))
    config = write_config(tmp_path / "config", server.url("/a"))
    sender = Collected()
    async with open_app(config, database_url, {Outlet.TERMINAL: sender}, lambda: now) as app:
        summary = await app.once()
    assert (summary.ingested.new, summary.read, summary.sent) == (2, 2, 1)
    (message,) = sender.messages
    assert ATTACK[0] in message.plain
    assert "Russia" in message.title


async def test_a_restart_repeats_nothing_and_goes_on(
    server: FeedServer, database_url: str, now: datetime, tmp_path: Path
) -> None:
    server.script("/a", feed(ATTACK, at=now))
    config = write_config(tmp_path / "config", server.url("/a"))
    sender = Collected()
    for hours in range(3):
        moment = now + timedelta(hours=hours)
        async with open_app(config, database_url, {Outlet.TERMINAL: sender}, lambda moment=moment: moment) as app:
            await app.once()
    assert len(sender.messages) == 1


async def test_a_clock_that_jumps_back_and_forth_rings_nothing_twice(
    server: FeedServer, sqlite_url: str, now: datetime, tmp_path: Path
) -> None:
    server.script("/a", feed(ATTACK, at=now))
    config = write_config(tmp_path / "config", server.url("/a"))
    sender = Collected()
    for hours in (0, 30, -2, 0, -48, 31):
        moment = now + timedelta(hours=hours)
        async with open_app(config, sqlite_url, {Outlet.TERMINAL: sender}, lambda moment=moment: moment) as app:
            await app.once()
    alerts = [message for message in sender.messages if ATTACK[0] in message.plain and message.tone == "critical"]
    assert len(alerts) == 1


async def test_a_stop_ends_a_long_round_early_and_the_next_start_finishes_it(
    server: FeedServer, sqlite_url: str, now: datetime, tmp_path: Path
) -> None:
    server.script("/a", feed(*[(f"{ATTACK[0]} ({n})", ATTACK[1]) for n in range(300)], at=now))
    config = write_config(tmp_path / "config", server.url("/a"))
    async with open_app(config, sqlite_url, {}, lambda: now) as app:
        assert (await app.fetch()).new == 300
        app.stop()
        assert (await app.read()).read == 0
    async with open_app(config, sqlite_url, {}, lambda: now) as app:
        assert (await app.read()).read == 300


@pytest.mark.parametrize("stage", ["fetch", "read", "deliver"])
async def test_a_stop_after_any_stage_loses_nothing(
    server: FeedServer, sqlite_url: str, now: datetime, tmp_path: Path, stage: str
) -> None:
    server.script("/a", feed(ATTACK, at=now))
    config = write_config(tmp_path / "config", server.url("/a"))
    sender = Collected()
    senders = {Outlet.TERMINAL: sender}
    async with open_app(config, sqlite_url, senders, lambda: now) as app:
        await app.fetch()
        if stage != "fetch":
            await app.read()
        if stage == "deliver":
            await app.deliver()
    async with open_app(config, sqlite_url, senders, lambda: now) as app:
        await app.once()
        await app.once()
    assert len(sender.messages) == 1


async def test_ten_copies_of_one_wire_story_ring_once(
    server: FeedServer, sqlite_url: str, now: datetime, tmp_path: Path
) -> None:
    paths = [f"/{number}" for number in range(10)]
    for path in paths:
        server.script(path, feed(ATTACK, at=now))
    config = write_config(tmp_path / "config", *(server.url(path) for path in paths))
    sender = Collected()
    async with open_app(config, sqlite_url, {Outlet.TERMINAL: sender}, lambda: now) as app:
        await app.once()
        with app.database.read() as session:
            assert len(session.exec(select(Story)).all()) == 1
    assert len(sender.messages) == 1
    assert "1 independent source" in sender.messages[0].plain


async def test_a_non_english_article_is_stored_and_not_scored(
    server: FeedServer, sqlite_url: str, now: datetime, tmp_path: Path
) -> None:
    text = ("Войска пересекли границу, ракеты ударили по столице", "Сообщается о десятках погибших и раненых в городе.")
    server.script("/a", feed(text, at=now))
    config = write_config(tmp_path / "config", server.url("/a"))
    async with open_app(config, sqlite_url, {}, lambda: now) as app:
        await app.once()
        with app.database.read() as session:
            reading = session.exec(select(Reading)).one()
    assert (reading.language, reading.escalation, reading.deescalation) == ("ru", 0.0, 0.0)


# Settings while running -----------------------------------------------------------------------------------------------


async def reloading(app: App, config: Path, **files: str) -> bool:
    for name, text in files.items():
        (config / f"{name}.toml").write_text(text, encoding="utf-8")
    return await app.reload()


async def test_a_saved_change_is_taken_up_and_a_mistake_leaves_the_old_settings_and_is_told_once(
    sqlite_url: str, now: datetime, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "config")
    sender = Collected()
    async with open_app(config, sqlite_url, {Outlet.TERMINAL: sender}, lambda: now) as app:
        assert await reloading(app, config, alerts="[levels]\nwatch = 30.0")
        assert app.settings.alerts.levels.watch == 30
        assert not await reloading(app, config, alerts="[levels]\nwatch = 300.0")
        assert not await app.reload()
        await app.deliver()
        assert app.settings.alerts.levels.watch == 30
        assert await reloading(app, config, alerts="[levels]\nwatch = 35.0")
        await app.deliver()
        with app.database.read() as session:
            found = [(row.who, row.key, row.before, row.after) for row in session.exec(select(Change))]
    assert len(sender.messages) == 2
    assert "levels.watch" in sender.messages[0].plain
    assert "in order again" in sender.messages[1].plain
    assert found == [("edited in the file", "levels.watch", *step) for step in ((40, 30), (30, 35))]


async def test_a_file_saved_broken_again_is_not_told_again_and_a_restart_tells_that_it_is_in_order(
    sqlite_url: str, now: datetime, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "config")
    sender = Collected()
    async with open_app(config, sqlite_url, {Outlet.TERMINAL: sender}, lambda: now) as app:
        for level in (300, 301, 302):
            assert not await reloading(app, config, alerts=f"[levels]\nwatch = {level}.0")
        await app.deliver()
    write_config(config, alerts="[levels]\nwatch = 35.0")
    async with open_app(config, sqlite_url, {Outlet.TERMINAL: sender}, lambda: now) as app:
        await app.deliver()
    assert [message.plain.partition(";")[0] for message in sender.messages] == [
        "A change of the settings was refused",
        "The settings are in order again and taken up.",
    ]


async def test_a_model_that_cannot_be_used_is_told_once_and_once_when_it_can(
    sqlite_url: str, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Collected()
    async with open_app(write_config(tmp_path / "config"), sqlite_url, {Outlet.TERMINAL: sender}, lambda: now) as app:
        monkeypatch.setattr("bot.app.classifier_in", lambda *_: None)  # which one is live is enough, it need not read
        app.load_model()
        with monkeypatch.context() as patched:
            patched.setattr("classifiers.shelf.Shelf.live", lambda _self: _raise(ModelError("models/live: unreadable")))
            for _ in range(3):
                await app.reload()
        for _ in range(2):
            await app.reload()
        await app.deliver()
    assert [message.plain for message in sender.messages] == [
        "The model that should be live cannot be used; the one before it goes on.\nmodels/live: unreadable",
        "The model that should be live can be used again.",
    ]


def _raise(error: Exception) -> None:
    raise error


async def test_what_was_edited_while_tocsin_was_stopped_is_recorded_at_the_next_start(
    sqlite_url: str, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path / "config", "https://a.example/rss")
    secret = 'access = "invite"\ninvite_code = "open-sesame-1"'
    async with open_app(config, sqlite_url, {}, lambda: now):
        pass
    write_config(config, "https://b.example/rss", alerts="[levels]\nwatch = 35.0", telegram=secret)
    monkeypatch.setenv("TOCSIN__DIGEST__TOP_STORIES", "7")
    for _ in range(2):
        async with open_app(config, sqlite_url, {}, lambda: now) as app:
            with app.database.read() as session:
                found = [(row.who, row.key, row.before, row.after) for row in session.exec(select(Change))]
                kept = session.exec(select(Memo)).one().value
    assert sorted((who, key) for who, key, *_ in found) == [
        ("edited in the file", "access"),
        ("edited in the file", "https://a.example/rss"),
        ("edited in the file", "https://b.example/rss"),
        ("edited in the file", "levels.watch"),
        ("set by the environment", "top_stories"),
    ]
    assert ("edited in the file", "levels.watch", 40, 35) in found
    assert "open-sesame-1" not in json.dumps(kept)


async def test_a_preview_shows_what_a_feed_brings_and_stores_nothing(
    server: FeedServer, sqlite_url: str, now: datetime, tmp_path: Path
) -> None:
    server.script("/a", feed(ATTACK, at=now))
    async with open_app(write_config(tmp_path / "config"), sqlite_url, {}, lambda: now) as app:
        assert [entry.title for entry in (await app.preview(server.url("/a"))).entries] == [ATTACK[0]]
        with pytest.raises(FeedError):
            await app.preview("http://192.168.0.1/rss")
        with app.database.read() as session:
            assert session.exec(select(Feed)).all() == []


async def test_a_feed_added_while_running_is_polled(
    server: FeedServer, sqlite_url: str, now: datetime, tmp_path: Path
) -> None:
    server.script("/a", feed(ATTACK, at=now))
    config = write_config(tmp_path / "config")
    async with open_app(config, sqlite_url, {}, lambda: now) as app:
        assert (await app.once()).ingested.polled == 0
        write_config(config, server.url("/a"))
        await app.reload()
        assert (await app.once()).ingested.new == 1


async def test_new_fetch_settings_wait_for_the_round_under_way(
    server: FeedServer, sqlite_url: str, now: datetime, tmp_path: Path
) -> None:
    hold = asyncio.Event()
    server.script("/a", Reply(feed(ATTACK, at=now).body, hold=hold))
    config = write_config(tmp_path / "config", server.url("/a"))
    async with open_app(config, sqlite_url, {}, lambda: now) as app:
        round_under_way = asyncio.create_task(app.fetch())
        await server.until_busy(1)
        assert await reloading(
            app, config, service='[fetch]\nallow_addresses = ["127.0.0.0/8"]\nconcurrency = 3\ncontact = "me"'
        )
        hold.set()
        assert (await round_under_way).new == 1
        write_config(config, server.url("/a"), server.url("/b"), service=(config / "service.toml").read_text())
        await app.reload()
        await app.fetch()
    assert "me" in server.seen[-1].headers["user-agent"]


async def test_a_new_day_for_the_digest_is_taken_up(sqlite_url: str, now: datetime, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config")
    async with open_app(config, sqlite_url, {Outlet.TERMINAL: Collected()}, lambda: now) as app:
        await reloading(app, config, digest='weekday = "friday"\nat = "06:30"')
        with app.database.read() as session:
            due = session.exec(select(Subscriber)).one().digest_due_at
    assert due is not None
    assert f"{due:%A %H:%M}" == "Friday 06:30"


async def test_without_telegram_the_terminal_is_the_admin_whoever_is_configured(
    sqlite_url: str, now: datetime, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "config", telegram="admins = [4242]")
    sender = Collected()
    async with open_app(config, sqlite_url, {Outlet.TERMINAL: sender}, lambda: now) as app:
        await reloading(app, config, alerts="[levels]\nwatch = 300.0")
        await app.deliver()
    assert len(sender.messages) == 1


def test_the_leases_of_a_killed_process_of_this_machine_are_free_at_once_and_no_others(
    sqlite_database: Database, now: datetime
) -> None:
    from bot import service

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = socket.gethostname()
    holders = {
        "poller:a": f"{here}:{gone.pid}:1f",
        "poller:b": f"{here}:{os.getpid()}:1f",
        "poller:c": "elsewhere:1:1f",
    }
    with sqlite_database.write() as session:
        for name, holder in holders.items():
            session.add(Lease(name=name, holder=holder, until=now + timedelta(hours=1)))
    assert service._take(sqlite_database, f"{here}:{os.getpid()}", lambda: now)
    with sqlite_database.read() as session:
        free = [lease.name for lease in session.exec(select(Lease)) if lease.until <= now]
    assert free == ["poller:a"]


async def test_a_held_database_is_renewed_and_given_up_when_it_was_taken_over(
    sqlite_database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot import service

    monkeypatch.setattr(service, "RENEW_S", 0.01)
    clock = SimulatedClock(now)
    lost = asyncio.Event()
    async with service._only_one(sqlite_database, clock, lost.set):
        clock.now += service.LEASE - timedelta(seconds=1)
        async with asyncio.timeout(20):
            while True:
                with sqlite_database.read() as session:
                    if session.get_one(Lease, service.LEASE_NAME).until > clock.now + timedelta(seconds=60):
                        break
                await asyncio.sleep(0.01)
        with sqlite_database.write() as session:
            session.get_one(Lease, service.LEASE_NAME).holder = "elsewhere:1"
        async with asyncio.timeout(20):
            await lost.wait()


# Telegram -------------------------------------------------------------------------------------------------------------


async def test_one_round_sends_an_alert_as_valid_html_and_forgets_what_is_old(
    server: FeedServer, sqlite_url: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    server.script("/a", feed(ATTACK, at=now))
    config = write_config(tmp_path / "config", server.url("/a"))
    database = open_database(sqlite_url, now)
    with database.write() as session:
        add_subscriber(session, now, chat_id=555)
        add_article(session, add_feed(session, now), now - timedelta(days=200), "Of long ago")
    database.close()
    async with FakeBotApi() as telegram:
        place = Place(config, sqlite_url, TOKEN, telegram.base_url, tmp_path)
        summary = await run_once(place, Console(file=(tmp_path / "out").open("w")))
        (call,) = await telegram.sent(1)
    assert summary.sent == 1
    assert (call.chat_id, ATTACK[0] in call.text) == (555, True)
    database = open_database(sqlite_url, now)
    with database.read() as session:  # a round for cron forgets what is old, too
        assert [article.title for article in session.exec(select(Article))] == [ATTACK[0]]
    database.close()


async def test_with_a_token_the_terminal_is_no_subscriber(sqlite_url: str, now: datetime, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config")
    async with open_app(config, sqlite_url, {Outlet.TERMINAL: Collected()}, lambda: now):
        pass
    async with open_app(config, sqlite_url, {Outlet.TELEGRAM: Collected()}, lambda: now) as app:
        with app.database.read() as session:
            assert session.exec(select(Subscriber)).one().state == "stopped"


# A real process -------------------------------------------------------------------------------------------------------


async def start(config: Path, url: str, *command: str, **environment: str) -> asyncio.subprocess.Process:
    names = {key: value for key, value in os.environ.items() if not key.startswith("TOCSIN")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *(command or ("run",)), "--config", str(config), "--database", url),
        cwd=ROOT,
        env=names | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def until(reached: Callable[[], bool], process: asyncio.subprocess.Process) -> None:
    """Look again and again, as long as the process lives, for at most a minute."""
    async with asyncio.timeout(60):
        while not reached():
            assert process.returncode is None, (await process.communicate())[0].decode()
            await asyncio.sleep(0.05)


def count(path: Path, query: str) -> int:
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError:  # no table yet
        return 0


SENT = "SELECT count(*) FROM delivery WHERE state = 'sent'"


async def test_the_service_runs_rings_and_stops_within_seconds_of_ctrl_c(server: FeedServer, tmp_path: Path) -> None:
    server.script("/a", feed(ATTACK, at=datetime.now(UTC)))
    config = write_config(tmp_path / "config", server.url("/a"))
    database = tmp_path / "tocsin.db"
    process = await start(config, f"sqlite:///{database}")
    await until(lambda: count(database, SENT) == 1, process)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(15):
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert "No Telegram token" in output
    assert ATTACK[0] in output
    assert "Traceback" not in output
    assert count(database, "SELECT count(*) FROM lease") == 0


async def test_a_second_service_on_one_database_is_refused(server: FeedServer, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config")
    database = tmp_path / "tocsin.db"
    first = await start(config, f"sqlite:///{database}")
    await until(lambda: count(database, "SELECT count(*) FROM lease") == 1, first)
    second = await start(config, f"sqlite:///{database}", "once")
    output = (await second.communicate())[0].decode()
    first.terminate()
    await first.communicate()
    assert second.returncode == 1
    assert "another Tocsin runs" in output


async def test_after_a_sigkill_the_next_start_goes_on_at_once_and_the_chat_reads_each_alert_once(
    server: FeedServer, tmp_path: Path
) -> None:
    """Killed while Telegram does not answer: the alert is uncertain, comes due when the lease ends, and arrives."""
    now = datetime.now(UTC)
    server.script("/a", feed(ATTACK, at=now))
    config = write_config(tmp_path / "config", server.url("/a"))
    path = tmp_path / "tocsin.db"
    url = f"sqlite:///{path}"
    database = open_database(url, now)
    with database.write() as session:
        add_subscriber(session, now, chat_id=555)
    async with FakeBotApi() as telegram:
        environment = {"TOCSIN_TELEGRAM_TOKEN": TOKEN, "TOCSIN_TELEGRAM_BASE_URL": telegram.base_url}
        killed = await start(config, url, **environment)
        await until(lambda: count(path, "SELECT count(*) FROM alert") == 1, killed)
        killed.kill()
        await killed.communicate()
        with database.write() as session:  # five minutes pass
            for row in session.exec(select(Delivery)):
                row.send_after = now
        next_start = await start(config, url, "once", **environment)
        output = (await next_start.communicate())[0].decode()
        calls = telegram.calls_of("sendMessage")
    database.close()
    assert next_start.returncode == 0, output
    assert count(path, "SELECT count(*) FROM alert") == 1
    assert count(path, SENT) == 1
    assert 1 <= len(calls) <= 2
    assert {call.chat_id for call in calls} == {555}


async def test_after_a_sigkill_telegram_sends_the_command_again_by_webhook_and_it_is_answered_once(
    tmp_path: Path,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    webhook = f'admins = [5]\n[webhook]\nurl = "https://bot.example.org/telegram"\nlisten_port = {port}\n'
    config, url = write_config(tmp_path / "config", telegram=webhook), f"sqlite:///{tmp_path}/tocsin.db"
    async with FakeBotApi() as telegram:
        telegram.webhook.proxy = f"http://127.0.0.1:{port}"
        telegram.fail(hanging(), "sendMessage")
        environment = {"TOCSIN_TELEGRAM_TOKEN": TOKEN, "TOCSIN_TELEGRAM_BASE_URL": telegram.base_url}
        killed = await start(config, url, **environment)
        await telegram.push(updates.private("/help", 42))
        await telegram.called("sendMessage")
        killed.kill()
        await killed.communicate()
        assert 200 not in dict(telegram.webhook.answers).values()
        telegram.heal()
        next_start = await start(config, url, **environment)
        await telegram.sent(1)
        await telegram.until(lambda: telegram.webhook.answers[-1][1] == 200)
        next_start.terminate()
        output = (await next_start.communicate())[0].decode()
    assert next_start.returncode == 0, output
    assert [message.chat_id for message in telegram.messages] == [42]
    assert telegram.webhook.secret not in output


async def test_once_on_no_network_says_what_failed_and_exits_well(server: FeedServer, tmp_path: Path) -> None:
    server.script("/a", Reply(status=500))
    config = write_config(tmp_path / "config", server.url("/a"))
    process = await start(config, f"sqlite:///{tmp_path / 'tocsin.db'}", "once")
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert "feeds list" in output


def test_scores_come_out_as_json_lines(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from bot.cli import app

    done = CliRunner().invoke(app, ["score"], input=json.dumps({"id": "x", "title": ATTACK[0]}) + "\n")
    result = json.loads(done.stdout)
    assert result["id"] == "x"
    assert result["escalation"] >= 60
