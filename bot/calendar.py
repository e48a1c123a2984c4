"""A weekday and time as an admin sets them in, the next such moment in UTC out."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from config.schema import WEEKDAYS, Digest


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
