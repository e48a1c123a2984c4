"""old articles -> nothing; that they were seen is kept (models.article.Seen), so that they never come back as new."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete
from sqlmodel import Session, col, select

from config.schema import Articles
from models import Alert, Article, Delivery, Digest, Reading, Story
from models.delivery import OPEN_STATES

BATCH = 2000


def forget_old(session: Session, settings: Articles, now: datetime) -> int:
    """Delete articles (their readings go along), stories, alerts and messages older than the retention; returns how
    many articles. Rows that a message still waits for stay."""
    before = now - timedelta(days=settings.retention_days)
    old = select(Article.id).where(col(Article.news_at) < before, col(Article.seen_at) < before)
    forgotten = session.exec(old.limit(BATCH)).all()
    session.execute(delete(Article).where(col(Article.id).in_(forgotten)))
    closed = (col(Delivery.created_at) < before) & col(Delivery.state).not_in(OPEN_STATES)
    session.execute(delete(Delivery).where(closed))
    waiting_alerts = select(Delivery.alert_id).where(col(Delivery.alert_id).is_not(None))
    session.execute(delete(Alert).where(col(Alert.created_at) < before, col(Alert.id).not_in(waiting_alerts)))
    session.execute(delete(Story).where(_unused(before)))
    waiting_digests = select(Delivery.digest_id).where(col(Delivery.digest_id).is_not(None))
    session.execute(delete(Digest).where(col(Digest.until) < before, col(Digest.id).not_in(waiting_digests)))
    return len(forgotten)


def _unused(before: datetime) -> ColumnElement[bool]:
    """Stories of old news with no reading and no alert, nor any of a story that became part of them, which would go
    along."""
    followed = select(Reading.story_id).where(col(Reading.story_id).is_not(None))
    told = select(Alert.story_id)
    parts = select(Story.merged_into).where(col(Story.merged_into).is_not(None), col(Story.id).in_(told))
    needed = (col(Story.id).in_(ids) for ids in (followed, told, parts))
    return and_(col(Story.last_seen_at) < before, *(~each for each in needed))
