""" "12h", "30d", "2w" in, a timedelta out; "2022-03-01" in, the moment that a span ends at out."""

import re
from datetime import UTC, datetime, timedelta

from config.errors import ConfigError

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST = 3650


def parse_span(text: str) -> timedelta:
    """A number and h, d or w, up to ten years. Raises ConfigError."""
    found = re.fullmatch(r"(\d{1,5}) ?([hdw])", text.strip().lower())
    span = int(found[1]) * _UNITS[found[2]] if found else timedelta(0)
    if not timedelta(0) < span <= timedelta(days=_LONGEST):
        raise ConfigError(f"{text!r} is no span of time; write a number and h, d or w, such as 12h, 30d or 2w")
    return span


def parse_end(text: str) -> datetime:
    """ISO 8601, UTC where it has no offset; the end of a day where no time is named. Raises ConfigError."""
    try:
        moment = datetime.fromisoformat(text.strip())
        whole_day = re.fullmatch(r"\d{4}-?\d\d-?\d\d", text.strip()) is not None
        moment += timedelta(days=whole_day)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{text!r} is no date; write it as 2022-03-01 or 2022-03-01T12:00") from error
