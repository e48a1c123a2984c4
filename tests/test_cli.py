"""The commands as people type them: what each says, writes and exits with, also when something is wrong."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fake_updates as updates
import pytest
from fake_bot_api import TOKEN, FakeBotApi

from bot import cli
from bot.app import utc_now
from models import Lease
from models.database import open_database
from tests.command_line import Bot, Done, command_line, one_line, write
from tests.full_database import everything, fill

ROOT = Path(__file__).parent.parent
COMMANDS = [
    *("run", "once", "demo", "check", "health", "send-test", "digest"),
    *(
        "score",
        "train",
        "evaluate",
        "reread",
        "replay",
        "backtest",
        "tune",
        "index",
        "why",
        "missed",
        "backup",
        "restore",
    ),
]
MODEL_COMMANDS = ["list", "promote", "rollback"]
FEED_COMMANDS = ["list", "add", "pause", "resume", "remove", "import", "export", "test"]
GROUPS = {"feeds": FEED_COMMANDS, "models": MODEL_COMMANDS}
HELP = [*((name,) for name in COMMANDS), *((group, name) for group, names in GROUPS.items() for name in names)]
A, B = "https://a.example/rss", "https://b.example/rss"


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bot:
    return command_line(tmp_path, monkeypatch, capsys)


# Help and errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", HELP, ids=" ".join)
def test_every_command_explains_itself_with_an_example_and_takes_config_and_database(
    bot: Bot, command: tuple[str, ...]
) -> None:
    done = bot(*command, "--help")
    assert done.code == 0
    example = f"Example: python -m bot {' '.join(command)}"
    assert example in done.words or f"| python -m bot {' '.join(command)}" in done.words
    assert "--config" in done.out
    assert "--database" in done.out


def test_no_command_is_missing_from_these_tests() -> None:
    names = {found.name or getattr(found.callback, "__name__", "") for found in cli.app.registered_commands}
    assert names == set(COMMANDS)


def test_without_a_command_all_are_listed(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    found = subprocess.run([sys.executable, "-m", "bot"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert all(name in found.stdout + found.stderr for name in [*COMMANDS, "feeds", "models"])


@pytest.mark.parametrize(
    ("args", "options", "said"),
    [
        (
            ("feeds", "list"),
            {"config": "nowhere"},
            "error: nowhere: no such folder; name the folder of your TOML files with",
        ),
        (("digest",), {"database": "mysql://me:s3cret@x/y"}, "error: database mysql: not supported"),
        (("feeds", "list"), {"database": "me:s3cret@x"}, "error: database: not an address; write sqlite:///PATH or"),
        (("backup", "x.db"), {"database": "sqlite:///config"}, "error: database sqlite:///config: unable to open"),
        (("restore", "x.db"), {}, "error: restore x.db: no such file"),
        (("score", "nothing.jsonl"), {}, "error: score nothing.jsonl: cannot be read: No such file or directory"),
        (("send-test", "5"), {}, "error: send-test: no Telegram token; set TOCSIN_TELEGRAM_TOKEN"),
        (("feeds", "add", "ftp://a.example/"), {}, "error: feeds: 'ftp://a.example/' is not a web address; it must"),
        (("feeds", "add", A, "--family", "x"), {}, f'feeds: {A} names family "x", which has no [families.x] table'),
        (("feeds", "add", A, "--family", "x" * 61), {}, "error: feeds: family: String should have at most 60"),
        (("feeds", "add", A, "--title", "\udcff"), {}, "error: feeds: title: "),
        (("feeds", "remove", A), {}, f"feeds.toml: no feed has the address {A}; `feeds list` shows those there are"),
        (("feeds", "import", "nothing.opml"), {}, "error: feeds import nothing.opml: cannot be read: No such file"),
        (("feeds", "export", "no/where.opml"), {}, "error: feeds export no/where.opml: cannot be written: No such"),
    ],
    ids=[
        "no config",
        "mysql",
        "no address",
        "a folder as database",
        "no backup",
        "no articles",
        "no token",
        "ftp feed",
        "unknown family",
        "endless family",
        "title that is no text",
        "unknown feed",
        "no opml",
        "nowhere to export",
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_1(
    bot: Bot, args: tuple[str, ...], options: dict[str, str], said: str
) -> None:
    line = one_line(bot(*args, **options))
    assert said in line
    assert "s3cret" not in line


def test_a_mistake_shows_no_traceback_from_outside(tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_text("[levels]\nwarning = 95\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "bot",
        "once",
        "--config",
        str(tmp_path),
        "--database",
        f"sqlite:///{tmp_path}/x.db",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert said == [
        f"error: {tmp_path}/alerts.toml: levels.warning: must be between watch (40) and critical (80), got 95"
    ]


def test_options_default_to_the_environment(bot: Bot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "address").write_text(f"sqlite:///{tmp_path}/named.db\n", encoding="utf-8")
    monkeypatch.setenv("TOCSIN_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("TOCSIN_DATABASE_URL_FILE", str(tmp_path / "address"))
    write("feeds", f'[[feeds]]\nurl = "{A}"\n')
    monkeypatch.setattr(sys, "argv", ["bot", "feeds", "list"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    assert (tmp_path / "named.db").is_file()


# score ----------------------------------------------------------------------------------------------------------------

STABLE = [
    *("id", "escalation", "deescalation", "direction", "severity", "status", "signals", "evidence"),
    *("actors", "claims", "contested", "language"),
]
GOOD = {"id": "a", "title": "Army masses tanks at the border as minister warns of invasion"}
FULL = {"title": "Truce holds", "summary": "s", "text": "t", "published": "2026-03-12T09:30:00Z", "source": "x.example"}


def lines(*records: object) -> bytes:
    return "\n".join(record if isinstance(record, str) else json.dumps(record) for record in records).encode()


def test_good_lines_give_one_object_each_with_the_stable_keys(bot: Bot) -> None:
    done = bot("score", stdin=lines(GOOD, "", FULL))
    assert (done.code, done.err) == (0, "")
    results = [json.loads(line) for line in done.out.splitlines()]
    assert [result["id"] for result in results] == ["a", "3"]
    for result in results:
        assert set(STABLE) <= set(result)
        assert len(result["direction"]) == 3
        assert sum(result["direction"].values()) == pytest.approx(1, abs=0.01)
        assert 0 <= result["escalation"] <= 100
        assert 0 <= result["deescalation"] <= 100
        assert all(0 <= probability <= 1 for probability in result["signals"].values())
    assert results[0]["escalation"] > results[0]["deescalation"]


def test_a_file_is_read_like_standard_input(bot: Bot) -> None:
    Path("in.jsonl").write_bytes(lines(GOOD))
    assert bot("score", "in.jsonl").out == bot("score", stdin=lines(GOOD)).out


BAD = {
    "{": "not JSON",
    "[1]": "expected an object, got list",
    '{"id": "x"}': "title is missing or empty",
    '{"title": "  "}': "title is missing or empty",
    '{"title": 3}': "title must be a string, got int",
    '{"title": "x", "text": ["y"]}': "text must be a string, got list",
    '{"title": "x", "published": "soon"}': "published must be an ISO 8601 time",
    '{"title": "x", "published": 3}': "published must be an ISO 8601 time",
    "[" * 5000: "",
}


def test_bad_lines_are_named_by_number_skipped_and_change_the_exit_code(bot: Bot) -> None:
    done = bot("score", stdin=lines(GOOD, *BAD, GOOD))
    assert done.code == 3
    said = done.err.splitlines()
    for number, (line, reason) in enumerate(zip(said, BAD.values(), strict=True), 2):
        assert line.startswith(f"line {number}: skipped: {reason}")
    assert len(done.out.splitlines()) == 2


def test_nothing_in_gives_nothing_out(bot: Bot) -> None:
    assert bot("score", stdin=b"") == Done(0, "", "")


def test_bytes_that_are_no_text_and_half_characters_stop_nothing(bot: Bot) -> None:
    done = bot("score", stdin=b'\xff\xfe\n{"id": "\\ud800", "title": "Tanks \xff cross the border \\ud83d"}\n')
    assert done.code == 3
    assert json.loads(done.out)["id"] == "\ud800"


# check, health --------------------------------------------------------------------------------------------------------


def test_check_is_content_with_a_good_place_and_says_what_is_optional(bot: Bot) -> None:
    write("feeds", f'[[feeds]]\nurl = "{A}"\n')
    done = bot("check")
    assert done.code == 0
    for said in ("ok config config: 1 feeds", "ok database sqlite:///tocsin.db", "ok model", "ok feeds 1 configured"):
        assert said in done.words
    assert "no token: alerts go to the terminal → set TOCSIN_TELEGRAM_TOKEN" in done.words


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda: write("alerts", "[levels]\nwarning = 95"), "must be between watch (40) and critical (80), got 95"),
        (lambda: write("alerts", "[levels]\nwarning = 95"), "→ mend the lines named; the comments give the ranges"),
        (
            lambda: Path("tocsin.db").write_bytes(b"no database" * 99),
            "failed database database sqlite:///tocsin.db: fil",
        ),
        (lambda: Path("tocsin.db").write_bytes(b"no database" * 99), "→ see docs/operations.md"),
    ],
    ids=["config", "config advice", "database", "database advice"],
)
def test_check_says_what_to_do_about_a_problem_and_fails(bot: Bot, spoil: Callable[[], object], said: str) -> None:
    spoil()
    done = bot("check")
    assert done.code == 1
    assert said in done.words


WEBHOOK = 'admins = [5]\n[webhook]\nurl = "https://bot.example.org/telegram"\n'


@pytest.mark.parametrize(
    ("set_to", "failing", "said"),
    [
        ("", False, "127.0.0.1:8080, secret token made at each start; not set at Telegram → a running Tocsin sets it"),
        ("https://bot.example.org/telegram", False, "ok webhook https://bot.example.org/telegram, heard on 127.0.0.1"),
        ("https://bot.example.org/telegram", True, "updates that wait: 1; Telegram met: Wrong response from the webh"),
    ],
    ids=["not set", "set", "failing"],
)
async def test_check_says_how_the_webhook_does(
    bot: Bot, monkeypatch: pytest.MonkeyPatch, set_to: str, failing: bool, said: str
) -> None:
    write("telegram", WEBHOOK)
    monkeypatch.setenv("TOCSIN_TELEGRAM_TOKEN", TOKEN)
    async with FakeBotApi() as fake:
        monkeypatch.setenv("TOCSIN_TELEGRAM_BASE_URL", fake.base_url)
        fake.webhook.proxy = f"http://127.0.0.1:{fake.port}"  # answers 404
        if set_to:
            await fake.webhook.set({"url": set_to, "allowed_updates": {"message"}})
        if failing:
            await fake.push(updates.private("/help", 42))
            await fake.until(lambda: bool(fake.webhook.answers))
        done = await asyncio.to_thread(bot, "check")
    assert done.code == 0
    assert said in done.words


def test_check_refuses_a_webhook_secret_that_can_be_guessed(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    write("telegram", WEBHOOK)
    monkeypatch.setenv("TOCSIN_TELEGRAM_WEBHOOK_SECRET", "guess-me")
    done = bot("check")
    assert done.code == 1
    assert "failed webhook environment: TOCSIN_TELEGRAM_WEBHOOK_SECRET: must be 16 to 256 letters" in done.words
    assert "guess-me" not in done.words


def test_check_survives_a_strange_terminal(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "wide")
    write("alerts", "nonsense")
    assert "failed config" in bot("check").words


def test_health_is_good_only_while_a_service_says_so(bot: Bot) -> None:
    done = bot("health")
    assert (done.code, done.words) == (1, "No Tocsin runs on this database; start it with ./run.sh")
    for until, code in ((timedelta(seconds=60), 0), (timedelta(seconds=-1), 1)):
        opened = open_database("sqlite:///tocsin.db", utc_now())
        with opened.write() as session:
            session.merge(Lease(name="service", holder="host:7", until=utc_now() + until))
        opened.close()
        done = bot("health")
        assert done.code == code
        assert ("Alive: host:7" in done.out) == (code == 0)


# backup, restore, send-test, digest -----------------------------------------------------------------------------------


def test_a_backup_is_brought_back_and_never_over_data_unasked(bot: Bot, now: datetime) -> None:
    opened = open_database("sqlite:///tocsin.db", now)
    fill(opened, now)
    before = everything(opened)
    opened.close()
    assert (
        "rows saved in saved.db. To bring them back: python -m bot restore saved.db" in bot("backup", "saved.db").words
    )
    assert "there is a file already" in one_line(bot("backup", "saved.db"))
    done = bot("restore", "saved.db", database="sqlite:///second.db")
    assert (done.code, "rows restored into sqlite:///second.db. Start Tocsin" in done.words) == (0, True)
    assert "add --replace to lose it" in one_line(bot("restore", "saved.db", database="sqlite:///second.db"))
    assert bot("restore", "saved.db", "--replace", database="sqlite:///second.db").code == 0
    second = open_database("sqlite:///second.db", now)
    assert everything(second) == before
    second.close()


def test_a_backup_without_a_name_is_dated(bot: Bot) -> None:
    assert bot("backup").code == 0
    (saved,) = Path("var/backups").iterdir()
    assert saved.name.startswith(f"tocsin-{datetime.now(UTC):%Y%m%d}")


def test_send_test_0_prints_a_panel(bot: Bot) -> None:
    done = bot("send-test", "0")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("╭─ Tocsin: test ")
    assert "This is a test message." in done.words


def test_the_digest_of_an_empty_database_says_so_and_draws_its_chart(bot: Bot) -> None:
    done = bot("digest", "--until", "2026-03-16", "--chart", "charts")
    assert done.code == 0
    assert "Weekly digest" in done.words
    assert "0 articles read, 0 stories followed" in done.words
    (chart,) = Path("charts").iterdir()
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert str(chart) in done.words
