"""Silence in and out: /mute and /unmute of a pair, or of all alerts for hours or days; the subscriber's row changed.

A muted pair is not told, also what waits of it; held back for a time, alerts wait and then come.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from bot.chat.access import Visitor, subscriber_or_reply
from bot.chat.pairs import no_pair, pair_or_reply, parties_of
from bot.messages import pair_replies
from bot.messages.language import in_language
from bot.messages.message import Message
from bot.messages.names import local_moment, pair_name, party_names
from bot.pipeline.reschedule import Hours, reschedule
from config.schema import Settings
from models import Level, Subscriber
from models.chats import withdraw_pair

#: So long that what waits is summed up; whoever wants more wants /stop.
LONGEST = timedelta(days=7)
_SPAN = re.compile(
    r"(?<!\S)(?:for |pour )?([0-9]{1,4}) ?(?:(h|hours?|heures?)|(d|days?|j|jours?))?(?!\S)", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<!\S)[0-9]")


@dataclass(frozen=True, slots=True)
class Wish:
    """The words after /mute: a time of which `span` is the length and `typed` what was written, and the `rest`."""

    span: timedelta | None
    typed: str
    rest: str

    @property
    def timed(self) -> bool:
        """Whether a time was meant, be it one that is not understood, such as 30min."""
        return self.span is not None or _NUMBER.search(self.rest) is not None


def read_wish(words: Sequence[str]) -> Wish:
    """ "3", "3h", "for 2 days" or "RU UA 3h" taken apart; a number alone is hours."""
    text = " ".join(words)
    found = _SPAN.search(text)
    if found is None:
        return Wish(None, "", text)
    rest = f"{text[: found.start()]} {text[found.end() :]}".strip()
    return Wish(timedelta(**{"days" if found[3] else "hours": int(found[1])}), found[0], rest)


def mute(session: Session, settings: Settings, visitor: Visitor, words: Sequence[str], now: datetime) -> Message:
    """/mute RU UA: nothing of the pair; /mute 3h or /mute 2 days: no alerts for so long. Both at once is neither:
    a pair is muted until somebody ends it."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    say, wish = in_language(known.language), read_wish(words)
    if wish.span is not None and not wish.rest:
        return _hold_back(session, known, settings, wish.span, now)
    found, names = parties_of(settings.actors).pair(wish.rest), party_names(settings.actors)
    if found.dyad is None and (wish.timed or (not found.codes and not found.meant)):
        return pair_replies.how_to_mute(LONGEST.days, say)
    if found.dyad is None:
        return no_pair(settings, wish.rest, found, "mute", say)
    if wish.timed:
        return pair_replies.pair_for_no_time(pair_name(found.dyad, names), found.dyad, wish.typed, say)
    mute_pair(session, known, found.dyad)
    return pair_replies.pair_muted(pair_name(found.dyad, names), found.dyad, say)


def unmute(session: Session, settings: Settings, visitor: Visitor, words: Sequence[str], now: datetime) -> Message:
    """/unmute RU UA: hear of the pair again; /unmute alone ends the hours."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    say, names = in_language(known.language), party_names(settings.actors)
    if not words:
        _let_through(session, settings, known, now)
        return pair_replies.unmuted([*known.muted_dyads], names, say)
    pair = pair_or_reply(settings, words, "unmute", say)
    if isinstance(pair, Message):
        return pair
    was_muted = unmute_pair(known, pair)
    still = [pair_name(each, names) for each in known.muted_dyads]
    return pair_replies.pair_unmuted(pair_name(pair, names), was_muted, still, say)


def stop_of_pair(session: Session, settings: Settings, visitor: Visitor, words: Sequence[str]) -> Message | None:
    """/stop RU UA: nothing is stopped, because /stop ends everything; None where the words are more than a pair."""
    known, found = subscriber_or_reply(session, visitor), parties_of(settings.actors).pair(" ".join(words))
    if isinstance(known, Message) or found.dyad is None or found.rest:
        return None
    pair = pair_name(found.dyad, party_names(settings.actors))
    return pair_replies.stop_of_pair(pair, found.dyad, in_language(known.language))


def mute_pair(session: Session, known: Subscriber, pair: str) -> None:
    """Nothing of the pair is told here, nor what waits to be."""
    if pair not in known.muted_dyads:
        known.muted_dyads = [*known.muted_dyads, pair]
    withdraw_pair(session, known, pair, f"the chat muted {pair}")


def unmute_pair(known: Subscriber, pair: str) -> bool:
    """The pair is told again; False when it was not muted."""
    was_muted = pair in known.muted_dyads
    known.muted_dyads = [each for each in known.muted_dyads if each != pair]
    return was_muted


def unmute_in_time(subscriber: Subscriber, now: datetime) -> None:
    """Hours that are over are none."""
    if subscriber.muted_until is not None and subscriber.muted_until <= now:
        subscriber.muted_until = None


def _hold_back(session: Session, known: Subscriber, settings: Settings, span: timedelta, now: datetime) -> Message:
    say = in_language(known.language)
    if not timedelta(hours=1) <= span <= LONGEST:
        return pair_replies.time_out_of_range(LONGEST.days, say)
    before = Hours.of(known, settings.digest.timezone, now)
    known.muted_until = now + span
    reschedule(session, known, before, settings.digest.timezone, now)
    through = Level(known.break_through).word if known.break_through <= Level.CRITICAL else ""
    until = local_moment(known.muted_until, known.timezone or settings.digest.timezone, say)
    old = settings.alerts.telling.max_age_hours
    return pair_replies.muted_until(until, through, old if span > timedelta(hours=old) else None, say)


def _let_through(session: Session, settings: Settings, known: Subscriber, now: datetime) -> None:
    """End the hours: what waited for their end comes now, or when quiet hours are over."""
    before = Hours.of(known, settings.digest.timezone, now)
    known.muted_until = None
    reschedule(session, known, before, settings.digest.timezone, now)
