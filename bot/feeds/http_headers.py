"""Response headers go in, waiting times in seconds come out. Nonsense from a server counts as nothing said."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Long enough for any honest wish, short enough that no sum with it overflows a database column.
_LONGEST_S = 366 * 86_400
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,18})", re.IGNORECASE)
_DO_NOT_KEEP = re.compile(r"(?:^|,)\s*(?:no-store|no-cache)\s*(?:,|$)", re.IGNORECASE)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> int | None:
    """Seconds the server asks to be left alone (Retry-After as a number or an HTTP date), 0 to a year; None if unsaid.

    `headers` has lower-case names. A date is measured from the answer's own Date, else from `now` (aware).
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:12]), _LONGEST_S)
    return _seconds_until(value, headers, now)


def max_age_s(headers: Mapping[str, str], now: datetime) -> int | None:
    """Seconds the answer stays fresh by Cache-Control, else Expires, 0 to a year; None if unsaid or not to be kept."""
    cache_control = headers.get("cache-control", "")
    if _DO_NOT_KEEP.search(cache_control):
        return None
    if found := _MAX_AGE.search(cache_control):
        return min(int(found[1]), _LONGEST_S)
    return _seconds_until(headers.get("expires", ""), headers, now)


def _seconds_until(value: str, headers: Mapping[str, str], now: datetime) -> int | None:
    moment = _http_date(value)
    if moment is None:
        return None
    # The server's own clock cancels out when both ends of the span come from it.
    start = _http_date(headers.get("date", "")) or now
    return max(0, min(int((moment - start).total_seconds()), _LONGEST_S))


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
