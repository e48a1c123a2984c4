"""What a run came to in, tables for the terminal and for Markdown out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median, quantiles

from rich.table import Table
from rich.text import Text

from benchmarks.headlines_seen import Fate, Lived, Rang, Verdict
from models import Direction, Level, Outlet

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A title, a sentence of explanation, and rows under headings."""

    title: str
    headings: Row
    rows: tuple[Row, ...]
    note: str = ""

    def table(self) -> Table:
        """For the terminal."""
        table = Table(title=self.title, title_justify="left", title_style="bold", caption=self.note or None)
        for heading in self.headings:
            table.add_column(heading, overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        return table

    def markdown(self) -> str:
        """For a file."""
        lines = [_line(self.headings), _line(["---"] * len(self.headings)), *map(_line, self.rows)]
        return "\n".join([f"## {self.title}", "", *([self.note, ""] if self.note else []), *lines, ""])


Report = list[Section]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def write_markdown(report: Report) -> str:
    """The whole report as one document."""
    return "# What rang\n\n" + "\n".join(section.markdown() for section in report)


def describe(lived: Lived) -> Report:
    """Every section about one run."""
    return [
        _overview(lived),
        _per_day(lived),
        _precision(lived),
        _kept_quiet(lived),
        _fates(lived.fates),
        _scores(lived.fates),
        _cuts(lived.fates),
        _missed(lived.fates),
    ]


def _overview(lived: Lived) -> Section:
    facts = {
        "headlines": len(lived.fates),
        "days with headlines": len(lived.days),
        "feeds (several sources may share one)": lived.feeds,
        "stories": lived.stories,
        "headlines that joined a story": lived.joined,
        "alerts raised": len(lived.rang),
        "hours from headline to alert, median": f"{_median_hours(lived):.1f}",
        "model": lived.model,
    }
    return Section("The run", ("", ""), tuple((name, str(value)) for name, value in facts.items()))


def _median_hours(lived: Lived) -> float:
    waits = [(one.alert.created_at - one.headline.published).total_seconds() for one in lived.rang if one.headline]
    return median(waits) / 3600 if waits else 0.0


def at_least(level: Level) -> Callable[[Rang], bool]:
    """Alerts of `level` or higher."""
    return lambda rang: rang.alert.level >= level


def delivered_to(outlet: Outlet) -> Callable[[Rang], bool]:
    """Alerts that reached `outlet`."""
    return lambda rang: outlet in rang.delivered


def daily(lived: Lived, wanted: Callable[[Rang], bool]) -> list[int]:
    """How many alerts each day with headlines brought, none included; an alert belongs to its headline's day."""
    counts = Counter(day_of(rang) for rang in lived.rang if wanted(rang))
    return [counts[day] for day in lived.days]


def day_of(rang: Rang) -> date:
    """The day of the headline that carried an alert."""
    return (rang.headline.published if rang.headline else rang.alert.created_at).date()


def _per_day(lived: Lived) -> Section:
    kinds = {
        "raised, watch and above": at_least(Level.WATCH),
        "raised, warning and above": at_least(Level.WARNING),
        "raised, critical": at_least(Level.CRITICAL),
        "delivered to the terminal (watch, budget)": delivered_to(Outlet.TERMINAL),
        "delivered to a new chat (default level, budget)": delivered_to(Outlet.TELEGRAM),
    }
    rows = []
    for name, wanted in kinds.items():
        days = daily(lived, wanted)
        mean = sum(days) / len(days)
        rows.append((name, str(sum(days)), f"{mean:.2f}", f"{median(days):g}", str(max(days))))
    return Section(
        "Alerts a day", ("", "all", "mean", "median", "worst day"), tuple(rows), "Of the days with headlines."
    )


def _precision(lived: Lived) -> Section:
    groups = {level.word: [rang for rang in lived.rang if rang.alert.level == level] for level in Level if level}
    for direction in Direction:
        groups[direction.value] = [rang for rang in lived.rang if rang.alert.direction == direction]
    groups["new chat heard"] = [rang for rang in lived.rang if Outlet.TELEGRAM in rang.delivered]
    rows = []
    for name, group in groups.items():
        counts = Counter(rang.verdict for rang in group)
        rows.append((name, str(len(group)), *(share(counts[kind], len(group)) for kind in Verdict)))
    return Section(
        "Do alerts agree with the labels?", ("alerts", "all", *(kind.value for kind in Verdict)), tuple(rows)
    )


def share(count: int, of: int) -> str:
    """A count with its part of all."""
    return f"{count} ({count / of:.0%})" if of and count else str(count)


def _kept_quiet(lived: Lived) -> Section:
    rows = tuple((reason, whose, str(stories), str(times)) for reason, whose, stories, times in lived.suppressed)
    return Section("Not told, and why", ("reason", "decided for", "stories", "times"), rows)


def _label(fate: Fate) -> str:
    return f"{fate.headline.direction or 'not labelled'} {fate.headline.severity or 0}"


def _fates(fates: Sequence[Fate]) -> Section:
    """What became of the notable headlines, by the kind of fate (its words before the colon)."""
    groups: dict[str, Counter[str]] = {}
    for fate in fates:
        if (fate.headline.severity or 0) >= 2:
            groups.setdefault(fate.headline.direction or "", Counter())[_kind(fate)] += 1
    kinds = sorted({kind for counts in groups.values() for kind in counts})
    rows = tuple((kind, *(str(counts[kind]) for counts in groups.values())) for kind in kinds)
    return Section("What became of the notable and critical headlines", ("", *groups), rows)


def _kind(fate: Fate) -> str:
    kind, _, how = fate.fate.partition(": ")
    wrong = how.split(" ")[0] not in (fate.headline.direction, "scored")
    return f"{kind} (other direction)" if wrong and how[:1].isalpha() else kind


def _scores(fates: Sequence[Fate]) -> Section:
    rows = []
    for label in sorted({_label(fate) for fate in fates}):
        scores = sorted(fate.score(fate.headline.direction) for fate in fates if _label(fate) == label)
        if len(scores) > 1:
            cuts = quantiles(scores, n=10, method="inclusive")
            rows.append((label, str(len(scores)), *(f"{cuts[at]:.0f}" for at in (0, 4, 8)), f"{scores[-1]:.0f}"))
    note = "The classifier's score in the labelled direction (where there is none, the higher of the two)."
    return Section("Scores by label", ("label", "headlines", "10 %", "median", "90 %", "highest"), tuple(rows), note)


def _cuts(fates: Sequence[Fate]) -> Section:
    """What a bare threshold on the classifier's score would let through, before stories and levels."""
    notable = [fate for fate in fates if (fate.headline.severity or 0) >= 2]
    rows = []
    for cut in range(30, 90, 5):
        loud = [fate for fate in fates if fate.score(None) >= cut]
        right = sum(fate.score(fate.headline.direction) >= cut for fate in notable)
        minor = sum(fate.headline.severity == 1 for fate in loud)
        nothing = sum(fate.headline.severity == 0 for fate in loud)
        found = f"{right / len(notable):.0%}" if notable else ""
        rows.append((str(cut), str(len(loud)), share(right, len(loud)), str(minor), str(nothing), found))
    headings = ("score from", "headlines", "notable", "routine", "out of scope", "of all notable")
    return Section("What a bare threshold would let through", headings, tuple(rows), "One source counts in full here.")


def _missed(fates: Sequence[Fate]) -> Section:
    rows = []
    for fate in sorted(fates, key=lambda fate: (-(fate.headline.severity or 0), fate.headline.published)):
        wanted = (fate.headline.severity or 0) >= 2
        if wanted and not fate.fate.startswith(f"rang: {fate.headline.direction}"):
            scores = f"{fate.escalation:.0f} / {fate.deescalation:.0f}"
            when = f"{fate.headline.published:%d %b %H:%M}"
            rows.append((when, _label(fate), scores, fate.fate, fate.headline.title))
    headings = ("when", "label", "up / down", "why", "headline")
    return Section("Notable and critical headlines that did not ring", headings, tuple(rows))


def comparison(results: Mapping[str, Lived]) -> Section:
    """One line per setting."""
    headings = (
        "settings",
        "alerts",
        "warning+",
        "right",
        "routine",
        "wrong",
        "notable heard",
        "new chat a day (worst)",
    )
    rows = []
    for name, lived in results.items():
        loud = [rang for rang in lived.rang if rang.alert.level >= Level.WARNING]
        counts = Counter(rang.verdict for rang in loud)
        notable = [fate for fate in lived.fates if (fate.headline.severity or 0) >= 2]
        heard = {rang.headline.id for rang in loud if rang.headline and rang.verdict is Verdict.RIGHT}
        days = daily(lived, delivered_to(Outlet.TELEGRAM))
        wrong = counts[Verdict.NO_NEWS] + counts[Verdict.OTHER_WAY]
        cells = [share(count, len(loud)) for count in (counts[Verdict.RIGHT], counts[Verdict.ROUTINE], wrong)]
        rows.append(
            (
                name,
                str(len(lived.rang)),
                str(len(loud)),
                *cells,
                share(len(heard), len(notable)),
                f"{sum(days) / len(days):.2f} ({max(days)})",
            )
        )
    note = "right, routine, wrong: of the alerts of warning and above; notable heard: of all notable headlines."
    return Section("Settings compared", headings, tuple(rows), note)
