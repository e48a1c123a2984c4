"""a week of stories -> one digest per subscriber whose digest is due, also after downtime, never twice.

The week ends at the latest moment a digest was due. Two weeks of downtime give one digest, of the last week; a digest
moved to an earlier day or hour comes a week later rather than twice. Days are those of the subscriber's time zone; all
whose clocks show the same share one digest, and whoever chose pairs or regions reads of these first.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, func, or_, select

from bot.calendar import digest_for, next_digest
from bot.messages.alert import signal_name
from bot.messages.chart import Day, week_chart
from bot.messages.digest import PairLine, StoryLine, WeekFacts, digest_message, own_first, week_words
from bot.messages.message import Message
from bot.messages.names import Names, pair_name, party_names
from bot.notices import enqueue_all
from bot.pipeline.address import CORRECTIONS
from bot.pipeline.index import loudness
from config import schema as config_schema
from config.schema import Settings
from models import (
    Alert,
    AlertKind,
    Article,
    Digest,
    Direction,
    Level,
    Priority,
    Reading,
    Story,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from models.alert import alerts_between
from models.database import Database
from models.digest import last_digests
from models.story import StoryStatus, loudest_stories
from models.subscriber import digest_due

WEEK = timedelta(days=7)
QUIET = (0.0, 0.0)
LEAST_APART = timedelta(days=5, hours=12)  # a digest moved to the day before comes then, one moved to the evening not
Week = tuple[datetime, datetime, int]
"""Until and since, and by how many minutes clocks are ahead of UTC at the end: many time zones agree in all three."""


def send_due_digests(database: Database, settings: Settings, now: datetime) -> int:
    """Queue the digest for everybody whose time has come; returns for how many."""
    queued = 0
    with database.write() as session:
        for (until, _since, _offset), subscribers in _plan(session, settings, now).items():
            timezone = digest_for(subscribers[0], settings.digest).timezone
            queued += _queue(session, settings, until, timezone, subscribers, now)
    return queued


def _plan(session: Session, settings: Settings, now: datetime) -> dict[Week, list[Subscriber]]:
    """Who is due, by their week; everybody's next digest is set."""
    due = digest_due(session, now)
    last = last_digests(session, [subscriber.id for subscriber in due])
    by_week: dict[Week, list[Subscriber]] = defaultdict(list)
    for subscriber in due:
        assert subscriber.digest_due_at is not None  # noqa: S101 - the query asked for it
        wanted = digest_for(subscriber, settings.digest)
        until = latest_due(subscriber.digest_due_at, wanted, now)
        if subscriber.id not in last or until - last[subscriber.id] >= LEAST_APART:
            since, end = _week(until, wanted.timezone)
            by_week[until, since.astimezone(UTC), _minutes_ahead(end)].append(subscriber)
        subscriber.digest_due_at = next_digest(wanted, now)
    return by_week


def _queue(
    session: Session,
    settings: Settings,
    until: datetime,
    timezone: str,
    subscribers: Sequence[Subscriber],
    now: datetime,
) -> int:
    digest = make_digest(session, settings, until, timezone, now)
    own = {subscriber.id: subscriber for subscriber in subscribers if subscriber.dyads or subscriber.regions}
    message_for = _own_messages(session, settings, until, timezone) if own else None
    rows = enqueue_all(
        session, subscribers, f"digest:{until:%Y%m%dT%H%M}", Message.from_json(digest.message), now, Priority.DIGEST
    )
    for row in rows:
        row.digest_id = digest.id
        if message_for and (chooser := own.get(row.subscriber_id)):
            row.message = message_for(frozenset(chooser.dyads), frozenset(chooser.regions)).to_json()
    return len(rows)


def _own_messages(
    session: Session, settings: Settings, until: datetime, timezone: str
) -> Callable[[frozenset[str], frozenset[str]], Message]:
    """What tells a week to those who chose pairs and regions: found once, and worded once for each choice."""
    since, end = _week(until, timezone)
    facts, top = week_facts(session, settings, since, end), settings.digest.top_stories

    @cache
    def worded(dyads: frozenset[str], regions: frozenset[str]) -> Message:
        return digest_message(replace(facts, pairs=own_first(facts.pairs, dyads, regions, top)))

    return worded


def latest_due(due: datetime, digest: config_schema.Digest, now: datetime) -> datetime:
    """The last moment at or before `now` at which a digest was due, counted from one that was."""
    while (following := next_digest(digest, due)) <= now:
        due = following
    return due


def make_digest(session: Session, settings: Settings, until: datetime, timezone: str, now: datetime) -> Digest:
    """The digest of the week before `until` in a time zone, made once and kept."""
    since, end = _week(until, timezone)
    ahead = _minutes_ahead(end)
    same = (Digest.since == since, Digest.until == until, Digest.minutes_ahead == ahead)
    made = session.exec(select(Digest).where(*same)).first()
    if made is not None:
        return made
    message, chart = compose_digest(session, settings, until, timezone)
    digest = Digest(
        since=since, until=until, minutes_ahead=ahead, message=message.to_json(), chart=chart, created_at=now
    )
    session.add(digest)
    session.flush()
    return digest


