"""A week summed up: the text and chart that a digest message was made of, kept so that a retry sends the same."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Field, SQLModel


class Digest(SQLModel, table=True):
    """The digest of [since, until); one per span. `chart` is a PNG."""

    __table_args__ = (UniqueConstraint("since", "until"),)

    id: int = Field(default=None, primary_key=True)
    since: datetime
    until: datetime
    message: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    chart: bytes = b""
    created_at: datetime
