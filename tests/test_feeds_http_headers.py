"""What servers say about time, in all the ways they say it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.http_headers import max_age_s, retry_after_s

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
YEAR_S = 366 * 86_400


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache-control": "public, max-age=600"}, 600),
        ({"cache-control": 'MAX-AGE="60"'}, 60),
        ({"cache-control": "s-maxage=600"}, None),
        ({"cache-control": "max-age=600, no-cache"}, None),
        ({"cache-control": "no-store", "expires": "Sun, 01 Mar 2026 13:00:00 GMT"}, None),
        ({"cache-control": "max-age=60", "expires": "Sun, 01 Mar 2026 13:00:00 GMT"}, 60),
        ({"expires": "Sun, 01 Mar 2026 13:00:00 GMT"}, 3600),
        ({"expires": "Sun, 01 Mar 2026 13:00:00 GMT", "date": "Sun, 01 Mar 2026 12:30:00 GMT"}, 1800),
        ({"expires": "0"}, None),
        ({"expires": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"cache-control": "max-age=99999999999999999999"}, YEAR_S),
        ({"cache-control": "max-age=-5"}, None),
        ({}, None),
    ],
)
def test_how_long_an_answer_stays_fresh(headers: dict[str, str], seconds: int | None) -> None:
    assert max_age_s(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Sun, 01 Mar 2026 12:10:00 GMT", 600),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("9" * 40, YEAR_S),
        ("-5", None),
        ("1.5", None),
        ("\u0665", None),
        ("soon", None),
    ],
)
def test_how_long_a_server_asks_to_be_left_alone(value: str, seconds: int | None) -> None:
    assert retry_after_s({"retry-after": value}, NOW) == seconds


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_nonsense_never_raises_and_never_exceeds_a_year(first: str, second: str, third: str) -> None:
    headers = {"retry-after": first, "cache-control": first, "expires": second, "date": third}
    for seconds in (retry_after_s(headers, NOW), max_age_s(headers, NOW)):
        assert seconds is None or 0 <= seconds <= YEAR_S
