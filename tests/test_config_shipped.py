"""The settings files that ship say what the schema says: every key, its default and its range."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from config.load import DEFAULT_FOLDER, FILES, load_settings
from config.schema import Levels, Settings

DEFAULTS = Settings()
HEADING = re.compile(r"^(?:# *)?\[{1,2}([\w.]+)\]{1,2}", re.M)


@pytest.mark.parametrize("name", ["service", "alerts", "telegram", "digest", "actors"])
def test_a_shipped_file_says_what_the_schema_defaults_to(name: str) -> None:
    assert getattr(load_settings(DEFAULT_FOLDER, {}), name) == getattr(DEFAULTS, name)


@pytest.mark.parametrize("name", ["service", "alerts", "telegram", "digest"])
def test_a_shipped_file_spells_out_every_default(name: str) -> None:
    written = tomllib.loads((DEFAULT_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    assert written.get("at", "08:00") == "08:00"  # JSON has it with seconds
    assert written | {"at": "08:00:00"} == written_defaults(getattr(DEFAULTS, name)) | {"at": "08:00:00"}


def written_defaults(table: BaseModel) -> dict[str, Any]:
    dumped: dict[str, Any] = json.loads(table.model_dump_json())
    return {key: value for key, value in dumped.items() if value is not None}


def sections_of(text: str) -> dict[str, str]:
    """The lines under each [heading] of a settings file, commented headings too; "" for those before the first."""
    parts = HEADING.split(text)
    sections = {"": parts[0]}
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        sections.setdefault(heading.split(".")[0], body)
    return sections


def documented_keys(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, str, dict[str, float]]]:
    """(section, key, bounds) of every key below `model`."""
    for key, field in model.model_fields.items():
        inner = next((kind for kind in flattened(field.annotation) if issubclass(kind, BaseModel)), None)
        if inner is not None:
            yield from documented_keys(inner, key)
            continue
        bounds = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "le") if hasattr(rule, name)}
        yield section, key, bounds


def flattened(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for part in get_args(annotation):
        yield from flattened(part)


EVERY_KEY = [
    pytest.param(name, *found, id=".".join(part for part in (name, found[0], found[1]) if part))
    for name in FILES
    for found in documented_keys(getattr(DEFAULTS, name).__class__)
]


@pytest.mark.parametrize(("name", "section", "key", "bounds"), EVERY_KEY)
def test_a_shipped_file_documents_every_key_with_its_range(
    name: str, section: str, key: str, bounds: dict[str, float]
) -> None:
    text = (DEFAULT_FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    lines = sections_of(text).get(section, "")
    assert re.search(rf"^(# *)?{key}\b", lines, re.M), f"{name}.toml: [{section}] says nothing of {key}"
    if section != "deescalation":  # it says "the same levels"
        for bound in bounds.values():
            assert re.search(rf"(?<![\d.]){bound:g}(?![\d])", lines), f"{name}.toml: {key} may be {bound:g}"


def test_the_shipped_feeds_are_plenty_and_grouped() -> None:
    feeds = load_settings(DEFAULT_FOLDER, {}).feeds
    assert len(feeds.feeds) >= 40
    assert all(feed.family in feeds.families for feed in feeds.feeds)


def saved(folder: Path, name: str, text: str) -> Settings:
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return load_settings(folder, {})


def test_a_commented_easing_table_works_once_uncommented(tmp_path: Path) -> None:
    text = (DEFAULT_FOLDER / "alerts.toml").read_text(encoding="utf-8")
    start = text.index("# [deescalation]")
    end = text.index("\n\n", start)
    uncommented = text[:start] + text[start:end].replace("# ", "") + text[end:]
    assert saved(tmp_path, "alerts", uncommented).alerts.deescalation == Levels()


def test_the_commented_actor_works_once_uncommented(tmp_path: Path) -> None:
    text = (DEFAULT_FOLDER / "actors.toml").read_text(encoding="utf-8")
    example = "\n".join(line.removeprefix("# ") for line in text.splitlines()[2:])
    assert [actor.code for actor in saved(tmp_path, "actors", example).actors.actors] == ["M23"]


def test_every_file_that_ships_is_one_of_the_schema() -> None:
    assert set(FILES) == {path.stem for path in DEFAULT_FOLDER.glob("*.toml")}
