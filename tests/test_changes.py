"""One value of a settings file is changed, recorded and taken back; a file edited by hand is recorded when taken up."""

import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from bot import changes
from bot.changes import BY_HAND, COMMAND_LINE, admin
from config.edit_value import set_value
from config.errors import ConfigError
from config.load import DEFAULT_FOLDER, load_settings
from config.schema import FeedEntry
from models import Change
from models.database import Database

URL = "https://example.org/rss.xml"
WATCH = ("alerts", ["levels", "watch"])
ME = admin(1001)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "config"
    made.mkdir()
    for name in ("alerts", "telegram", "digest"):
        text = (DEFAULT_FOLDER / f"{name}.toml").read_text(encoding="utf-8")
        (made / f"{name}.toml").write_text(text, encoding="utf-8")
    return made


def text_of(folder: Path, name: str = "alerts") -> str:
    return (folder / f"{name}.toml").read_text(encoding="utf-8")


def rows(database: Database) -> list[Change]:
    with database.read() as session:
        return list(session.exec(select(Change).order_by(Change.id)))  # type: ignore[arg-type]


# One value ------------------------------------------------------------------------------------------------------------


def test_a_value_changes_in_its_line_and_nothing_else_does(folder: Path) -> None:
    before = text_of(folder)
    edit = set_value(folder, "alerts", ["levels", "watch"], 45.0)
    assert (edit.key, edit.before, edit.after) == ("levels.watch", 40.0, 45.0)
    assert text_of(folder) == before.replace("\nwatch = 40.0", "\nwatch = 45.0", 1)
    set_value(folder, "alerts", ["stories", "same_event"], 0.2)
    assert "same_event = 0.2    # how sure" in text_of(folder)


def test_a_value_of_a_file_that_is_not_there_makes_the_file(tmp_path: Path) -> None:
    set_value(tmp_path, "alerts", ["telling", "daily_budget"], 5)
    assert tomllib.loads(text_of(tmp_path)) == {"telling": {"daily_budget": 5}}
    assert set_value(tmp_path, "alerts", ["telling", "daily_budget"], None).after == 3


def test_a_table_that_may_be_absent_comes_and_goes(folder: Path) -> None:
    before = text_of(folder)
    wanted = {"watch": 30.0, "warning": 55.0, "critical": 80.0, "leave_below": 8.0, "dwell_minutes": 60.0}
    edit = set_value(folder, "alerts", ["deescalation"], wanted)
    assert (edit.before, edit.after) == (None, wanted)
    assert set_value(folder, "alerts", ["deescalation"], None).after is None
    assert text_of(folder).rstrip() == before.rstrip()


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["levels", "watch"], 70.0, "warning: must be between watch"),
        (["levels", "watch"], "high", "levels.watch: must be a valid number"),
        (["levels", "watch"], -1.0, "greater than or equal to 1"),
        (["levels", "watch"], float("nan"), "levels.watch"),
        (["levels", "loud"], 1, "no such setting"),
        (["levels"], 1, "levels"),
        (["nothing", "here"], 1, "no such setting"),
        (["levels", "watch", "deeper"], 1, "no such setting"),
    ],
    ids=["order", "type", "range", "nan", "unknown", "table", "no table", "below a value"],
)
def test_a_bad_value_is_refused_and_nothing_changes(folder: Path, keys: list[str], value: Any, message: str) -> None:
    before = text_of(folder)
    with pytest.raises(ConfigError, match=message):
        set_value(folder, "alerts", keys, value)
    assert text_of(folder) == before
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_value_the_environment_sets_cannot_be_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN__ALERTS__LEVELS__WATCH", "50")
    for keys, value in ((["levels", "watch"], 45.0), (["levels"], {"watch": 45.0})):
        with pytest.raises(ConfigError, match=r"set by the environment \(TOCSIN__ALERTS__LEVELS__WATCH\)"):
            set_value(folder, "alerts", keys, value)
    with pytest.raises(ConfigError, match="must be between watch \\(50\\)"):  # right by itself, wrong together
        set_value(folder, "alerts", ["levels", "warning"], 48.0)
    assert set_value(folder, "alerts", ["levels", "critical"], 90.0).after == 90.0


# The record -----------------------------------------------------------------------------------------------------------


def test_a_change_is_recorded_with_who_and_both_values_and_taken_back(
    sqlite_database: Database, folder: Path, now: datetime
) -> None:
    before = text_of(folder)
    with sqlite_database.write() as session:
        done = changes.change_value(session, folder, ME, WATCH, 45.0, now)
        assert done is not None
        assert changes.change_value(session, folder, ME, WATCH, 45.0, now) is None
        undone = changes.undo(session, folder, admin(1002), done.id, now)
        assert (undone.undoes, undone.before, undone.after) == (done.id, 45.0, 40.0)
        assert text_of(folder) == before
        changes.undo(session, folder, ME, undone.id, now)  # taking back can be taken back
    assert [(row.who, row.admin_id, row.before, row.after) for row in rows(sqlite_database)] == [
        ("admin 1001", 1001, 40.0, 45.0),
        ("admin 1002", 1002, 45.0, 40.0),
        ("admin 1001", 1001, 40.0, 45.0),
    ]


def test_a_refused_change_leaves_no_record(sqlite_database: Database, folder: Path, now: datetime) -> None:
    with pytest.raises(ConfigError), sqlite_database.write() as session:
        changes.change_value(session, folder, ME, WATCH, 99.0, now)
    assert rows(sqlite_database) == []


