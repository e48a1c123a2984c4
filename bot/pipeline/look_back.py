"""stories, alerts and readings -> what a week was, for any choice; and how many alerts each chat was told in it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, case, col, func, or_, select

from bot.messages.alert import signal_name
from bot.messages.digest import PairLine, StoryLine
from bot.messages.names import Names, pair_name, party_names
from bot.pipeline.address import Occasion
from bot.pipeline.week import WEEK, Candidate, Counts, Heard, HeldBack, Span, Week
from config.schema import Settings
from models import (
    Alert,
    AlertKind,
    Article,
    Delivery,
    Direction,
    Level,
    Reading,
    Story,
    Suppression,
    SuppressionReason,
)
from models.alert import CORRECTIONS, alerts_between
from models.delivery import given
from models.pieces import pieces
from models.story import StoryStatus, is_whole, loud_stories


def week_of(session: Session, settings: Settings, span: Span) -> Week:
    """Everything that digests of a week may say."""
    since, until = span.since, span.until
    heard, names = _heard(session, since - WEEK, until), party_names(settings.actors)
    return Week(
        span=span,
        names=names,
        articles=_count_articles(session, since, until),
        articles_before=_count_articles(session, since - WEEK, since),
        stories=_count_stories(session, since, until),
        raised=_raised(session, since, until),
        escalating=_loud(session, settings, Direction.ESCALATION, since, until),
        easing=_loud(session, settings, Direction.DEESCALATION, since, until),
        contested=_disputes(session, since, until),
        near_misses=_near_misses(session, since, until),
        withheld=_withheld(session, since, until),
        pairs=_pairs(heard, names, since, _regions_of_pairs(session, since - WEEK, until)),
        heard=heard,
    )


def told_here(session: Session, subscribers: Sequence[int], since: datetime, until: datetime) -> dict[int, Counts]:
    """Subscriber id -> the alerts it was given in [since, until), those that wait for its quiet hours and those told in
    a summary among them."""
    found: dict[int, dict[str, int]] = {subscriber: _none() for subscriber in subscribers}
    for part in pieces(subscribers):
        rows = (
            select(Delivery.subscriber_id, Alert.direction, Alert.level, func.count())
            .join(Alert, col(Alert.id) == col(Delivery.alert_id))
            .where(
                col(Delivery.subscriber_id).in_(part),
                col(Delivery.created_at) >= since,
                col(Delivery.created_at) < until,
                given(),
                col(Alert.kind).not_in(CORRECTIONS),
            )
            .group_by(col(Delivery.subscriber_id), col(Alert.direction), col(Alert.level))
        )
        for subscriber, direction, level, count in session.exec(rows):
            found[subscriber][_word(direction, level)] += count
    return {subscriber: tuple(counts.items()) for subscriber, counts in found.items()}


def held_back(session: Session, subscribers: Sequence[int], since: datetime, until: datetime) -> dict[int, HeldBack]:
    """Subscriber id -> the stories of which its daily budget held back alerts of [since, until), the loudest first.

    By way of the alerts, few a week: the index of suppressions begins with the story, and there are some for each chat.
    """
    of_alert = and_(
        col(Suppression.story_id) == col(Alert.story_id),
        col(Suppression.direction) == col(Alert.direction),
        col(Suppression.level) == col(Alert.level),
    )
    scores: dict[int, dict[int, float]] = defaultdict(dict)
    for part in pieces(subscribers):
        rows = (
            select(Suppression.subscriber_id, Suppression.story_id, func.max(Suppression.score))
            .join(Alert, of_alert)
            .where(
                col(Suppression.subscriber_id).in_(part),
                Suppression.reason == SuppressionReason.BUDGET,
                col(Alert.created_at) >= since,
                col(Alert.created_at) < until,
            )
            .group_by(col(Suppression.subscriber_id), col(Suppression.story_id))
        )
        for subscriber, story, score in session.exec(rows):
            scores[subscriber][story] = score
    stories = _stories(session, {story for of_chat in scores.values() for story in of_chat})
    return {chat: _loudest_first(of_chat, stories) for chat, of_chat in scores.items()}


def _stories(session: Session, ids: Iterable[int]) -> dict[int, Story]:
    found = (session.exec(select(Story).where(col(Story.id).in_(part))) for part in pieces(sorted(ids)))
    return {story.id: story for stories in found for story in stories}


def _loudest_first(scores: Mapping[int, float], stories: Mapping[int, Story]) -> HeldBack:
    """With the scores that were held back, not those that the stories rose to."""
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Candidate(Occasion.of(story), StoryLine(score, story.title, story.url, story.publishers))
        for story, score in ((stories[number], score) for number, score in ordered)
    )


def _none() -> dict[str, int]:
    return {level.word: 0 for level in (Level.CRITICAL, Level.WARNING, Level.WATCH)} | {"easing": 0}


def _word(direction: str, level: int) -> str:
    return "easing" if direction == Direction.DEESCALATION else Level(level).word


def _raised(session: Session, since: datetime, until: datetime) -> Counts:
    """What only set an earlier alert right is none."""
    counts = _none()
    for alert in alerts_between(session, since, until):
        if alert.kind not in CORRECTIONS:
            counts[_word(alert.direction, alert.level)] += 1
    return tuple(counts.items())


def _heard(session: Session, since: datetime, until: datetime) -> dict[str | None, list[Heard]]:
    """By pair; columns alone, because there are thousands."""
    within = (col(Reading.news_at) >= since) & (col(Reading.news_at) < until)
    rows = (
        select(Reading.story_id, Reading.dyad, Reading.news_at, Reading.escalation)
        .add_columns(col(Reading.deescalation))  # select() has types for four only
        .where(within, col(Reading.latest), col(Reading.story_id).is_not(None))
    )
    found: dict[str | None, list[Heard]] = defaultdict(list)
    for row in session.execute(rows):
        heard = Heard(*row)
        found[heard.dyad].append(heard)
    return dict(found)


def _count_articles(session: Session, since: datetime, until: datetime) -> int:
    within = (col(Article.news_at) >= since) & (col(Article.news_at) < until)
    return session.exec(select(func.count()).select_from(Article).where(within)).one()


def _count_stories(session: Session, since: datetime, until: datetime) -> int:
    within = (col(Story.last_seen_at) >= since) & (col(Story.first_seen_at) < until)
    return session.exec(select(func.count()).select_from(Story).where(within, is_whole())).one()


def _loud(
    session: Session, settings: Settings, direction: Direction, since: datetime, until: datetime
) -> list[Candidate]:
    stories = loud_stories(session, direction, settings.alerts.levels_for(direction).watch, since, until)
    return [Candidate(Occasion.of(story), _line(story, direction)) for story in stories]


def _disputes(session: Session, since: datetime, until: datetime) -> list[Candidate]:
    """Stories that are disputed, and those told as disputed of which something was told within, with how they ended."""
    within = (col(Story.last_seen_at) >= since) & (col(Story.first_seen_at) < until)
    told = select(Alert.story_id).where(col(Alert.created_at) >= since, col(Alert.created_at) < until)
    disputed = or_(
        within & (col(Story.status) == StoryStatus.CONTESTED),
        col(Story.told_contested) & col(Story.id).in_(told),
    )
    stories = session.exec(select(Story).where(disputed)).all()
    corrected = _corrected(session, [story.id for story in stories], until)
    loudest = sorted(stories, key=lambda story: (-max(map(story.peak, Direction)), story.id))
    return [Candidate(Occasion.of(story), _ended(story, corrected.get(story.id))) for story in loudest]


def _ended(story: Story, correction: AlertKind | None) -> StoryLine:
    return replace(_line(story, max(Direction, key=story.peak)), note=_how_it_ended(story, correction))


def _corrected(session: Session, stories: Sequence[int], until: datetime) -> dict[int, AlertKind]:
    """Story id -> the last correction that was told of it before `until`."""
    found: dict[int, AlertKind] = {}
    for part in pieces(stories):
        corrections = select(Alert.story_id, Alert.kind).where(
            col(Alert.story_id).in_(part), col(Alert.kind).in_(CORRECTIONS), col(Alert.created_at) < until
        )
        found |= {story: AlertKind(kind) for story, kind in session.exec(corrections.order_by(col(Alert.id)))}
    return found


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


def _near_misses(session: Session, since: datetime, until: datetime) -> list[Candidate]:
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
    best: dict[int, Candidate] = {}
    for row, story in session.exec(near):
        line = StoryLine(row.score, story.title, story.url, story.publishers)
        best.setdefault(story.id, Candidate(Occasion.of(story), line))
    return list(best.values())


def _withheld(session: Session, since: datetime, until: datetime) -> dict[str, int]:
    """What was decided for everybody and stayed so: neither repeats of what was told, nor what waited and was told
    later. What a chat chose not to hear is its own affair, and in /missed; what its budget held back is in `held_back`.
    """
    within = (
        (col(Suppression.last_at) >= since) & (col(Suppression.first_at) < until) & (Suppression.subscriber_id == 0)
    )
    part = aliased(Story)
    eased = col(Suppression.direction) == Direction.DEESCALATION
    told = case((eased, col(Story.told_deescalation)), else_=col(Story.told_escalation))
    counts = (
        select(Suppression.reason, func.count())
        .join(part, col(part.id) == col(Suppression.story_id))
        .join(Story, col(Story.id) == func.coalesce(part.merged_into, part.id))
        .where(within, Suppression.reason != SuppressionReason.REPEAT, col(Suppression.level) > told)
        .group_by(col(Suppression.reason))
    )
    return dict(sorted((str(reason), count) for reason, count in session.exec(counts)))


def _pairs(
    heard: Mapping[str | None, Sequence[Heard]], names: Names, since: datetime, regions: Mapping[str, frozenset[str]]
) -> list[PairLine]:
    """All pairs of the week and the one before, the loudest first."""
    lines = []
    for code, readings in heard.items():
        if code:
            up, down = _peaks(each for each in readings if each.news_at >= since)
            up_before, down_before = _peaks(each for each in readings if each.news_at < since)
            where = regions.get(code, frozenset())
            lines.append(PairLine(pair_name(code, names), up, up_before, down, down_before, code, where))
    return sorted(lines, key=lambda pair: (-max(pair.escalation, pair.deescalation), pair.code))


def _peaks(heard: Iterable[Heard]) -> tuple[float, float]:
    listed = list(heard)
    up = max((each.escalation for each in listed), default=0.0)
    return up, max((each.deescalation for each in listed), default=0.0)


def _regions_of_pairs(session: Session, since: datetime, until: datetime) -> dict[str, frozenset[str]]:
    within = (col(Story.last_seen_at) >= since) & (col(Story.first_seen_at) < until) & col(Story.dyad).is_not(None)
    found: dict[str, set[str]] = defaultdict(set)
    for pair, regions in session.exec(select(Story.dyad, Story.regions).where(within)):
        found[pair or ""].update(regions)
    return {pair: frozenset(regions) for pair, regions in found.items()}


def _line(story: Story, direction: Direction) -> StoryLine:
    note = f"disputed: {', '.join(signal_name(signal) for signal in story.contested)}" if story.contested else ""
    return StoryLine(story.peak(direction), story.title, story.url, story.publishers, note)
