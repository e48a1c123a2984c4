"""What a replay came to in, its figures out: alerts a day, by level, kind and pair; two replays side by side. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from bot.forecast import TOO_MANY_A_DAY
from bot.replay.engine import Rang, Replayed
from models import AlertKind, Direction, Level

THRESHOLDS = (40.0, 50.0, 55.0, 60.0, 65.0, 70.0, 80.0)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the alerts a default chat was told: a day (mean, median, worst), by level, kind and pair.

    `notable` of `labelled` were worth it: by a label of severity 2 or more, or, without one, a verdict.
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
    labelled = [alert for alert in told if alert.right is not None]
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
        notable=sum(alert.right is True for alert in labelled),
    )


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What ringing from a score on comes to: stories a day that reach it, and how well it tells what is worth it.

    Of the stories that somebody judged, `rang` reach it, `right` of these were worth it, as were `worth` of all. `own`
    names the settings whose own threshold it is. Quiet periods, cool-downs and budgets are left out: they would hide
    what the threshold does.
    """

    threshold: str
    own: str
    a_day: float
    right: int
    rang: int
    worth: int


def by_threshold(live: Replayed, proposed: Replayed) -> list[AtThreshold]:
    """THRESHOLDS with what else was proposed, and those of the two settings themselves, the lowest first."""
    tried: list[tuple[float, str, Replayed, dict[str, float]]] = [
        (score, "", proposed, dict.fromkeys(Direction, score)) for score in THRESHOLDS
    ]
    for own, replayed in (("live", live), ("proposed", proposed)):
        tried.append((replayed.told_from[Direction.ESCALATION], own, replayed, dict(replayed.told_from)))
    tried.sort(key=lambda each: each[:2])
    return [_at(replayed, least, own) for _, own, replayed, least in tried]


def _at(replayed: Replayed, least: Mapping[str, float], own: str) -> AtThreshold:
    rings = [story for story in replayed.reached if story.peak >= least[story.direction]]
    return AtThreshold(
        threshold=" / ".join(dict.fromkeys(f"{least[way]:g}" for way in Direction)),
        own=own,
        a_day=len(rings) / len(alerts_by_day(replayed, ())),
        right=sum(story.right is True for story in rings),
        rang=sum(story.right is not None for story in rings),
        worth=sum(story.right is True for story in replayed.reached),
    )


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
    """Alerts of the live settings that the proposed ones tell later, and by how much; the latest first."""
    after = {(alert.title, alert.direction): alert for alert in reversed(proposed.alerts) if alert.told}
    late = []
    for alert in live.alerts:
        twin = after.get((alert.title, alert.direction))
        if alert.told and twin is not None and twin.at > alert.at:
            late.append((alert, twin.at - alert.at))
    return sorted(late, key=lambda each: (-each[1], _when(each[0])))


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
