"""Who may do what only one process may do at a time, such as polling Telegram with a token."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, col


class Lease(SQLModel, table=True):
    """`holder` owns `name` until `until`; afterwards anybody may take it."""

    name: str = Field(primary_key=True, max_length=80)
    holder: str = Field(max_length=80)
    until: datetime


def take_lease(session: Session, name: str, holder: str, now: datetime, length: timedelta) -> bool:
    """Take or renew a lease; False while somebody else holds it."""
    free = (col(Lease.holder) == holder) | (col(Lease.until) <= now)
    renewed = update(Lease).where(col(Lease.name) == name, free).values(holder=holder, until=now + length)
    if cast(CursorResult[Any], session.execute(renewed)).rowcount == 1:
        return True
    try:
        with session.begin_nested():
            session.add(Lease(name=name, holder=holder, until=now + length))
    except IntegrityError:
        return False
    return True


def drop_lease(session: Session, name: str, holder: str) -> None:
    """Give a lease back, so that the next start need not wait for it to run out."""
    session.execute(delete(Lease).where(col(Lease.name) == name, col(Lease.holder) == holder))
