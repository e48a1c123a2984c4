"""A story's readings in, what the story amounts to now out: scores, sources, status, parties. Pure.

Publisher families count once, and so does copy: the same words under two names are one source.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from classifiers.claims import opposed
from classifiers.regions import WORLD, regions_of
from config.schema import Stories
from models import Direction, Reading, StoryStatus
from models.reading import ReadingWithSource

Ordered = TypeVar("Ordered", str, tuple[str, str])

PROBABLE = 0.5
#: Events whose author may be denied while the event stands (codebook, settled question 17).
AUTHORED = frozenset({"armed_attack", "cyberattack", "covert_action"})
#: So many of the parties named most are those of a story whose articles agree on no pair.
MOST_NAMED = 2
_COPY_WORDS = 25
_DATELINE = re.compile(
    r"^\W*[A-Z][A-Z .,/'-]{2,40}(?:,? \w+ \d{1,2})?(?: \([^)]{2,30}\))?\s*[-–—:]+\s*|\([^)]{2,30}\)\s*[-–—]\s*"
)


@dataclass(frozen=True, slots=True)
class Weight:
    """What a story amounts to at one moment. Scores 0-100; `top` are the readings that gave them, best first.

    `backing` counts, by direction, the independent sources whose articles lean that way.
    """

    escalation: float = 0.0
    deescalation: float = 0.0
    status: StoryStatus = StoryStatus.UNCONFIRMED
    sources: int = 0
    top: dict[Direction, tuple[ReadingWithSource, ...]] = field(default_factory=dict)
    dyad: str | None = None
    actors: tuple[tuple[str, str], ...] = ()
    regions: tuple[str, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)
    contested: tuple[str, ...] = ()
    stances: dict[str, dict[str, str]] = field(default_factory=dict)
    fades_at: datetime | None = None
    backing: dict[Direction, int] = field(default_factory=dict)

    def score(self, direction: Direction) -> float:
        """0-100, in `direction`."""
        return self.deescalation if direction is Direction.DEESCALATION else self.escalation


def weigh(readings: Sequence[ReadingWithSource], settings: Stories, now: datetime) -> Weight:
    """What `readings` (the latest of each article) amount to; those older than the memory or from the backlog are
    context that adds sources and parties but no score."""
    if not readings:
        return Weight()
    sources = count_sources(readings)
    memory = timedelta(hours=settings.memory_hours)
    fresh = [row for row in readings if not row[1].backlog and now - row[0].news_at < memory]
    factor = 1.0 if sources > 1 else settings.single_source_factor
    top = {direction: _ranked(fresh, direction) for direction in Direction}
    scores = {direction: factor * _best(rows, direction) for direction, rows in top.items()}
    sides = stances([row[0] for row in readings])
    contested = contested_signals([row[0] for row in readings], sides)
    dyad, actors = _commonest(reading.dyad for reading, _, _ in readings), _actors(readings)
    return Weight(
        escalation=scores[Direction.ESCALATION],
        deescalation=scores[Direction.DEESCALATION],
        status=_status(readings, sources, contested),
        sources=sources,
        top=top,
        dyad=dyad,
        actors=actors,
        regions=regions(readings, dyad, [code for code, _ in actors]),
        signals=_signals(fresh or readings),
        contested=contested,
        stances=sides,
        fades_at=min((row[0].news_at + memory for row in fresh), default=None),
        backing={
            direction: count_sources([row for row in fresh if _leans(row[0], direction)]) for direction in Direction
        },
    )


def regions(readings: Sequence[ReadingWithSource], dyad: str | None, actors: Sequence[str]) -> tuple[str, ...]:
    """Where a story happens: the homes of its parties (its pair, or else the actors named most, and the states of the
    places named most), and what its feeds say they cover. A feed of the world says nothing of where, and a story of
    nobody and no place known is of no region."""
    parties = dyad.split("-") if dyad else [*actors[:MOST_NAMED], *_most_named_places(readings)]
    if not parties:
        return ()
    covered = {region for _, _, feed in readings for region in feed.regions} - {WORLD}
    return tuple(sorted(covered | regions_of(parties)))


def _most_named_places(readings: Sequence[ReadingWithSource]) -> list[str]:
    """The states whose places most articles name first."""
    return _by_number(reading.places[0] for reading, _, _ in readings if reading.places)[:MOST_NAMED]


def weighted(row: ReadingWithSource, direction: Direction) -> float:
    """One reading's score times its feed's weight, at most 100."""
    reading, _article, feed = row
    return min(100.0, reading.score(direction) * feed.weight)


def count_sources(readings: Sequence[ReadingWithSource]) -> int:
    """Independent sources: feeds of one family are one, and so are texts that open with the same words."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    families = set()
    for reading, _article, feed in readings:
        family = f"family:{feed.source}"
        families.add(family)
        root(family)
        for key in copy_keys(reading):
            parent[root(key)] = root(family)
    return len({root(family) for family in families})


