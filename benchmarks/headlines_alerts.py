"""What rang in, every alert with its verdict and the warning level that yields three a day out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmarks.headlines_report import Report, Section, day_of, share
from benchmarks.headlines_seen import Lived, Rang, Verdict
from models import Level, Outlet
from models.alert import CORRECTIONS

#: A reader's patience, and the shipped daily budget.
A_DAY = 3.0
TITLE = "headline"
_TO, _STEP = 100.0, 0.5


def listed(lived: Lived) -> Section:
    """Every alert, numbered in the order in which they rang."""
    headings = ("no.", "day", "kind", "level", "score", "pair", "signals", "label", "verdict", "heard by", TITLE)
    return Section("Every alert", headings, tuple(_row(number, one) for number, one in enumerate(lived.rang, 1)))


def _row(number: int, one: Rang) -> tuple[str, ...]:
    alert, headline, facts = one.alert, one.headline, one.alert.facts
    heard = "new chat" if Outlet.TELEGRAM in one.delivered else "terminal" if one.delivered else "nobody"
    judged = headline is not None and headline.direction is not None
    return (
        str(number),
        f"{day_of(one):%d %b %Y}",
        f"{alert.kind.word} {alert.direction.word}",
        Level(alert.level).word,
        f"{alert.score:.0f}",
        " – ".join(facts.get("dyad", ())),
        ", ".join(facts.get("signals", ())),
        f"{headline.direction} {headline.severity}" if headline and judged else "",
        one.verdict.value,
        heard,
        facts["title"],
    )


def without_titles(report: Report) -> Report:
    """The same without the columns that quote headlines, which are other people's words."""
    return [_without(section) for section in report]


def _without(section: Section) -> Section:
    kept = [at for at, heading in enumerate(section.headings) if heading != TITLE]
    rows = tuple(tuple(row[at] for at in kept) for row in section.rows)
    return replace(section, headings=tuple(section.headings[at] for at in kept), rows=rows)


def operating_point(lived: Lived, a_day: float = A_DAY) -> Section:
    """How right alerts are at each warning level, and at the lowest one that rings at most `a_day` times a day."""
    levels, found = lived.settings.levels, quietest_enough(lived, a_day)
    swept = sorted({found, *(float(level) for level in range(int(levels.watch), int(_TO), 5))})
    rows = tuple(_at(lived, level, found) for level in swept)
    headings = ("warning from", "alerts", "a day", "worst day", *(kind.value for kind in Verdict))
    note = (
        f"At most {a_day:g} a day from warning {found:g} (watch {levels.watch:g}, critical {levels.critical:g}). Swept "
        "over what rang: a story counts once a direction, with the first alert that scored so high; corrections do not."
    )
    return Section(f"Precision at {a_day:g} alerts a day", headings, tuple(row for row in rows if row), note)


def quietest_enough(lived: Lived, a_day: float) -> float:
    """The lowest warning level, in halves, at which no more than `a_day` alerts ring on the mean day with headlines."""
    level = lived.settings.levels.watch
    while level < _TO and len(told_from(lived.rang, level)) > a_day * len(lived.days):
        level += _STEP
    return level


def told_from(rang: Iterable[Rang], level: float) -> Sequence[Rang]:
    """Of each story and direction the first alert that scored at least `level`."""
    first: dict[tuple[int, str], Rang] = {}
    for one in rang:
        if one.alert.score >= level and one.alert.kind not in CORRECTIONS:
            first.setdefault((one.alert.story_id, one.alert.direction), one)
    return list(first.values())


def _at(lived: Lived, level: float, found: float) -> tuple[str, ...]:
    told = told_from(lived.rang, level)
    verdicts, days = Counter(one.verdict for one in told), Counter(day_of(one) for one in told)
    return (
        f"{level:g} (operating point)" if level == found else f"{level:g}",
        str(len(told)),
        f"{len(told) / len(lived.days):.2f}",
        str(max(days.values(), default=0)),
        *(share(verdicts[kind], len(told)) for kind in Verdict),
    )
