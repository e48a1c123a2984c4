"""/admin, Subscribers: a press in; who is subscribed, let in, put out or invited out."""

import secrets
from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from bot import changes
from bot.chat.access import answer_request, levels_of
from bot.chat.admin_call import Call, Reply, number, page, turner
from bot.messages import to_admins
from bot.messages.lines import one_line
from bot.messages.message import Button
from config.errors import ConfigError
from config.load import load_file
from models import Delivery, DeliveryState, Outlet, Priority, Subscriber, SubscriberState
from models.delivery import undelivered

SIZE = 8
REASON = 200
MARKS = {
    SubscriberState.PENDING: "❓",
    SubscriberState.ACTIVE: "🔔",
    SubscriberState.STOPPED: "⏸",
    SubscriberState.BLOCKED: "🚫",
    SubscriberState.REFUSED: "⛔",
}


async def show(call: Call, verb: str) -> Reply:
    """One page or step."""
    steps = {
        "one": _one,
        "yes": _approve,
        "no": _block,
        "lost": _undelivered,
        "invite": _invite,
        "code": _new_code,
        "access": _access,
    }
    return await steps.get(verb, _list)(call)


async def _list(call: Call) -> Reply:
    at, wanted = number(call.arg, 10**6), _state(call.args[1] if len(call.args) > 1 else "")
    rows, counts = await call.desk.decide(lambda s, _cfg, _now: _page_of(s, wanted, at))
    total = counts.get(wanted, 0) if wanted else sum(counts.values())
    lines = [f"{at * SIZE + i}. {MARKS[row.state]} {_name(row)}" for i, row in enumerate(rows, 1)]
    head = ", ".join(f"{MARKS[state]} {state.value} {counts[state]}" for state in MARKS if counts.get(state))
    numbers = [Button(str(at * SIZE + i), f"adm:people:one:{row.id}") for i, row in enumerate(rows, 1)]
    filters = [Button(MARKS[state], f"adm:people:list:0:{state.value}") for state in MARKS if counts.get(state)]
    buttons = (
        numbers[: SIZE // 2],
        numbers[SIZE // 2 :],
        turner("people", at, total, SIZE, f":{wanted.value}" if wanted else ""),
        [*filters, Button("All", "adm:people:list")] if len(filters) > 1 else [],
        [Button("Invite", "adm:people:invite"), Button("Undelivered", "adm:people:lost")],
    )
    return page("\n".join([head or "Nobody yet.", "", *lines]), buttons, back="menu")


def _state(word: str) -> SubscriberState | None:
    return SubscriberState(word) if word in list(SubscriberState) else None


def _page_of(
    session: Session, state: SubscriberState | None, at: int
) -> tuple[list[Subscriber], dict[SubscriberState, int]]:
    """Requests first, then the newest; the terminal is nobody."""
    people = select(Subscriber).where(Subscriber.outlet == Outlet.TELEGRAM)
    if state is not None:
        people = people.where(Subscriber.state == state)
    first = col(Subscriber.state) != SubscriberState.PENDING
    rows = session.exec(people.order_by(first, col(Subscriber.id).desc()).offset(at * SIZE).limit(SIZE)).all()
    count = select(Subscriber.state, func.count()).where(Subscriber.outlet == Outlet.TELEGRAM)
    return list(rows), {SubscriberState(state): many for state, many in session.exec(count.group_by(Subscriber.state))}


def _name(row: Subscriber) -> str:
    return to_admins.describe(row.name, row.kind, row.chat_id, row.thread_id)


async def _one(call: Call) -> Reply:
    wanted = number(call.arg)
    row, lost = await call.desk.decide(
        lambda s, _cfg, _now: (s.get(Subscriber, wanted), undelivered(s, 1, subscriber_id=wanted))
    )
    if row is None:
        raise ConfigError("that subscriber is gone")
    return _details(row, [delivery for delivery, _ in lost])


def _details(row: Subscriber, lost: Sequence[Delivery]) -> Reply:
    levels = ", ".join(f"{way.word} from {level.word}" for way, level in levels_of(row).items())
    text = [
        _name(row),
        f"{MARKS[row.state]} {row.state.value} since {row.changed_at:%d %b %Y}; known since {row.created_at:%d %b %Y}",
        levels,
        *(f"Last not delivered: {_loss(delivery)}" for delivery in lost),
    ]
    buttons = []
    if row.state in (SubscriberState.PENDING, SubscriberState.REFUSED):
        buttons.append(Button("Approve", f"adm:people:yes:{row.id}"))
    if row.state != SubscriberState.REFUSED:
        buttons.append(Button("Block", f"adm:people:no:{row.id}"))
    return page("\n".join(text), (buttons,), back="people:list")


async def _undelivered(call: Call) -> Reply:
    """What did not arrive lately, and why."""
    rows = await call.desk.decide(lambda s, _cfg, _now: undelivered(s, SIZE))
    lines = [f"{i}. {_name(chat)}: {_loss(delivery)}" for i, (delivery, chat) in enumerate(rows, 1)]
    numbers = [Button(str(i), f"adm:people:one:{chat.id}") for i, (_, chat) in enumerate(rows, 1)]
    head = f"The last {len(rows)} messages that failed or may not have arrived." if rows else "Everything arrived."
    return page("\n".join([head, "", *lines]), (numbers[: SIZE // 2], numbers[SIZE // 2 :]), back="people:list")


def _loss(delivery: Delivery) -> str:
    """The time is that of the message: when it was given up is in the log."""
    state = "may have arrived" if delivery.state is DeliveryState.UNCERTAIN else "failed"
    what = Priority(delivery.priority).kind
    return f"{what} of {delivery.created_at:%d %b %Y %H:%M} UTC {state}: {one_line(delivery.error or '', REASON)}"


async def _approve(call: Call) -> Reply:
    return await _judge(call, True)


async def _block(call: Call) -> Reply:
    return await _judge(call, False)


async def _judge(call: Call, admit: bool) -> Reply:
    wanted = number(call.arg)
    row = await call.desk.decide(lambda s, _cfg, _now: s.get(Subscriber, wanted))
    if row is not None and not admit and row.chat_id in call.desk.parts.settings().telegram.admins:
        raise ConfigError("that is the chat of an admin; take the id out of admins in telegram.toml first")
    await call.desk.decide(lambda s, cfg, now: answer_request(s, cfg, wanted, admit, call.who, now))
    return await _one(call)


# Invitations ----------------------------------------------------------------------------------------------------------


async def _invite(call: Call) -> Reply:
    telegram = load_file(call.tools.folder, "telegram")
    lines = ["By invitation: whoever knows the code is in." if telegram.access == "invite" else "By approval."]
    if telegram.access == "invite":
        code, ours = telegram.invite_code, f"https://t.me/{call.bot.username}"
        lines += ["", f"Pass on this link: {ours}?start={code}", f"For a group: {ours}?startgroup={code}"]
        lines.append(f"Or the code: /start {code}")
        buttons = [Button("New code; the old one ends", "adm:people:code"), Button("By approval", "adm:people:access")]
    else:
        lines.append("Each newcomer is put to you with two buttons.")
        buttons = [Button("By invitation", "adm:people:access")]
    return page("\n".join(lines), [[button] for button in buttons], back="people:list")


async def _new_code(call: Call) -> Reply:
    await _set(call, "invite_code", secrets.token_urlsafe(12))
    return await _invite(call)


async def _access(call: Call) -> Reply:
    telegram = load_file(call.tools.folder, "telegram")
    if telegram.access == "invite":
        await _set(call, "access", "approval")
    else:
        if len(telegram.invite_code) < 8:
            await _set(call, "invite_code", secrets.token_urlsafe(12))
        await _set(call, "access", "invite")
    return await _invite(call)


async def _set(call: Call, key: str, value: str) -> None:
    folder = call.tools.folder
    await call.desk.decide(
        lambda s, _cfg, now: changes.change_value(s, folder, call.who, ("telegram", [key]), value, now)
    )
    await call.tools.reload()
