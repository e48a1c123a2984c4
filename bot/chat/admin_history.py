"""/admin, History: a press in; who changed what, and the way back, out."""

from typing import Any

from sqlmodel import Session

from bot import changes
from bot.chat.admin_call import Call, Reply, number, page, turner
from bot.messages import to_admins
from bot.messages.lines import one_line
from bot.messages.message import Button
from config.load import FILES
from models import Change, Subscriber
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
    text = [f"{row.id}. {describe(row, whom)}" for row, whom in rows]
    ways = [way for row, whom in rows if (way := _way_from(row, whom)) is not None]
    buttons = (ways[:3], ways[3:], turner("log", at, at * SIZE + known, SIZE))
    return page("\n\n".join(["Changes, newest first", *text]), buttons, back="menu")


def _page_of(session: Session, at: int) -> tuple[list[tuple[Change, Subscriber | None]], int]:
    """The changes of a page, each with the subscriber it is about, and how many there are from it on, as far as the
    next page needs to know."""
    found = list(latest_changes(session, SIZE + 1, at * SIZE))
    return [(row, _whom(session, row)) for row in found[:SIZE]], len(found)


def _whom(session: Session, row: Change) -> Subscriber | None:
    """The subscriber that a change is about; None of another change, or once they are forgotten."""
    found = session.get(Subscriber, number(row.key)) if row.area == "subscriber" else None
    return found if found is not None and found.created_at <= row.at else None  # its number may be another's by now


def _way_from(row: Change, whom: Subscriber | None) -> Button | None:
    """Where a change leads: to its undoing, or to the page of its subscriber."""
    if row.area in FILES:
        return Button(f"Undo {row.id}", f"adm:log:undo:{row.id}")
    return Button(f"See {row.id}", f"adm:people:one:{whom.id}") if whom is not None else None


async def _ask_undo(call: Call) -> Reply:
    wanted = number(call.arg)
    row = await call.desk.decide(lambda s, _cfg, _now: s.get(Change, wanted))
    if row is None or row.area not in FILES:
        return page("There is no such change to take back.", back="log:list")
    rows = ([Button("Take it back", f"adm:log:undoyes:{row.id}"), Button("Cancel", "adm:log:list")],)
    return page(f"Take this back?\n\n{describe(row)}", rows)


async def _undo(call: Call) -> Reply:
    wanted, folder = number(call.arg), call.tools.folder
    row = await call.desk.decide(lambda s, _cfg, now: changes.undo(s, folder, call.who, wanted, now))
    await call.tools.reload()
    return page(f"Taken back.\n\n{describe(row)}", back="log:list")


def describe(row: Change, whom: Subscriber | None = None) -> str:
    """One change in two lines, `whom` the subscriber it is about; what it quotes is clipped."""
    when = f"{row.at:%d %b %H:%M} UTC, {row.who}"
    note = f" (takes back {row.undoes})" if row.undoes else ""
    return f"{when}{note}\n{_what(row, whom)}"


def _what(row: Change, whom: Subscriber | None) -> str:
    key, before, after = one_line(row.key, 120), row.before, row.after
    if row.area == "subscriber":
        return f"{_name(whom)}: {before} → {after}"
    if row.area == "label":
        return f"label taken back ({before}): {key}"
    if row.area == "broadcast":
        return f"broadcast to {key} chats: {one_line(str(after), 150)}"
    if row.area == "feeds" and (isinstance(before, dict) or isinstance(after, dict)):
        return f"feed {_feed_word(before, after)}: {key}{_traits(before or {}, after or {})}"
    return f"{row.area}.toml {key}: {changes.said(before)} → {changes.said(after)}"


def _name(whom: Subscriber | None) -> str:
    if whom is None:
        return "a chat that was forgotten since"
    return to_admins.describe(whom.name, whom.kind, whom.chat_id, whom.thread_id)


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
