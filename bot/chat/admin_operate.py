"""/admin, the rest: numbers with a chart, reload, test message, broadcast, models and a backup, each behind a press."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session, insert, select

from bot import changes
from bot.calendar import when_to_tell
from bot.chat.admin_call import OUT_OF_DATE, Call, Reply, menu, outcome, page
from bot.messages import to_admins
from bot.messages.lines import one_line
from bot.messages.message import Button, Message, clip, notice
from bot.messages.stats import stats_chart, stats_text
from bot.model_shelf import shelf
from bot.notices import admin_chat, enqueue
from bot.numbers import count_all
from classifiers.shelf import Kept
from config.edit_value import Edited
from config.errors import ConfigError
from config.load import load_settings
from models import Delivery, Level, Outlet, Priority, Subscriber, SubscriberState
from models.backup import backup

LONGEST_BROADCAST = 3000
LARGEST_FILE = 45 * 2**20  # the Bot API takes 50 MB: https://core.telegram.org/bots/api#senddocument


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What an admin wrote to everybody."""

    text: str


async def show(call: Call, verb: str) -> Reply:
    """One page or step."""
    steps = {
        "stats": _stats,
        "reload": _reload,
        "test": _test,
        "write": _write,
        "text": _ask_broadcast,
        "send": _broadcast,
        "models": _models,
        "promote": _promote,
        "train": _train,
        "rollback": _roll_back,
        "backup": _ask_backup,
        "backupyes": _backup,
    }
    return await steps[verb](call) if verb in steps else menu()


async def _stats(call: Call) -> Reply:
    numbers = await call.desk.decide(lambda s, _cfg, now: count_all(s, now))
    chart = await asyncio.to_thread(stats_chart, numbers.days)
    return Reply(page(stats_text(numbers), back="menu").message, photo=chart)


async def _reload(call: Call) -> Reply:
    """Check first, because the reload itself tells a mistake to all admins only."""
    await asyncio.to_thread(load_settings, call.tools.folder)
    done = await call.tools.reload()
    return page("Settings taken up." if done else "Nothing had changed; settings are in order.", back="menu")


async def _test(call: Call) -> Reply:
    """Through the outbox, as an alert goes."""
    message = to_admins.test_message()
    await call.desk.decide(
        lambda s, _cfg, now: enqueue(s, admin_chat(s, call.user_id, now), f"test:{now.isoformat()}", message, now)
    )
    return page("A test message is in the outbox; it should be here within seconds.", back="menu")


# Broadcast ------------------------------------------------------------------------------------------------------------


async def _write(call: Call) -> Reply:
    return await call.ask(
        "ops", "text", "Send me the text for everybody. You see it once more before it goes.", back="menu"
    )


async def _ask_broadcast(call: Call) -> Reply:
    text = clip(call.arg.strip(), LONGEST_BROADCAST)
    if not text:
        raise ConfigError("a broadcast needs a text")
    many = await call.desk.decide(lambda s, _cfg, _now: len(_hearers(s)))
    token = await call.hold(Broadcast(text))
    rows = ([Button(f"Send to {many} chats", f"adm:ops:send:{token}"), Button("Cancel", "adm:menu")],)
    return page(f"This goes to {many} chats, after everything more urgent:\n\n{text}", rows)


async def _broadcast(call: Call) -> Reply:
    wanted = await call.take(Broadcast)
    if wanted is None:
        return page(OUT_OF_DATE, back="menu")
    many = await call.desk.decide(lambda s, cfg, _now: _send_to_all(s, call, wanted.text, cfg.digest.timezone))
    return page(f"In the outbox for {many} chats.", back="menu")


def _hearers(session: Session) -> Sequence[Subscriber]:
    active = select(Subscriber).where(Subscriber.state == SubscriberState.ACTIVE, Subscriber.outlet == Outlet.TELEGRAM)
    return session.exec(active).all()


def _send_to_all(session: Session, call: Call, text: str, timezone: str) -> int:
    """When each chat's quiet hours are over. In one statement, because there may be very many."""
    hearers, now = _hearers(session), call.now
    message: Message = notice(text)
    done = changes.record(session, call.who, Edited("broadcast", str(len(hearers)), None, text), now)
    when = {each.id: when_to_tell(Level.NONE, each, timezone, now) for each in hearers}
    rows = [
        {
            "subscriber_id": hearer,
            "key": f"broadcast:{done.id}",
            "priority": int(Priority.BROADCAST),
            "message": message.to_json(),
            "send_after": at,
            "due_at": at,
            "created_at": now,
        }
        for hearer, at in when.items()
    ]
    if rows:
        session.execute(insert(Delivery), rows)
    return len(rows)


