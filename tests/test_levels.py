"""The hysteresis: levels rise at once and fall late."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.pipeline.levels import level_of, next_level, threshold
from config.schema import Levels
from models import Level

LEVELS = Levels()
LONG_AGO = timedelta(hours=5)
scores = st.floats(min_value=0, max_value=100)


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (0, Level.NONE),
        (39.9, Level.NONE),
        (40, Level.WATCH),
        (60, Level.WARNING),
        (80, Level.CRITICAL),
        (100, Level.CRITICAL),
    ],
    ids=str,
)
def test_a_score_reaches_the_level_whose_threshold_it_meets(score: float, level: Level) -> None:
    assert level_of(score, LEVELS) is level


@pytest.mark.parametrize(
    ("score", "after"),
    [
        (75, Level.CRITICAL),
        (73, Level.CRITICAL),
        (71, Level.WARNING),
        (55, Level.WARNING),
        (46, Level.WATCH),
        (31, Level.NONE),
    ],
    ids=str,
)
def test_a_fall_stops_at_the_level_whose_margin_holds(now: datetime, score: float, after: Level) -> None:
    assert next_level(Level.CRITICAL, now - LONG_AGO, score, LEVELS, now) is after


def test_a_level_entered_a_moment_ago_is_held_whatever_the_score(now: datetime) -> None:
    assert next_level(Level.WARNING, now - timedelta(minutes=59), 0.0, LEVELS, now) is Level.WARNING
    assert next_level(Level.WARNING, now - timedelta(minutes=60), 0.0, LEVELS, now) is Level.NONE


@given(score=scores, held=st.sampled_from(Level), minutes=st.integers(min_value=0, max_value=600))
def test_a_rise_is_never_late_and_a_fall_never_early(score: float, held: Level, minutes: int) -> None:
    now = datetime.fromisoformat("2026-03-12T09:30:00+00:00")
    after = next_level(held, now - timedelta(minutes=minutes), score, LEVELS, now)
    if level_of(score, LEVELS) > held:
        assert after is level_of(score, LEVELS)
    else:
        assert level_of(score, LEVELS) <= after <= held
    if after < held:
        assert minutes >= LEVELS.dwell_minutes
        assert score < threshold(held, LEVELS) - LEVELS.leave_below


@given(st.lists(st.floats(min_value=60 - LEVELS.leave_below, max_value=79.9), min_size=1, max_size=60))
def test_a_score_that_wobbles_around_a_threshold_enters_its_level_once(wobble: list[float]) -> None:
    now = datetime.fromisoformat("2026-03-12T09:30:00+00:00")
    level, since, entered = Level.WATCH, now, 0
    for hour, score in enumerate(wobble):
        moment = now + timedelta(hours=hour)
        after = next_level(level, since, score, LEVELS, moment)
        if after != level:
            entered += after is Level.WARNING
            level, since = after, moment
    assert entered <= 1
