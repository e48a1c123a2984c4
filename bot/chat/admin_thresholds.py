"""/admin, Thresholds: a press or a value in; settings shown, and changed after a look at what the change would do."""

import asyncio
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel
from sqlmodel import Session

from bot import changes
from bot.chat.admin_call import OUT_OF_DATE, Call, Reply, outcome, page
from bot.forecast import LOUD, forecast
from bot.messages.lines import one_line
from bot.messages.message import Button
from bot.messages.settings import in_rows
from config.edit_value import try_value, value_of
from config.errors import ConfigError
from config.load import load_file, overridden_by
from config.schema import Alerts, Digest, Fetching, Levels, Stories, Telling
from models import Level

LONGEST = 100
#: Name in buttons -> title, file, table ("" for the top), its schema.
SECTIONS: Mapping[str, tuple[str, str, str, type[BaseModel]]] = MappingProxyType(
    {
        "levels": ("Levels", "alerts", "levels", Levels),
        "easing": ("Levels of easing", "alerts", "deescalation", Levels),
        "telling": ("Who hears what", "alerts", "telling", Telling),
        "stories": ("Stories", "alerts", "stories", Stories),
        "digest": ("Digest", "digest", "", Digest),
        "fetch": ("Fetching", "service", "fetch", Fetching),
    }
)
STEPS = (-5, -1, 1, 5)
TRIED = "7d"
NAMED_BEFORE = re.compile(r"([A-Za-z]+\.[A-Za-z_]+)\s+(\S.*)")


@dataclass(frozen=True, slots=True)
class Planned:
    """A change that waits for a yes: where, from what, to what."""

    section: str
    file: str
    keys: tuple[str, ...]
    before: Any
    value: Any


async def show(call: Call, verb: str) -> Reply:
    """One page or step."""
    steps = {
        "sec": _section,
        "key": _key,
        "ask": _ask,
        "type": _type,
        "value": _typed,
        "same": _same,
        "try": _backtest,
        "yes": _change,
    }
    return await steps.get(verb, _list)(call)


async def _list(_call: Call) -> Reply:
    buttons = [Button(title, f"adm:set:sec:{name}") for name, (title, *_) in SECTIONS.items()]
    rows = in_rows(buttons, 2)
    return page(
        "Which settings? Every change is checked, can be taken back, and is kept in History.", rows, back="menu"
    )


# Looking --------------------------------------------------------------------------------------------------------------


async def _section(call: Call) -> Reply:
    return _section_page(call, call.arg)


def _section_page(call: Call, name: str, head: str = "", undo: int | None = None) -> Reply:
    title, file, table, schema = _named(name)
    values = _values(call, name)
    lines = [f"{key} = {changes.said(value)}{_set_outside(file, table, key)}" for key, value in values.items()]
    if name == "easing" and _is_absent(call):
        lines.insert(0, "Easing uses the levels of escalation. Changing one gives easing levels of its own.\n")
    buttons = [Button(key.replace("_", " "), f"adm:set:key:{name}.{key}") for key in _keys(schema)]
    rows = [*in_rows(buttons, 2)]
    if name == "easing" and not _is_absent(call):
        rows.append((Button("Same as escalation again", "adm:set:same"),))
    if undo is not None:
        rows.append((Button("Undo", f"adm:log:undo:{undo}"),))
    return page("\n".join([head, title, "", *lines] if head else [title, "", *lines]), rows, back="set:list")


def _named(name: str) -> tuple[str, str, str, type[BaseModel]]:
    if name not in SECTIONS:
        raise ConfigError(f"there are no settings called {one_line(name, 30)!r}")
    return SECTIONS[name]


def _keys(schema: type[BaseModel]) -> list[str]:
    """Those with one value; lists are for an editor."""
    return [key for key, field in schema.model_fields.items() if "tuple" not in str(field.annotation).lower()]


def _is_absent(call: Call) -> bool:
    return load_file(call.tools.folder, "alerts").deescalation is None


