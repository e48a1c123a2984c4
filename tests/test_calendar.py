"""The digest's calendar: the right weekday and local time, through every clock change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.calendar import next_digest
from config.schema import WEEKDAYS, Digest

ZONES = ("UTC", "Europe/Kyiv", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")
DIGESTS = st.builds(
    Digest,
    weekday=st.sampled_from(WEEKDAYS),
    at=st.times().map(lambda t: t.replace(microsecond=0, fold=0)),
    timezone=st.sampled_from(ZONES),
)
MOMENTS = st.datetimes(datetime(2005, 1, 1), datetime(2045, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2022-02-16T12:00+00:00", "2022-02-21T06:00+00:00"),
        ("2022-02-21T05:59:59+00:00", "2022-02-21T06:00+00:00"),
        ("2022-02-21T06:00+00:00", "2022-02-28T06:00+00:00"),
        ("2022-03-27T12:00+00:00", "2022-03-28T05:00+00:00"),
        ("2022-10-30T12:00+00:00", "2022-10-31T06:00+00:00"),
    ],
    ids=["midweek", "a second before", "at the moment itself", "after the clock went forward", "after it went back"],
)
def test_a_digest_is_due_at_the_local_time(after: str, expected: str) -> None:
    digest = Digest(weekday="monday", at=time(8), timezone="Europe/Kyiv")
    assert next_digest(digest, moment(after)) == moment(expected)


def test_a_time_the_clock_skips_comes_after_the_jump() -> None:
    digest = Digest(weekday="sunday", at=time(3, 30), timezone="Europe/Kyiv")
    due = next_digest(digest, moment("2022-03-26T12:00+00:00"))
    assert due.astimezone(ZoneInfo("Europe/Kyiv")).isoformat() == "2022-03-27T04:30:00+03:00"


def test_a_time_that_comes_twice_is_due_once() -> None:
    digest = Digest(weekday="sunday", at=time(3, 30), timezone="Europe/Kyiv")
    due = next_digest(digest, moment("2022-10-29T12:00+00:00"))
    assert due == moment("2022-10-30T00:30+00:00")
    assert next_digest(digest, due) == moment("2022-11-06T01:30+00:00")


@given(DIGESTS, MOMENTS)
def test_a_digest_is_always_ahead_and_within_the_week(digest: Digest, after: datetime) -> None:
    due = next_digest(digest, after)
    assert due.utcoffset() == timedelta(0)
    # A day that a zone left out (Apia, 30 December 2011) shifts it by that day.
    assert timedelta(0) < due - after <= timedelta(days=8)


@given(DIGESTS, MOMENTS)
def test_a_digest_falls_on_the_weekday_and_time_asked_for(digest: Digest, after: datetime) -> None:
    zone = ZoneInfo(digest.timezone)
    due = next_digest(digest, after).astimezone(zone)
    asked = due.replace(hour=digest.at.hour, minute=digest.at.minute, second=digest.at.second, fold=0)
    exists = asked.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == asked.replace(tzinfo=None)
    if exists and WEEKDAYS[due.weekday()] == digest.weekday:
        assert due.time() == digest.at
    else:
        assert due.utcoffset() != (due - timedelta(days=1)).astimezone(UTC).astimezone(zone).utcoffset()


@given(DIGESTS, MOMENTS, st.integers(0, 7 * 86400))
def test_no_digest_is_skipped_however_often_one_asks(digest: Digest, after: datetime, later_s: int) -> None:
    due = next_digest(digest, after)
    between = min(after + timedelta(seconds=later_s), due - timedelta(microseconds=1))
    assert next_digest(digest, between) == due
