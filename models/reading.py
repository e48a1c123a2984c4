"""What one version of the classifier made of one version of an article."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, func, select
from sqlmodel.sql.expression import Select

from models.article import Article
from models.feed import Feed


class Reading(SQLModel, table=True):
    """Scores are 0-100, probabilities 0-1; JSON columns hold what `classifiers.judgement.Judgement` holds.

    `title`, `lead` (summary, or start of the text) and `opening` (start of the text after that) are the words that were
    read, so that stories and messages need no join to the right revision.
    `event` is where it stands among events, one signed byte a dimension, None where no encoder read it.
    `story_id` is None until the reading is clustered; `latest` is False once a newer version of the article was read.
    """

    __table_args__ = (UniqueConstraint("article_id", "revision", "model"), Index("ix_reading_pair", "dyad", "news_at"))

    id: int = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id", index=True, ondelete="CASCADE")
    revision: int = 0
    model: str
    latest: bool = True
    title: str
    lead: str = ""
    opening: str = ""
    escalation: float
    deescalation: float
    direction: dict[str, float] = Field(default_factory=dict, sa_type=JSON)
    severity: int
    status: str
    signals: dict[str, float] = Field(default_factory=dict, sa_type=JSON)
    evidence: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    claims: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    actors: list[dict[str, str]] = Field(default_factory=list, sa_type=JSON)
    dyad: str | None = None
    places: list[str] = Field(default_factory=list, sa_type=JSON)
    contested: list[str] = Field(default_factory=list, sa_type=JSON)
    event: bytes | None = None
    language: str = "und"
    news_at: datetime = Field(index=True)
    read_at: datetime
    gathered: bool = Field(default=False, index=True)
    story_id: int | None = Field(default=None, foreign_key="story.id", index=True, ondelete="SET NULL")

    def score(self, direction: str) -> float:
        """0-100 in `direction`, "escalation" or "deescalation"."""
        return self.deescalation if direction == "deescalation" else self.escalation


ReadingWithSource = tuple[Reading, Article, Feed]


def ungathered_readings(session: Session, limit: int) -> Sequence[ReadingWithSource]:
    """Readings that no story has been asked about, oldest news first."""
    waiting = _with_source().where(col(Reading.gathered).is_(False))
    return session.exec(waiting.order_by(col(Reading.news_at), col(Reading.id)).limit(limit)).all()


def readings_of_story(session: Session, story_id: int) -> Sequence[ReadingWithSource]:
    """The latest reading of each of a story's articles, oldest news first."""
    members = _with_source().where(col(Reading.story_id) == story_id, col(Reading.latest))
    return session.exec(members.order_by(col(Reading.news_at), col(Reading.id))).all()


def readings_of_stories(session: Session, story_ids: Collection[int]) -> dict[int, list[ReadingWithSource]]:
    """The same for several stories at once."""
    members = _with_source().where(col(Reading.story_id).in_(story_ids), col(Reading.latest))
    found: dict[int, list[ReadingWithSource]] = {story_id: [] for story_id in story_ids}
    for reading, article, feed in session.exec(members.order_by(col(Reading.news_at), col(Reading.id))):
        if reading.story_id is not None:
            found[reading.story_id].append((reading, article, feed))
    return found


def superseded_scores(session: Session, story_ids: Collection[int], since: datetime) -> dict[int, tuple[float, float]]:
    """The highest escalation and de-escalation among each story's readings of later news that an edit replaced."""
    replaced = (
        select(Reading.story_id, func.max(Reading.escalation), func.max(Reading.deescalation))
        .where(col(Reading.story_id).in_(story_ids), col(Reading.latest).is_(False), col(Reading.news_at) > since)
        .group_by(col(Reading.story_id))
    )
    found = session.exec(replaced) if story_ids else ()
    return {story_id: (up, down) for story_id, up, down in found if story_id is not None}


def _with_source() -> Select[Reading, Article, Feed]:
    return (
        select(Reading, Article, Feed)
        .join(Article, col(Article.id) == col(Reading.article_id))
        .join(Feed, col(Feed.id) == col(Article.feed_id))
    )
