"""Who asks and the tables in, who is let in and the answer out: /start, /stop and an admin's verdict.

Closed by default: a chat becomes ACTIVE only by an admin's yes, by the invite code, or because an admin starts it.
Everything here is one caller's transaction and knows no Telegram.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from bot.calendar import digest_for, next_digest
from bot.changes import Who, record
from bot.chat.limiter import Limit, Window
from bot.messages import joining, to_admins
from bot.messages.language import ENGLISH, in_language
from bot.messages.lines import one_line
from bot.messages.message import Message
from bot.notices import enqueue, tell_admins
from bot.outlet import Chat
from config.edit_value import Edited
from config.schema import Settings
from models import Direction, Level, Subscriber, SubscriberState
from models.change import latest_of
from models.chats import withdraw_deliveries
from models.subscriber import find_subscriber, subscribers_of

REQUESTS_A_DAY = 20  # questions to the admins; a crowd of made-up groups must not drown them
#: Who was one too many is asked about when they ask again after this long: in the morning of an evening, too.
A_NIGHT = timedelta(hours=8)
WRONG_CODES = Limit(5, 3600)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who speaks, and where. `user_id` is None where Telegram hides it (channels, anonymous admins).

    `name` is the person's or the chat's, as they like to be called: hostile text. `language` is that of the
    person's Telegram where we have it.
    """

    chat: Chat
    user_id: int | None
    name: str
    language: str = ENGLISH

    @property
    def id_to_tell(self) -> int | None:
        """The person's user id where nobody else reads it."""
        return self.user_id if self.chat.kind == "private" else None


@dataclass(frozen=True, slots=True)
class Answer:
    """An admin's yes or no to a chat, which stood at `seen` when they were asked."""

    admit: bool
    seen: SubscriberState


class CodeGuesses:
    """Counts wrong invite codes per person, in memory: with 8 characters there is nothing to gain from a restart."""

    def __init__(self) -> None:
        self._wrong = Window()

    def exhausted(self, visitor: Visitor, now: datetime) -> bool:
        """True when this person has guessed too often within the hour."""
        return self._wrong.delay(self._key(visitor), WRONG_CODES, now.timestamp()) > 0

    def count(self, visitor: Visitor, now: datetime) -> None:
        """One more wrong code."""
        self._wrong.forget_before(now.timestamp() - WRONG_CODES.seconds)
        self._wrong.add(self._key(visitor), WRONG_CODES, now.timestamp())

    @staticmethod
    def _key(visitor: Visitor) -> int:
        return visitor.user_id or visitor.chat.chat_id


def join(
    session: Session, settings: Settings, visitor: Visitor, code: str, guesses: CodeGuesses, now: datetime
) -> Message | None:
    """/start: let the chat in, pass its request on, or say what is missing. None: no answer at all."""
    known = find_subscriber(session, visitor.chat.chat_id, visitor.chat.thread_id)
    if known is not None:
        known.name = one_line(visitor.name)
    if visitor.user_id in settings.telegram.admins:
        return _let_in(session, settings, known or _new_subscriber(session, settings, visitor, now), now)
    if known is not None and known.state != SubscriberState.PENDING:
        return _come_back(session, settings, known, now)
    if settings.telegram.access == "invite":
        return _check_code(session, settings, visitor, known, code, guesses, now)
    return _ask_admins(session, settings, known or _new_subscriber(session, settings, visitor, now), visitor, now)


def greet(session: Session, visitor: Visitor) -> Message | None:
    """What a group is told that added the bot; None where it is subscribed."""
    return joining.how_to_ask() if _active_in(session, visitor.chat.chat_id) is None else None


