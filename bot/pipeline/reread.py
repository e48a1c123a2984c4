"""stored articles and another classifier -> what it would have read otherwise; or the order to read them again.

Nothing is rung by a comparison. Marked articles are read by the next round, as an edit would be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select, update
from sqlmodel.sql.expression import SelectOfScalar

from bot.pipeline.classify import Judge, document_of
from bot.pipeline.levels import level_of
from config.schema import Levels
from models import Article, Feed, Level, Reading, Revision
from models.database import Database

BATCH = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One article: its scores (escalation, de-escalation; 0-100) and the levels they reach, before and after."""

    title: str
    news_at: datetime
    before: tuple[float, float]
    after: tuple[float, float]
    level_before: Level
    level_after: Level

    @property
    def size(self) -> float:
        """Points that the score which moved most has moved."""
        return max(abs(new - old) for old, new in zip(self.before, self.after, strict=True))

    @property
    def turned(self) -> bool:
        """Whether it reaches a level both times, but once as escalation and once as easing."""
        told = min(self.level_before, self.level_after) > Level.NONE
        return told and (self.before[0] > self.before[1]) != (self.after[0] > self.after[1])


def articles_to_reread(session: Session, model: str, since: datetime) -> int:
    """How many articles that count as news since `since` were last read by another model than `model`."""
    return int(session.exec(select(func.count()).select_from(_stale(model, since).subquery())).one())


def compare_readings(
    database: Database,
    judge: Judge,
    levels: Levels,
    model: str,
    since: datetime,
    tell: Callable[[int], None] = lambda done: None,
) -> list[Change]:
    """Read every such article with `judge` and set it beside the stored reading. Stores nothing; `tell` counts."""
    changes: list[Change] = []
    last = 0
    while True:
        with database.read() as session:
            rows = _batch(session, model, since, last)
        if not rows:
            return changes
        last = rows[-1][0].id
        judged = judge.judge([document_of(article, feed, revision) for _, article, feed, revision in rows])
        for (reading, article, _feed, _revision), new in zip(rows, judged, strict=True):
            before = (reading.escalation, reading.deescalation)
            after = (new.escalation, new.deescalation)
            reached = [level_of(max(scores), levels) for scores in (before, after)]
            changes.append(Change(reading.title, article.news_at, before, after, reached[0], reached[1]))
        tell(len(changes))


def mark_unread(session: Session, model: str, since: datetime) -> int:
    """Let the next rounds read every such article again, in the version that was read last; returns how many."""
    revision = (
        select(Reading.revision)
        .where(col(Reading.article_id) == col(Article.id), col(Reading.latest))
        .correlate(Article)
        .limit(1)
        .scalar_subquery()
    )
    stale = _stale(model, since).subquery()
    done = session.execute(
        update(Article)
        .where(col(Article.id).in_(select(stale.c.article_id)), col(Article.unread_revision).is_(None))
        .values(unread_revision=revision)
    )
    return int(getattr(done, "rowcount", 0))


def _stale(model: str, since: datetime) -> SelectOfScalar[int]:
    return select(Reading.article_id).where(col(Reading.latest), Reading.model != model, col(Reading.news_at) >= since)


Row = tuple[Reading, Article, Feed, Revision | None]


def _batch(session: Session, model: str, since: datetime, after: int) -> Sequence[Row]:
    version = (col(Revision.article_id) == col(Article.id)) & (col(Revision.number) == col(Reading.revision))
    rows = (
        select(Reading, Article, Feed, Revision)
        .join(Article, col(Article.id) == col(Reading.article_id))
        .join(Feed, col(Feed.id) == col(Article.feed_id))
        .join(Revision, version, isouter=True)
        .where(col(Reading.latest), Reading.model != model, col(Reading.news_at) >= since, col(Reading.id) > after)
        .order_by(col(Reading.id))
        .limit(BATCH)
    )
    return session.exec(rows).all()
