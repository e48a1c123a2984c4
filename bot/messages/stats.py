"""Numbers of the running service in, the page that says them and a chart (PNG) of the last days out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bot.messages.chart import (
    DPI,
    EASING,
    ESCALATION,
    GRID,
    HEIGHT_INCHES,
    INK,
    PAPER,
    POINTS,
    TITLE_POINTS,
    WIDTH_INCHES,
    png_of,
)


@dataclass(frozen=True, slots=True)
class DayCount:
    """One day, UTC: articles stored, alerts raised, and corrections of alerts (confirmed, retracted)."""

    day: date
    articles: int
    alerts: int
    corrections: int = 0


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the service stands. `deliveries` are the states of the last 7 days' messages, by word."""

    days: Sequence[DayCount]
    articles: int
    waiting_to_be_read: int
    stories: int
    feeds: Mapping[str, int]
    subscribers: Mapping[str, int]
    deliveries: Mapping[str, int]
    verdicts: Mapping[str, int]
    model: str


def stats_text(numbers: Numbers) -> str:
    """One line per subject."""
    today, before = numbers.days[-1], numbers.days[:-1]
    usual = sum(day.articles for day in before) / max(1, len(before))
    return "\n".join(
        [
            f"Articles: {today.articles} today (usual day {usual:.0f}), {numbers.articles:,} stored, "
            f"{numbers.waiting_to_be_read} wait to be read",
            f"Alerts: {today.alerts} today, {sum(day.alerts for day in numbers.days)} in {len(numbers.days)} days; "
            f"confirmed or retracted: {today.corrections} today, "
            f"{sum(day.corrections for day in numbers.days)} in {len(numbers.days)} days",
            f"Stories: {numbers.stories:,}",
            f"Feeds: {_counted(numbers.feeds)}",
            f"Subscribers: {_counted(numbers.subscribers)}",
            f"Messages of 7 days: {_counted(numbers.deliveries)}",
            f"Verdicts: {_counted(numbers.verdicts)}",
            f"Model: {numbers.model or 'not loaded yet'}",
        ]
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{word} {count:,}" for word, count in sorted(counts.items())) or "none"


def stats_chart(days: Sequence[DayCount]) -> bytes:
    """A PNG as wide as a phone: articles a day as bars, alerts a day above them."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DPI, facecolor=PAPER, layout="constrained")
    alerts, articles = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    places = range(len(days))
    alerts.bar(places, [day.alerts for day in days], color=ESCALATION, width=0.62, zorder=2)
    articles.bar(places, [day.articles for day in days], color=EASING, width=0.62, zorder=2)
    articles.set_xticks(places, [f"{day.day.day}\n{day.day:%b}" for day in days], fontsize=POINTS)
    for axes, title in ((alerts, "Alerts a day"), (articles, "Articles a day")):
        axes.set_facecolor(PAPER)
        axes.set_title(title, fontsize=TITLE_POINTS, loc="left", color=INK)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=GRID, zorder=0)
        axes.tick_params(colors=INK, length=0, labelsize=POINTS)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    return png_of(figure)