def _values(call: Call, name: str) -> dict[str, Any]:
    """Keys and values in force; easing without levels of its own has those of escalation."""
    _, file, table, schema = SECTIONS[name]
    settings = load_file(call.tools.folder, file)
    found = value_of(settings, [table] if table else [])
    if found is None:
        found = value_of(settings, ["levels"])
    return {key: found[key] for key in _keys(schema)}


def _set_outside(file: str, table: str, key: str) -> str:
    variable = overridden_by(file, [table, key] if table else [key])
    return f"  (set by the environment, {variable})" if variable else ""


def _located(call: Call, text: str) -> tuple[str, str]:
    name, _, key = text.partition(".")
    _, _, _, schema = _named(name)
    if key not in _keys(schema):
        raise ConfigError(f"there is no setting called {one_line(text, 60)!r}")
    return name, key


async def _key(call: Call) -> Reply:
    name, key = _located(call, call.arg)
    _, file, table, schema = SECTIONS[name]
    value = _values(call, name)[key]
    outside = _set_outside(file, table, key)
    if outside:
        return page(f"{key} = {changes.said(value)}{outside}\nIt cannot be changed here.", back=f"set:sec:{name}")
    rows = [_choices(schema, name, key, value), [Button("Type a value", f"adm:set:type:{name}.{key}")]]
    return page(f"{key} = {changes.said(value)}\n{_range(schema, key)}", rows, back=f"set:sec:{name}")


def _choices(schema: type[BaseModel], name: str, key: str, value: Any) -> list[Button]:
    words = [word for word in get_args(schema.model_fields[key].annotation) if isinstance(word, str)]
    if words:
        return [Button(word, f"adm:set:ask:{name}.{key}:{word}") for word in words if word != value]
    if name in ("levels", "easing") and key in ("watch", "warning", "critical"):
        return [Button(f"{step:+d}", f"adm:set:ask:{name}.{key}:{value + step:g}") for step in STEPS]
    if isinstance(value, int):
        return [Button(f"{value + step}", f"adm:set:ask:{name}.{key}:{value + step}") for step in (-1, 1)]
    return []


def _range(schema: type[BaseModel], key: str) -> str:
    rules = schema.model_fields[key].metadata
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    found = [f"{word} {getattr(rule, name):g}" for name, word in words.items() for rule in rules if hasattr(rule, name)]
    return ", ".join(found)


async def _type(call: Call) -> Reply:
    name, key = _located(call, call.arg)
    example = changes.said(_values(call, name)[key])
    text = f"Send me the value of {name}.{key}, for example: {example}\n{_range(SECTIONS[name][3], key)}".rstrip()
    return await call.ask("set", "value", text, (f"{name}.{key}",), back=f"set:key:{name}.{key}")


# Changing -------------------------------------------------------------------------------------------------------------


async def _ask(call: Call) -> Reply:
    """Try the value that was pressed and say what it would do, before anything is written."""
    where, *rest = [*call.args, ""]
    return await _try(call, where, ":".join(rest[:-1]))


async def _typed(call: Call) -> Reply:
    """The same for a typed value: of the setting that was asked for, or of one named before it."""
    where, text = [*call.args, "", ""][:2]
    other = NAMED_BEFORE.fullmatch(text.strip())
    return await _try(call, other[1].lower(), other[2]) if other else await _try(call, where, text)


async def _try(call: Call, where: str, text: str) -> Reply:
    name, key = _located(call, where)
    value: Any = _read(text.strip()[:LONGEST])
    if value == "":
        raise ConfigError("a value is needed")
    _, file, table, _ = SECTIONS[name]
    keys: tuple[str, ...] = (table, key) if table else (key,)
    if name == "easing" and _is_absent(call):
        keys, value = (table,), _values(call, name) | {key: value}
    return await _put_to_admin(call, name, file, keys, value)


async def _same(call: Call) -> Reply:
    return await _put_to_admin(call, "easing", "alerts", ("deescalation",), None)


