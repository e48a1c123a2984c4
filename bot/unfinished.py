"""Work that an admin had under way when Tocsin stopped in, a message that says so and starts it again out."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from bot.messages.message import Button, Message, notice
from bot.notices import admin_chat, enqueue
from config.schema import Settings
from models.memo import remember, take_all

PREFIX = "errand:"
#: Command -> the button that leads to where it is started.
_AGAIN = {"train": Button("Train again", "adm:ops:train"), "backtest": Button("Thresholds", "adm:set:list")}


def note_begun(session: Session, admin_id: int, command: Sequence[str]) -> str:
    """Keep that it is under way; returns the name to forget it by once it has ended in any way."""
    name = f"{PREFIX}{secrets.token_urlsafe(8)}"
    remember(session, name, {"admin": admin_id, "command": list(command)})
    return name


def tell_unfinished(session: Session, settings: Settings, now: datetime) -> int:
    """Queue a message for each admin whose command the last run took with it; returns how many there were."""
    lost = take_all(session, PREFIX)
    for number, errand in enumerate(lost):
        if errand["admin"] in settings.telegram.admins:
            key = f"unfinished:{number}:{now.isoformat()}"
            enqueue(session, admin_chat(session, errand["admin"], now), key, _stopped(errand["command"]), now)
    return len(lost)


def _stopped(command: Sequence[str]) -> Message:
    """Of its options only what was tried: the others are files of a run that is gone."""
    verb = command[0]
    tried = f" ({command[command.index('--set') + 1]})" if "--set" in command else ""
    text = f"{verb}{tried} was stopped when Tocsin was, before it was done. It does not go on by itself."
    return notice(text, "Stopped", ((_AGAIN.get(verb, Button("Menu", "adm:menu")),),))
