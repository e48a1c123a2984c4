"""/admin, Subscribers: a press in; who is subscribed, let in, put out or invited out."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, func, select

from bot import changes
from bot.chat.access import Answer, answer_request
from bot.chat.admin_call import Call, Reply, number, page, turner
from bot.chat.mutes import unmute_in_time
from bot.messages import to_admins
from bot.messages.language import ENGLISH
from bot.messages.lines import one_line
from bot.messages.message import Button
from bot.messages.settings import summary
from bot.notices import enqueue
from config.errors import ConfigError
from config.load import load_file
from models import Delivery, DeliveryState, Outlet, Priority, Subscriber, SubscriberState
from models.delivery import undelivered
from models.subscriber import found_subscribers

SIZE = 8
REASON = 200
LONGEST_SEARCH = 80
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
        "no": _ask_block,
        "noyes": _block,
        "test": _send_test,
        "find": _ask_whom,
        "found": _find,
        "lost": _undelivered,
        "invite": _invite,
        "code": _ask_new_code,
        "codeyes": _new_code,
        "access": _ask_access,
        "accessyes": _access,
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
        [
            Button("Search", "adm:people:find"),
            Button("Invite", "adm:people:invite"),
            Button("Undelivered", "adm:people:lost"),
        ],
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


async def _ask_whom(call: Call) -> Reply:
    return await call.ask("people", "found", "Send me a part of the name, or the id of the chat.")


async def _find(call: Call) -> Reply:
    """Those whose name or id fits what was typed."""
    words = call.arg.strip()[:LONGEST_SEARCH]
    if not words:
        raise ConfigError("a name or an id is needed")
    rows = await call.desk.decide(lambda s, _cfg, _now: found_subscribers(s, words, SIZE + 1))
    if not rows:
        raise ConfigError(f"nobody is called {one_line(words)!r}")
    lines = [f"{i}. {MARKS[row.state]} {_name(row)}" for i, row in enumerate(rows[:SIZE], 1)]
    numbers = [Button(str(i), f"adm:people:one:{row.id}") for i, row in enumerate(rows[:SIZE], 1)]
    more = ["", "There are more; a longer part of the name shows fewer."] if len(rows) > SIZE else []
    buttons = (numbers[: SIZE // 2], numbers[SIZE // 2 :], [Button("Search again", "adm:people:find")])
    return page("\n".join([*lines, *more]), buttons, back="people:list")


def _name(row: Subscriber) -> str:
    return to_admins.describe(row.name, row.kind, row.chat_id, row.thread_id)


async def _one(call: Call, note: str = "") -> Reply:
    wanted = number(call.arg)
    row, lost = await call.desk.decide(
        lambda s, _cfg, now: (_as_it_stands(s, wanted, now), undelivered(s, 1, subscriber_id=wanted))
    )
    if row is None:
        raise ConfigError("that subscriber is gone")
    chosen = summary(row, call.desk.parts.settings(), ENGLISH)
    return _details(row, chosen, [delivery for delivery, _ in lost], note)


def _as_it_stands(session: Session, subscriber_id: int, now: datetime) -> Subscriber | None:
    row = session.get(Subscriber, subscriber_id)
    if row is not None:
        unmute_in_time(row, now)
    return row


def _details(row: Subscriber, chosen: str, lost: Sequence[Delivery], note: str) -> Reply:
    text = [
        *([note, ""] if note else []),
        _name(row),
        f"{MARKS[row.state]} {row.state.value} since {row.changed_at:%d %b %Y}; known since {row.created_at:%d %b %Y}",
        "",
        chosen,
        *(f"Last not delivered: {_loss(delivery)}" for delivery in lost),
    ]
    buttons = []
    if row.state in (SubscriberState.PENDING, SubscriberState.REFUSED):
        buttons.append(Button("Approve", f"adm:people:yes:{row.id}:{row.state.value}"))
    if row.state != SubscriberState.REFUSED:
        buttons.append(Button("Block", f"adm:people:no:{row.id}"))
    if row.state == SubscriberState.ACTIVE:
        buttons.append(Button("Send test", f"adm:people:test:{row.id}"))
    return page("\n".join(text), (buttons,), back="people:list")


async def _send_test(call: Call) -> Reply:
    """Through the outbox, as an alert goes."""
    wanted = number(call.arg)
    done = await call.desk.decide(lambda s, _cfg, now: _queue_test(s, wanted, now))
    return await _one(call, "A test message is in the outbox." if done else "Only active chats are sent anything.")


def _queue_test(session: Session, subscriber_id: int, now: datetime) -> bool:
    row = session.get(Subscriber, subscriber_id)
    if row is None or row.state != SubscriberState.ACTIVE:
        return False
    return enqueue(session, row, f"test:{now.isoformat()}", to_admins.test_message(), now) is not None


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


async def _ask_block(call: Call) -> Reply:
    """It takes away what somebody has, so it is asked twice."""
    row = await _to_be_blocked(call)
    rows = (
        [
            Button("Block it", f"adm:people:noyes:{row.id}:{row.state.value}"),
            Button("Cancel", f"adm:people:one:{row.id}"),
        ],
    )
    return page(
        f"Block this?\n{_name(row)}\n\nNothing is sent there any more, and /start does not bring it back.", rows
    )


async def _block(call: Call) -> Reply:
    await _to_be_blocked(call)
    return await _judge(call, False)


async def _to_be_blocked(call: Call) -> Subscriber:
    wanted = number(call.arg)
    row = await call.desk.decide(lambda s, _cfg, _now: s.get(Subscriber, wanted))
    if row is None:
        raise ConfigError("that subscriber is gone")
    if row.chat_id in call.desk.parts.settings().telegram.admins:
        raise ConfigError("that is the chat of an admin; take the id out of admins in telegram.toml first")
    return row


async def _judge(call: Call, admit: bool) -> Reply:
    """As the button says, if the chat still stands as the page showed it."""
    wanted, seen = number(call.arg), _state(call.args[1] if len(call.args) > 1 else "") or SubscriberState.PENDING
    answer = Answer(admit, seen)
    said = await call.desk.decide(lambda s, cfg, now: answer_request(s, cfg, wanted, answer, call.who, now))
    return await _one(call, said.plain.partition("\n")[0] if said else "")


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


async def _ask_new_code(_call: Call) -> Reply:
    rows = ([Button("Make it", "adm:people:codeyes"), Button("Cancel", "adm:people:invite")],)
    return page("Make a new code? Links and codes that were passed on before let nobody in any more.", rows)


async def _new_code(call: Call) -> Reply:
    await _set(call, "invite_code", secrets.token_urlsafe(12))
    return await _invite(call)


async def _ask_access(call: Call) -> Reply:
    """The other way than now; the button names it, so that two who press it do not undo each other."""
    if load_file(call.tools.folder, "telegram").access == "invite":
        way, text = "approval", "Let nobody in by code any more, and put each newcomer to the admins?"
    else:
        way, text = "invite", "Let in whoever knows the code, without asking the admins?"
    rows = ([Button("Yes", f"adm:people:accessyes:{way}"), Button("Cancel", "adm:people:invite")],)
    return page(text, rows)


async def _access(call: Call) -> Reply:
    if call.arg == "approval":
        await _set(call, "access", "approval")
    elif call.arg == "invite":
        if len(load_file(call.tools.folder, "telegram").invite_code) < 8:
            await _set(call, "invite_code", secrets.token_urlsafe(12))
        await _set(call, "access", "invite")
    return await _invite(call)


async def _set(call: Call, key: str, value: str) -> None:
    folder = call.tools.folder
    await call.desk.decide(
        lambda s, _cfg, now: changes.change_value(s, folder, call.who, ("telegram", [key]), value, now)
    )
    await call.tools.reload()
