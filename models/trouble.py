"""What does not work now and admins were told of, so that a restart neither tells it twice nor forgets it."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete
from sqlmodel import Field, Session, SQLModel, col

AT_ONCE = timedelta(0)


class Trouble(SQLModel, table=True):
    """`subject` names it; it began at `since`. Admins were told at `told_at`, None while it may still pass by itself.

    Once it is over the row is gone.
    """

    subject: str = Field(primary_key=True, max_length=80)
    since: datetime
    told_at: datetime | None = None


def begin_trouble(session: Session, subject: str, now: datetime, patience: timedelta = AT_ONCE) -> bool:
    """Note that it is so; True when admins are to be told now: it has been for `patience`, and they were not."""
    trouble = session.get(Trouble, subject) or Trouble(subject=subject, since=now)
    session.add(trouble)
    if trouble.told_at is not None or now - trouble.since < patience:
        return False
    trouble.told_at = now
    return True


def end_trouble(session: Session, subject: str) -> bool:
    """Note that it is over; False when nobody was told that it began."""
    trouble = session.get(Trouble, subject)
    told = trouble is not None and trouble.told_at is not None
    ended = delete(Trouble).where(col(Trouble.subject) == subject)
    return cast(CursorResult[Any], session.execute(ended)).rowcount == 1 and told
