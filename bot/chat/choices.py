"""A subscriber's wish and the tables in, its row changed and the answer out: /settings, /watch, /status."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import get_args

from sqlmodel import Session, col, func, select

from bot.calendar import digest_for, next_digest
from bot.chat.access import Visitor, subscriber_or_reply
from bot.chat.mutes import mute_pair, unmute_in_time, unmute_pair
from bot.chat.pairs import pair_or_reply
from bot.chat.settings import choose, values_of
from bot.chat.typed import BadChoice, Known
from bot.messages import pair_replies, replies
from bot.messages.alert import signal_name
from bot.messages.language import Say, in_language
from bot.messages.message import Message
from bot.messages.names import chart_title, pair_name, party_names, region_name
from bot.messages.settings import MAIN, Offer, settings_page, summary
from bot.pipeline.digest import coming_digest
from bot.pipeline.index import DAY, Point, followed_since, tension, told_by_panel
from bot.pipeline.reschedule import Hours, reschedule
from config.schema import Settings, SignalName
from models import Feed, Story, Subscriber
from models.digest import last_digest
from models.story import is_whole

IN_THE_NEWS = timedelta(days=30)
STATUS_PAIRS = 10
MOST_PAIRS = 18
MOST_WORDS = 60


def show_settings(
    session: Session, settings: Settings, visitor: Visitor, words: Sequence[str], now: datetime
) -> Message:
    """/settings [KEY VALUE ...]: the first page, after changing what was named."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    note = _change(session, settings, known, words[0].lower(), words[1:MOST_WORDS], now) if words else ""
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
        note = _change(session, settings, known, parts[2], values_of(parts[2], ":".join(parts[3:])), now)
    return page_of(session, settings, known, parts[1] if len(parts) > 1 else MAIN, now, note)


def page_of(
    session: Session, settings: Settings, subscriber: Subscriber, page: str, now: datetime, note: str = ""
) -> Message:
    """A page of /settings with what there is to choose from."""
    unmute_in_time(subscriber, now)
    there = known_choices(session, settings, subscriber, now)
    digest_at = coming_digest(session, settings, subscriber, now)
    return settings_page(page, Offer(subscriber, settings, there.regions, there.dyads, digest_at), note)


def known_choices(session: Session, settings: Settings, subscriber: Subscriber, now: datetime) -> Known:
    """Regions of enabled feeds, and the pairs with the most stories of the last month."""
    regions = sorted({region for feed in session.exec(select(Feed).where(Feed.enabled)) for region in feed.regions})
    pairs, say = _busiest(session, now, frozenset()), in_language(subscriber.language)
    return Known(regions, pairs, get_args(SignalName), say, settings.actors)


def show_status(
    session: Session, settings: Settings, visitor: Visitor, words: Sequence[str], now: datetime
) -> tuple[Message, tuple[str, list[Point]] | None]:
    """/status: the chat's choices and the tension of its pairs (else of the busiest), the loudest to be drawn;
    /status RU UA: that of one pair."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known, None
    if words:
        return _status_of_pair(session, settings, words, in_language(known.language), now)
    unmute_in_time(known, now)
    pairs, since = pairs_of_interest(session, known, now), followed_since(session, now)
    series = {pair: tension(told_by_panel(session, since, pair), since, now, DAY) for pair in pairs[:MOST_PAIRS]}
    shown = {pair: points for pair, points in series.items() if pair in known.dyads or _loudness(points[-1])}
    loudest_first = sorted(shown, key=lambda pair: -_loudness(shown[pair][-1]))
    names = party_names(settings.actors)
    rows = [(pair_name(pair, names), shown[pair][-1]) for pair in loudest_first[:STATUS_PAIRS]]
    more = len([pair for pair in pairs if pair in shown or pair in known.dyads]) - len(rows)
    drawn = None
    if loudest_first:
        first = loudest_first[0]
        drawn = _titled(first, settings, since), shown[first]
    chosen = summary(known, settings, digest_at=coming_digest(session, settings, known, now))
    return replies.status(chosen, rows, more, in_language(known.language)), drawn


def _status_of_pair(
    session: Session, settings: Settings, words: Sequence[str], say: Say, now: datetime
) -> tuple[Message, tuple[str, list[Point]] | None]:
    pair = pair_or_reply(settings, words, "status", say)
    if isinstance(pair, Message):
        return pair, None
    since = followed_since(session, now)
    points = tension(told_by_panel(session, since, pair), since, now, DAY)
    named = pair_name(pair, party_names(settings.actors))
    return replies.status_of_pair(named, points[-1], say), (_titled(pair, settings, since), points)


def _titled(pair: str, settings: Settings, since: datetime) -> str:
    return chart_title(pair, party_names(settings.actors), f" since {since:%d %b}")


def _loudness(point: Point) -> float:
    return point.escalation + point.deescalation


def pairs_of_interest(session: Session, known: Subscriber, now: datetime) -> list[str]:
    """The pairs a chat chose, then those of its regions, as its digest puts them first; without choices the busiest."""
    pairs = [*known.dyads]
    if known.regions or not known.dyads:
        pairs += [pair for pair in _busiest(session, now, frozenset(known.regions)) if pair not in known.muted_dyads]
    return list(dict.fromkeys(pairs))


def _busiest(session: Session, now: datetime, regions: frozenset[str]) -> list[str]:
    """The pairs with the most stories of the last month, of these regions or of all."""
    recent = (is_whole(), col(Story.dyad).is_not(None), col(Story.last_seen_at) > now - IN_THE_NEWS)
    if regions:  # lists that SQLite and PostgreSQL search in different words
        there = session.exec(select(Story.dyad, Story.regions).where(*recent))
        found = Counter(dyad for dyad, named in there if regions.intersection(named))
    else:
        counted = select(Story.dyad, func.count()).where(*recent).group_by(col(Story.dyad))
        found = Counter(dict(session.exec(counted).all()))
    return sorted((dyad for dyad in found if dyad), key=lambda dyad: (-found[dyad], dyad))[:MOST_PAIRS]


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


def watch(session: Session, settings: Settings, visitor: Visitor, words: Sequence[str]) -> Message:
    """/watch RU UA: the pair is chosen, and its mute over: to ask for it is to want to hear of it."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    say, names = in_language(known.language), party_names(settings.actors)
    pair = pair_or_reply(settings, words, "watch", say)
    if isinstance(pair, Message):
        return pair
    known.dyads = [*(each for each in known.dyads if each != pair), pair]
    was_muted, watched = unmute_pair(known, pair), [pair_name(each, names) for each in known.dyads]
    return pair_replies.pair_watched(pair_name(pair, names), pair, was_muted, watched, _regions_of(known, say), say)


