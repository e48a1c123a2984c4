"""A settings file in, the same file with an edit out: locked against other edits, checked, replaced in one step."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from config.errors import ConfigError
from config.load import check_text


@contextlib.contextmanager
def locked(folder: Path, name: str) -> Iterator[Path]:
    """Hold the folder against another edit, so that none is lost; gives the path of settings file `name`."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder / f"{name}.toml"
    finally:
        os.close(handle)


def read_document(path: Path) -> tomlkit.TOMLDocument:
    """The file with its comments; an empty document where there is none. Raises ConfigError."""
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8-sig")) if path.exists() else tomlkit.document()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigError(f"{path}: cannot be edited: {error}") from error


def write_checked(path: Path, text: str) -> Any:
    """Replace the file in one step, and only by one that passes the check; returns what it then holds."""
    held = check_text(path.stem, path, text)
    target = path.resolve()  # a link stays a link
    try:
        mode = target.stat().st_mode if target.exists() else 0o644
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{path.stem}-", suffix=".toml")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).chmod(mode)
            Path(temporary).replace(target)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    return held
