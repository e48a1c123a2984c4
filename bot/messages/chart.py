"""Daily scores of two weeks in, a PNG for a phone out: escalation upwards, easing downwards, last week outlined."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bot.pipeline.index import Point

WIDTH_INCHES, HEIGHT_INCHES, DPI = 7.2, 4.5, 150  # 1080 by 675 pixels: the width of a phone
TITLE_POINTS, POINTS = 20, 15  # a phone shows a third of these pixels: 13 and 10 px of its own
#: A picture cannot follow the reader's screen: this grey neither glares on a dark one nor melts into a white one.
#: All that is drawn stands out from it, and the line of what was before from the bars too: tests/test_digest.py.
INK, PAPER, GRID = "#1c1f24", "#d5dae1", "#b4bac3"
ESCALATION, EASING, BEFORE = "#b83a24", "#1f7a49", "#14171b"


@dataclass(frozen=True, slots=True)
class Day:
    """One day's tension: the mean of its loudest stories in each direction, 0-100."""

    day: date
    escalation: float
    deescalation: float


def week_chart(week: Sequence[Day], before: Sequence[Day], title: str) -> bytes:
    """A PNG of `week`, with the week `before` it (the same length, or empty) as an outline."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DPI, facecolor=PAPER, layout="constrained")
    axes = figure.subplots()
    places = range(len(week))
    axes.bar(places, [day.escalation for day in week], color=ESCALATION, width=0.62, label="escalation", zorder=2)
    axes.bar(places, [-day.deescalation for day in week], color=EASING, width=0.62, label="easing", zorder=2)
    for sign, values in ((1, [day.escalation for day in before]), (-1, [day.deescalation for day in before])):
        heights = [sign * value for value in values[: len(week)]]
        label = "the week before" if sign > 0 else None
        axes.step(range(len(heights)), heights, where="mid", color=BEFORE, linewidth=1.6, label=label, zorder=3)
    axes.set_xticks(places, [f"{day.day:%a}\n{day.day.day} {day.day:%b}" for day in week], fontsize=POINTS)
    _dress(axes, title)
    return png_of(figure)


def index_chart(points: "Sequence[Point]", title: str) -> bytes:
    """A PNG of tension over time: escalation upwards, easing downwards, what is usual as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DPI, facecolor=PAPER, layout="constrained")
    axes = figure.subplots()
    starts: Any = [point.start for point in points]
    if len(starts) > 1:
        starts.append(starts[-1] + (starts[-1] - starts[-2]))  # where the last step ends, or it would have no width
    for sign, values, colour, label in (
        (1, [point.escalation for point in points], ESCALATION, "escalation"),
        (-1, [point.deescalation for point in points], EASING, "easing"),
    ):
        heights = [sign * value for value in (*values, *values[-1:])][: len(starts)]
        axes.fill_between(starts, heights, step="post", color=colour, label=label, zorder=2)
    usual = [(point.start, point.usual) for point in points if point.usual is not None]
    if usual:
        axes.plot(*zip(*usual, strict=True), color=BEFORE, linewidth=2.4, label="usual", zorder=3)
    ticks = starts[:: max(1, len(starts) // 5)]
    hours = "\n%H:%M" if len(points) > 1 and points[-1].start - points[0].start < timedelta(days=5) else ""
    axes.set_xticks(ticks, [f"{at.day} {at:%b{hours}}" for at in ticks], fontsize=POINTS)
    _dress(axes, title)
    return png_of(figure)


def png_of(figure: "Figure") -> bytes:
    """A figure as it is sent, or put into a page."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": "Tocsin"})
    return picture.getvalue()


def _dress(axes: object, title: str) -> None:
    """What both charts have: the title, below it the legend, then the scale in both directions."""
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)  # noqa: S101 - subplots() is typed for any number of axes
    axes.set_facecolor(PAPER)
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_title(title, fontsize=TITLE_POINTS, loc="left", color=INK, pad=40)
    axes.set_ylim(-100, 100)
    axes.set_yticks([-80, -40, 0, 40, 80], ["80", "40", "0", "40", "80"], fontsize=POINTS)
    axes.set_ylabel("easing       escalation", fontsize=POINTS, color=INK)
    axes.grid(axis="y", color=GRID, zorder=0)
    axes.tick_params(colors=INK, length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 0.98),
        ncols=3,
        fontsize=POINTS,
        frameon=False,
        borderaxespad=0,
        handlelength=1.3,
        columnspacing=1.3,
    )
