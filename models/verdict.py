"""What a person said of a text Tocsin read: useful, wrong, or a full label; labels are trained on."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, Session, SQLModel, col, select

from models.columns import text_enum


class VerdictKind(StrEnum):
    """How much was said."""

    USEFUL = "useful"  #: a subscriber was glad to hear it
    WRONG = "wrong"  #: a subscriber says it should not have rung, or not like this
    LABEL = "label"  #: an admin labelled it by the codebook


class Verdict(SQLModel, table=True):
    """One person's word on one text. The words are copied, because articles and alerts are forgotten and labels not.

    `direction`, `severity` 0-3, `status` and `signals` are the codebook's, set for labels only. `subscriber_id` is the
    chat that spoke (None once it is forgotten), `admin_id` the Telegram user id of an admin. `model` had read the text.
    """

    #: A button that takes one back takes no other back.
    __table_args__ = {"sqlite_autoincrement": True}

    id: int = Field(default=None, primary_key=True)
    kind: VerdictKind = Field(sa_type=text_enum(VerdictKind))
    text: str
    model: str = ""
    article_id: int | None = Field(default=None, foreign_key="article.id", index=True, ondelete="SET NULL")
    alert_id: int | None = Field(default=None, foreign_key="alert.id", index=True, ondelete="SET NULL")
    subscriber_id: int | None = Field(default=None, foreign_key="subscriber.id", index=True, ondelete="SET NULL")
    admin_id: int | None = Field(default=None, sa_type=BigInteger)
    direction: str | None = None
    severity: int | None = None
    status: str = "asserted"
    signals: list[str] = Field(default_factory=list, sa_type=JSON)
    created_at: datetime = Field(index=True)


def labels(session: Session) -> Sequence[Verdict]:
    """The newest label of every text, oldest first."""
    rows = session.exec(
        select(Verdict)
        .where(Verdict.kind == VerdictKind.LABEL, col(Verdict.direction).is_not(None))
        .order_by(col(Verdict.created_at), col(Verdict.id))
    )
    newest = {row.text: row for row in rows}
    return sorted(newest.values(), key=lambda row: (row.created_at, row.id))
