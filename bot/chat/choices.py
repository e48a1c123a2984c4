"""A subscriber's wish and the tables in, its row changed and the answer out: /settings, /watch, /mute."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import get_args

from sqlmodel import Session, col, func, select

from bot.calendar import digest_for, next_digest
from bot.chat.access import Visitor, subscriber_or_reply
from bot.chat.pairs import parties_of
from bot.chat.settings import BadChoice, Known, choose
from bot.messages import replies
from bot.messages.language import Say, in_language
from bot.messages.message import Message
from bot.messages.names import chart_title, pair_name, party_names
from bot.messages.settings import MAIN, Offer, settings_page, summary
from bot.pipeline.index import DAY, Point, followed_since, tension, told_by_panel
from config.schema import Settings, SignalName
from models import Feed, Level, Story, Subscriber
from models.digest import last_digest

IN_THE_NEWS = timedelta(days=30)
STATUS_PAIRS = 5
MOST_PAIRS = 18
#: Longer, and what waits would be folded into a summary of old news.
MOST_HOURS = 12


def show_settings(
    session: Session, settings: Settings, visitor: Visitor, words: Sequence[str], now: datetime
) -> Message:
    """/settings [KEY VALUE ...]: the first page, after changing what was named."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    note = _change(session, settings, known, words[0].lower(), words[1:8], now) if words else ""
    return page_of(session, settings, known, MAIN, now, note)


def press_setting(
    session: Session, settings: Settings, visitor: Visitor, parts: Sequence[str], now: datetime
) -> Message | None:
    """A button of /settings, its data split at the colons; None when the chat is no subscriber any more."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return None
    note = ""
    if len(parts) >= 4:
        value = ":".join(parts[3:])  # times have a colon too
        values = value.split(" ") if parts[2] == "quiet" else [value]
        note = _change(session, settings, known, parts[2], values, now)
    return page_of(session, settings, known, parts[1] if len(parts) > 1 else MAIN, now, note)


def page_of(
    session: Session, settings: Settings, subscriber: Subscriber, page: str, now: datetime, note: str = ""
) -> Message:
    """A page of /settings with what there is to choose from."""
    _unmute_in_time(subscriber, now)
    there = known_choices(session, now)
    return settings_page(page, Offer(subscriber, settings, there.regions, there.dyads), note)


def known_choices(session: Session, now: datetime) -> Known:
    """Regions of enabled feeds, and the pairs with the most stories of the last month."""
    regions = sorted({region for feed in session.exec(select(Feed).where(Feed.enabled)) for region in feed.regions})
    busiest = (
        select(Story.dyad, func.count())
        .where(col(Story.dyad).is_not(None), col(Story.last_seen_at) > now - IN_THE_NEWS)
        .group_by(col(Story.dyad))
        .order_by(func.count().desc(), col(Story.dyad))
        .limit(MOST_PAIRS)
    )
    return Known(regions, [dyad for dyad, _ in session.exec(busiest) if dyad], get_args(SignalName))


def show_status(
    session: Session, settings: Settings, visitor: Visitor, now: datetime
) -> tuple[Message, tuple[str, list[Point]] | None]:
    """/status: the chat's choices and the tension of its pairs (else of the busiest), the loudest to be drawn."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known, None
    _unmute_in_time(known, now)
    since = followed_since(session, now)
    pairs = list(known.dyads or known_choices(session, now).dyads)[:STATUS_PAIRS]
    series = {pair: tension(told_by_panel(session, since, pair), since, now, DAY) for pair in pairs}
    today = {pair: points[-1] for pair, points in series.items() if points[-1].escalation or points[-1].deescalation}
    names = party_names(settings.actors)
    rows = [(pair_name(pair, names), at.escalation, at.deescalation, at.usual) for pair, at in today.items()]
    loudest = max(today, key=lambda pair: today[pair].escalation + today[pair].deescalation, default=None)
    drawn = (chart_title(loudest, names, f" since {since:%d %b}"), series[loudest]) if loudest else None
    return replies.status(summary(known, settings), rows, in_language(known.language)), drawn


def show_digest(session: Session, visitor: Visitor) -> tuple[Message, bytes | None]:
    """/digest: the last one made for this chat, else for anybody, with its chart."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known, None
    last = last_digest(session, known.id)
    if last is None:
        return replies.no_digest_yet(), None
    message, chart = last
    return Message.from_json(message), chart or None


def choose_pair(
    session: Session,
    visitor: Visitor,
    settings: Settings,
    words: Sequence[str],
    field: str,
    add: bool,
    now: datetime,
) -> Message:
    """/watch, /unwatch, /mute and /unmute: put a pair of parties into a list of the subscriber, or take it out.

    "/mute 3" or "/mute 3h" holds everything back for hours instead, and "/unmute" alone ends that.
    """
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    if field == "muted_dyads":
        if not add and not words:
            known.muted_until = None
            return replies.unmuted(known.muted_dyads, party_names(settings.actors))
        hours = _hours("".join(words)) if add else None
        if hours is not None:
            return _mute_for(known, hours, now)
    names = party_names(settings.actors)
    command = {("dyads", True): "watch", ("dyads", False): "unwatch", ("muted_dyads", True): "mute"}
    pair = pair_or_reply(settings, words, command.get((field, add), "unmute"), in_language(known.language))
    if isinstance(pair, Message):
        return pair
    chosen = [each for each in getattr(known, field) if each != pair]
    setattr(known, field, [*chosen, pair] if add else chosen)
    watched = [pair_name(each, names) for each in known.dyads]
    return replies.pair_chosen(pair_name(pair, names), field == "muted_dyads", add, watched)


def _hours(text: str) -> int | None:
    """ "3", "3h" or "3 hours" -> 3; None for anything else."""
    found = re.fullmatch(r"([0-9]{1,4})(?:h|hours?)?", text, re.IGNORECASE | re.ASCII)
    return int(found[1]) if found else None


def _mute_for(known: Subscriber, hours: int, now: datetime) -> Message:
    if not 1 <= hours <= MOST_HOURS:
        return replies.hours_out_of_range(MOST_HOURS)
    known.muted_until = now + timedelta(hours=hours)
    through = Level(known.break_through).word if known.break_through <= Level.CRITICAL else ""
    return replies.muted_for(hours, through)


def _unmute_in_time(subscriber: Subscriber, now: datetime) -> None:
    if subscriber.muted_until is not None and subscriber.muted_until <= now:
        subscriber.muted_until = None


def pair_or_reply(settings: Settings, words: Sequence[str], command: str, say: Say) -> str | Message:
    """The pair that somebody names after `command`, as a story names it, or what to answer."""
    text = " ".join(words)
    pair = parties_of(settings.actors).pair(text)
    names = party_names(settings.actors)
    return pair.dyad or replies.no_pair(text, command, [names[code] for code in pair.codes], pair.meant, say)


def _change(
    session: Session, settings: Settings, subscriber: Subscriber, key: str, values: Sequence[str], now: datetime
) -> str:
    try:
        choose(subscriber, known_choices(session, now), key, values)
    except BadChoice as error:
        return str(error)
    subscriber.changed_at = now
    if key in ("digest", "day", "time", "timezone"):
        due = subscriber.digest_due_at
        if due is None or due > now:  # one that is due already is still sent
            wanted = digest_for(subscriber, settings.digest)
            subscriber.digest_due_at = next_digest(wanted, now) if subscriber.digest else None
    return ""
