"""Articles about one event: how high it stands now, how high it stood, and what has been told of it."""

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum, StrEnum

from sqlalchemy import JSON, ColumnElement, union
from sqlmodel import Field, Session, SQLModel, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from models.columns import text_enum


class Direction(StrEnum):
    """The two poles; a story has a score and a level in each."""

    ESCALATION = "escalation"
    DEESCALATION = "deescalation"

    @property
    def word(self) -> str:
        """As messages name it."""
        return "easing" if self is Direction.DEESCALATION else "escalation"


class Level(IntEnum):
    """How loud: the order is the meaning."""

    NONE = 0
    WATCH = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """As config and messages spell it."""
        return self.name.lower()


class StoryStatus(StrEnum):
    """Who stands behind the story."""

    UNCONFIRMED = "unconfirmed"  #: one publisher, or only interested parties say so
    CONFIRMED = "confirmed"  #: independent publishers, at least one not aligned with a party, report it
    CONTESTED = "contested"  #: parties contradict each other about it
    RETRACTED = "retracted"  #: the reports it was told for were rewritten and no longer say so

    @property
    def word(self) -> str:
        """As messages name it."""
        return "disputed" if self is StoryStatus.CONTESTED else self.value


class Story(SQLModel, table=True):
    """One event. Levels are those held now; `told_*` the highest ever told: each level rings once.

    `changed` is True when a reading joined since the story was last judged. `merged_into` is the story that this one
    turned out to be: it has its articles now, and this row is a trace, gone when that story is. No trace leads to a
    trace.
    """

    id: int = Field(default=None, primary_key=True)
    title: str
    url: str = ""
    first_seen_at: datetime
    last_seen_at: datetime = Field(index=True)
    escalation: float = 0.0
    deescalation: float = 0.0
    peak_escalation: float = 0.0
    peak_deescalation: float = 0.0
    level_escalation: int = 0
    level_deescalation: int = 0
    level_escalation_since: datetime | None = None
    level_deescalation_since: datetime | None = None
    told_escalation: int = 0
    told_deescalation: int = 0
    told_contested: bool = False
    last_told_at: datetime | None = None
    status: StoryStatus = Field(default=StoryStatus.UNCONFIRMED, sa_type=text_enum(StoryStatus))
    publishers: int = 0
    articles: int = 0
    dyad: str | None = Field(default=None, index=True)
    actors: list[dict[str, str]] = Field(default_factory=list, sa_type=JSON)
    signals: dict[str, float] = Field(default_factory=dict, sa_type=JSON)
    contested: list[str] = Field(default_factory=list, sa_type=JSON)
    regions: list[str] = Field(default_factory=list, sa_type=JSON)
    changed: bool = Field(default=True, index=True)
    judge_again_at: datetime | None = Field(default=None, index=True)
    merged_into: int | None = Field(default=None, foreign_key="story.id", index=True, ondelete="CASCADE")

    @property
    def whole_id(self) -> int:
        """The story that this one is part of: itself, unless it was merged."""
        return self.id if self.merged_into is None else self.merged_into

    @property
    def was_told(self) -> bool:
        """Whether people were told of it, at whatever level."""
        return self.told_escalation > Level.NONE or self.told_deescalation > Level.NONE

    def score(self, direction: Direction) -> float:
        """0-100, now."""
        return self.deescalation if direction is Direction.DEESCALATION else self.escalation

    def level(self, direction: Direction) -> Level:
        """Held now, after hysteresis."""
        return Level(self.level_deescalation if direction is Direction.DEESCALATION else self.level_escalation)

    def level_since(self, direction: Direction) -> datetime | None:
        """When the level held now was entered, None for a level never entered."""
        return self.level_deescalation_since if direction is Direction.DEESCALATION else self.level_escalation_since

    def peak(self, direction: Direction) -> float:
        """The highest score ever, 0-100."""
        return self.peak_deescalation if direction is Direction.DEESCALATION else self.peak_escalation

    def told(self, direction: Direction) -> Level:
        """The highest level people have been told of."""
        return Level(self.told_deescalation if direction is Direction.DEESCALATION else self.told_escalation)


def find_story(session: Session, story_id: int) -> Story | None:
    """A story by its id, or the one it became part of."""
    story = session.get(Story, story_id)
    return story if story is None or story.merged_into is None else session.get(Story, story.merged_into)


def parts_of(story_id: int) -> SelectOfScalar[int]:
    """The ids of a story and of those that became part of it: what was told of one was told of it."""
    return select(col(Story.id)).where((col(Story.id) == story_id) | (col(Story.merged_into) == story_id))


def is_whole() -> ColumnElement[bool]:
    """Rows that are stories and no traces of one."""
    return col(Story.merged_into).is_(None)


def whole_id() -> ColumnElement[int]:
    """`Story.whole_id`, for queries."""
    return func.coalesce(col(Story.merged_into), col(Story.id))


def stories_to_judge(session: Session, now: datetime, limit: int) -> Sequence[Story]:
    """Stories a reading joined, or whose next look (score fading, quiet period over) is due, oldest first."""
    # Two look-ups by index: for an OR in order of time SQLite would rather walk all the stories there ever were.
    due = union(select(Story.id).where(col(Story.changed)), select(Story.id).where(col(Story.judge_again_at) <= now))
    waiting = select(Story).where(col(Story.id).in_(due))
    return session.exec(waiting.order_by(col(Story.last_seen_at), col(Story.id)).limit(limit)).all()


def loud_stories(
    session: Session, direction: Direction, least: float, since: datetime, until: datetime
) -> Sequence[Story]:
    """Stories with news in [since, until) whose peak in `direction` is at least so high, the highest first."""
    peak = col(Story.peak_deescalation if direction is Direction.DEESCALATION else Story.peak_escalation)
    within = select(Story).where(col(Story.last_seen_at) >= since, col(Story.first_seen_at) < until, peak >= least)
    return session.exec(within.order_by(peak.desc(), col(Story.id))).all()
