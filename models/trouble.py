"""What does not work now and admins were told of, so that a restart neither tells it twice nor forgets it."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete
from sqlmodel import Field, Session, SQLModel, col


class Trouble(SQLModel, table=True):
    """`subject` names it; admins were told at `since`. Once they were told that it is over the row is gone."""

    subject: str = Field(primary_key=True, max_length=80)
    since: datetime


def begin_trouble(session: Session, subject: str, now: datetime) -> bool:
    """Note that it began; False when that is known."""
    if session.get(Trouble, subject) is not None:
        return False
    session.add(Trouble(subject=subject, since=now))
    return True


def end_trouble(session: Session, subject: str) -> bool:
    """Note that it is over; False when nobody was told that it began."""
    ended = delete(Trouble).where(col(Trouble.subject) == subject)
    return cast(CursorResult[Any], session.execute(ended)).rowcount == 1
