"""Who hears: the terminal where there is no Telegram, and new chats with the levels an admin set as the default."""

from datetime import datetime

from sqlmodel import Session

from bot.calendar import digest_for, next_digest
from config.schema import Digest, LevelName, Settings
from models import Level, Outlet, Subscriber, SubscriberState
from models.subscriber import TERMINAL_CHAT, active_subscribers, find_subscriber


def level_named(name: LevelName) -> Level:
    """ "warning" -> Level.WARNING"""
    return Level[name.upper()]


def settle_terminal(session: Session, settings: Settings, wanted: bool, now: datetime) -> None:
    """The terminal is a subscriber while it is the outlet, and stops being one when Telegram is connected."""
    terminal = find_subscriber(session, TERMINAL_CHAT, outlet=Outlet.TERMINAL)
    if terminal is None:
        if not wanted:
            return
        terminal = Subscriber(
            outlet=Outlet.TERMINAL,
            chat_id=TERMINAL_CHAT,
            kind="terminal",
            name="terminal",
            created_at=now,
            changed_at=now,
        )
        session.add(terminal)
    level = int(level_named(settings.alerts.telling.terminal_level))
    terminal.level_escalation = terminal.level_deescalation = level
    state = SubscriberState.ACTIVE if wanted else SubscriberState.STOPPED
    if terminal.state != state:
        terminal.state, terminal.changed_at = state, now
    if wanted and terminal.digest_due_at is None:
        terminal.digest_due_at = next_digest(settings.digest, now)


def replan_digests(session: Session, digest: Digest, now: datetime) -> None:
    """Move digests that are not due yet to the day and time that config has now; one that is due stays due."""
    for subscriber in active_subscribers(session):
        if subscriber.digest_due_at is not None and subscriber.digest_due_at > now:
            subscriber.digest_due_at = next_digest(digest_for(subscriber, digest), now)
