"""A folder of TOML files and the environment in, `Settings` out, or a `ConfigError` that lists every mistake.

Environment overrides: TOCSIN__<FILE>__<TABLE>__<KEY>=<TOML value>, for example TOCSIN__ALERTS__LEVELS__WATCH=45. A bare
word that is not TOML is taken as a string.
"""

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
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
    overrides = read_overrides(os.environ if environment is None else environment)
    problems: list[str] = []
    tables: dict[str, Any] = {}
    for name in FILES:
        path = folder / f"{name}.toml"
        try:
            table = _merge(_read_table(path), overrides.get(name, {}), f"{OVERRIDE_PREFIX}{name.upper()}")
            tables[name] = _check(name, path, table)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return Settings(**tables)


def fingerprint(folder: Path) -> str:
    """A hash of all settings files of `folder`; it changes when an admin saves one."""
    digest = hashlib.sha256()
    for name in FILES:
        path = folder / f"{name}.toml"
        digest.update(name.encode() + b"\0")
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def read_overrides(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """{"TOCSIN__ALERTS__LEVELS__WATCH": "45"} -> {"alerts": {"levels": {"watch": 45}}}"""
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
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read_table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
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
        return model.model_validate_json(json.dumps(table, default=str))
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
    return f"{where}: {message[:1].lower()}{message[1:]}, got {details['input']!r}"