def copy_keys(reading: Reading) -> list[str]:
    """What two prints of one agency text share: the first words of summary and text, datelines aside."""
    keys = []
    for text in (reading.opening, reading.lead):
        words = re.findall(r"\w+", _DATELINE.sub("", text).lower())[:_COPY_WORDS]
        if len(words) >= 12:  # shorter openings coincide by chance
            keys.append("copy:" + " ".join(words))
    return keys


def contested_signals(readings: Sequence[Reading], sides: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Signals about which parties contradict each other, within one article or across the story's articles, given who
    stands where (`stances` of the same readings).

    A party that denies on balance must face one that affirms on balance. Of an attack, which stands though nobody
    claims it, a denial of authorship is enough where the classifier reads the article as contested. Where two parties
    affirm opposites of one party (it withdraws, it masses troops), both signals are contested. Only signals that an
    article is probably about count: among many sentences a stray denial is sure to be found.
    """
    reported = {signal for reading in readings for signal in reading.contested} & AUTHORED
    denied = {
        signal
        for signal, parties in sides.items()
        if "deny" in parties.values() and ("affirm" in parties.values() or signal in reported)
    }
    return tuple(sorted(denied | set(opposed(_affirmed(readings, sides)))))


def stances(readings: Sequence[Reading]) -> dict[str, dict[str, str]]:
    """signal -> party -> "affirm" or "deny" on balance; each sentence once, however many printed it."""
    distinct = {
        (claim["signal"], claim["claimant"], claim["stance"], claim["sentence"])
        for reading in readings
        for claim in reading.claims
        if reading.signals.get(claim["signal"], 0.0) >= PROBABLE
    }
    balance: dict[str, Counter[str]] = defaultdict(Counter)
    for signal, claimant, stance, _sentence in sorted(distinct):
        balance[signal][claimant] += 1 if stance == "affirm" else -1
    return {
        signal: {party: "affirm" if count > 0 else "deny" for party, count in parties.items() if count}
        for signal, parties in balance.items()
    }


def _affirmed(readings: Sequence[Reading], sides: Mapping[str, Mapping[str, str]]) -> Iterable[tuple[str, str, str]]:
    """Signal, claimant and whose act it is, of what a party affirms on balance; old readings do not say whose."""
    for reading in readings:
        for claim in reading.claims:
            signal, claimant = claim["signal"], claim["claimant"]
            if claim["stance"] == "affirm" == sides.get(signal, {}).get(claimant):
                yield signal, claimant, claim.get("about", "")


def _leans(reading: Reading, direction: Direction) -> bool:
    return all(reading.score(direction) > reading.score(other) for other in Direction if other is not direction)


def _ranked(rows: Sequence[ReadingWithSource], direction: Direction) -> tuple[ReadingWithSource, ...]:
    return tuple(sorted(rows, key=lambda row: (-weighted(row, direction), row[0].news_at, row[0].id)))


def _best(rows: Sequence[ReadingWithSource], direction: Direction) -> float:
    return weighted(rows[0], direction) if rows else 0.0


def _status(readings: Sequence[ReadingWithSource], sources: int, contested: tuple[str, ...]) -> StoryStatus:
    if contested:
        return StoryStatus.CONTESTED
    parties = {code for reading, _, _ in readings for code in (reading.dyad or "").split("-") if code}
    neutral = any(feed.aligned not in parties and reading.status == "asserted" for reading, _, feed in readings)
    return StoryStatus.CONFIRMED if sources > 1 and neutral else StoryStatus.UNCONFIRMED


def _commonest(values: Iterable[str | None]) -> str | None:
    counts = Counter(value for value in values if value)
    return max(counts, key=lambda value: (counts[value], value), default=None)


def _actors(readings: Sequence[ReadingWithSource]) -> tuple[tuple[str, str], ...]:
    named = _by_number((actor["code"], actor["name"]) for reading, _, _ in readings for actor in reading.actors)
    return tuple(named[:6])


def _by_number(values: Iterable[Ordered]) -> list[Ordered]:
    """Each value once, the most frequent first."""
    counts = Counter(values)
    return sorted(counts, key=lambda value: (-counts[value], value))


def _signals(readings: Sequence[ReadingWithSource]) -> dict[str, float]:
    best: dict[str, float] = {}
    for reading, _, _ in readings:
        for signal, probability in reading.signals.items():
            if probability >= PROBABLE:
                best[signal] = max(best.get(signal, 0.0), probability)
    return dict(sorted(best.items(), key=lambda item: (-item[1], item[0])))
