"""Times as an admin or a chat sets them in, the next such moment in UTC out: of a digest, or the end of quiet hours."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.schema import WEEKDAYS, Digest
from models import Subscriber


def when_to_tell(level: int, subscriber: Subscriber, timezone: str, now: datetime) -> datetime:
    """Now, or when the subscriber's mute and quiet hours are over, unless the level breaks through them.

    `timezone` is that of subscribers who chose none.
    """
    if level >= subscriber.break_through:
        return now
    free = now if subscriber.muted_until is None else max(now, subscriber.muted_until)
    return _after_quiet_hours(subscriber, timezone, free)


def when_due(level: int, subscriber: Subscriber, timezone: str, now: datetime) -> datetime:
    """From when on a message grows old: quiet hours come every night and do not count, a mute is chosen and counts."""
    return now if level >= subscriber.break_through else _after_quiet_hours(subscriber, timezone, now)


def _after_quiet_hours(subscriber: Subscriber, timezone: str, now: datetime) -> datetime:
    if subscriber.quiet_from is None or subscriber.quiet_until is None:
        return now
    return end_of_quiet_hours(subscriber.quiet_from, subscriber.quiet_until, subscriber.timezone or timezone, now)


def end_of_quiet_hours(begins: str, ends: str, timezone: str, now: datetime) -> datetime:
    """`now`, or, where it lies in the hours from `begins` to `ends` ("HH:MM", local), the moment they end, in UTC.

    Hours that end no later than they begin span midnight; equal ones are empty.
    """
    local = now.astimezone(ZoneInfo(timezone))
    start, end = time.fromisoformat(begins), time.fromisoformat(ends)
    clock = local.time().replace(tzinfo=None)
    quiet = start <= clock < end if start < end else start != end and (clock >= start or clock < end)
    if not quiet:
        return now
    day = local.date() + timedelta(days=int(clock >= end))
    return datetime.combine(day, end, tzinfo=local.tzinfo).astimezone(UTC)


def digest_for(subscriber: Subscriber, digest: Digest) -> Digest:
    """When a subscriber's digest comes: what they chose, and for the rest what config says."""
    chosen = {
        "weekday": None if subscriber.digest_weekday is None else WEEKDAYS[subscriber.digest_weekday],
        "at": None if subscriber.digest_at is None else time.fromisoformat(subscriber.digest_at),
        "timezone": subscriber.timezone or None,
    }
    return digest.model_copy(update={key: value for key, value in chosen.items() if value is not None})


def next_digest(digest: Digest, after: datetime) -> datetime:
    """The first moment strictly after `after` (aware) at which a digest is due, in UTC.

    A local time that the clock skips in spring is taken as much later; one that comes twice in autumn, the first time.
    """
    zone = ZoneInfo(digest.timezone)
    weekday = WEEKDAYS.index(digest.weekday)
    start = after.astimezone(zone).date() - timedelta(days=1)  # a zone may have skipped the day itself
    days = (start + timedelta(days=offset) for offset in range(10))
    moments = (
        datetime.combine(day, digest.at, tzinfo=zone).astimezone(UTC) for day in days if day.weekday() == weekday
    )
    return next(moment for moment in moments if moment > after)
