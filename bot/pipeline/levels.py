"""A score and the level held so far in, the level held now out. Pure; the hysteresis of the whole product."""

from datetime import datetime, timedelta

from config.schema import Levels
from models import Level


def threshold(level: Level, levels: Levels) -> float:
    """The score, 0-100, at which a story enters `level`; 0 for none."""
    return {Level.NONE: 0.0, Level.WATCH: levels.watch, Level.WARNING: levels.warning, Level.CRITICAL: levels.critical}[
        level
    ]


def level_of(score: float, levels: Levels) -> Level:
    """The highest level whose threshold `score` reaches."""
    return max(level for level in Level if score >= threshold(level, levels))


def next_level(held: Level, since: datetime | None, score: float, levels: Levels, now: datetime) -> Level:
    """Rise at once; fall only after the dwell time, and only below the threshold by the margin.

    `since` is when `held` was entered, None for a level never entered.
    """
    reached = level_of(score, levels)
    if reached >= held:
        return reached
    dwelt = since is None or now - since >= timedelta(minutes=levels.dwell_minutes)
    if not dwelt or score >= threshold(held, levels) - levels.leave_below:
        return held
    # The margin holds for every level on the way down: a fall from critical may rest at warning by the same rule.
    return max(level for level in Level if level <= held and score >= _leaves_at(level, levels))


def _leaves_at(level: Level, levels: Levels) -> float:
    return 0.0 if level is Level.NONE else threshold(level, levels) - levels.leave_below
