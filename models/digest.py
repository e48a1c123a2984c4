"""A week summed up: the text and chart that a digest message was made of, kept so that a retry sends the same."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, func, select

from models.delivery import Delivery, DeliveryState
from models.pieces import pieces


class Digest(SQLModel, table=True):
    """The digest of [since, until) for those whose clocks were `minutes_ahead` of UTC at its end: it names their days.

    One per span, clock and pairs charted; `chart` is a PNG of these `pairs` ("IL-IR RU-UA"), or of all together ("").
    `message` is for nobody in particular; what a chat is told by its choice is in its delivery.
    """

    __table_args__ = (UniqueConstraint("since", "until", "minutes_ahead", "pairs", name="uq_digest_span"),)

    id: int = Field(default=None, primary_key=True)
    since: datetime
    until: datetime
    minutes_ahead: int = 0
    pairs: str = ""
    message: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    chart: bytes = b""
    created_at: datetime


def last_digests(session: Session, subscribers: Sequence[int]) -> dict[int, datetime]:
    """Subscriber id -> where the last digest ended that was sent there, or is about to be."""
    found: dict[int, datetime] = {}
    for part in pieces(subscribers):
        told = (
            select(Delivery.subscriber_id, func.max(Digest.until))
            .join(Digest, col(Digest.id) == col(Delivery.digest_id))
            .where(col(Delivery.subscriber_id).in_(part))
            .where(Delivery.state != DeliveryState.FAILED)
            .group_by(col(Delivery.subscriber_id))
        )
        found.update(session.exec(told).all())
    return found


def drawn_for(session: Session, since: datetime, until: datetime, minutes_ahead: int) -> dict[str, int]:
    """Pairs charted -> the id of the digest of a week that has that chart."""
    same = (Digest.since == since, Digest.until == until, Digest.minutes_ahead == minutes_ahead)
    return dict(session.exec(select(Digest.pairs, Digest.id).where(*same)).all())


def last_digest(session: Session, subscriber_id: int) -> tuple[dict[str, Any], bytes] | None:
    """Message and chart of the newest digest that a subscriber was given, or else of the newest for nobody in
    particular."""
    given = (
        select(Delivery.message, Digest.chart)
        .join(Digest, col(Digest.id) == col(Delivery.digest_id))
        .where(Delivery.subscriber_id == subscriber_id)
        .order_by(col(Digest.until).desc(), col(Delivery.id).desc())
    )
    nobodys = select(Digest.message, Digest.chart).where(Digest.pairs == "")
    newest = nobodys.order_by(col(Digest.until).desc(), col(Digest.id).desc())
    last = session.exec(given.limit(1)).first() or session.exec(newest.limit(1)).first()
    return (dict(last[0]), last[1]) if last else None
