"""Whatever stands in a settings file or the environment, loading gives settings or a ConfigError and nothing else."""

import inspect
import json
import re
import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import schema
from config.errors import ConfigError
from config.load import DEFAULT_FOLDER, FILES, load_settings
from config.schema import Settings

KEYS = sorted(set(re.findall(r"^ {4}(\w+): ", inspect.getsource(schema), re.M)))
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEY = st.sampled_from(KEYS) | WORDS
SCALARS = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | WORDS
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.sampled_from(["watch", "invite", "UTC", "Europe", "../x", "https://a.b/", "10.0.0.0/8", "08:00"])
)
TREES = st.dictionaries(
    KEY,
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3)),
    max_size=4,
)


def as_toml(value: object) -> str:
    """`value` as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_toml(key)} = {as_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(inner) for inner in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property; each writes all it needs."""
    return tmp_path_factory.mktemp("config")


def never_anything_else(folder: Path, name: str, data: bytes) -> None:
    for file in FILES:
        (folder / f"{file}.toml").write_bytes(data if file == name else b"")
    try:
        found = load_settings(folder, {})
    except ConfigError as error:
        assert str(error).startswith(f"{folder / name}.toml: ")
    else:
        assert isinstance(found, Settings)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(FILES), tree=TREES)
def test_any_tree_of_values_gives_settings_or_a_config_error(scratch: Path, name: str, tree: dict[str, Any]) -> None:
    text = "\n".join(f"{as_toml(key)} = {as_toml(value)}" for key, value in tree.items())
    assert len(tomllib.loads(text)) == len(tree)
    never_anything_else(scratch, name, text.encode())


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(FILES), data=st.binary(max_size=60) | WORDS.map(str.encode))
def test_any_bytes_give_settings_or_a_config_error(scratch: Path, name: str, data: bytes) -> None:
    never_anything_else(scratch, name, data)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(FILES), key=st.sampled_from(KEYS), value=WORDS | SCALARS.map(as_toml), other=WORDS)
def test_any_environment_gives_settings_or_a_config_error(
    scratch: Path, name: str, key: str, value: str, other: str
) -> None:
    environment = {f"TOCSIN__{name}__{key}".upper(): value, f"TOCSIN__{other}": value}
    for file in FILES:
        (scratch / f"{file}.toml").write_bytes(b"")
    for folder in (scratch, DEFAULT_FOLDER.parent / "tests"):
        try:
            assert isinstance(load_settings(folder, environment), Settings)
        except ConfigError as error:
            assert str(error).startswith(("environment: TOCSIN__", str(folder)))
