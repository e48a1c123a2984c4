"""/admin, Label queue: a tap in, a label that training learns from stored, the next headline out."""

import re
from datetime import datetime

from sqlmodel import Session

from bot import changes
from bot.chat.admin_call import Call, Reply, number, page
from bot.messages.lines import one_line
from bot.messages.message import Button
from bot.pipeline.label_queue import Doubt, label, next_doubt
from config.edit_value import Edited
from models import Reading, Verdict, VerdictKind
from models.memo import recall, remember

MOST_SKIPPED = 500
SEVERITIES = {1: "routine", 2: "notable", 3: "critical"}
CODE = re.compile(r"(?:(e|d)([123])|n)")
DIRECTIONS = {"e": "escalation", "d": "deescalation", None: "none"}


async def show(call: Call, verb: str) -> Reply:
    """One headline, or one tap."""
    if verb == "skip":
        await _skip(call)
    elif verb == "back":
        return await _take_back(call)
    elif CODE.fullmatch(verb):
        return await _label(call, verb)
    return await _next(call)


async def _skip(call: Call) -> None:
    """For this admin only: another may know what the headline says."""
    wanted, name = number(call.arg), f"skipped:{call.user_id}"
    await call.desk.decide(lambda s, _cfg, _now: remember(s, name, [*(recall(s, name) or []), wanted][-MOST_SKIPPED:]))


def _next_for(session: Session, admin_id: int, now: datetime) -> tuple[Doubt | None, int]:
    return next_doubt(session, now, set(recall(session, f"skipped:{admin_id}") or ()))


async def _next(call: Call, head: str = "", stored: int | None = None) -> Reply:
    doubt, left = await call.desk.decide(lambda s, _cfg, now: _next_for(s, call.user_id, now))
    back = [Button("Take that back", f"adm:label:back:{stored}")] if stored is not None else []
    if doubt is None:
        text = "Nothing waits for a label: nothing was called wrong, is disputed or left the model unsure."
        return page(f"{head}\n\n{text}".strip(), (back,), back="menu")
    return page(f"{head}\n\n{_text(doubt, left)}".strip(), (*_keys(doubt.reading.id), back), back="menu")


def _text(doubt: Doubt, left: int) -> str:
    reading = doubt.reading
    return (
        f"{left} wait; this one because {doubt.why}.\n\n“{one_line(reading.title, 500)}”\n\n"
        f"Read as: escalation {reading.escalation:.0f}, easing {reading.deescalation:.0f}, {reading.status}.\n"
        "What does the headline say, taken as written?"
    )


def _keys(reading_id: int) -> list[list[Button]]:
    rows = [
        [Button(f"{mark} {word}", f"adm:label:{code}{severity}:{reading_id}") for severity, word in SEVERITIES.items()]
        for code, mark in (("e", "⬆"), ("d", "⬇"))
    ]
    return [*rows, [Button("Neither", f"adm:label:n:{reading_id}"), Button("Skip", f"adm:label:skip:{reading_id}")]]


async def _label(call: Call, verb: str) -> Reply:
    found = CODE.fullmatch(verb)
    assert found is not None  # noqa: S101 - the caller looked
    direction, severity = DIRECTIONS[found[1]], int(found[2] or 0)
    wanted = number(call.arg)
    stored = await call.desk.decide(lambda s, _cfg, now: _store(s, call, wanted, direction, severity))
    if stored is None:
        return await _next(call, "That article was forgotten meanwhile.")
    return await _next(call, f"Stored: {direction}, severity {severity}.", stored)


def _store(session: Session, call: Call, reading_id: int, direction: str, severity: int) -> int | None:
    reading = session.get(Reading, reading_id)
    return None if reading is None else label(session, reading, direction, severity, call.user_id, call.now).id


async def _take_back(call: Call) -> Reply:
    wanted = number(call.arg)

    def forget(session: Session, now: datetime) -> bool:
        row = session.get(Verdict, wanted)
        if row is None or row.kind != VerdictKind.LABEL or row.admin_id != call.user_id:
            return False
        session.delete(row)
        given = f"{row.direction}, severity {row.severity}"
        changes.record(session, call.who, Edited("label", row.text, given, None), now)
        return True

    gone = await call.desk.decide(lambda s, _cfg, now: forget(s, now))
    return await _next(call, "Taken back." if gone else "There is no such label of yours.")