def test_only_the_newest_change_of_a_value_can_be_taken_back(
    sqlite_database: Database, folder: Path, now: datetime
) -> None:
    with sqlite_database.write() as session:
        first = changes.change_value(session, folder, ME, WATCH, 45.0, now)
        changes.change_value(session, folder, ME, WATCH, 50.0, now)
        assert first is not None
        with pytest.raises(ConfigError, match="changed again since"):
            changes.undo(session, folder, ME, first.id, now)
        with pytest.raises(ConfigError, match="cannot be taken back"):
            changes.undo(session, folder, ME, 999, now)
    assert load_settings(folder, {}).alerts.levels.watch == 50.0


def test_easing_levels_of_their_own_are_one_value_in_the_record(
    sqlite_database: Database, folder: Path, now: datetime
) -> None:
    levels = {"watch": 30.0, "warning": 55.0, "critical": 80.0, "leave_below": 8.0, "dwell_minutes": 60.0}
    with sqlite_database.write() as session:
        first = changes.change_value(session, folder, ME, ("alerts", ["deescalation"]), levels, now)
        second = changes.change_value(session, folder, ME, ("alerts", ["deescalation", "watch"]), 35.0, now)
        assert first is not None
        assert second is not None
        assert (second.key, second.before, second.after) == ("deescalation", levels, levels | {"watch": 35.0})
        changes.undo(session, folder, ME, second.id, now)
        changes.undo(session, folder, ME, first.id, now)
    assert load_settings(folder, {}).alerts.deescalation is None


def test_a_removed_feed_comes_back_whole(sqlite_database: Database, folder: Path, now: datetime) -> None:
    entry = FeedEntry(url=URL, title="T", regions=("europe",), weight=0.5, interval_minutes=60)
    with sqlite_database.write() as session:
        assert changes.add(session, folder, ME, [entry, entry], now) == [entry]
        gone = changes.remove(session, folder, ME, URL, now)
        changes.undo(session, folder, ME, gone.id, now)
        assert load_settings(folder, {}).feeds.feeds == (entry,)
        paused = changes.pause(session, folder, ME, URL, True, now)
        assert paused is not None
        changes.undo(session, folder, ME, paused.id, now)
    assert load_settings(folder, {}).feeds.feeds == (entry,)


def test_an_invite_code_is_not_kept_in_the_record(sqlite_database: Database, folder: Path, now: datetime) -> None:
    where = ("telegram", ["invite_code"])
    with sqlite_database.write() as session:
        done = changes.change_value(session, folder, ME, where, "open-sesame-1", now)
        assert done is not None
        with pytest.raises(ConfigError, match="not kept"):
            changes.undo(session, folder, ME, done.id, now)
    (row,) = rows(sqlite_database)
    assert "sesame" not in f"{row.before}{row.after}"


# Edits by hand --------------------------------------------------------------------------------------------------------


def by_hand_level(folder: Path) -> None:
    (folder / "alerts.toml").write_text(text_of(folder).replace("\nwatch = 40.0", "\nwatch = 41.5"), encoding="utf-8")


def by_hand_feed(folder: Path) -> None:
    (folder / "feeds.toml").write_text(f'[[feeds]]\nurl = "{URL}"\n', encoding="utf-8")


def by_hand_time(folder: Path) -> None:
    text = text_of(folder, "digest").replace('at = "08:00"', 'at = "09:30"')
    (folder / "digest.toml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (by_hand_level, ("alerts", "levels.watch", 40.0, 41.5)),
        (by_hand_feed, ("feeds", URL, None, {"url": URL})),
        (by_hand_time, ("digest", "at", "08:00:00", "09:30:00")),
    ],
    ids=["level", "feed", "time"],
)
def test_what_was_edited_by_hand_is_recorded_and_can_be_taken_back(
    sqlite_database: Database, folder: Path, now: datetime, edit: Callable[[Path], None], found: tuple[Any, ...]
) -> None:
    former = load_settings(folder, {})
    edit(folder)
    with sqlite_database.write() as session:
        changes.record_found(session, former, load_settings(folder, {}), now)
    (row,) = rows(sqlite_database)
    assert (row.who, row.area, row.key, row.before, row.after) == (BY_HAND.name, *found)
    with sqlite_database.write() as session:
        changes.undo(session, folder, ME, row.id, now)
    assert load_settings(folder, {}) == former


def test_what_is_recorded_already_is_not_recorded_again(sqlite_database: Database, folder: Path, now: datetime) -> None:
    former = load_settings(folder, {})
    levels = {"watch": 30.0, "warning": 55.0, "critical": 80.0, "leave_below": 8.0, "dwell_minutes": 60.0}
    with sqlite_database.write() as session:
        changes.change_value(session, folder, ME, WATCH, 45.0, now)
        changes.change_value(session, folder, ME, ("alerts", ["deescalation"]), levels, now)
        changes.change_value(session, folder, ME, ("telegram", ["invite_code"]), "open-sesame-1", now)
        changes.add(session, folder, COMMAND_LINE, [FeedEntry(url=URL, regions=("europe",))], now)
        number = len(session.exec(select(Change)).all())
        changes.record_found(session, former, load_settings(folder, {}), now)
        assert len(session.exec(select(Change)).all()) == number
