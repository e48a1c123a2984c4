"""Who changed what, when, from what to what: settings, feeds, subscribers, models."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, Session, SQLModel, col, select


class Change(SQLModel, table=True):
    """One change. `area` is a settings file ("alerts") or "subscriber", "broadcast", "model", "label"; `key` says what.

    `before` and `after` are values in force, as JSON; None: there was, or is, nothing. `admin_id` is the Telegram user
    id of an admin, None for the command line and for files edited by hand. `undoes` is the change taken back.
    """

    id: int = Field(default=None, primary_key=True)
    at: datetime = Field(index=True)
    who: str = Field(max_length=80)
    admin_id: int | None = Field(default=None, sa_type=BigInteger)
    area: str = Field(max_length=32)
    key: str = ""
    before: Any = Field(default=None, nullable=True, sa_type=JSON(none_as_null=True))
    after: Any = Field(default=None, nullable=True, sa_type=JSON(none_as_null=True))
    undoes: int | None = Field(default=None, foreign_key="change.id", ondelete="SET NULL")


def latest_changes(session: Session, limit: int, offset: int = 0, area: str | None = None) -> Sequence[Change]:
    """Changes, newest first, of one area or of all."""
    wanted = select(Change).order_by(col(Change.id).desc()).offset(offset).limit(limit)
    return session.exec(wanted if area is None else wanted.where(Change.area == area)).all()


def latest_of(session: Session, area: str, key: str) -> Change | None:
    """The newest change of one key."""
    same = select(Change).where(Change.area == area, Change.key == key)
    return session.exec(same.order_by(col(Change.id).desc()).limit(1)).first()