def leave(session: Session, settings: Settings, visitor: Visitor, now: datetime) -> Message:
    """/stop: nothing more is sent, what waits included."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    is_admin = known.chat_id in settings.telegram.admins
    known.state, known.changed_at = SubscriberState.STOPPED, now
    withdraw_deliveries(session, known, "the chat said /stop", notices_too=not is_admin)
    return joining.stopped(is_admin)


def answer_request(
    session: Session,
    settings: Settings,
    subscriber_id: int,
    answer: Answer,
    who: Who,
    now: datetime,
) -> Message | None:
    """An admin's yes or no, told to the chat and recorded; returns what the question becomes, None when it is moot.

    It is also how an admin changes a verdict. Nothing changes when the chat stands otherwise than the admin was shown:
    somebody else answered meanwhile, and the question becomes what happened.
    """
    subscriber = session.get(Subscriber, subscriber_id)
    if subscriber is None:
        return None
    before, admit = subscriber.state, answer.admit
    if before != answer.seen:
        return _answered_before(session, subscriber)
    closed = (SubscriberState.PENDING, SubscriberState.REFUSED)
    if admit and subscriber.state in closed:
        enqueue(session, subscriber, f"admitted:{now.isoformat()}", _let_in(session, settings, subscriber, now), now)
    elif not admit and subscriber.state != SubscriberState.REFUSED:
        subscriber.state, subscriber.changed_at = SubscriberState.REFUSED, now
        withdraw_deliveries(session, subscriber, "refused by an admin")
        if subscriber.kind != "channel":  # its readers asked for nothing
            enqueue(session, subscriber, f"refused:{now.isoformat()}", joining.refused(), now)
    if subscriber.state != before:  # by our number: what is kept of a chat must go with it
        record(session, who, Edited("subscriber", str(subscriber.id), before.value, subscriber.state.value), now)
    return to_admins.request_answered(_describe(subscriber), subscriber.id, subscriber.state)


def _answered_before(session: Session, subscriber: Subscriber) -> Message:
    """Where a chat stands, and by whom if an admin answered."""
    latest = latest_of(session, "subscriber", str(subscriber.id))
    by = latest.who if latest is not None and latest.after == subscriber.state.value else ""
    return to_admins.answered_before(_describe(subscriber), subscriber.id, subscriber.state, by, subscriber.changed_at)


def is_subscribed(session: Session, visitor: Visitor) -> bool:
    """Whether the visitor's chat is active."""
    known = find_subscriber(session, visitor.chat.chat_id, visitor.chat.thread_id)
    return known is not None and known.state == SubscriberState.ACTIVE


def subscriber_or_reply(session: Session, visitor: Visitor) -> Subscriber | Message:
    """The active subscriber of the visitor's chat, or what a chat that is none is told."""
    known = find_subscriber(session, visitor.chat.chat_id, visitor.chat.thread_id)
    if known is not None and known.state == SubscriberState.ACTIVE:
        return known
    return _outsider_reply(session, visitor, known)


def levels_of(subscriber: Subscriber) -> dict[Direction, Level]:
    """From which level on a subscriber is told, per direction."""
    return {
        Direction.ESCALATION: Level(subscriber.level_escalation),
        Direction.DEESCALATION: Level(subscriber.level_deescalation),
    }


def _outsider_reply(session: Session, visitor: Visitor, known: Subscriber | None) -> Message:
    """What a chat that is not active is told when it asks for anything but to join.

    Where another topic is active, /start here would have every alert told twice in the group.
    """
    state = None if known is None else known.state
    if state == SubscriberState.PENDING:
        return joining.still_waiting()
    if state == SubscriberState.REFUSED:
        return joining.refused()
    if (other := _active_in(session, visitor.chat.chat_id)) is not None:
        return joining.in_another_topic(in_language(other.language))
    return joining.stopped_before() if state == SubscriberState.STOPPED else joining.how_to_ask()


def _active_in(session: Session, chat_id: int) -> Subscriber | None:
    """The first topic of a chat that is subscribed, or the chat itself."""
    here = subscribers_of(session, chat_id)
    return next((each for each in here if each.state == SubscriberState.ACTIVE), None)