def unwatch(session: Session, settings: Settings, visitor: Visitor, words: Sequence[str]) -> Message:
    """/unwatch RU UA: the pair is chosen no longer."""
    known = subscriber_or_reply(session, visitor)
    if isinstance(known, Message):
        return known
    say, names = in_language(known.language), party_names(settings.actors)
    pair = pair_or_reply(settings, words, "unwatch", say)
    if isinstance(pair, Message):
        return pair
    was_watched = pair in known.dyads
    known.dyads = [each for each in known.dyads if each != pair]
    watched = [pair_name(each, names) for each in known.dyads]
    return pair_replies.pair_unwatched(pair_name(pair, names), was_watched, watched, _regions_of(known, say), say)


def _regions_of(known: Subscriber, say: Say) -> list[str]:
    return [say(region_name(region)) for region in known.regions]


def _change(
    session: Session, settings: Settings, subscriber: Subscriber, key: str, values: Sequence[str], now: datetime
) -> str:
    muted, say = set(subscriber.muted_dyads), in_language(subscriber.language)
    had_places, had_signals = bool(subscriber.regions or subscriber.dyads), bool(subscriber.signals)
    hours = Hours.of(subscriber, settings.digest.timezone, now)
    try:
        choose(subscriber, known_choices(session, settings, subscriber, now), key, values)
    except BadChoice as error:
        return str(error)
    for pair in set(subscriber.muted_dyads) - muted:
        mute_pair(session, subscriber, pair)
    reschedule(session, subscriber, hours, settings.digest.timezone, now)
    subscriber.changed_at = now
    if key in ("digest", "day", "time", "timezone"):
        due = subscriber.digest_due_at
        if due is None or due > now:  # one that is due already is still sent
            wanted = digest_for(subscriber, settings.digest)
            subscriber.digest_due_at = next_digest(wanted, now) if subscriber.digest else None
    heard = sorted(muted - set(subscriber.muted_dyads))
    pairs = ", ".join(pair_name(pair, party_names(settings.actors)) for pair in heard)
    ended = say("No longer muted: {pairs}.").format(pairs=pairs) if heard else ""
    return f"{ended} {_narrowed(had_places, had_signals, subscriber, settings)}".strip()


def _narrowed(had_places: bool, had_signals: bool, subscriber: Subscriber, settings: Settings) -> str:
    """That a first choice silences everything else, or nothing."""
    say, names = in_language(subscriber.language), party_names(settings.actors)
    if subscriber.regions and not had_places:
        return pair_replies.narrowed("regions", _regions_of(subscriber, say), say)
    if subscriber.dyads and not had_places:
        return pair_replies.narrowed("pairs", [pair_name(pair, names) for pair in subscriber.dyads], say)
    if subscriber.signals and not had_signals:
        return pair_replies.narrowed("signals", [say(signal_name(signal)) for signal in subscriber.signals], say)
    return ""
