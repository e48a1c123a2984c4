"""Settings files say what they mean, and every mistake is named with its file, key, value and what is allowed."""

from datetime import time
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.load import fingerprint, load_settings, read_overrides
from config.schema import Settings
from config.secrets import read_secret, read_webhook_secret


def load(folder: Path, environment: dict[str, str] | None = None, **files: str) -> Settings:
    """Settings from files of the given texts, without this process's environment."""
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return load_settings(folder, environment or {})


def refusal(folder: Path, environment: dict[str, str] | None = None, **files: str) -> str:
    """What loading says, with the folder called "config" as an admin would see it."""
    with pytest.raises(ConfigError) as caught:
        load(folder, environment, **files)
    return str(caught.value).replace(str(folder), "config")


def test_an_empty_folder_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()


@pytest.mark.parametrize("start", ["\ufeff", "# comment\r\n"], ids=["byte order mark", "windows line ends"])
def test_a_file_saved_on_windows_is_read(tmp_path: Path, start: str) -> None:
    assert load(tmp_path, digest=f'{start}weekday = "friday"\r\n').digest.weekday == "friday"


# Mistakes -------------------------------------------------------------------------------------------------------------

FEED = '[[feeds]]\nurl = "https://example.org/a"\n'


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("alerts", "[levels]\nwacth = 40", "config/alerts.toml: levels.wacth: unknown key; remove it or check"),
        ("alerts", "[lovels]\nwatch = 40", "config/alerts.toml: lovels: unknown key"),
        ("alerts", '[levels]\nwatch = "40"', "config/alerts.toml: levels.watch: must be a valid number, got '40'"),
        ("alerts", "levels = 3", "config/alerts.toml: levels: must be an object, got 3"),
        ("service", "[fetch]\nconcurrency = 2.5", "config/service.toml: fetch.concurrency: must be a valid integer"),
        ("service", "[fetch]\nconcurrency = true", "config/service.toml: fetch.concurrency: must be a valid integer"),
        (
            "alerts",
            "[levels]\nwatch = 400",
            "config/alerts.toml: levels.watch: must be less than or equal to 100, got 400",
        ),
        ("alerts", "[levels]\nwatch = nan", "config/alerts.toml: levels.watch: must be "),
        (
            "alerts",
            "[levels]\nwarning = 95",
            "config/alerts.toml: levels.warning: must be between watch (40) and critical (80), got 95",
        ),
        (
            "alerts",
            "[deescalation]\nwatch = 70",
            "config/alerts.toml: deescalation.warning: must be between watch (70) and critical (80), got 55",
        ),
        (
            "alerts",
            "[levels]\nwatch = 10\nleave_below = 10",
            "config/alerts.toml: levels.leave_below: must be less than watch (10), got 10",
        ),
        ("alerts", '[telling]\ndefault_level = "loud"', "telling.default_level: must be 'watch', 'warning' or 'critic"),
        (
            "service",
            "[fetch]\ninterval_minutes = 400",
            "fetch.interval_minutes: must be between min_interval_minutes (5) and max_interval_minutes (120), got 400",
        ),
        (
            "service",
            '[fetch]\nallow_addresses = ["10.0.0.0/33"]',
            'config/service.toml: fetch.allow_addresses.1: must be an address range such as "10.0.0.0/8", got \'10.0.',
        ),
        (
            "digest",
            'timezone = "Mars/Base"',
            'config/digest.toml: timezone: must be an IANA time zone such as "UTC" or "Europe/Kyiv", got \'Mars/Base\'',
        ),
        ("digest", f'timezone = "{"a" * 3000}"', "config/digest.toml: timezone: must be an IANA time zone"),
        ("digest", 'at = "25:00"', "config/digest.toml: at: "),
        ("digest", 'at = "08:00+02:00"', 'config/digest.toml: at: must be a local time such as "08:00"'),
        ("digest", "at = 2026-03-12", "config/digest.toml: at: "),
        ("digest", 'weekday = "Monday"', "config/digest.toml: weekday: must be 'monday', 'tuesday'"),
        ("telegram", "admins = [0]", "config/telegram.toml: admins.1: must be greater than or equal to 1, got 0"),
        ("telegram", "admins = [99999999999999999999]", "config/telegram.toml: admins.1: must be less than"),
        (
            "telegram",
            'access = "invite"\ninvite_code = "abc"',
            'config/telegram.toml: invite_code: must have 8 to 64 characters when access is "invite", got 3',
        ),
        (
            "telegram",
            "[rate]\nper_second = 200.0",
            "config/telegram.toml: rate.per_second: must be at most 30, which is all that Telegram accepts",
        ),
        (
            "telegram",
            '[rate]\norder = ["alert", "reply", "alert", "digest", "broadcast"]',
            "config/telegram.toml: rate.order: must name each of reply, alert, notice, digest, broadcast, update once",
        ),
        ("telegram", '[rate]\norder = ["alarm"]', "config/telegram.toml: rate.order.1: must be 'reply', 'alert'"),
        ("telegram", 'invite_code = "no spaces"', "config/telegram.toml: invite_code: string should match pattern"),
        (
            "feeds",
            FEED + 'family = "nobody"',
            'config/feeds.toml: feeds: https://example.org/a names family "nobody", which has no [families.',
        ),
        ("feeds", FEED + FEED, "config/feeds.toml: feeds: https://example.org/a is listed twice; remove one"),
        ("feeds", '[[feeds]]\nurl = "ftp://example.org/a"', 'feeds.1.url: must be a web address such as "https://exam'),
        ("feeds", '[[feeds]]\ntitle = "no address"', "config/feeds.toml: feeds.1.url: field required, got {'title': "),
        ("actors", '[[actors]]\ncode = "m23"\nname = "x y"', "config/actors.toml: actors.1.code: string should match"),
        ("digest", "weekday = monday", "config/digest.toml: is not valid TOML: Invalid value (at line 1, column 11)"),
        ("digest", "top_stories = 1\ntop_stories = 2", "config/digest.toml: is not valid TOML: Cannot overwrite"),
        ("digest", f"top_stories = {'9' * 5000}", "config/digest.toml: is not valid TOML: "),
        ("digest", f"top_stories = 0x{'f' * 5000}", "config/digest.toml: holds a value that is too long or too deep"),
        ("digest", f"top_stories = {'[' * 3000}{']' * 3000}", "config/digest.toml: "),
    ],
    ids=[
        "unknown key",
        "unknown table",
        "text for a number",
        "number for a table",
        "fraction for a count",
        "truth for a count",
        "out of range",
        "not a number",
        "levels out of order",
        "easing levels out of order",
        "left only at zero",
        "unknown level",
        "pace outside its bounds",
        "bad network",
        "bad zone",
        "endless zone",
        "bad time",
        "time with offset",
        "date for a time",
        "capital weekday",
        "impossible admin",
        "oversize admin",
        "short invite code",
        "faster than free",
        "a kind twice",
        "unknown kind",
        "invite code with spaces",
        "family missing",
        "duplicate feed",
        "feed by ftp",
        "feed without address",
        "lower-case actor",
        "bad TOML",
        "key twice",
        "endless number",
        "endless hexadecimal",
        "bottomless list",
    ],
)
def test_a_mistake_is_named_with_file_key_value_and_what_is_allowed(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    message = refusal(tmp_path, None, **{name: text})
    assert said in message
    assert message.startswith(f"config/{name}.toml: ")
    assert "\n" not in message
    assert len(message) < 500


def test_all_mistakes_of_all_files_and_the_environment_are_listed_at_once(tmp_path: Path) -> None:
    said = refusal(
        tmp_path,
        {"TOCSIN__ALARMS__X": "1"},
        alerts="[levels]\nwatch = 0\n[telling]\ndaily_budget = 0\nvolume = 11",
        digest='timezone = "Nowhere"',
        feeds="[[feeds]",
    )
    starts = [line.split(": ")[:2] for line in said.splitlines()]
    assert starts == [
        ["environment", "TOCSIN__ALARMS__X"],
        ["config/alerts.toml", "levels.watch"],
        ["config/alerts.toml", "telling.daily_budget"],
        ["config/alerts.toml", "telling.volume"],
        ["config/digest.toml", "timezone"],
        ["config/feeds.toml", "is not valid TOML"],
    ]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere: no such folder; .* --config DIR"):
        load_settings(tmp_path / "nowhere", {})


@pytest.mark.parametrize("kind", ["a folder", "not text"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, kind: str) -> None:
    if kind == "a folder":
        (tmp_path / "digest.toml").mkdir()
    else:
        (tmp_path / "digest.toml").write_bytes(b'weekday = "\xff"')
    assert refusal(tmp_path).startswith("config/digest.toml: cannot be read: ")
    assert fingerprint(tmp_path) != fingerprint(tmp_path.parent)


def test_the_fingerprint_changes_with_every_save_and_only_then(tmp_path: Path) -> None:
    seen = [fingerprint(tmp_path)]
    for text in ("", "top_stories = 4", "top_stories = 5"):
        (tmp_path / "digest.toml").write_text(text, encoding="utf-8")
        (tmp_path / "notes.txt").write_text(text, encoding="utf-8")
        seen += [fingerprint(tmp_path)] * (fingerprint(tmp_path) == fingerprint(tmp_path))
    assert len(set(seen)) == 4


# Environment ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "key", "expected"),
    [
        ("ALERTS__LEVELS__WATCH", "45", "alerts.levels.watch", 45.0),
        ("ALERTS__LEVELS", "{watch = 45}", "alerts.levels.watch", 45.0),
        ("DIGEST__WEEKDAY", "friday", "digest.weekday", "friday"),
        ("DIGEST__WEEKDAY", '"friday"', "digest.weekday", "friday"),
        ("DIGEST__AT", "07:30", "digest.at", time(7, 30)),
        ("DIGEST__AT", "07:30:00", "digest.at", time(7, 30)),
        ("DIGEST__TIMEZONE", "Europe/Kyiv", "digest.timezone", "Europe/Kyiv"),
        ("TELEGRAM__ADMINS", "[7, 8]", "telegram.admins", (7, 8)),
        ("SERVICE__FETCH__CONTACT", "two\nlines = 1", "service.fetch.contact", "two\nlines = 1"),
    ],
    ids=["number", "table", "bare word", "quoted", "time as text", "TOML time", "slash", "list", "lines"],
)
def test_the_environment_overrides_a_file(
    tmp_path: Path, variable: str, value: str, key: str, expected: object
) -> None:
    found: object = load(
        tmp_path,
        {f"TOCSIN__{variable}": value, "HOME": "/", "TOCSIN_DATABASE_URL": "x"},
        alerts="[levels]\nwatch = 30\nwarning = 61",
        digest='weekday = "sunday"',
    )
    for part in key.split("."):
        found = getattr(found, part)
    assert found == expected


def test_an_override_leaves_the_rest_of_the_table(tmp_path: Path) -> None:
    levels = load(tmp_path, {"TOCSIN__ALERTS__LEVELS__WATCH": "45"}, alerts="[levels]\nwarning = 61").alerts.levels
    assert (levels.watch, levels.warning, levels.critical) == (45, 61, 80)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TOCSIN__ALARMS__X": "1"}, "environment: TOCSIN__ALARMS__X: no such setting; the form is TOCSIN__FILE__"),
        ({"TOCSIN__ALERTS": "1"}, "environment: TOCSIN__ALERTS: no such setting"),
        ({"TOCSIN__": "1"}, "environment: TOCSIN__: no such setting"),
        ({"TOCSIN__ALERTS____WATCH": "1"}, "environment: TOCSIN__ALERTS____WATCH: no such setting"),
        ({"TOCSIN__ALERTS__LEVELS__WATCH": "many"}, "levels.watch: must be a valid number, got 'many'"),
        ({"TOCSIN__ALERTS__LEVELS__WACTH": "4"}, "levels.wacth: unknown key"),
        ({"TOCSIN__ALERTS__LEVELS__WATCH": "9" * 5000}, "levels.watch: must be a valid number"),
        ({"TOCSIN__DIGEST__WEEKDAY__X": "1"}, "environment: TOCSIN__DIGEST__WEEKDAY: weekday is a value, not a table"),
        (
            {"TOCSIN__ALERTS__LEVELS": "3", "TOCSIN__ALERTS__LEVELS__WATCH": "4"},
            "environment: TOCSIN__ALERTS__LEVELS__WATCH: levels is set as a value by another variable",
        ),
    ],
    ids=[
        "unknown file",
        "no key",
        "nothing",
        "empty part",
        "wrong type",
        "unknown key",
        "endless",
        "below a value",
        "two that clash",
    ],
)
def test_a_bad_override_is_named(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    assert said in refusal(tmp_path, environment, digest='weekday = "sunday"')


def test_overrides_are_read_by_file_and_key() -> None:
    assert read_overrides({"TOCSIN__ALERTS__LEVELS__WATCH": "45"}) == {"alerts": {"levels": {"watch": 45}}}


# Secrets --------------------------------------------------------------------------------------------------------------


def test_a_secret_comes_from_the_environment_or_from_the_file_it_names(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" 1:abc\n", encoding="utf-8")
    named = {"T_FILE": str(tmp_path / "token")}
    assert read_secret("T", {}) is None
    assert read_secret("T", {"T": " 2:xyz "}) == "2:xyz"
    assert read_secret("T", named) == "1:abc"
    assert read_secret("T", named | {"T": "2:xyz"}) == "2:xyz"
    assert read_secret("T", named | {"T": "  "}) == "1:abc"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "not text"])
