"""A chat (private, group, channel, forum topic) or the terminal, with what it wants to hear."""

import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, or_, select

from models.columns import text_enum


class Outlet(StrEnum):
    """Where messages come out."""

    TELEGRAM = "telegram"
    TERMINAL = "terminal"


class SubscriberState(StrEnum):
    """Whether a chat is sent anything."""

    PENDING = "pending"  #: asked to subscribe; an admin has not answered
    ACTIVE = "active"  #: gets alerts and digests
    STOPPED = "stopped"  #: said /stop; /start brings it back
    BLOCKED = "blocked"  #: removed the bot, or is closed to it; /start brings it back
    REFUSED = "refused"  #: an admin said no; /start does not bring it back


class Subscriber(SQLModel, table=True):
    """One place messages go to, and what it wants to hear.

    Levels are `models.story.Level` values: from `level_*` on it is told, from `break_through` on also in quiet hours
    (4: never). Empty lists filter nothing: `regions` as feeds name them, `dyads` as stories do ("RU-UA"), `signals` as
    the codebook does; `muted_dyads` are not told. Quiet hours are local, "HH:MM", and may span midnight; None: none.
    Until `muted_until` alerts wait as in quiet hours.
    `timezone` (IANA name), `digest_weekday` (0 is Monday) and `digest_at` ("HH:MM") fall back on config/digest.toml.
    """

    #: The id of one who was forgotten is nobody else's: buttons, notices and the record of changes carry it.
    __table_args__ = (UniqueConstraint("outlet", "chat_id", "thread_id"), {"sqlite_autoincrement": True})

    id: int = Field(default=None, primary_key=True)
    outlet: Outlet = Field(default=Outlet.TELEGRAM, sa_type=text_enum(Outlet))
    chat_id: int = Field(sa_type=BigInteger)
    thread_id: int = 0  # forum topic; 0 for none, so that the constraint holds (NULLs would all differ)
    kind: str = "private"
    name: str = ""
    state: SubscriberState = Field(default=SubscriberState.PENDING, sa_type=text_enum(SubscriberState))
    level_escalation: int = 2
    level_deescalation: int = 2
    daily_budget: int | None = None  # None: as config says
    regions: list[str] = Field(default_factory=list, sa_type=JSON)
    dyads: list[str] = Field(default_factory=list, sa_type=JSON)
    muted_dyads: list[str] = Field(default_factory=list, sa_type=JSON)
    signals: list[str] = Field(default_factory=list, sa_type=JSON)
    quiet_from: str | None = Field(default=None, max_length=5)
    quiet_until: str | None = Field(default=None, max_length=5)
    muted_until: datetime | None = None
    break_through: int = 3
    timezone: str = Field(default="", max_length=64)
    digest_weekday: int | None = None
    digest_at: str | None = Field(default=None, max_length=5)
    link_previews: bool = False
    silent: bool = False
    language: str = Field(default="en", max_length=8)
    digest: bool = True
    digest_due_at: datetime | None = Field(default=None, index=True)
    created_at: datetime
    changed_at: datetime


TERMINAL_CHAT = 0


def find_subscriber(
    session: Session, chat_id: int, thread_id: int = 0, outlet: Outlet = Outlet.TELEGRAM
) -> Subscriber | None:
    """The subscriber of a chat and topic."""
    same = select(Subscriber).where(
        Subscriber.outlet == outlet, Subscriber.chat_id == chat_id, Subscriber.thread_id == thread_id
    )
    return session.exec(same).first()


def subscribers_of(session: Session, chat_id: int) -> Sequence[Subscriber]:
    """A Telegram chat with all its topics, in their order."""
    here = select(Subscriber).where(Subscriber.outlet == Outlet.TELEGRAM, Subscriber.chat_id == chat_id)
    return session.exec(here.order_by(col(Subscriber.thread_id))).all()


def found_subscribers(session: Session, words: str, most: int) -> Sequence[Subscriber]:
    """Telegram chats with `words` in their name, or as their id, the newest first.

    SQLite knows capitals of A to Z only, so that other names are looked for as people write them as well.
    """
    spellings = {words, words.lower(), words.upper(), words.title()}
    fits = [col(Subscriber.name).icontains(spelling, autoescape=True) for spelling in sorted(spellings)]
    if re.fullmatch(r"-?[0-9]{1,18}", words):
        fits.append(col(Subscriber.chat_id) == int(words))
    found = select(Subscriber).where(Subscriber.outlet == Outlet.TELEGRAM, or_(*fits))
    return session.exec(found.order_by(col(Subscriber.id).desc()).limit(most)).all()


def active_subscribers(session: Session) -> Sequence[Subscriber]:
    """Everybody who is sent alerts, in order of arrival."""
    active = select(Subscriber).where(Subscriber.state == SubscriberState.ACTIVE)
    return session.exec(active.order_by(col(Subscriber.id))).all()


def digest_due(session: Session, now: datetime, limit: int) -> Sequence[Subscriber]:
    """Active subscribers whose weekly digest is due, at most so many, in order of arrival."""
    due = select(Subscriber).where(
        Subscriber.state == SubscriberState.ACTIVE, col(Subscriber.digest), col(Subscriber.digest_due_at) <= now
    )
    return session.exec(due.order_by(col(Subscriber.id)).limit(limit)).all()
