"""A settings file, a key and a value in; the file with that value out, everything else as the admin wrote it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel
from tomlkit.exceptions import TOMLKitError

from config.errors import ConfigError
from config.load import check_text, load_file, overridden_by
from config.toml_file import locked, read_document, write_checked


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit did: `key` of settings file `file` ("levels.watch" of "alerts") and its values, as JSON has them.

    They are the values in force, defaults included. None: there was, or is, no such table or entry.
    """

    file: str
    key: str
    before: Any
    after: Any


def value_of(settings: BaseModel, keys: Sequence[str]) -> Any:
    """The value in force at `keys`, as JSON has it; None for a table that is absent. Raises ConfigError."""
    found: Any = settings.model_dump(mode="json")
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            raise ConfigError(f"{'.'.join(keys)}: there is no such setting")
        found = found[key]
    return found


def set_value(folder: Path, name: str, keys: Sequence[str], value: Any) -> Edited:
    """Set key `keys` of settings file `name` to `value`; None takes it out, so that the default holds.

    A new file must pass the check, by itself and together with the environment. Raises ConfigError, with nothing
    changed, when it does not, and when the environment sets the value.
    """
    with locked(folder, name) as path:
        before = load_file(folder, name)
        held = write_checked(path, _text_with(path, keys, value))
    return _edited(name, keys, before, held)


def try_value(folder: Path, name: str, keys: Sequence[str], value: Any) -> tuple[Edited, Any]:
    """What `set_value` would do, and what the file would hold then; writes nothing. Raises ConfigError alike."""
    path = folder / f"{name}.toml"
    before = load_file(folder, name)
    held = check_text(name, path, _text_with(path, keys, value))
    return _edited(name, keys, before, held), held


def _edited(name: str, keys: Sequence[str], before: BaseModel, after: BaseModel) -> Edited:
    return Edited(name, ".".join(keys), value_of(before, keys), value_of(after, keys))


def _text_with(path: Path, keys: Sequence[str], value: Any) -> str:
    key = ".".join(keys)
    variable = overridden_by(path.stem, keys)
    if variable is not None:
        raise ConfigError(f"{key}: this value is set by the environment ({variable}) and cannot be changed here")
    if isinstance(value_of(load_file(path.parent, path.stem), keys), float) and type(value) is int:
        value = float(value)  # as the file spells it: 45.0
    document = read_document(path)
    try:
        _put(document, keys, value)
        return tomlkit.dumps(document)
    except (TOMLKitError, TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{path}: {key}: cannot be set to {value!r}: {error}") from error


def _put(document: tomlkit.TOMLDocument, keys: Sequence[str], value: Any) -> None:
    table: Any = document
    for key in keys[:-1]:
        if key not in table:
            if value is None:
                return
            table[key] = tomlkit.table()
        table = table[key]
    if value is not None:
        table[keys[-1]] = value
    elif keys[-1] in table:
        del table[keys[-1]]
