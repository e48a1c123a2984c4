"""What admins were asked and have not answered, so that a restart forgets no question."""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, delete

#: How long a question that ran out is kept, for an answer that comes too late to be told so.
KEPT = timedelta(days=1)


class Question(SQLModel, table=True):
    """Good until `until`, for one admin. `kind` says what is asked for and so what `payload` (JSON) is.

    The `token` is what a button carries; a question that a text answers has that of `token_for_text`.
    """

    token: str = Field(primary_key=True, max_length=40)
    admin_id: int = Field(sa_type=BigInteger)
    kind: str = Field(max_length=20)
    payload: str
    until: datetime


def token_for_text(admin_id: int) -> str:
    """A person's next text answers one question, the last one put."""
    return f"text:{admin_id}"


def put_question(session: Session, question: Question, now: datetime) -> None:
    """Keep it in place of the one with its token, and forget those long out of date."""
    old = (col(Question.until) < now - KEPT) | (col(Question.token) == question.token)
    session.execute(delete(Question).where(old))
    session.add(question)


def take_question(session: Session, token: str, admin_id: int, kind: str) -> Question | None:
    """The question, once, though it may be out of date; None when it is not this admin's, or of another kind."""
    found = session.get(Question, token)
    if found is None or (found.admin_id, found.kind) != (admin_id, kind):
        return None
    session.delete(found)
    return found