def _read(text: str) -> Any:
    """A number if it looks like one, else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


async def _put_to_admin(call: Call, name: str, file: str, keys: tuple[str, ...], value: Any) -> Reply:
    edit, held = try_value(call.tools.folder, file, keys, value)
    if edit.before == edit.after:
        return page(f"{edit.key} is {changes.said(edit.after)} already.", back=f"set:sec:{name}")
    lines = [f"{edit.key}: {changes.said(edit.before)} → {changes.said(edit.after)}"]
    if file == "alerts":
        lines += ["", *await call.desk.decide(lambda s, _cfg, _now: _outlook(s, call, held, keys))]
    can_be_tried = file == "alerts" and edit.after is not None
    return await _question(call, Planned(name, file, keys, edit.before, edit.after), "\n".join(lines), can_be_tried)


async def _question(call: Call, planned: Planned, text: str, can_be_tried: bool) -> Reply:
    token = await call.hold(planned)
    rows = [[Button("Change it", f"adm:set:yes:{token}"), Button("Cancel", f"adm:set:sec:{planned.section}")]]
    if can_be_tried:
        rows.append([Button(f"Backtest {TRIED} first", f"adm:set:try:{token}")])
    return page(text, rows)


async def _backtest(call: Call) -> Reply:
    """Live through stored articles with the value planned; the page of plots comes with the question put again."""
    planned = await call.take(Planned)
    if planned is None:
        return page(OUT_OF_DATE, back="set:list")
    call.later(call.user_id, _tried(call, planned))
    return page("The backtest has begun; its outcome comes as a message, with the question again.", back="set:list")


async def _tried(call: Call, planned: Planned) -> Reply:
    name, value = ".".join(planned.keys), _toml(planned.value)
    with tempfile.TemporaryDirectory(prefix="tocsin-backtest-") as scratch:
        report = Path(scratch) / "backtest.html"
        command = ["backtest", "--since", TRIED, "--set", f"{name}={value}", "--html", str(report)]
        reply = await outcome(call, command, "set:list")
        document = ("backtest.html", await asyncio.to_thread(report.read_bytes)) if report.exists() else None
    printed = "\n".join(
        line for line in reply.message.plain.splitlines() if scratch not in line
    )  # the page comes along
    asked = await _question(call, planned, f"{name} = {changes.said(planned.value)}\n\n{printed}", can_be_tried=False)
    return Reply(asked.message, document=document)


def _toml(value: Any) -> str:
    """A value of the settings as TOML has it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)


def _outlook(session: Session, call: Call, alerts: Alerts, keys: Sequence[str]) -> list[str]:
    """What stored stories say of the change."""
    if keys[0] not in ("levels", "deescalation"):
        return []
    was = forecast(session, load_file(call.tools.folder, "alerts"), call.now)
    would = forecast(session, alerts, call.now)
    if not would.stories:
        return ["No stories are stored yet, so there is nothing to try it on."]
    lines = [f"Over the last {would.days:.0f} days, {would.stories} stories, this would have rung, a day:"]
    lines += [f"{level.word}: {would.a_day(level):.1f} (now {was.a_day(level):.1f})" for level in LOUD]
    touched = [Level[keys[-1].upper()]] if keys[-1] in ("watch", "warning", "critical") else list(LOUD)
    lines += [f"⚠ {text}" for level in touched if (text := would.warning(level))]
    return lines


async def _change(call: Call) -> Reply:
    planned, folder = await call.take(Planned), call.tools.folder
    if planned is None:
        return page(OUT_OF_DATE, back="set:list")
    if value_of(load_file(folder, planned.file), planned.keys) != planned.before:
        return page(
            f"{'.'.join(planned.keys)} was changed by somebody else meanwhile.", back=f"set:sec:{planned.section}"
        )
    where = (planned.file, planned.keys)
    done = await call.desk.decide(
        lambda s, _cfg, now: changes.change_value(s, folder, call.who, where, planned.value, now)
    )
    await call.tools.reload()
    return _section_page(call, planned.section, "Done.", done.id if done else None)