def _new_subscriber(session: Session, settings: Settings, visitor: Visitor, now: datetime) -> Subscriber:
    subscriber = Subscriber(
        chat_id=visitor.chat.chat_id,
        thread_id=visitor.chat.thread_id,
        kind=visitor.chat.kind,
        name=one_line(visitor.name),
        language=visitor.language,
        created_at=now,
        changed_at=now,
    )
    session.add(subscriber)
    session.flush()
    return subscriber


def _let_in(session: Session, settings: Settings, subscriber: Subscriber, now: datetime) -> Message:
    is_admin = subscriber.chat_id in settings.telegram.admins
    if subscriber.state == SubscriberState.ACTIVE:
        return joining.already_subscribed(is_admin)
    if _is_new(subscriber):
        level = Level[settings.alerts.telling.default_level.upper()]
        subscriber.level_escalation = subscriber.level_deescalation = level
    subscriber.state, subscriber.changed_at = SubscriberState.ACTIVE, now
    wanted = digest_for(subscriber, settings.digest)
    subscriber.digest_due_at = next_digest(wanted, now) if subscriber.digest else None
    session.add(subscriber)
    return joining.welcome(levels_of(subscriber), in_language(subscriber.language), is_admin)


def _is_new(subscriber: Subscriber) -> bool:
    """Whether it was never let in (its digest was never due), so that the levels it has are nobody's choice."""
    never_let_in = subscriber.digest and subscriber.digest_due_at is None
    return subscriber.state == SubscriberState.PENDING or (subscriber.state == SubscriberState.REFUSED and never_let_in)


def _come_back(session: Session, settings: Settings, known: Subscriber, now: datetime) -> Message:
    """/start by a chat that was let in, or refused, before."""
    if known.state == SubscriberState.REFUSED:
        return joining.refused()
    return _let_in(session, settings, known, now)


def _check_code(
    session: Session,
    settings: Settings,
    visitor: Visitor,
    known: Subscriber | None,
    code: str,
    guesses: CodeGuesses,
    now: datetime,
) -> Message | None:
    if not code:
        return joining.needs_code(visitor.id_to_tell, was_wrong=False)
    if guesses.exhausted(visitor, now):
        return None
    if not hmac.compare_digest(code.encode(errors="replace"), settings.telegram.invite_code.encode()):
        guesses.count(visitor, now)
        return joining.needs_code(visitor.id_to_tell, was_wrong=True)
    return _let_in(session, settings, known or _new_subscriber(session, settings, visitor, now), now)


def _ask_admins(
    session: Session, settings: Settings, subscriber: Subscriber, visitor: Visitor, now: datetime
) -> Message:
    """Each request is put to each admin once; one that came in a flood, when the chat asks again another day."""
    somebody_answers = bool(settings.telegram.admins)
    if somebody_answers and _comes_in_a_flood(session, subscriber, now):
        tell_admins(session, settings, f"join-flood:{now:%Y-%m-%d}", to_admins.many_requests(REQUESTS_A_DAY), now)
        return joining.many_ask_today(in_language(subscriber.language))
    question = to_admins.join_request(_describe(subscriber), subscriber.id)
    tell_admins(session, settings, f"join:{subscriber.id}:{subscriber.changed_at.isoformat()}", question, now)
    return joining.asked(visitor.id_to_tell, somebody_answers)


def _comes_in_a_flood(session: Session, subscriber: Subscriber, now: datetime) -> bool:
    """Whether many asked within the day before this chat, which has not waited for a night."""
    earlier = select(func.count()).where(
        Subscriber.state == SubscriberState.PENDING,
        col(Subscriber.changed_at) > now - timedelta(days=1),
        col(Subscriber.id) < subscriber.id,
    )
    return subscriber.changed_at > now - A_NIGHT and session.exec(earlier).one() >= REQUESTS_A_DAY


def _describe(subscriber: Subscriber) -> str:
    return to_admins.describe(subscriber.name, subscriber.kind, subscriber.chat_id, subscriber.thread_id)
