"""A folder of TOML files and the environment in, `Settings` out, or a `ConfigError` that lists every mistake.

Environment overrides: TOCSIN__<FILE>__<TABLE>__<KEY>=<TOML value>, for example TOCSIN__ALERTS__LEVELS__WATCH=45. A bare
word that is not TOML is taken as a string.
"""

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.errors import ConfigError
from config.schema import Settings, Table

DEFAULT_FOLDER = Path(__file__).resolve().parent
FILES = tuple(Settings.model_fields)
OVERRIDE_PREFIX = "TOCSIN__"


def load_settings(folder: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of `folder`; files that are absent keep their defaults.

    Raises ConfigError naming file, key, value and what is allowed, one line per mistake, over all files at once.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; name the folder of your TOML files with --config DIR")
    problems: list[str] = []
    overrides: dict[str, dict[str, Any]] = {}
    try:
        overrides = read_overrides(os.environ if environment is None else environment)
    except ConfigError as error:
        problems.append(str(error))
    tables: dict[str, Any] = {}
    for name in FILES:
        try:
            tables[name] = _load(folder / f"{name}.toml", name, overrides)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return Settings(**tables)


def load_file(folder: Path, name: str, environment: Mapping[str, str] | None = None) -> Any:
    """The part of `Settings` that `name`, one of FILES, holds; mistakes in other files do not matter.

    Raises ConfigError.
    """
    overrides = read_overrides(os.environ if environment is None else environment)
    return _load(folder / f"{name}.toml", name, overrides)


def check_text(name: str, path: Path, text: str, environment: Mapping[str, str] | None = None) -> Any:
    """What settings file `name`, one of FILES, would hold with `text` as its content.

    Raises ConfigError, naming `path`, when it cannot: by itself, or together with what the environment sets.
    """
    table = _parse(path, text)
    _check(name, path, table)
    overrides = read_overrides(os.environ if environment is None else environment)
    return _check(name, path, _merge(table, overrides.get(name, {}), f"{OVERRIDE_PREFIX}{name.upper()}"))


def overridden_by(name: str, keys: Sequence[str], environment: Mapping[str, str] | None = None) -> str | None:
    """The environment variable that sets key `keys` of file `name`, or a part of it; None when none does."""
    wanted = (name, *keys)
    for variable in sorted(os.environ if environment is None else environment):
        if variable.startswith(OVERRIDE_PREFIX):
            path = tuple(variable.removeprefix(OVERRIDE_PREFIX).lower().split("__"))
            if path == wanted[: len(path)] or wanted == path[: len(wanted)]:
                return variable
    return None


def fingerprint(folder: Path) -> str:
    """A hash of all settings files of `folder`; it changes when an admin saves one."""
    digest = hashlib.sha256()
    for name in FILES:
        path = folder / f"{name}.toml"
        digest.update(name.encode() + b"\0")
        try:
            digest.update(b"1" + path.read_bytes())
        except OSError as error:  # absent, or not to be read: `load_settings` says which
            digest.update(b"0" + type(error).__name__.encode())
    return digest.hexdigest()


def read_overrides(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """{"TOCSIN__ALERTS__LEVELS__WATCH": "45"} -> {"alerts": {"levels": {"watch": 45}}}. Raises ConfigError."""
    found: dict[str, dict[str, Any]] = {}
    for variable in sorted(environment):
        if not variable.startswith(OVERRIDE_PREFIX):
            continue
        file, *keys = variable.removeprefix(OVERRIDE_PREFIX).lower().split("__")
        if file not in FILES or not keys or not all(keys):
            raise ConfigError(
                f"environment: {variable}: no such setting; the form is {OVERRIDE_PREFIX}FILE__TABLE__KEY, "
                f"with FILE one of {', '.join(FILES).upper()}"
            )
        table = found.setdefault(file, {})
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise ConfigError(f"environment: {variable}: {key} is set as a value by another variable")
        table[keys[-1]] = _toml_value(environment[variable])
    return found


def _toml_value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return table["value"] if len(table) == 1 else text  # a text of several lines may hold more keys


def _load(path: Path, name: str, overrides: Mapping[str, dict[str, Any]]) -> Any:
    table = _merge(_read_table(path), overrides.get(name, {}), f"{OVERRIDE_PREFIX}{name.upper()}")
    return _check(name, path, table)


def _read_table(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors put a byte order mark first
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return _parse(path, text)


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # numbers of 5,000 digits, deep nesting
        raise ConfigError(f"{path}: is not valid TOML: {error}") from error


def _merge(table: dict[str, Any], override: Mapping[str, Any], where: str) -> dict[str, Any]:
    merged = dict(table)
    for key, value in override.items():
        if not isinstance(value, dict):
            merged[key] = value
            continue
        old = merged.get(key, {})
        if not isinstance(old, dict):
            raise ConfigError(f"environment: {where}__{key.upper()}: {key} is a value, not a table")
        merged[key] = _merge(old, value, f"{where}__{key.upper()}")
    return merged


def _check(name: str, path: Path, table: dict[str, Any]) -> Any:
    model = cast(type[Table], Settings.model_fields[name].annotation)
    try:
        # Through JSON, because strict mode then takes arrays as tuples and "08:00" as a time, as an admin writes them.
        text = json.dumps(table, default=str)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: holds a value that is too long or too deep: {error}") from error
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        lines = [f"{path}: {_explain(details)}" for details in error.errors(include_url=False)]
        raise ConfigError("\n".join(lines)) from error


def _explain(details: ErrorDetails) -> str:
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in details["loc"])
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "extra_forbidden":
        return f"{where}: unknown key; remove it or check its spelling against the comments of the shipped file"
    if details["type"] == "value_error" and isinstance(details["input"], dict):
        return f"{where}.{message}" if where else message  # raised by a table's validator, which names its own key
    message = message.replace("Input should be", "must be")
    return f"{where}: {message[:1].lower()}{message[1:]}, got {_shortened(details['input'])}"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