def compose_digest(session: Session, settings: Settings, until: datetime, timezone: str) -> tuple[Message, bytes]:
    """Message and chart (PNG) of the week before `until`, in the days of a time zone; stores nothing."""
    since, end = _week(until, timezone)
    facts = week_facts(session, settings, since, end)
    title = f"Tension, all pairs, {week_words(since, end)}"
    chart = week_chart(daily_tension(session, since, end), daily_tension(session, since - WEEK, since), title)
    shown = own_first(facts.pairs, frozenset(), frozenset(), settings.digest.top_stories)
    return digest_message(replace(facts, pairs=shown)), chart


def _week(until: datetime, timezone: str) -> tuple[datetime, datetime]:
    """Begin and end of a week in local time, so that a day more or less is the same hour, also where clocks change."""
    end = until.astimezone(ZoneInfo(timezone))
    return end - WEEK, end


def _minutes_ahead(moment: datetime) -> int:
    return (moment.utcoffset() or timedelta(0)) // timedelta(minutes=1)


def week_facts(session: Session, settings: Settings, since: datetime, until: datetime) -> WeekFacts:
    """Everything the digest of [since, until) says; both in one zone, whose days it names. `pairs` are all there were,
    those of the week before among them."""
    top = settings.digest.top_stories
    return WeekFacts(
        since=since,
        until=until,
        articles=_count_articles(session, since, until),
        articles_before=_count_articles(session, since - WEEK, since),
        stories=_count_stories(session, since, until),
        alerts=_alerts_by_level(session, since, until),
        escalating=_top(session, settings, Direction.ESCALATION, since, until),
        easing=_top(session, settings, Direction.DEESCALATION, since, until),
        contested=_disputes(session, since, until, top),
        near_misses=_near_misses(session, since, until, top),
        withheld=_withheld(session, since, until),
        pairs=_pairs(session, party_names(settings.actors), since, until),
    )


def daily_tension(session: Session, since: datetime, until: datetime) -> list[Day]:
    """Per day from `since`, at its hour: the mean of the loudest stories in each direction. Both are in one zone."""
    days = [since + timedelta(days=offset) for offset in range((until - since).days)]
    best: dict[tuple[date, Direction], dict[int, float]] = defaultdict(dict)
    for reading in _readings(session, since, until):
        start = days[bisect_right(days, reading.news_at) - 1]
        for direction in Direction:
            stories = best[start.date(), direction]
            story_id = reading.story_id or 0
            stories[story_id] = max(stories.get(story_id, 0.0), reading.score(direction))
    return [
        Day(
            start.date(),
            loudness(best[start.date(), Direction.ESCALATION].values()),
            loudness(best[start.date(), Direction.DEESCALATION].values()),
        )
        for start in days
    ]


def _readings(session: Session, since: datetime, until: datetime) -> Sequence[Reading]:
    within = (col(Reading.news_at) >= since) & (col(Reading.news_at) < until)
    return session.exec(select(Reading).where(within, col(Reading.latest), col(Reading.story_id).is_not(None))).all()


def _count_articles(session: Session, since: datetime, until: datetime) -> int:
    within = (col(Article.news_at) >= since) & (col(Article.news_at) < until)
    return session.exec(select(func.count()).select_from(Article).where(within)).one()


def _count_stories(session: Session, since: datetime, until: datetime) -> int:
    within = (col(Story.last_seen_at) >= since) & (col(Story.first_seen_at) < until)
    return session.exec(select(func.count()).select_from(Story).where(within)).one()


def _alerts_by_level(session: Session, since: datetime, until: datetime) -> dict[str, int]:
    """Alerts by their level; what only set an earlier one right is none."""
    counts = {level.word: 0 for level in (Level.CRITICAL, Level.WARNING, Level.WATCH)} | {"easing": 0}
    for alert in alerts_between(session, since, until):
        if alert.kind not in CORRECTIONS:
            counts["easing" if alert.direction is Direction.DEESCALATION else Level(alert.level).word] += 1
    return counts


def _top(
    session: Session, settings: Settings, direction: Direction, since: datetime, until: datetime
) -> tuple[StoryLine, ...]:
    watch = settings.alerts.levels_for(direction).watch
    stories = loudest_stories(session, direction, since, until, settings.digest.top_stories)
    return tuple(_line(story, direction) for story in stories if story.peak(direction) >= watch)


