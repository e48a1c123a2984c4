"""Thresholds and the stories of the last month in, how often they would have rung out.

It counts stories by the highest score each reached. What it leaves out: quiet periods, budgets and what a subscriber
chose, so that it says the most that could ring.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from bot.pipeline.levels import threshold
from config.schema import Alerts
from models import Direction, Level, Story
from models.story import is_whole

SPAN = timedelta(days=30)
TOO_MANY_A_DAY = 20
LOUD = (Level.WATCH, Level.WARNING, Level.CRITICAL)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Stories within `days` (1-30), and how many of them reach each level of each direction."""

    days: float
    stories: int
    rings: Mapping[tuple[Direction, Level], int]

    def a_day(self, level: Level) -> float:
        """How often a day a story would have reached `level`, both directions together."""
        return sum(self.rings[direction, level] for direction in Direction) / self.days

    def warning(self, level: Level) -> str:
        """Why a threshold of `level` looks wrong, or nothing."""
        if self.stories and not any(self.rings[direction, level] for direction in Direction):
            return f"It would have hidden everything: not one of {self.stories} stories reached {level.word}."
        if self.a_day(level) > TOO_MANY_A_DAY:
            return f"It would have rung {self.a_day(level):.0f} times a day, more than anybody reads."
        return ""


def forecast(session: Session, alerts: Alerts, now: datetime) -> Forecast:
    """What `alerts` would have come to over the last 30 days, or since the first story if that is later."""
    since = now - SPAN
    within = (col(Story.last_seen_at) >= since) & is_whole()
    stories, first = session.exec(select(func.count(), func.min(Story.first_seen_at)).where(within)).one()
    begin = max(since, first) if first is not None else since
    rings = {
        (direction, level): session.exec(
            select(func.count())
            .select_from(Story)
            .where(within, _peak(direction) >= threshold(level, alerts.levels_for(direction)))
        ).one()
        for direction in Direction
        for level in LOUD
    }
    return Forecast(max(1.0, (now - begin).total_seconds() / 86400), stories, rings)


def _peak(direction: Direction) -> Any:
    return col(Story.peak_deescalation if direction is Direction.DEESCALATION else Story.peak_escalation)
