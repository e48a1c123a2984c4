"""An edit of the settings and who made it in, the edit done and recorded out; and the way back.

Edit and record are one step for the caller: an edit that is refused leaves no record. A file that was edited by hand is
recorded when it is taken up, or at the next start.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session

from config.edit import add_feeds, edit_feed, remove_feed
from config.edit_value import Edited, set_value, value_of
from config.errors import ConfigError
from config.load import FILES, load_file, overridden_by
from config.schema import FeedEntry, Settings
from models import Change
from models.change import latest_of
from models.memo import recall, remember

#: Not kept in the record: whoever reads a backup must not be let in by it.
SECRETS = {("telegram", "invite_code")}
HIDDEN = "(hidden)"
#: Tables that may be absent; they are one value in the record, so that taking back also takes the table away.
WHOLE = ("deescalation",)
#: How keys of feeds.toml begin that are not a feed's address.
FAMILIES = "families."


@dataclass(frozen=True, slots=True)
class Who:
    """Who changes something; `admin_id` is a Telegram user id."""

    name: str
    admin_id: int | None = None


#: Set for a command that an admin has run from the chat: their Telegram user id.
ASKED_BY = "TOCSIN_ASKED_BY"
COMMAND_LINE = Who("command line")
BY_HAND = Who("edited in the file")
BY_ENVIRONMENT = Who("set by the environment")


def admin(user_id: int) -> Who:
    """The admin with a Telegram user id."""
    return Who(f"admin {user_id}", user_id)


def who_asks() -> Who:
    """For whom this command runs: an admin who pressed a button in the chat, or whoever typed it."""
    user_id = os.environ.get(ASKED_BY, "")
    return admin(int(user_id)) if user_id.isascii() and user_id.isdecimal() else COMMAND_LINE


def record(session: Session, who: Who, edit: Edited, now: datetime, undoes: int | None = None) -> Change:
    """Write down what `edit` did."""
    hidden = (edit.file, edit.key) in SECRETS
    row = Change(
        at=now,
        who=who.name,
        admin_id=who.admin_id,
        area=edit.file,
        key=edit.key,
        before=HIDDEN if hidden else edit.before,
        after=HIDDEN if hidden else edit.after,
        undoes=undoes,
    )
    session.add(row)
    session.flush()
    return row


# Edits ----------------------------------------------------------------------------------------------------------------


def change_value(
    session: Session, folder: Path, who: Who, where: tuple[str, Sequence[str]], value: Any, now: datetime
) -> Change | None:
    """Set a key, `where` = ("alerts", ["levels", "watch"]); None when it had that value. Raises ConfigError."""
    name, keys = where
    former = current_value(folder, name, keys[0]) if keys[0] in WHOLE else None
    edit = set_value(folder, name, keys, value)
    if edit.before == edit.after:
        return None
    if keys[0] in WHOLE:
        edit = Edited(name, keys[0], former, current_value(folder, name, keys[0]))
    return record(session, who, edit, now)


def add(session: Session, folder: Path, who: Who, entries: Sequence[FeedEntry], now: datetime) -> list[FeedEntry]:
    """`config.edit.add_feeds`, recorded."""
    added = add_feeds(folder, entries)
    for entry in added:
        record(session, who, Edited("feeds", entry.url, None, _dumped(entry)), now)
    return added


def remove(session: Session, folder: Path, who: Who, url: str, now: datetime) -> Change:
    """`config.edit.remove_feed`, recorded."""
    entry = remove_feed(folder, url)
    return record(session, who, Edited("feeds", url, _dumped(entry), None), now)


def change_feed(
    session: Session, folder: Path, who: Who, url: str, values: Mapping[str, Any], now: datetime
) -> Change | None:
    """`config.edit.edit_feed`, recorded; None when the feed was so already."""
    before, after = edit_feed(folder, url, values)
    if before == after:
        return None
    return record(session, who, Edited("feeds", url, _dumped(before), _dumped(after)), now)


def pause(session: Session, folder: Path, who: Who, url: str, paused: bool, now: datetime) -> Change | None:
    """Stop asking a feed, or ask it again, recorded; None when it was so already."""
    return change_feed(session, folder, who, url, {"paused": paused or None}, now)


# The way back ---------------------------------------------------------------------------------------------------------


def undo(session: Session, folder: Path, who: Who, change_id: int, now: datetime) -> Change:
    """Put back what a change replaced, and record that. Raises ConfigError when it cannot be, with the reason."""
    change = session.get(Change, change_id)
    if change is None or change.area not in FILES:
        raise ConfigError("that change cannot be taken back")
    if HIDDEN in (change.before, change.after):
        raise ConfigError(f"{change.key}: its former value is not kept; set a new one")
    if current_value(folder, change.area, change.key) != change.after:
        raise ConfigError(f"{change.key}: it was changed again since; the newest change is the one to take back")
    _restore(folder, change)
    edit = Edited(change.area, change.key, change.after, current_value(folder, change.area, change.key))
    return record(session, who, edit, now, undoes=change.id)


def current_value(folder: Path, area: str, key: str) -> Any:
    """The value in force, as `Change` keeps it."""
    settings = load_file(folder, area)
    if area == "feeds" and not key.startswith(FAMILIES):
        return feed_values(settings.feeds).get(key)
    return value_of(settings, key.split("."))


def _restore(folder: Path, change: Change) -> None:
    if change.area != "feeds" or change.key.startswith(FAMILIES):
        set_value(folder, change.area, change.key.split("."), change.before)
        return
    if change.before is None:
        remove_feed(folder, change.key)
    elif change.after is None:
        add_feeds(folder, [FeedEntry.model_validate_json(json.dumps(change.before))])
    else:  # where it stands, with the comments around it
        edit_feed(folder, change.key, {key: change.before.get(key) for key in {**change.before, **change.after}})


# Edits by hand --------------------------------------------------------------------------------------------------------


#: Settings file -> key -> value.
Values = Mapping[str, Mapping[str, Any]]
KEPT = "settings"


def record_found(session: Session, former: Settings, settings: Settings, now: datetime) -> None:
    """Write down what differs between two settings and no record explains: somebody edited the file."""
    _record_differences(session, _values(former), _values(settings), now)


def record_since_last_run(session: Session, settings: Settings, now: datetime) -> None:
    """The same for what was edited while Tocsin did not run; a first run has nothing to compare with."""
    kept: Values | None = recall(session, KEPT)
    if kept is None:
        return
    now_held = _without_secrets(_values(settings))
    before = {name: _comparable(name, kept.get(name, {}), now_held[name]) for name in FILES}
    after = {name: _comparable(name, now_held[name], before[name]) for name in FILES}
    _record_differences(session, before, after, now)


def remember_settings(session: Session, settings: Settings) -> None:
    """Keep them for the next start, without secrets."""
    remember(session, KEPT, _without_secrets(_values(settings)))


def _values(settings: Settings) -> Values:
    return {name: dict(_flat(name, getattr(settings, name))) for name in FILES}


def _without_secrets(values: Values) -> Values:
    return {name: {key: held for key, held in values[name].items() if (name, key) not in SECRETS} for name in values}


def _comparable(name: str, values: Mapping[str, Any], others: Mapping[str, Any]) -> Mapping[str, Any]:
    """Only feeds.toml has keys that come and go; elsewhere one that `others` lack is of another Tocsin, not an edit."""
    return values if name == "feeds" else {key: value for key, value in values.items() if key in others}


def _record_differences(session: Session, former: Values, settings: Values, now: datetime) -> None:
    for name in FILES:
        before, after = former[name], settings[name]
        for key in [*before, *(key for key in after if key not in before)]:
            old, new = before.get(key), after.get(key)
            if old != new and not _is_known(session, name, key, new):
                record(session, _whose(name, key), Edited(name, key, old, new), now)


def _whose(name: str, key: str) -> Who:
    """Whose doing a difference is that no record explains."""
    variable = overridden_by(name, ["feeds"] if key.startswith("http") else key.split("."))
    return BY_ENVIRONMENT if variable else BY_HAND


def _is_known(session: Session, area: str, key: str, value: Any) -> bool:
    latest = latest_of(session, area, key)
    return latest is not None and latest.after in (value, HIDDEN)


def _flat(name: str, settings: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value; a feed and a table that may be absent are one value each."""
    if name == "feeds":
        yield from feed_values(settings.feeds).items()
        settings = settings.model_copy(update={"feeds": ()})
    yield from _leaves(settings.model_dump(mode="json", exclude={"feeds"}), "")


def _leaves(table: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and key not in WHOLE:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def feed_values(entries: Sequence[FeedEntry]) -> dict[str, dict[str, Any]]:
    """Feeds as `Change` keeps them, by address."""
    return {entry.url: _dumped(entry) for entry in entries}


def _dumped(entry: FeedEntry) -> dict[str, Any]:
    return entry.model_dump(mode="json", exclude_defaults=True)


def said(value: Any, limit: int = 200) -> str:
    """A value of the settings as people read and type it: 40 for 40.0, true for True."""
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return f"{value:g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[:limit]}…"
