"""/admin, History: a press in; who changed what, and the way back, out."""

from typing import Any

from sqlmodel import Session

from bot import changes
from bot.chat.admin_call import Call, Reply, number, page, turner
from bot.messages.lines import one_line
from bot.messages.message import Button
from config.load import FILES
from models import Change
from models.change import latest_changes

SIZE = 6


async def show(call: Call, verb: str) -> Reply:
    """One page or step."""
    steps = {"undo": _ask_undo, "undoyes": _undo}
    return await steps.get(verb, _list)(call)


async def _list(call: Call) -> Reply:
    at = number(call.arg, 10**6)
    rows, known = await call.desk.decide(lambda s, _cfg, _now: _page_of(s, at))
    if not rows:
        return page("Nothing was changed yet." if at == 0 else "There is nothing older.", back="menu")
    text = [f"{row.id}. {describe(row)}" for row in rows]
    back = [Button(f"Undo {row.id}", f"adm:log:undo:{row.id}") for row in rows if row.area in FILES]
    buttons = (back[:3], back[3:], turner("log", at, at * SIZE + known, SIZE))
    return page("\n\n".join(["Changes, newest first", *text]), buttons, back="menu")


def _page_of(session: Session, at: int) -> tuple[list[Change], int]:
    """The changes of a page, and how many there are from it on, as far as the next page needs to know."""
    found = list(latest_changes(session, SIZE + 1, at * SIZE))
    return found[:SIZE], len(found)


async def _ask_undo(call: Call) -> Reply:
    wanted = number(call.arg)
    row = await call.desk.decide(lambda s, _cfg, _now: s.get(Change, wanted))
    if row is None:
        return page("That change is not in the record.", back="log:list")
    rows = ([Button("Take it back", f"adm:log:undoyes:{row.id}"), Button("Cancel", "adm:log:list")],)
    return page(f"Take this back?\n\n{describe(row)}", rows)


async def _undo(call: Call) -> Reply:
    wanted, folder = number(call.arg), call.tools.folder
    row = await call.desk.decide(lambda s, _cfg, now: changes.undo(s, folder, call.who, wanted, now))
    await call.tools.reload()
    return page(f"Taken back.\n\n{describe(row)}", back="log:list")


def describe(row: Change) -> str:
    """One change in two lines; what it quotes is clipped."""
    when = f"{row.at:%d %b %H:%M} UTC, {row.who}"
    note = f" (takes back {row.undoes})" if row.undoes else ""
    return f"{when}{note}\n{_what(row)}"


def _what(row: Change) -> str:
    key, before, after = one_line(row.key, 120), row.before, row.after
    if row.area == "subscriber":
        return f"subscriber {key}: {before} → {after}"
    if row.area == "label":
        return f"label taken back ({before}): {key}"
    if row.area == "broadcast":
        return f"broadcast to {key} chats: {one_line(str(after), 150)}"
    if row.area == "feeds" and (isinstance(before, dict) or isinstance(after, dict)):
        return f"feed {_feed_word(before, after)}: {key}{_traits(before or {}, after or {})}"
    return f"{row.area}.toml {key}: {changes.said(before)} → {changes.said(after)}"


def _traits(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What of a feed became something else."""
    if not before or not after:
        return ""
    changed = [key for key in {**before, **after} if key != "paused" and before.get(key) != after.get(key)]
    return "".join(f"\n{key}: {changes.said(before.get(key))} → {changes.said(after.get(key))}" for key in changed)


def _feed_word(before: Any, after: Any) -> str:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    if before.get("paused") != after.get("paused"):
        return "paused" if after.get("paused") else "resumed"
    return "changed"