# Models ---------------------------------------------------------------------------------------------------------------


async def _models(_call: Call) -> Reply:
    kept = await asyncio.to_thread(lambda: shelf().kept())
    lines = [f"{'★' if one.live else '·'} {one.name}: {_model_line(one)}" for one in kept]
    others = [one for one in kept if not one.live and not one.fault]
    buttons = [[Button(f"Compare {one.name[:12]}", f"adm:ops:promote:{one.name[:20]}")] for one in others]
    text = "Models; the star is live. `train` makes new ones from the corpus and your labels."
    rows = (*buttons[-6:], [Button("Train a new one", "adm:ops:train"), Button("Roll back", "adm:ops:rollback")])
    return page("\n".join([text, "", *lines]), rows, back="menu")


def _model_line(one: Kept) -> str:
    if one.fault:
        return f"cannot be used ({clip(one.fault, 200)})"
    figure = float(one.manifest["figures"].get("validation_direction_f1", 0))
    return f"{one.manifest.get('verdicts', 0)} labels of admins, direction F1 {figure:.3f}"


async def _train(call: Call) -> Reply:
    """`train` promotes by itself what is better."""
    if call.arg != "yes":
        rows = ([Button("Train", "adm:ops:train:yes")],)
        text = "Train on the corpus and the labels of admins? It takes minutes, and promotes the model if it is better."
        return page(text, rows, back="ops:models")
    call.later(call.user_id, outcome(call, ["train"], "ops:models"))
    return page("Training has begun; the outcome comes as a message.", back="ops:models")


async def _promote(call: Call) -> Reply:
    """Compare first; a second press, with the word yes, promotes what is better."""
    from classifiers.promotion import compare

    name = call.arg
    compared = await asyncio.to_thread(lambda: compare(shelf().live(), shelf().find(name)))
    if len(call.args) > 1 and compared.better:
        before = await asyncio.to_thread(lambda: shelf().live().name)
        folder = await asyncio.to_thread(lambda: shelf().promote(name))
        return await _took_over(call, before, folder)
    said = "It is better." if compared.better else f"It is not promoted from here: {compared.objection}."
    rows = ([Button("Promote it", f"adm:ops:promote:{name}:yes")],) if compared.better else ()
    return page(f"{name}\n\n{compared}\n\n{said}", rows, back="ops:models")


async def _roll_back(call: Call) -> Reply:
    if call.arg != "yes":
        rows = ([Button("Roll back", "adm:ops:rollback:yes")],)
        return page("Make the model that was live before this one live again?", rows, back="ops:models")
    before = await asyncio.to_thread(lambda: shelf().live().name)
    folder = await asyncio.to_thread(lambda: shelf().roll_back())
    return await _took_over(call, before, folder)


async def _took_over(call: Call, before: str, folder: Path) -> Reply:
    edit = Edited("model", "live", before, folder.name)
    await call.desk.decide(lambda s, _cfg, now: changes.record(s, call.who, edit, now))
    await call.tools.reload()
    return page(f"Live: {one_line(folder.name)}. New articles are read by it within a minute.", back="ops:models")


# Backup ---------------------------------------------------------------------------------------------------------------


async def _ask_backup(_call: Call) -> Reply:
    rows = ([Button("Send it to me", "adm:ops:backupyes")],)
    text = "A backup holds everything: articles, subscribers, the record. It is sent through Telegram, to you only."
    return page(text, rows, back="menu")


async def _backup(call: Call) -> Reply:
    data = await asyncio.to_thread(_backup_bytes, call)
    if data is None:
        raise ConfigError("the backup is too large for Telegram; make it with: ./run.sh backup FILE")
    name = f"tocsin-{call.now:%Y-%m-%d-%H%M}.db"
    return Reply(page(f"{name}, {len(data) / 2**20:.1f} MB.", back="menu").message, document=(name, data))


def _backup_bytes(call: Call) -> bytes | None:
    with tempfile.TemporaryDirectory(prefix="tocsin-backup-") as scratch:
        path = Path(scratch) / "tocsin.db"
        backup(call.desk.parts.database.engine, path)
        return path.read_bytes() if path.stat().st_size <= LARGEST_FILE else None
