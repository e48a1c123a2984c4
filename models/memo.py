"""What Tocsin remembers of itself over a restart: the settings it last had, work under way, labels passed over."""

from typing import Any

from sqlalchemy import JSON
from sqlmodel import Field, Session, SQLModel, col, delete, select


class Memo(SQLModel, table=True):
    """`name` says what of whom ("settings", "skipped:1001"), `value` is JSON and never a secret."""

    name: str = Field(primary_key=True, max_length=80)
    value: Any = Field(default=None, nullable=True, sa_type=JSON(none_as_null=True))


def remember(session: Session, name: str, value: Any) -> None:
    """Keep `value` in place of what was kept under `name`."""
    session.merge(Memo(name=name, value=value))


def recall(session: Session, name: str) -> Any:
    """What is kept under `name`; None for nothing."""
    memo = session.get(Memo, name)
    return None if memo is None else memo.value


def forget(session: Session, name: str) -> None:
    """Keep nothing under `name`."""
    session.execute(delete(Memo).where(col(Memo.name) == name))


def take_all(session: Session, prefix: str) -> list[Any]:
    """What is kept under all names that begin so, which is forgotten."""
    found = session.exec(select(Memo).where(col(Memo.name).startswith(prefix, autoescape=True)).order_by(Memo.name))
    memos = list(found)
    for memo in memos:
        session.delete(memo)
    return [memo.value for memo in memos]