def test_a_secret_file_that_cannot_be_read_is_named_without_its_content(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match=r"environment: T_FILE=.*token: cannot be read"):
        read_secret("T", {"T_FILE": str(tmp_path / "token")})


def test_an_empty_secret_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n", encoding="utf-8")
    assert read_secret("T", {"T_FILE": str(tmp_path / "token")}) is None


# The webhook ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["https://bot.example.org", "https://bot.example.org:8443/a/b_c.d~e-f", "https://192.0.2.7:88/", ""]
)
def test_an_address_that_telegram_can_call_is_taken(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, telegram=f'[webhook]\nurl = "{url}"').telegram.webhook.url == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://bot.example.org/x", "with https"),
        ("https://bot.example.org:8080/x", "on port 443, 80, 88, 8443, the only ones that Telegram calls"),
        ("bot.example.org", "and this is none"),
        ("https://user:word@bot.example.org/x", "with a host and a path only"),
        ("https://bot.example.org/x?key=word", "with a host and a path only"),
        ("https://bot.example.org/123456:word", "the bot's token does not belong into it"),
        ("https://bot.example.org/123456%3Aword", "the bot's token does not belong into it"),
        ("https://bot.example.org/{word}", "letters, digits and / _ . ~ - only"),
    ],
    ids=["http", "port", "no address", "password", "query", "token", "hidden token", "pattern"],
)
def test_an_address_that_telegram_cannot_call_or_that_tells_too_much_is_refused_and_not_repeated(
    tmp_path: Path, url: str, said: str
) -> None:
    message = refusal(tmp_path, telegram=f'[webhook]\nurl = "{url}"')
    assert message.startswith("config/telegram.toml: webhook.url: must be an address such as ")
    assert said in message
    assert "word" not in message


