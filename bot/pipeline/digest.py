"""a week of stories -> one digest per subscriber whose digest is due, also after downtime, never twice.

The week ends at the latest moment a digest was due. Two weeks of downtime give one digest, of the last week.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, func, select

from bot.calendar import digest_for, next_digest
from bot.messages.alert import signal_name
from bot.messages.chart import Day, week_chart
from bot.messages.digest import PairLine, StoryLine, WeekFacts, digest_message, week_words
from bot.messages.message import Message
from bot.messages.names import Names, pair_name, party_names
from bot.notices import enqueue_all
from bot.pipeline.index import loudness
from config import schema as config_schema
from config.schema import Settings
from models import (
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
from models.story import StoryStatus, loudest_stories
from models.subscriber import digest_due

WEEK = timedelta(days=7)


def send_due_digests(database: Database, settings: Settings, now: datetime) -> int:
    """Queue the digest for everybody whose time has come; returns for how many."""
    with database.write() as session:
        due = digest_due(session, now)
        by_week: dict[datetime, list[Subscriber]] = defaultdict(list)
        for subscriber in due:
            assert subscriber.digest_due_at is not None  # noqa: S101 - the query asked for it
            wanted = digest_for(subscriber, settings.digest)
            by_week[latest_due(subscriber.digest_due_at, wanted, now)].append(subscriber)
            subscriber.digest_due_at = next_digest(wanted, now)
        for until, subscribers in by_week.items():
            digest = make_digest(session, settings, until, now)
            key, message = f"digest:{until:%Y%m%dT%H%M}", Message.from_json(digest.message)
            for row in enqueue_all(session, subscribers, key, message, now, Priority.DIGEST):
                row.digest_id = digest.id
        return len(due)


def latest_due(due: datetime, digest: config_schema.Digest, now: datetime) -> datetime:
    """The last moment at or before `now` at which a digest was due, counted from one that was."""
    while (following := next_digest(digest, due)) <= now:
        due = following
    return due


def make_digest(session: Session, settings: Settings, until: datetime, now: datetime) -> Digest:
    """The digest of the week before `until`, made once and kept."""
    since = until - WEEK
    made = session.exec(select(Digest).where(Digest.since == since, Digest.until == until)).first()
    if made is not None:
        return made
    message, chart = compose_digest(session, settings, until)
    digest = Digest(since=since, until=until, message=message.to_json(), chart=chart, created_at=now)
    session.add(digest)
    session.flush()
    return digest


def compose_digest(session: Session, settings: Settings, until: datetime) -> tuple[Message, bytes]:
    """Message and chart (PNG) of the week before `until`; stores nothing."""
    since = until - WEEK
    facts = week_facts(session, settings, since, until)
    title = f"Tension, {week_words(since, until)}"
    chart = week_chart(daily_tension(session, since, until), daily_tension(session, since - WEEK, since), title)
    return digest_message(facts), chart


def week_facts(session: Session, settings: Settings, since: datetime, until: datetime) -> WeekFacts:
    """Everything the digest of [since, until) says."""
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
        contested=tuple(_line(s, Direction.ESCALATION) for s in _contested(session, since, until, top)),
        near_misses=_near_misses(session, since, until, top),
        withheld=_withheld(session, since, until),
        pairs=_pairs(session, party_names(settings.actors), since, until, top),
    )


def daily_tension(session: Session, since: datetime, until: datetime) -> list[Day]:
    """Per 24 hours from `since`: the mean of the loudest stories in each direction."""
    days = [since + timedelta(days=offset) for offset in range((until - since).days)]
    best: dict[tuple[date, Direction], dict[int, float]] = defaultdict(dict)
    for reading in _readings(session, since, until):
        start = days[min((reading.news_at - since).days, len(days) - 1)]
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
    counts = {level.word: 0 for level in (Level.CRITICAL, Level.WARNING, Level.WATCH)} | {"easing": 0}
    for alert in alerts_between(session, since, until):
        counts["easing" if alert.direction is Direction.DEESCALATION else Level(alert.level).word] += 1
    return counts


def _top(
    session: Session, settings: Settings, direction: Direction, since: datetime, until: datetime
) -> tuple[StoryLine, ...]:
    watch = settings.alerts.levels_for(direction).watch
    stories = loudest_stories(session, direction, since, until, settings.digest.top_stories)
    return tuple(_line(story, direction) for story in stories if story.peak(direction) >= watch)


def _contested(session: Session, since: datetime, until: datetime, limit: int) -> Sequence[Story]:
    within = (col(Story.last_seen_at) >= since) & (col(Story.first_seen_at) < until)
    disputed = select(Story).where(within, Story.status == StoryStatus.CONTESTED)
    return session.exec(disputed.order_by(col(Story.peak_escalation).desc(), col(Story.id)).limit(limit)).all()


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
    within = (col(Suppression.last_at) >= since) & (col(Suppression.first_at) < until)
    counts = select(Suppression.reason, func.count()).where(within).group_by(col(Suppression.reason))
    return dict(sorted((str(reason), count) for reason, count in session.exec(counts)))


def _pairs(session: Session, names: Names, since: datetime, until: datetime, limit: int) -> tuple[PairLine, ...]:
    now, before = _pair_peaks(session, since, until), _pair_peaks(session, since - WEEK, since)
    loudest = sorted(now, key=lambda pair: (-max(now[pair]), pair))[:limit]
    lines = []
    for pair in loudest:
        (up, down), (up_before, down_before) = now[pair], before.get(pair, (0.0, 0.0))
        if max(up, down) > 0:
            lines.append(PairLine(pair_name(pair, names), up, up_before, down, down_before))
    return tuple(lines)


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
