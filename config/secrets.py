"""Secrets and addresses of the surroundings, from the environment only: never from TOML, never logged, never stored.

`NAME_FILE` names a file that holds the value (as container secrets do) and loses against `NAME` itself.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from config.errors import ConfigError

TELEGRAM_TOKEN = "TOCSIN_TELEGRAM_TOKEN"  # noqa: S105 - the variable's name, not its value
TELEGRAM_WEBHOOK_SECRET = "TOCSIN_TELEGRAM_WEBHOOK_SECRET"  # noqa: S105 - as above
TELEGRAM_BASE_URL = "TOCSIN_TELEGRAM_BASE_URL"
DATABASE_URL = "TOCSIN_DATABASE_URL"
CONFIG_FOLDER = "TOCSIN_CONFIG"
MODELS_FOLDER = "TOCSIN_MODELS"
DEFAULT_DATABASE_URL = "sqlite:///var/tocsin.db"
DEFAULT_MODELS_FOLDER = "var/models"


def read_secret(name: str, environment: Mapping[str, str] | None = None) -> str | None:
    """The value of `name`, or the stripped content of the file that `name`_FILE points to, or None when neither is set.

    Raises ConfigError when the file cannot be read.
    """
    environment = os.environ if environment is None else environment
    if value := environment.get(name, "").strip():
        return value
    path = environment.get(f"{name}_FILE", "").strip()
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"environment: {name}_FILE={path}: cannot be read: {error}") from error


def read_webhook_secret(environment: Mapping[str, str] | None = None) -> str | None:
    """What setWebhook calls `secret_token`, https://core.telegram.org/bots/api#setwebhook; None when it is not set.

    Raises ConfigError, which does not repeat the value, when Telegram would refuse it or it is so short that it can be
    guessed.
    """
    secret = read_secret(TELEGRAM_WEBHOOK_SECRET, environment)
    if secret is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", secret):
        raise ConfigError(
            f"environment: {TELEGRAM_WEBHOOK_SECRET}: must be 16 to 256 letters, digits, _ and -, got "
            f"{len(secret)} characters; without it one is made at each start"
        )
    return secret
