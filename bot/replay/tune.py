"""A prepared archive and a number of alerts a day in, thresholds that meet it out: a search over replays.

The warning level decides what a chat with default choices is told, so it is searched (whole points, by halving: the
higher, the fewer alerts); watch and critical keep their distance to it. The daily budget is left out of the search: it
would hide that a threshold is too low.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bot.replay.engine import Prepared, Tell, replay
from bot.replay.summary import Figures, figures_of
from config.schema import Levels, Settings

LOWEST, HIGHEST = 20, 95
_NO_BUDGET = 100


@dataclass(frozen=True, slots=True)
class Proposal:
    """Levels that tell at most `wanted` alerts a day on average, what they come to, and every warning level tried.

    `reached` is False when even the highest level tells more, or the lowest fewer.
    """

    wanted: float
    levels: Levels
    figures: Figures
    tried: tuple[tuple[int, float], ...]
    reached: bool


def propose(prepared: Prepared, settings: Settings, wanted: float, tell: Tell) -> Proposal:
    """The lowest warning level whose mean of alerts a day is at most `wanted`."""
    tried: dict[int, Figures] = {}

    def at(warning: int) -> Figures:
        if warning not in tried:
            tell("trying levels", len(tried), 8)
            tried[warning] = figures_of(replay(prepared, _with(settings, warning), lambda *_: None))
        return tried[warning]

    best = _lowest(lambda warning: at(warning).mean <= wanted)
    figures = at(best)
    levels = levels_around(settings.alerts.levels, best)
    means = tuple((warning, tried[warning].mean) for warning in sorted(tried))
    return Proposal(
        wanted, levels, figures, means, figures.mean <= wanted and (best > LOWEST or figures.mean == wanted)
    )


def _lowest(enough: Callable[[int], bool]) -> int:
    low, high = LOWEST, HIGHEST
    while low < high:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle + 1
    return low


def levels_around(levels: Levels, warning: int) -> Levels:
    """`levels` moved so that warning is where it is wanted; the distances stay as far as 1 to 100 allow."""
    watch = max(warning - (levels.warning - levels.watch), levels.leave_below + 1, 1)
    critical = min(warning + (levels.critical - levels.warning), 100)
    return levels.model_copy(
        update={"watch": min(watch, warning - 1), "warning": float(warning), "critical": max(critical, warning + 1)}
    )


def _with(settings: Settings, warning: int) -> Settings:
    alerts = settings.alerts
    telling = alerts.telling.model_copy(update={"daily_budget": _NO_BUDGET})
    levels = levels_around(alerts.levels, warning)
    return settings.model_copy(update={"alerts": alerts.model_copy(update={"levels": levels, "telling": telling})})