def _disputes(session: Session, since: datetime, until: datetime, limit: int) -> tuple[StoryLine, ...]:
    """Stories that are disputed, and those told as disputed of which something was told within, with how they ended."""
    within = (col(Story.last_seen_at) >= since) & (col(Story.first_seen_at) < until)
    told = select(Alert.story_id).where(col(Alert.created_at) >= since, col(Alert.created_at) < until)
    disputed = or_(
        within & (col(Story.status) == StoryStatus.CONTESTED),
        col(Story.told_contested) & col(Story.id).in_(told),
    )
    stories = session.exec(select(Story).where(disputed)).all()
    loudest = sorted(stories, key=lambda story: (-max(map(story.peak, Direction)), story.id))[:limit]
    corrected = _corrected(session, [story.id for story in loudest], until)
    return tuple(
        replace(_line(story, max(Direction, key=story.peak)), note=_how_it_ended(story, corrected.get(story.id)))
        for story in loudest
    )


def _corrected(session: Session, stories: Sequence[int], until: datetime) -> dict[int, AlertKind]:
    """Story id -> the last correction that was told of it before `until`."""
    corrections = select(Alert.story_id, Alert.kind).where(
        col(Alert.story_id).in_(stories), col(Alert.kind).in_(CORRECTIONS), col(Alert.created_at) < until
    )
    return {story_id: AlertKind(kind) for story_id, kind in session.exec(corrections.order_by(col(Alert.id)))}


def _how_it_ended(story: Story, correction: AlertKind | None) -> str:
    """A story that was taken back may be judged anew by what was read since; readers were told that it was."""
    if story.status is StoryStatus.RETRACTED or correction is AlertKind.RETRACTED:
        return "was disputed, taken back"
    if story.status is StoryStatus.CONTESTED:
        signals = ", ".join(signal_name(signal) for signal in story.contested)
        return f"still disputed: {signals}" if signals else "still disputed"
    if story.status is StoryStatus.CONFIRMED or correction is AlertKind.CONFIRMED:
        return "was disputed, now confirmed"
    return "no longer disputed, nor confirmed"


def _near_misses(session: Session, since: datetime, until: datetime, limit: int) -> tuple[StoryLine, ...]:
    near = (
        select(Suppression, Story)
        .join(Story)
        .where(
            Suppression.reason == SuppressionReason.BELOW_THRESHOLD,
            col(Suppression.last_at) >= since,
            col(Suppression.first_at) < until,
            Story.told_escalation == 0,
            Story.told_deescalation == 0,
        )
        .order_by(col(Suppression.score).desc(), col(Suppression.id))
    )
    best: dict[int, StoryLine] = {}
    for row, story in session.exec(near):
        best.setdefault(story.id, StoryLine(row.score, story.title, story.url, story.publishers))
    return tuple(best.values())[:limit]


def _withheld(session: Session, since: datetime, until: datetime) -> dict[str, int]:
    """What was decided for everybody; what a chat chose not to hear is its own affair, and in /missed."""
    within = (
        (col(Suppression.last_at) >= since) & (col(Suppression.first_at) < until) & (Suppression.subscriber_id == 0)
    )
    counts = select(Suppression.reason, func.count()).where(within).group_by(col(Suppression.reason))
    return dict(sorted((str(reason), count) for reason, count in session.exec(counts)))


def _pairs(session: Session, names: Names, since: datetime, until: datetime) -> tuple[PairLine, ...]:
    """All pairs of the week and the one before, the loudest first."""
    now, before = _pair_peaks(session, since, until), _pair_peaks(session, since - WEEK, since)
    regions = _regions_of_pairs(session, since - WEEK, until)
    lines = []
    for pair in sorted(now | before, key=lambda pair: (-max(now.get(pair, QUIET)), pair)):
        (up, down), (up_before, down_before) = now.get(pair, QUIET), before.get(pair, QUIET)
        name, where = pair_name(pair, names), frozenset(regions[pair])
        lines.append(PairLine(name, up, up_before, down, down_before, pair, where))
    return tuple(lines)


def _regions_of_pairs(session: Session, since: datetime, until: datetime) -> dict[str, set[str]]:
    within = (col(Story.last_seen_at) >= since) & (col(Story.first_seen_at) < until) & col(Story.dyad).is_not(None)
    found: dict[str, set[str]] = defaultdict(set)
    for pair, regions in session.exec(select(Story.dyad, Story.regions).where(within)):
        found[pair or ""].update(regions)
    return found


def _pair_peaks(session: Session, since: datetime, until: datetime) -> dict[str, tuple[float, float]]:
    peaks: dict[str, tuple[float, float]] = {}
    for reading in _readings(session, since, until):
        if reading.dyad:
            up, down = peaks.get(reading.dyad, (0.0, 0.0))
            peaks[reading.dyad] = (max(up, reading.escalation), max(down, reading.deescalation))
    return peaks


def _line(story: Story, direction: Direction) -> StoryLine:
    note = f"disputed: {', '.join(signal_name(signal) for signal in story.contested)}" if story.contested else ""
    return StoryLine(story.peak(direction), story.title, story.url, story.publishers, note)
