""" "12h", "30d", "2w" in, a timedelta out."""

import re
from datetime import timedelta

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