def test_a_webhook_listens_on_an_address_of_this_machine(tmp_path: Path) -> None:
    message = refusal(tmp_path, telegram='[webhook]\nlisten_host = "bot.example.org"\nlisten_port = 0')
    assert 'webhook.listen_host: must be an address of this machine such as "127.0.0.1"' in message.replace("value", "")
    assert "webhook.listen_port: must be greater than or equal to 1, got 0" in message


@pytest.mark.parametrize("secret", ["a" * 16, "Aa0_-" * 51 + "x"], ids=["16", "256"])
def test_a_webhook_secret_that_telegram_takes_is_taken(tmp_path: Path, secret: str) -> None:
    (tmp_path / "secret").write_text(f"{secret}\n", encoding="utf-8")
    assert read_webhook_secret({"TOCSIN_TELEGRAM_WEBHOOK_SECRET": secret}) == secret
    assert read_webhook_secret({"TOCSIN_TELEGRAM_WEBHOOK_SECRET_FILE": str(tmp_path / "secret")}) == secret
    assert read_webhook_secret({}) is None


@pytest.mark.parametrize(
    "secret",
    ["a" * 15, "a" * 257, "with a blank in it", "s\u00fc\u00df-and-long-enough", "two-lines-of-it\nlong-enough"],
    ids=["short", "long", "blank", "letters", "lines"],
)
def test_a_webhook_secret_that_telegram_refuses_or_anybody_guesses_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ConfigError, match="TOCSIN_TELEGRAM_WEBHOOK_SECRET: must be 16 to 256 letters") as caught:
        read_webhook_secret({"TOCSIN_TELEGRAM_WEBHOOK_SECRET": secret})
    assert secret not in str(caught.value)
