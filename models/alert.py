"""A decision to tell people something about a story, and the decisions not to."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from models.columns import text_enum
from models.pieces import pieces
from models.story import Direction, Story


class AlertKind(StrEnum):
    """Why people are told."""

    NEW = "new"  #: the story crossed its first level in this direction
    RAISED = "raised"  #: it rose to a higher level
    CONTESTED = "contested"  #: parties contradict each other about a story already told
    CONFIRMED = "confirmed"  #: a story told as unconfirmed or contested now has independent sources
    RETRACTED = "retracted"  #: the reports a story was told for were rewritten and no longer say so
    TEMPO = "tempo"  #: a pair's share of escalatory coverage is far above its usual one
    EASED = "eased"  #: a story told as escalation now reads as easing

    @property
    def word(self) -> str:
        """As messages name it."""
        return "disputed" if self is AlertKind.CONTESTED else self.value


#: Kinds that set right what was told: counted as no alerts.
CORRECTIONS = (AlertKind.CONFIRMED, AlertKind.RETRACTED)
#: Kinds that are about what was told: for those who were told, and outside of every budget.
FOLLOW_UPS = (AlertKind.CONTESTED, *CORRECTIONS)


class Alert(SQLModel, table=True):
    """Told once per story, kind, direction and level. `facts` is what the message is made of, as it stood then, or
    when later sources last changed it; "pair" in it is the code of the pair that it names, or null."""

    #: The buttons of one that was forgotten say so, and explain no other.
    __table_args__ = (UniqueConstraint("story_id", "kind", "direction", "level"), {"sqlite_autoincrement": True})

    id: int = Field(default=None, primary_key=True)
    story_id: int = Field(foreign_key="story.id", index=True, ondelete="CASCADE")
    kind: AlertKind = Field(sa_type=text_enum(AlertKind))
    direction: Direction = Field(sa_type=text_enum(Direction))
    level: int
    score: float
    rule: str
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    created_at: datetime = Field(index=True)


class SuppressionReason(StrEnum):
    """Why something was not told."""

    BELOW_THRESHOLD = "below threshold"  #: came near the lowest level and did not reach it
    REPEAT = "repeat"  #: more coverage of what was told already
    QUIET = "quiet period"  #: the story rang shortly before; looked at again when the period is over
    OLD = "old"  #: the news was no longer news when it was read
    BUDGET = "budget"  #: the subscriber had their alerts of the day; /missed lists it
    THRESHOLD = "subscriber threshold"  #: below the level this subscriber chose
    UNWANTED = "not chosen"  #: none of the regions, pairs or signals this subscriber chose
    MUTED = "muted"  #: about a pair this subscriber muted
    COOL_DOWN = "cool-down"  #: the pair rang shortly before, at this level or a higher one
    UNCONFIRMED = "unconfirmed"  #: a signal that takes more independent sources than there are


class Suppression(SQLModel, table=True):
    """What was not told, with its reason: one row per story, direction, level, reason and subscriber, counted."""

    __table_args__ = (UniqueConstraint("story_id", "direction", "level", "reason", "subscriber_id"),)

    id: int = Field(default=None, primary_key=True)
    story_id: int = Field(foreign_key="story.id", index=True, ondelete="CASCADE")
    subscriber_id: int = Field(default=0)  # 0: decided for everybody; not a foreign key, so that the constraint holds
    direction: Direction = Field(sa_type=text_enum(Direction))
    level: int
    reason: SuppressionReason = Field(sa_type=text_enum(SuppressionReason))
    score: float
    times: int = 1
    first_at: datetime = Field(index=True)
    last_at: datetime


def alerts_between(session: Session, since: datetime, until: datetime) -> Sequence[Alert]:
    """Alerts created in [since, until), oldest first."""
    within = select(Alert).where(col(Alert.created_at) >= since, col(Alert.created_at) < until)
    return session.exec(within.order_by(col(Alert.created_at), col(Alert.id))).all()


def loudest_silences(
    session: Session,
    since: datetime,
    subscribers: Collection[int] | None = None,
    most: int | None = None,
    heard: Mapping[tuple[int, Direction], int] | None = None,
) -> list[tuple[Suppression, Story]]:
    """What was kept back since a moment, other than repeats, the loudest first and a story once.

    `subscribers` are those it was kept back from, 0 for everybody; None asks for all. At most `most` rows are read.
    `heard`, by story and direction, is the level up to which all was told after all and is left out.
    """
    kept = (
        select(Suppression, Story)
        .join(Story)
        .where(col(Suppression.last_at) > since, Suppression.reason != SuppressionReason.REPEAT)
        .order_by(col(Suppression.score).desc(), col(Suppression.id))
        .limit(most)
    )
    if subscribers is not None:
        kept = kept.where(col(Suppression.subscriber_id).in_(subscribers))
    best: dict[int, tuple[Suppression, Story]] = {}
    for row, story in session.exec(kept):
        if row.level > (heard or {}).get((story.whole_id, row.direction), -1):
            best.setdefault(story.id, (row, story))
    return list(best.values())


def not_told(alert: Alert, reason: SuppressionReason, subscriber_id: int, now: datetime) -> Suppression:
    """That one subscriber is not told of an alert."""
    return Suppression(
        story_id=alert.story_id,
        subscriber_id=subscriber_id,
        direction=alert.direction,
        level=alert.level,
        reason=reason,
        score=alert.score,
        first_at=now,
        last_at=now,
    )


def suppress(session: Session, *rows: Suppression) -> None:
    """Record decisions not to tell; the same one again adds to its count and keeps the highest score."""
    for part in pieces(rows):
        _suppress(session, part)


def _suppress(session: Session, rows: Sequence[Suppression]) -> None:
    of_these = (
        col(Suppression.story_id).in_({row.story_id for row in rows}),
        col(Suppression.subscriber_id).in_({row.subscriber_id for row in rows}),
    )
    known = {_same(row): row for row in session.exec(select(Suppression).where(*of_these))}
    for row in rows:
        before = known.setdefault(_same(row), row)
        if before is row:
            session.add(row)
            continue
        before.times += row.times
        before.score = max(before.score, row.score)
        before.last_at = row.last_at


def _same(row: Suppression) -> tuple[int, int, Direction, int, SuppressionReason]:
    return row.story_id, row.subscriber_id, row.direction, row.level, row.reason
