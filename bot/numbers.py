"""The tables in, how the service stands out, for an admin."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from bot.messages.stats import DayCount, Numbers
from models import Alert, Article, Delivery, Feed, Outlet, Reading, Story, Subscriber, Verdict
from models.alert import CORRECTIONS
from models.story import is_whole

DAYS = 14


def count_all(session: Session, now: datetime) -> Numbers:
    """Counts at this moment; days are UTC, the last one is today and not over."""
    today = now.astimezone(UTC).date()
    first = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(days=DAYS - 1)
    corrects = col(Alert.kind).in_(CORRECTIONS)
    articles = _by_day(session, select(Article.seen_at).where(col(Article.seen_at) >= first))
    told = select(Alert.created_at).where(col(Alert.created_at) >= first)
    alerts, corrections = _by_day(session, told.where(~corrects)), _by_day(session, told.where(corrects))
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    week = select(Delivery.state, func.count()).where(col(Delivery.created_at) > now - timedelta(days=7))
    feeds = select(Feed.health, func.count()).where(col(Feed.enabled)).group_by(col(Feed.health))
    people = select(Subscriber.state, func.count()).where(Subscriber.outlet == Outlet.TELEGRAM)
    newest = select(Reading.model).order_by(col(Reading.id).desc()).limit(1)
    return Numbers(
        days=[DayCount(day, articles[day], alerts[day], corrections[day]) for day in days],
        articles=session.exec(select(func.count()).select_from(Article)).one(),
        waiting_to_be_read=session.exec(
            select(func.count()).select_from(Article).where(col(Article.unread_revision).is_not(None))
        ).one(),
        stories=session.exec(select(func.count()).select_from(Story).where(is_whole())).one(),
        feeds=_counts(session, feeds),
        subscribers=_counts(session, people.group_by(col(Subscriber.state))),
        deliveries=_counts(session, week.group_by(col(Delivery.state))),
        verdicts=_counts(session, select(Verdict.kind, func.count()).group_by(col(Verdict.kind))),
        model=session.exec(newest).first() or "",
    )


def _by_day(session: Session, moments: Any) -> Counter[Any]:
    """Counted here, because databases disagree on how to cut a moment to its day."""
    return Counter(at.astimezone(UTC).date() for at in session.exec(moments))


def _counts(session: Session, query: Any) -> dict[str, int]:
    return {word.value: count for word, count in session.exec(query)}
