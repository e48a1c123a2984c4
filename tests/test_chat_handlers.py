"""What people type and press, as updates over HTTP, and what they are answered: every command in every state."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fake_bot_api as fakes
import fake_updates as updates
import pytest
from fake_bot_api import TOKEN, Call, FakeBotApi
from sqlmodel import col, select

from bot.chat.api import open_bot
from bot.chat.desk import ChatParts
from bot.chat.limiter import Limiter
from bot.chat.receiver import receive_updates
from bot.chat.sender import TelegramSender
from bot.chat.serving import Pace
from bot.messages.menu import COMMANDS, FOR_CHAT_ADMINS
from bot.messages.message import Message
from bot.outlet import Envelope, SendFailure
from bot.pipeline.deliver import drain_outbox
from config.errors import DatabaseError
from config.schema import Alerts, Levels, Settings, Telegram
from models import (
    Alert,
    AlertKind,
    Delivery,
    DeliveryState,
    Direction,
    Outlet,
    Priority,
    Story,
    Subscriber,
    SubscriberState,
)
from models.database import Database, open_database
from models.subscriber import find_subscriber
from tests.rows import UNLIMITED

NOW = datetime(2022, 2, 17, 12, 0, tzinfo=UTC)  # a Thursday
ADMIN, ANNA, BORIS, GROUP, CHANNEL = 1001, 42, 43, -1005, -1007
CODE = "spring-2022"
HOSTILE = '<b>Bob</b>"\n\nApproved:\u202e & <a href="https://evil.example">x</a>'


@dataclass
class Bench:
    """A bot at work against the fake, with settings and clock that a test may turn."""

    fake: FakeBotApi
    database: Database
    now: datetime = NOW
    settings: Settings = field(default_factory=lambda: Settings(telegram=Telegram(admins=(ADMIN,))))

    async def say(self, update: dict[str, Any]) -> Call:
        """Push an update, wait for the next message and return it."""
        number = len(self.fake.messages)
        await self.fake.push(update)
        return (await self.fake.sent(number + 1))[number]

    async def ask(self, text: str, user_id: int = ANNA, **who: Any) -> str:
        return (await self.say(updates.private(text, user_id, **who))).text

    def find(self, chat_id: int = ANNA, thread_id: int = 0) -> Subscriber | None:
        with self.database.read() as session:
            return find_subscriber(session, chat_id, thread_id)

    def state(self, chat_id: int = ANNA, thread_id: int = 0) -> SubscriberState | None:
        found = self.find(chat_id, thread_id)
        return found.state if found else None

    def add(self, state: SubscriberState, chat_id: int = ANNA, **values: Any) -> int:
        row = Subscriber(chat_id=chat_id, state=state, created_at=NOW, changed_at=NOW, **values)
        with self.database.write() as session:
            session.add(row)
            session.flush()
            return row.id

    def outbox(self, chat_id: int) -> list[Delivery]:
        with self.database.read() as session:
            rows = select(Delivery).join(Subscriber).where(Subscriber.chat_id == chat_id)
            return list(session.exec(rows.order_by(col(Delivery.id))).all())

    def use(self, **telegram: Any) -> None:
        self.settings = self.settings.model_copy(update={"telegram": Telegram(**telegram)})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/tocsin.db", NOW)
    yield opened
    opened.close()


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    async with FakeBotApi() as fake:
        bench = Bench(fake, database)
        limiter = Limiter(lambda: UNLIMITED)
        parts = ChatParts(database, lambda: bench.settings, lambda: bench.now, limiter)
        task = asyncio.create_task(receive_updates(TOKEN, fake.base_url, parts, Pace(poll_s=1, stop_s=0.2)))
        yield bench
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# /start ---------------------------------------------------------------------------------------------------------------


async def test_a_stranger_waits_for_an_admin_who_is_asked_with_buttons(bench: Bench) -> None:
    answer = await bench.ask("/start", name="Anna", username="anna_k")
    assert "admins" in answer
    assert str(ANNA) in answer
    assert bench.state() == SubscriberState.PENDING
    (question,) = bench.outbox(ADMIN)
    assert "Anna (@anna_k)" in question.message["plain"]
    data = [button["data"] for row in question.message["buttons"] for button in row]
    subscriber = bench.find()
    assert subscriber is not None
    assert data == [f"join:yes:{subscriber.id}", f"join:no:{subscriber.id}"]


async def test_asking_again_does_not_ask_the_admins_again(bench: Bench) -> None:
    await bench.ask("/start")
    await bench.ask("/start")
    assert len(bench.outbox(ADMIN)) == 1


async def test_a_hostile_name_stays_text_in_one_line(bench: Bench) -> None:
    await bench.ask("/start", name=HOSTILE)
    (question,) = bench.outbox(ADMIN)
    html, plain = question.message["html"], question.message["plain"]
    assert "<" not in html
    assert len(plain.splitlines()) == 2
    assert "\u202e" not in plain


async def test_a_flood_of_requests_asks_the_admins_only_so_often(bench: Bench) -> None:
    for number in range(20):
        bench.add(SubscriberState.PENDING, chat_id=-2000 - number)
    assert await bench.ask("/start") == "Many ask today; send /start again tomorrow."
    (warning,) = bench.outbox(ADMIN)
    assert "More than 20" in warning.message["plain"]
    assert await bench.ask("/start") == "Many ask today; send /start again tomorrow."
    bench.now += timedelta(hours=10)  # from an evening to a morning
    assert "passed to the admins" in await bench.ask("/start")
    assert "Somebody asks" in bench.outbox(ADMIN)[-1].message["plain"]


async def test_a_flood_where_nobody_answers_says_how_to_become_an_admin(bench: Bench) -> None:
    bench.use()
    for number in range(20):
        bench.add(SubscriberState.PENDING, chat_id=-2000 - number)
    assert f"admins = [{ANNA}]" in await bench.ask("/start")


async def test_an_admin_is_in_at_once_with_default_levels_and_a_digest_date(bench: Bench) -> None:
    welcome = await bench.say(updates.private("/start", ADMIN))
    assert "You are subscribed" in welcome.text
    ((choose,),) = welcome.params["reply_markup"]["inline_keyboard"]
    assert choose == {"text": "Choose what you hear", "callback_data": "set:main"}
    _, page = await press(bench, "set:main", ADMIN)
    assert "Escalation from: warning" in page.text
    admin = bench.find(ADMIN)
    assert admin is not None
    assert (admin.state, admin.level_escalation, admin.level_deescalation) == (SubscriberState.ACTIVE, 2, 2)
    assert admin.digest_due_at == datetime(2022, 2, 21, 8, 0, tzinfo=UTC)


async def test_without_admins_start_says_how_to_become_one(bench: Bench) -> None:
    bench.use()
    answer = await bench.ask("/start")
    assert f"admins = [{ANNA}]" in answer
    assert "config/telegram.toml" in answer
    bench.use(admins=(ANNA,))
    assert "You are subscribed" in await bench.ask("/start")


@pytest.mark.parametrize(
    ("state", "answer", "afterwards"),
    [
        (SubscriberState.ACTIVE, "subscribed already", SubscriberState.ACTIVE),
        (SubscriberState.STOPPED, "You are subscribed", SubscriberState.ACTIVE),
        (SubscriberState.BLOCKED, "You are subscribed", SubscriberState.ACTIVE),
        (SubscriberState.REFUSED, "declined", SubscriberState.REFUSED),
        (SubscriberState.PENDING, "passed to the admins", SubscriberState.PENDING),
    ],
    ids=str,
)
@pytest.mark.parametrize("access", ["approval", "invite"])
async def test_start_by_a_known_chat(
    bench: Bench, access: str, state: SubscriberState, answer: str, afterwards: SubscriberState
) -> None:
    if access == "invite" and state == SubscriberState.PENDING:
        answer = "by invitation"
    bench.use(admins=(ADMIN,), access=access, invite_code=CODE)
    bench.add(state, level_escalation=1, digest_due_at=NOW - timedelta(days=30))
    assert answer in await bench.ask("/start")
    found = bench.find()
    assert found is not None
    assert found.state == afterwards
    assert found.level_escalation == 1
    if afterwards != state:
        assert found.digest_due_at == datetime(2022, 2, 21, 8, 0, tzinfo=UTC)


async def test_the_right_code_lets_in(bench: Bench) -> None:
    bench.use(access="invite", invite_code=CODE)
    assert "You are subscribed" in await bench.ask(f"/start {CODE}")
    assert bench.state() == SubscriberState.ACTIVE


async def test_the_right_code_does_not_overrule_a_refusal(bench: Bench) -> None:
    bench.use(access="invite", invite_code=CODE)
    bench.add(SubscriberState.REFUSED)
    assert "declined" in await bench.ask(f"/start {CODE}")
    assert bench.state() == SubscriberState.REFUSED


async def test_wrong_codes_are_answered_a_few_times_and_then_met_with_silence(bench: Bench) -> None:
    bench.use(access="invite", invite_code=CODE)
    for guess in ("a", CODE.upper(), "ünïcödé", CODE + "x", "12345678"):
        assert "not the invite code" in await bench.ask(f"/start {guess}")
    await bench.fake.push(updates.private(f"/start {CODE}", ANNA))
    assert "subscribers only" in await bench.ask("/help")
    assert bench.state() is None
    bench.now += timedelta(hours=1, seconds=1)
    assert "You are subscribed" in await bench.ask(f"/start {CODE}")


async def test_no_code_is_told_where_to_get_one(bench: Bench) -> None:
    bench.use(access="invite", invite_code=CODE)
    assert "/start CODE" in await bench.ask("/start")
    assert bench.state() is None


# Approve and refuse ---------------------------------------------------------------------------------------------------


async def press(bench: Bench, data: str, user_id: int = ADMIN) -> list[Call]:
    number = len(bench.fake.calls_of("answerCallbackQuery"))
    edits = len(bench.fake.calls_of("editMessageText"))
    await bench.fake.push(updates.press(data, user_id))
    answer = (await bench.fake.called("answerCallbackQuery", number + 1))[number]
    if answer.params.get("show_alert"):
        return [answer]
    return [answer, (await bench.fake.called("editMessageText", edits + 1))[edits]]


async def test_an_approved_chat_is_subscribed_and_told(bench: Bench) -> None:
    number = bench.add(SubscriberState.PENDING, level_escalation=3)
    _, edit = await press(bench, f"join:yes:{number}")
    assert edit.text.startswith("Approved")
    found = bench.find()
    assert found is not None
    assert (found.state, found.level_escalation) == (SubscriberState.ACTIVE, 2)
    assert found.digest_due_at is not None
    assert "You are subscribed" in bench.outbox(ANNA)[0].message["plain"]


async def test_a_refused_chat_is_told_and_gets_nothing_that_waits(bench: Bench) -> None:
    number = bench.add(SubscriberState.ACTIVE)
    with bench.database.write() as session:
        session.add(Delivery(subscriber_id=number, key="alert:1", send_after=NOW, created_at=NOW))
    _, edit = await press(bench, f"join:no:{number}:active")
    assert edit.text.startswith("Refused")
    assert bench.state() == SubscriberState.REFUSED
    assert [row.state for row in bench.outbox(ANNA)] == ["failed", "waiting"]
    assert "declined" in bench.outbox(ANNA)[1].message["plain"]


async def test_the_readers_of_a_refused_channel_are_posted_nothing(bench: Bench) -> None:
    number = bench.add(SubscriberState.PENDING, chat_id=CHANNEL, kind="channel")
    await press(bench, f"join:no:{number}")
    assert bench.state(CHANNEL) == SubscriberState.REFUSED
    assert bench.outbox(CHANNEL) == []


async def test_an_admin_may_change_a_verdict_with_the_button_that_stays(bench: Bench) -> None:
    number = bench.add(SubscriberState.PENDING)
    _, edit = await press(bench, f"join:no:{number}")
    ((button,),) = edit.params["reply_markup"]["inline_keyboard"]
    assert button["callback_data"] == f"join:yes:{number}:refused"
    await press(bench, button["callback_data"])
    assert bench.state() == SubscriberState.ACTIVE


async def test_who_is_refused_first_and_approved_later_gets_the_levels_of_newcomers(bench: Bench) -> None:
    critical = Alerts.model_validate({"telling": {"default_level": "critical"}})
    bench.settings = bench.settings.model_copy(update={"alerts": critical})
    await bench.ask("/start")
    found = bench.find()
    assert found is not None
    await press(bench, f"join:no:{found.id}")
    await press(bench, f"join:yes:{found.id}:refused")
    found = bench.find()
    assert found is not None and (found.level_escalation, found.level_deescalation) == (3, 3)


async def test_who_was_put_out_and_is_approved_again_keeps_the_levels_it_chose(bench: Bench) -> None:
    number = bench.add(SubscriberState.PENDING)
    await press(bench, f"join:yes:{number}")
    await bench.ask("/threshold watch")
    await press(bench, f"join:no:{number}:active")
    await press(bench, f"join:yes:{number}:refused")
    found = bench.find()
    assert found is not None and (found.state, found.level_escalation) == (SubscriberState.ACTIVE, 1)


async def test_a_colleagues_stale_refuse_says_what_happened_and_throws_nobody_out(bench: Bench) -> None:
    number = bench.add(SubscriberState.PENDING)
    await press(bench, f"join:yes:{number}")
    _, edit = await press(bench, f"join:no:{number}")
    assert "Nothing was changed: it is active since" in edit.text
    assert f"admin {ADMIN}" in edit.text
    assert bench.state() == SubscriberState.ACTIVE
    ((button,),) = edit.params["reply_markup"]["inline_keyboard"]
    await press(bench, button["callback_data"])
    assert bench.state() == SubscriberState.REFUSED


async def test_an_approved_chat_is_welcomed_in_the_language_of_its_telegram(bench: Bench) -> None:
    hello = updates.private("/start", ANNA)
    hello["message"]["from"]["language_code"] = "fr"
    await bench.say(hello)
    found = bench.find()
    assert found is not None
    await press(bench, f"join:yes:{found.id}")
    (welcome,) = bench.outbox(ANNA)
    assert welcome.message["plain"].startswith("Cette discussion est abonnée")
    assert welcome.message["buttons"] == [[{"text": "Choisir ce que vous recevez", "data": "set:main"}]]


async def test_a_late_yes_does_not_bring_back_who_stopped(bench: Bench) -> None:
    number = bench.add(SubscriberState.STOPPED)
    await press(bench, f"join:yes:{number}")
    assert bench.state() == SubscriberState.STOPPED
    assert bench.outbox(ANNA) == []


@pytest.mark.parametrize(
    ("data", "user_id", "answer"),
    [
        ("join:yes:1", ANNA, "Only admins"),
        ("join:maybe:1", ADMIN, "another version"),
        ("join:yes:1 OR 1=1", ADMIN, "another version"),
        ("join:yes:1:nobody", ADMIN, "another version"),
        ("join:yes:1:pending:1", ADMIN, "another version"),
        ("join:yes", ADMIN, "another version"),
        ("", ADMIN, "another version"),
    ],
    ids=["not an admin", "unknown verb", "no number", "no state", "too long", "too short", "empty"],
)
async def test_a_button_that_may_not_be_pressed_changes_nothing(
    bench: Bench, data: str, user_id: int, answer: str
) -> None:
    bench.add(SubscriberState.PENDING)
    (shown,) = await press(bench, data, user_id)
    assert answer in shown.text
    assert bench.state() == SubscriberState.PENDING


async def test_a_button_of_somebody_who_is_admin_no_longer_does_nothing(bench: Bench) -> None:
    number = bench.add(SubscriberState.PENDING)
    bench.use(admins=(7,))
    (shown,) = await press(bench, f"join:yes:{number}")
    assert "Only admins" in shown.text
    assert bench.state() == SubscriberState.PENDING


async def test_a_request_that_is_gone_says_so(bench: Bench) -> None:
    _, edit = await press(bench, "join:yes:999")
    assert edit.text == "That request is gone."


async def test_the_old_buttons_of_who_was_forgotten_act_on_nobody_who_came_later(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE, ADMIN)
    await bench.ask("/start")
    anna = bench.find()
    assert anna is not None
    await press(bench, f"join:yes:{anna.id}")
    await press(bench, "forget:yes", ANNA)
    assert bench.find() is None
    await bench.ask("/start", BORIS)
    boris = bench.find(BORIS)
    assert boris is not None
    assert boris.id != anna.id
    await press(bench, f"join:yes:{boris.id}")
    _, edit = await press(bench, f"join:no:{anna.id}:active")
    assert edit.text == "That request is gone."
    assert bench.state(BORIS) == SubscriberState.ACTIVE


async def test_a_verdict_counts_though_telegram_does_not_show_it(bench: Bench) -> None:
    number = bench.add(SubscriberState.PENDING)
    bench.fake.fail(fakes.bad_request("query is too old and response timeout expired"), "answerCallbackQuery")
    await bench.fake.push(updates.press(f"join:yes:{number}", ADMIN))
    await bench.fake.called("answerCallbackQuery")
    assert bench.state() == SubscriberState.ACTIVE


# /stop ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "answer", "afterwards"),
    [
        (SubscriberState.ACTIVE, "/start brings them back", SubscriberState.STOPPED),
        (SubscriberState.STOPPED, "gets nothing", SubscriberState.STOPPED),
        (SubscriberState.PENDING, "not answered yet", SubscriberState.PENDING),
        (SubscriberState.REFUSED, "declined", SubscriberState.REFUSED),
        (SubscriberState.BLOCKED, "subscribers only", SubscriberState.BLOCKED),
        (None, "subscribers only", None),
    ],
    ids=str,
)
async def test_stop(
    bench: Bench, state: SubscriberState | None, answer: str, afterwards: SubscriberState | None
) -> None:
    if state is not None:
        bench.add(state)
    assert answer in await bench.ask("/stop")
    assert bench.state() == afterwards


async def test_stop_withdraws_what_waits_and_an_admin_keeps_notices(bench: Bench) -> None:
    number = bench.add(SubscriberState.ACTIVE, chat_id=ADMIN)
    alert = add_alerts(bench, 1)[0]
    with bench.database.write() as session:
        session.add(Delivery(subscriber_id=number, key="a", alert_id=alert, send_after=NOW, created_at=NOW))
        session.add(Delivery(subscriber_id=number, key="missed:1", send_after=NOW, created_at=NOW))
        notice = {"key": "feed:1", "priority": Priority.NOTICE}
        session.add(Delivery(subscriber_id=number, **notice, send_after=NOW, created_at=NOW))
    assert "As an admin" in await bench.ask("/stop", ADMIN)
    assert [row.state for row in bench.outbox(ADMIN)] == ["failed", "failed", "waiting"]


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        (updates.private("/stop", ANNA), "the chat is stopped"),
        (updates.private("/mute RU UA", ANNA), "the chat muted RU-UA"),
    ],
    ids=["stopped", "muted"],
)
async def test_an_alert_that_telegram_puts_off_is_not_tried_again_once_the_chat_was_told_of_the_end(
    bench: Bench, update: dict[str, Any], reason: str
) -> None:
    number, alert = bench.add(SubscriberState.ACTIVE), rang(bench, "Talks on the border", "RU-UA")
    with bench.database.write() as session:
        row = {"message": Message("x", "x").to_json(), "send_after": NOW, "created_at": NOW}
        session.add(Delivery(subscriber_id=number, key="alert:1", alert_id=alert, **row))

    class Slow:
        async def send(self, envelope: Envelope) -> int | None:
            await envelope.begin()
            await bench.say(update)
            raise SendFailure("flood", retry_after_s=1)

    assert await drain_outbox(bench.database, {Outlet.TELEGRAM: Slow()}, lambda: NOW) == 0
    (row,) = bench.outbox(ANNA)
    assert (row.state, row.error) == (DeliveryState.FAILED, reason)


async def test_stopping_while_waiting_is_no_way_in(bench: Bench) -> None:
    await bench.ask("/start")
    await bench.ask("/stop")
    await bench.ask("/start")
    assert bench.state() == SubscriberState.PENDING


# /latest, /threshold, /help -------------------------------------------------------------------------------------------


def add_alerts(
    bench: Bench, number: int, title: str = "Talks on the border", url: str = "https://x.example/1"
) -> list[int]:
    with bench.database.write() as session:
        story = Story(title=title, first_seen_at=NOW, last_seen_at=NOW)
        session.add(story)
        session.flush()
        rows = [
            Alert(
                story_id=story.id,
                kind=AlertKind.NEW if n == 0 else AlertKind.RAISED,
                direction=Direction.DEESCALATION if n % 2 else Direction.ESCALATION,
                level=1 + n % 3,
                score=41 + n,
                rule=f"rule {n}",
                facts={"title": f"{title} {n}", "url": url},
                created_at=NOW + timedelta(minutes=n),
            )
            for n in range(number)
        ]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


async def test_latest_shows_five_alerts_newest_first(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE, level_escalation=1, level_deescalation=1)
    add_alerts(bench, 6)
    lines = [line for line in (await bench.ask("/latest")).split("\n") if line]
    assert len(lines) == 10
    assert lines[0] == "🟢 easing, critical, raised · 46 · 17 Feb 12:05 UTC"
    assert lines[1] == '<a href="https://x.example/1">Talks on the border 5</a>'
    assert lines[9].endswith("Talks on the border 1</a>")


@pytest.mark.parametrize(("words", "shown"), [("10", 10), ("1", 1), ("20", 20), ("99", 20)])
async def test_latest_shows_as_many_as_are_asked_for_and_twenty_at_most(bench: Bench, words: str, shown: int) -> None:
    bench.add(SubscriberState.ACTIVE, level_escalation=1, level_deescalation=1)
    for _ in range(5):
        add_alerts(bench, 5, title="Talks " * 60, url=f"https://x.example/{'a' * 500}")
    assert (await bench.ask(f"/latest {words}")).count("https://x.example/") == shown


@pytest.mark.parametrize("words", ["ten", "0", "-3", "RU UA"])
async def test_latest_with_words_that_are_no_number_says_how_to_ask(bench: Bench, words: str) -> None:
    bench.add(SubscriberState.ACTIVE)
    assert "/latest 10 shows the last ten, 20 at most" in await bench.ask(f"/latest {words}")


@pytest.mark.parametrize("command", ["digest", "missed", "privacy"])
async def test_words_after_a_command_that_takes_none_are_not_passed_over_in_silence(bench: Bench, command: str) -> None:
    bench.add(SubscriberState.ACTIVE)
    assert await bench.ask(f"/{command} 2") == f"/{command} takes no words."


TAKES_WORDS = frozenset(COMMANDS) - {"start", "stop", "missed", "digest", "privacy", "forget"}


@pytest.mark.parametrize("name", sorted(TAKES_WORDS))
async def test_help_shows_an_example_of_every_command_that_takes_words(bench: Bench, name: str) -> None:
    bench.add(SubscriberState.ACTIVE)
    (line,) = (line for line in (await bench.ask("/help")).splitlines() if line.startswith(f"/{name} "))
    assert f": /{name} " in line


async def test_help_in_a_group_marks_what_only_its_admins_may_do(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE, chat_id=GROUP, kind="supergroup")
    bench.add(SubscriberState.ACTIVE)
    lines = (await bench.say(updates.group("/help", GROUP, ANNA))).text.splitlines()
    marked = {line.split()[0][1:] for line in lines if "(admins of this group only)" in line}
    assert marked == FOR_CHAT_ADMINS
    assert "only)" not in await bench.ask("/help")


async def test_help_for_a_command_tells_of_that_one_alone(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE)
    assert (await bench.ask("/help /mute")).startswith("/mute – hear nothing of a pair")
    assert "/stop – " in await bench.ask("/help me")


async def test_to_stop_a_pair_stops_nothing_and_says_how_to_mute_it(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE)
    assert "Nothing was stopped. /mute RU-UA mutes Russia – Ukraine" in await bench.ask("/stop Russia Ukraine")
    assert bench.state() is SubscriberState.ACTIVE
    await bench.ask("/stop writing of Russia and Ukraine to me")
    assert bench.state() is SubscriberState.STOPPED


async def test_latest_says_that_nothing_has_rung(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE)
    assert await bench.ask("/latest") == "Nothing has rung yet."


def rang(bench: Bench, title: str, dyad: str, kinds: Sequence[AlertKind] = (AlertKind.NEW,), level: int = 2) -> int:
    """Alerts about one story, in order; returns the first."""
    with bench.database.write() as session:
        story = Story(title=title, first_seen_at=NOW, last_seen_at=NOW, dyad=dyad)
        session.add(story)
        session.flush()
        about = {"story_id": story.id, "direction": Direction.ESCALATION, "score": 66, "rule": "", "created_at": NOW}
        rows = [Alert(kind=kind, level=level, facts={"title": title, "url": ""}, **about) for kind in kinds]
        session.add_all(rows)
        session.flush()
        return rows[0].id


async def test_latest_shows_what_fits_a_chats_choices_with_what_took_it_back_and_what_it_was_told(bench: Bench) -> None:
    number = bench.add(SubscriberState.ACTIVE, dyads=["RU-UA"], muted_dyads=["IL-IR"])
    rang(bench, "Chosen", "RU-UA", (AlertKind.NEW, AlertKind.RETRACTED))
    rang(bench, "Chosen, but quiet", "RU-UA", level=1)
    rang(bench, "Elsewhere", "CN-TW", (AlertKind.NEW, AlertKind.RETRACTED))
    rang(bench, "Muted", "IL-IR")
    told = rang(bench, "Told before it was muted", "IL-IR")
    with bench.database.write() as session:
        row = Delivery(subscriber_id=number, key="a", alert_id=told, send_after=NOW, created_at=NOW, sent_at=NOW)
        session.add(row)
    shown = [line for line in (await bench.ask("/latest")).splitlines() if line and "17 Feb" not in line]
    assert shown == ["Told before it was muted", "Chosen", "Chosen"]


async def test_latest_says_that_only_what_a_chat_did_not_choose_has_rung(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE, dyads=["RU-UA"])
    rang(bench, "Elsewhere", "CN-TW")
    assert "Nothing that this chat chose has rung yet" in await bench.ask("/latest")


async def test_a_hostile_headline_or_link_stays_text(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE, level_escalation=1)
    add_alerts(bench, 1, title=HOSTILE, url='https://x.example/"><b>')
    add_alerts(bench, 1, title=HOSTILE, url="javascript:alert(1)")
    call = await bench.say(updates.private("/latest", ANNA))
    assert call.params["parse_mode"] == "HTML"
    assert "<b>" not in call.text
    assert "javascript" not in call.text
    assert call.text.count("<a ") == 1


@pytest.mark.parametrize(
    ("words", "answer", "levels"),
    [
        ("", "escalation: warning (score 55)", (2, 2)),
        ("watch", "escalation: watch (score 40)\neasing: watch (score 30)", (1, 1)),
        ("critical easing", "easing: critical (score 80)", (2, 3)),
        ("escalation WATCH", "escalation: watch", (1, 2)),
        ("watch de-escalation", "easing: watch", (2, 1)),
        ("70", "Levels: watch (40, easing 30), warning (55), critical (80)", (2, 2)),
        ("waring", "Did you mean warning?", (2, 2)),
        ("watch eskalation", "Did you mean escalation?", (2, 2)),
        ("<b>", "“<b>” is no level", (2, 2)),
        ("🔴 " * 500, "is no level", (2, 2)),
    ],
    ids=["show", "both", "one", "any order", "synonym", "number", "typo", "typo in the second", "markup", "long"],
)
async def test_threshold(bench: Bench, words: str, answer: str, levels: tuple[int, int]) -> None:
    bench.settings = bench.settings.model_copy(update={"alerts": Alerts(deescalation=Levels(watch=30.0))})
    bench.add(SubscriberState.ACTIVE)
    call = await bench.say(updates.private(f"/threshold {words}".strip(), ANNA))
    assert answer.replace("<", "&lt;").replace(">", "&gt;") in call.text
    found = bench.find()
    assert found is not None
    assert (found.level_escalation, found.level_deescalation) == levels


async def test_help_lists_every_command(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE)
    answer = await bench.ask("/help")
    assert all(f"/{name}" in answer for name in ("start", "stop", "latest", "threshold", "unwatch", "unmute", "help"))


@pytest.mark.parametrize("command", ["/help", "/latest", "/threshold watch", "/stop"])
async def test_a_stranger_learns_only_how_to_ask(bench: Bench, command: str) -> None:
    add_alerts(bench, 1)
    assert await bench.ask(command) == "This bot answers subscribers only. /start asks to become one."


@pytest.mark.parametrize("text", ["/frobnicate", "hello?", "/start@another_bot"])
async def test_anything_else_in_private_points_to_help(bench: Bench, text: str) -> None:
    assert "/help" in await bench.ask(text)


def test_the_documentation_names_every_command() -> None:
    text = (Path(__file__).parents[1] / "docs" / "telegram.md").read_text(encoding="utf-8")
    assert all(f"| `/{name}` |" in text for name in COMMANDS)


# Groups and channels --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["creator", "administrator"])
async def test_a_chat_admin_may_subscribe_a_group_topic(bench: Bench, status: str) -> None:
    bench.fake.members[GROUP, ANNA] = status
    answer = await bench.say(updates.group("/start@tocsin_test_bot", GROUP, ANNA, topic=9))
    assert answer.params["message_thread_id"] == 9
    assert bench.state(GROUP, 9) == SubscriberState.PENDING
    assert "supergroup chat “Newsroom” (id -1005, topic 9)" in bench.outbox(ADMIN)[0].message["plain"]


@pytest.mark.parametrize("command", ["/start", "/stop", "/threshold watch"])
async def test_an_ordinary_member_may_not_decide_for_a_group(bench: Bench, command: str) -> None:
    bench.add(SubscriberState.ACTIVE, chat_id=GROUP)
    assert "Only admins of this chat" in (await bench.say(updates.group(command, GROUP, ANNA))).text
    assert bench.state(GROUP) == SubscriberState.ACTIVE


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_member_of_a_group_is_refused_what_its_menu_leaves_out_and_nothing_else(
    bench: Bench, name: str
) -> None:
    bench.add(SubscriberState.ACTIVE, chat_id=GROUP, kind="supergroup")
    answer = await bench.say(updates.group(f"/{name}", GROUP, ANNA))
    assert ("Only admins of this chat" in answer.text) == (name in FOR_CHAT_ADMINS)


async def test_where_the_bot_is_no_admin_the_list_of_admins_says_who_may_start_or_what_to_do_about_it(
    bench: Bench,
) -> None:
    bench.fake.fail(fakes.bad_request("PARTICIPANT_ID_INVALID"), "getChatMember")
    assert "Only admins of this chat" in (await bench.say(updates.group("/start", GROUP, ANNA))).text
    bench.fake.members[GROUP, ANNA] = "creator"
    assert "passed to the admins" in (await bench.say(updates.group("/start", GROUP, ANNA))).text
    bench.fake.fail(fakes.bad_request("member list is inaccessible"), "getChatAdministrators")
    answer = await bench.say(updates.group("/stop", GROUP, ANNA))
    assert answer.text == "I cannot see who is an admin here; make me one, or write as the group."


@pytest.mark.parametrize("access", ["approval", "invite"])
@pytest.mark.parametrize("admins", [(ADMIN,), ()], ids=["with admins", "without"])
async def test_in_a_group_nobody_is_told_the_user_id_of_who_asks(
    bench: Bench, access: str, admins: tuple[int, ...]
) -> None:
    bench.use(admins=admins, access=access, invite_code=CODE)
    person = 987654321
    bench.fake.members[GROUP, person] = "creator"
    for text in ("/start", "/start wrong"):
        assert str(person) not in (await bench.say(updates.group(text, GROUP, person))).text
        assert str(person) in await bench.ask(text, person)


async def test_an_anonymous_admin_speaks_for_the_group(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE, chat_id=GROUP)
    await bench.say(updates.anonymous_admin("/stop", GROUP))
    assert bench.state(GROUP) == SubscriberState.STOPPED
    assert bench.fake.calls_of("getChatMember") == []


async def test_who_writes_as_some_channel_does_not_speak_for_the_group(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE, chat_id=GROUP)
    assert "Only admins" in (await bench.say(updates.as_channel("/stop", GROUP, CHANNEL))).text
    assert bench.state(GROUP) == SubscriberState.ACTIVE


@pytest.mark.parametrize("text", [f"/start {CODE}", "/latest", "/forget", "/setings@tocsin_test_bot"])
async def test_a_post_that_telegram_forwards_to_the_channels_group_is_no_command_there(bench: Bench, text: str) -> None:
    bench.add(SubscriberState.ACTIVE, chat_id=GROUP, kind="supergroup")
    await bench.fake.push(updates.forwarded(text, GROUP, CHANNEL))
    assert "Stored" in (await bench.say(updates.group("/privacy", GROUP, ANNA))).text
    assert len(bench.fake.messages) == 1


@pytest.mark.parametrize(("status", "state"), [("creator", SubscriberState.ACTIVE), ("member", None)])
async def test_a_startgroup_link_subscribes_the_group_of_its_admin_only(
    bench: Bench, status: str, state: SubscriberState | None
) -> None:
    bench.use(access="invite", invite_code=CODE)
    bench.fake.members[GROUP, ANNA] = status
    await bench.say(updates.group(f"/start@tocsin_test_bot {CODE}", GROUP, ANNA))
    assert bench.state(GROUP) == state


async def test_an_admin_of_the_bot_who_is_admin_of_the_group_needs_no_approval(bench: Bench) -> None:
    bench.fake.members[GROUP, ADMIN] = "administrator"
    await bench.say(updates.group("/start", GROUP, ADMIN))
    assert bench.state(GROUP) == SubscriberState.ACTIVE


async def test_a_channel_asks_by_a_post_and_the_welcome_is_the_first_that_its_readers_see(bench: Bench) -> None:
    await bench.fake.push(updates.channel("/start", CHANNEL))
    await bench.fake.until(lambda: bench.state(CHANNEL) == SubscriberState.PENDING)
    found = bench.find(CHANNEL)
    assert found is not None
    await press(bench, f"join:yes:{found.id}")
    assert bench.fake.messages == []
    assert "You are subscribed" in bench.outbox(CHANNEL)[0].message["plain"]
    assert "subscribed already" in (await bench.say(updates.channel("/start", CHANNEL))).text


@pytest.mark.parametrize("access", ["approval", "invite"])
@pytest.mark.parametrize(
    "state", [None, *(state for state in SubscriberState if state is not SubscriberState.ACTIVE)], ids=str
)
async def test_the_readers_of_a_channel_that_is_not_subscribed_see_no_answer(
    bench: Bench, access: str, state: SubscriberState | None
) -> None:
    bench.use(admins=(ADMIN,), access=access, invite_code=CODE)
    if state is not None:
        bench.add(state, chat_id=CHANNEL, kind="channel")
    asked = ["/start wrong", *(f"/{name}" for name in COMMANDS if name not in ("start", "forget")), "/helpp@"]
    for text in asked:
        await bench.fake.push(updates.channel(text.replace("@", "@tocsin_test_bot"), CHANNEL))
    await bench.fake.until(lambda: bench.fake.confirmed >= bench.fake.last_update)
    comes_back = state in (SubscriberState.STOPPED, SubscriberState.BLOCKED)
    assert len(bench.fake.messages) == (2 if comes_back else 0)  # to /start and to /stop
    assert bench.state(CHANNEL) != SubscriberState.ACTIVE


async def test_a_channel_is_told_that_it_was_stopped_and_by_a_code_that_it_is_in(bench: Bench) -> None:
    bench.use(access="invite", invite_code=CODE)
    assert "You are subscribed" in (await bench.say(updates.channel(f"/start {CODE}", CHANNEL))).text
    assert "Stopped" in (await bench.say(updates.channel("/stop", CHANNEL))).text


async def test_forget_in_a_channel_asks_only_where_something_is_stored(bench: Bench) -> None:
    await bench.fake.push(updates.channel("/forget", CHANNEL))
    await bench.fake.until(lambda: bench.fake.confirmed >= bench.fake.last_update)
    assert bench.fake.messages == []
    bench.add(SubscriberState.REFUSED, chat_id=CHANNEL, kind="channel")
    assert "Delete what is stored" in (await bench.say(updates.channel("/forget", CHANNEL))).text


@pytest.mark.parametrize(
    ("by", "state", "posts"), [(ADMIN, "active", 1), (ANNA, "pending", 0)], ids=["by an admin", "by a stranger"]
)
async def test_adding_the_bot_to_a_channel_asks_for_it(bench: Bench, by: int, state: str, posts: int) -> None:
    await bench.fake.push(updates.membership(CHANNEL, "channel", by, "left", "administrator"))
    await bench.fake.until(lambda: bench.fake.confirmed >= bench.fake.last_update)
    assert bench.state(CHANNEL) == state
    assert len(bench.fake.messages) == posts


@pytest.mark.parametrize("kind", ["group", "supergroup"])
@pytest.mark.parametrize("new", ["member", "administrator"])
async def test_a_group_that_adds_the_bot_is_told_how_to_ask_once(bench: Bench, kind: str, new: str) -> None:
    await bench.fake.push(updates.added(GROUP, kind, updates.user(7), fakes.BOT))
    await bench.fake.push(updates.membership(GROUP, kind, ANNA, "left", new))
    await bench.fake.push(updates.group("/privacy", GROUP, ANNA))
    greeting, answer = await bench.fake.sent(2)
    assert "/start asks" in greeting.text and "Stored" in answer.text
    assert bench.state(GROUP) is None


async def test_people_who_join_a_group_are_told_nothing(bench: Bench) -> None:
    await bench.fake.push(updates.added(GROUP, "supergroup", updates.user(7)))
    assert "Stored" in (await bench.say(updates.group("/privacy", GROUP, ANNA))).text


JOINED = updates.membership(-1005, "supergroup", ANNA, "left", "member")


@pytest.mark.parametrize("topic", [0, 9], ids=["group", "topic"])
@pytest.mark.parametrize(
    "happened",
    [
        (updates.migration(-5, -1005), updates.migrated(-5, -1005), JOINED),
        (JOINED, updates.migrated(-5, -1005), updates.migration(-5, -1005)),
    ],
    ids=["told first", "joined first"],
)
async def test_a_subscribed_group_that_becomes_a_supergroup_is_not_told_how_to_ask(
    bench: Bench, happened: Sequence[dict[str, Any]], topic: int
) -> None:
    bench.add(SubscriberState.ACTIVE, chat_id=-5, kind="group", thread_id=topic)
    for update in happened:
        await bench.fake.push(update)
    assert "Stored" in (await bench.say(updates.group("/privacy", -1005, ANNA))).text
    assert bench.state(-1005, topic) == SubscriberState.ACTIVE


async def test_a_subscribed_group_to_which_the_bot_is_added_again_is_told_nothing(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE, chat_id=GROUP, kind="supergroup", thread_id=9)
    await bench.fake.push(updates.added(GROUP, "supergroup", fakes.BOT))
    assert "Stored" in (await bench.say(updates.group("/privacy", GROUP, ANNA))).text


@pytest.mark.parametrize(
    ("chat_id", "kind", "new"), [(ANNA, "private", "kicked"), (GROUP, "supergroup", "left")], ids=["private", "group"]
)
async def test_a_chat_that_removes_the_bot_is_blocked_with_its_topics(
    bench: Bench, chat_id: int, kind: str, new: str
) -> None:
    for thread in (0, 9):
        bench.add(SubscriberState.ACTIVE, chat_id=chat_id, thread_id=thread)
    await bench.fake.push(updates.membership(chat_id, kind, ANNA, "member", new))
    await bench.say(updates.private("/help", chat_id) if kind == "private" else updates.group("/help", chat_id, ANNA))
    assert bench.state(chat_id) == SubscriberState.BLOCKED
    assert bench.state(chat_id, 9) == SubscriberState.BLOCKED


@pytest.mark.parametrize("state", [SubscriberState.PENDING, SubscriberState.REFUSED])
async def test_blocking_the_bot_is_no_way_in(bench: Bench, state: SubscriberState) -> None:
    bench.add(state)
    await bench.fake.push(updates.membership(ANNA, "private", ANNA, "member", "kicked"))
    await bench.ask("/start")
    assert bench.state() == state


async def test_a_group_that_becomes_a_supergroup_keeps_its_subscription(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE, chat_id=-5, kind="group")
    await bench.fake.push(updates.migration(-5, -1005))
    await bench.say(updates.group("/help", -5, ANNA))
    found = bench.find(-1005)
    assert found is not None
    assert (found.state, found.kind) == (SubscriberState.ACTIVE, "supergroup")


async def test_what_was_sent_before_a_group_became_a_supergroup_is_neither_edited_nor_answered_in_the_new_one(
    bench: Bench,
) -> None:
    number = bench.add(SubscriberState.ACTIVE, chat_id=-5, kind="group")
    row: dict[str, Any] = {"subscriber_id": number, "send_after": NOW, "created_at": NOW}
    with bench.database.write() as session:
        first = Delivery(key="alert:1", state=DeliveryState.SENT, message_id=57, sent_at=NOW, **row)
        session.add(first)
        session.flush()
        about = {"update:1": {"edits_id": first.id, "priority": Priority.UPDATE}, "alert:2": {"edits_id": first.id}}
        for key, values in (about | {"alert:3": {"replies_to_id": first.id}}).items():
            session.add(Delivery(key=key, message=Message(key, key).to_json(), **values, **row))
    await bench.fake.push(updates.migration(-5, -1005))
    await bench.say(updates.group("/help", -5, ANNA))
    async with open_bot(TOKEN, bench.fake.base_url) as bot:
        sender = TelegramSender(bot, Limiter(lambda: UNLIMITED))
        assert await drain_outbox(bench.database, {Outlet.TELEGRAM: sender}, lambda: NOW) == 2
    assert bench.fake.calls_of("editMessageText") == []
    sent = {call.text: call for call in bench.fake.messages[1:]}
    assert set(sent) == {"alert:2", "alert:3"}
    assert all("reply_parameters" not in call.params for call in sent.values())


@pytest.mark.parametrize(
    "update",
    [
        updates.group("/setings@tocsin_test_bot quiet", GROUP, ANNA, topic=9),
        updates.group("/Setings@Tocsin_Test_Bot", GROUP, ANNA),
        updates.channel("/setings@tocsin_test_bot", CHANNEL),
    ],
    ids=["topic", "group", "channel"],
)
async def test_a_mistyped_command_addressed_to_us_is_answered_where_it_stands(
    bench: Bench, update: dict[str, Any]
) -> None:
    bench.add(SubscriberState.ACTIVE, chat_id=CHANNEL, kind="channel")
    answer = await bench.say(update)
    (where,) = update.values()
    assert "Did you mean /settings?" in answer.text
    assert answer.chat_id == where["chat"]["id"]
    assert answer.params.get("message_thread_id") == where.get("message_thread_id")


async def test_a_mistyped_command_that_may_be_for_another_bot_is_not_answered(bench: Bench) -> None:
    for chat_id in (GROUP, CHANNEL):
        bench.add(SubscriberState.ACTIVE, chat_id=chat_id)
    for text in ("/setings", "/setings@another_bot", "/frobnicate", "hello", "@tocsin_test_bot"):
        await bench.fake.push(updates.group(text, GROUP, ANNA))
        await bench.fake.push(updates.channel(text, CHANNEL))
    for last in (updates.group("/help", GROUP, ANNA), updates.channel("/help", CHANNEL)):
        await bench.fake.push(last)
    assert all("what this bot does" in call.text for call in await bench.fake.sent(2))


async def test_of_two_commands_that_are_near_both_are_named(bench: Bench) -> None:
    assert "Did you mean /unmute or /mute?" in await bench.ask("/nmute")


# When something fails -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [DatabaseError("database is locked; check that it may be written"), ZeroDivisionError(f"bug near {TOKEN}")],
    ids=["one of ours", "a bug"],
)
async def test_a_command_that_fails_is_logged_and_answered_in_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("bot.chat.commands.show_latest", fail)
    assert "the fault is here" in await bench.ask("/latest")
    assert "update_failed chat=42" in caplog.text
    assert TOKEN not in caplog.text


async def test_an_answer_waits_out_flood_control(bench: Bench) -> None:
    bench.fake.fail(fakes.flood(1), "sendMessage", times=1)
    assert "subscribers only" in await bench.ask("/help")
    assert len(bench.fake.calls_of("sendMessage")) == 2


async def test_a_chat_found_blocked_while_answering_is_marked(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE)
    bench.fake.fail(fakes.forbidden(), "sendMessage", times=1)
    await bench.fake.push(updates.private("/help", ANNA))
    assert "subscribers only" in await bench.ask("/help")
    assert bench.state() == SubscriberState.BLOCKED


async def test_a_chat_that_floods_the_bot_is_obeyed_in_silence(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE)
    for _ in range(10):
        await bench.ask("/help")
    stop = await bench.fake.push(updates.private("/stop", ANNA))
    await bench.ask("/help", user_id=43)
    await bench.fake.until(lambda: bench.fake.confirmed >= stop)
    assert bench.state() == SubscriberState.STOPPED
    bench.now += timedelta(seconds=61)
    assert "gets nothing" in await bench.ask("/latest")
    assert len(bench.fake.messages) == 12


async def test_a_slow_chat_holds_up_its_own_later_commands_and_nobody_else(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE)
    bench.fake.fail(fakes.hanging(), "getChatMember", times=1)
    await bench.fake.push(updates.group("/stop", GROUP, ANNA))
    await bench.fake.push(updates.group("/help", GROUP, ANNA))
    await bench.fake.called("getChatMember")
    async with asyncio.timeout(Pace().serve_s / 2):  # the hanging one may take serve_s
        assert (await bench.say(updates.private("/help", ANNA))).chat_id == ANNA
    assert [call.chat_id for call in bench.fake.messages] == [ANNA]


async def test_what_is_under_way_is_confirmed_only_when_it_ends_though_others_come_between(bench: Bench) -> None:
    bench.add(SubscriberState.ACTIVE)
    bench.fake.fail(fakes.hanging(), "getChatMember", times=1)
    slow = await bench.fake.push(updates.group("/stop", GROUP, ANNA))
    await bench.fake.called("getChatMember")
    for _ in range(3):
        await bench.ask("/help")
    assert bench.fake.confirmed < slow
    assert len(bench.fake.calls_of("getChatMember")) == 1
