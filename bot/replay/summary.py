"""What a replay came to in, its figures out: alerts a day, by level, kind and pair; two replays side by side. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from bot.forecast import TOO_MANY_A_DAY
from bot.replay.engine import Rang, Replayed
from models import AlertKind, Level

NOTABLE = 2


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the alerts a default chat was told: a day (mean, median, worst), by level, kind and pair.

    `notable` of `labelled` were worth it by a label of severity 2 or more; None where nothing was labelled.
    """

    raised: int
    told: int
    mean: float
    median: float
    worst: int
    by_level: dict[str, int]
    by_kind: dict[str, int]
    by_pair: dict[str, int]
    labelled: int
    notable: int

    @property
    def precision(self) -> float | None:
        """Share of labelled alerts that were worth it, 0-1."""
        return self.notable / self.labelled if self.labelled else None


def figures_of(replayed: Replayed) -> Figures:
    """The figures of one replay; corrections of what was told are not counted as alerts."""
    told = [alert for alert in replayed.alerts if alert.told and alert.kind not in ("confirmed", "retracted")]
    days = alerts_by_day(replayed, told)
    labelled = [alert for alert in told if alert.labels]
    return Figures(
        raised=len(replayed.alerts),
        told=len(told),
        mean=len(told) / max(len(days), 1),
        median=median(days.values()),
        worst=max(days.values()),
        by_level=dict(Counter("easing" if a.direction == "deescalation" else Level(a.level).word for a in told)),
        by_kind=dict(Counter(AlertKind(alert.kind).word for alert in told)),
        by_pair=dict(Counter(alert.pair or "unknown" for alert in told).most_common(8)),
        labelled=len(labelled),
        notable=sum(is_notable(alert) for alert in labelled),
    )


def is_notable(alert: Rang) -> bool:
    """Whether somebody labelled an article of its story as worth passing on, in the direction that rang."""
    return any((severity or 0) >= NOTABLE and direction == alert.direction for direction, severity in alert.labels)


def alerts_by_day(replayed: Replayed, alerts: Sequence[Rang]) -> dict[date, int]:
    """Every day of the replay, also those without an alert."""
    first, last = replayed.first.date(), replayed.last.date()
    days = {first + timedelta(days=number): 0 for number in range((last - first).days + 1)}
    for alert in alerts:
        day = min(alert.at.date(), last)
        days[day] += 1
    return days


def gained_and_lost(live: Replayed, proposed: Replayed) -> tuple[list[Rang], list[Rang]]:
    """Alerts told only with the proposed settings, and only with the live ones, by headline and direction."""

    def told(replayed: Replayed) -> dict[tuple[str, str], Rang]:
        return {(alert.title, alert.direction): alert for alert in reversed(replayed.alerts) if alert.told}

    before, after = told(live), told(proposed)
    gained = [alert for key, alert in after.items() if key not in before]
    lost = [alert for key, alert in before.items() if key not in after]
    return sorted(gained, key=_when), sorted(lost, key=_when)


def told_late(live: Replayed, proposed: Replayed) -> list[tuple[Rang, timedelta]]:
    """Alerts of the live settings that the proposed ones tell later, and by how much."""
    after = {(alert.title, alert.direction): alert for alert in reversed(proposed.alerts) if alert.told}
    late = []
    for alert in live.alerts:
        twin = after.get((alert.title, alert.direction))
        if alert.told and twin is not None and twin.at > alert.at:
            late.append((alert, twin.at - alert.at))
    return late


def warnings_of(figures: Figures) -> list[str]:
    """What an admin should know before setting this: it would ring too often, or hide everything."""
    found = []
    if figures.worst > TOO_MANY_A_DAY:
        found.append(f"On the worst day {figures.worst} alerts would have been told: nobody reads so many.")
    if figures.told == 0:
        found.append("Nothing would have been told at all: these settings hide everything.")
    return found


def _when(alert: Rang) -> tuple[object, str]:
    return alert.at, alert.title
