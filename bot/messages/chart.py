"""Daily scores of two weeks in, a PNG for a phone out: escalation upwards, easing downwards, last week outlined.

One chart of all, or a small one for each of some pairs: all of these on one scale, so that they can be compared.
"""

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
LEGEND: dict[str, Any] = {
    "ncols": 3,
    "fontsize": POINTS,
    "frameon": False,
    "borderaxespad": 0,
    "handlelength": 1.3,
    "columnspacing": 1.3,
}
MOST_PANELS, PANEL_INCHES, HEADING_INCHES = 6, 2.1, 0.95


@dataclass(frozen=True, slots=True)
class Day:
    """One day's tension: the mean of its loudest stories in each direction, 0-100."""

    day: date
    escalation: float
    deescalation: float


@dataclass(frozen=True, slots=True)
class Panel:
    """A small chart: the name of a pair, the days of a week, and those of the week before (as many, or none)."""

    name: str
    week: Sequence[Day]
    before: Sequence[Day] = ()


def week_chart(week: Sequence[Day], before: Sequence[Day], title: str) -> bytes:
    """A PNG of `week`, with the week `before` it (the same length, or empty) as an outline."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DPI, facecolor=PAPER, layout="constrained")
    axes = figure.subplots()
    places = range(len(week))
    _draw(axes, week, before)
    axes.set_xticks(places, [f"{day.day:%a}\n{day.day.day} {day.day:%b}" for day in week], fontsize=POINTS)
    _dress(axes, title)
    return png_of(figure)


def pairs_chart(panels: Sequence[Panel], title: str) -> bytes:
    """A PNG with a small chart for each pair, at most MOST_PANELS."""
    return png_of(panels_figure(panels[:MOST_PANELS], title))


def panels_figure(panels: Sequence[Panel], title: str) -> "Figure":
    """The same before it is a picture."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = 1 if len(panels) < 3 else 2
    rows = -(-len(panels) // columns)
    size = (WIDTH_INCHES, max(HEIGHT_INCHES, HEADING_INCHES + PANEL_INCHES * rows))
    top, scale = 1 - HEADING_INCHES / size[1], _scale(panels)
    layout = ConstrainedLayoutEngine(rect=(0, 0, 1, top), hspace=0.08, wspace=0.06)
    figure = Figure(figsize=size, dpi=DPI, facecolor=PAPER, layout=layout)
    figure.text(0.02, 1 - 0.1 / size[1], title, fontsize=TITLE_POINTS, color=INK, va="top")
    grid = figure.subplots(rows, columns, squeeze=False)
    for number, axes in enumerate(grid.flat):
        if number < len(panels):
            _draw_panel(axes, panels[number], scale, first=number % columns == 0)
        else:
            axes.set_axis_off()
    marks, words = grid.flat[0].get_legend_handles_labels()
    figure.legend(marks, words, loc="lower left", bbox_to_anchor=(0.01, top), **LEGEND)
    return figure


def _scale(panels: Sequence[Panel]) -> int:
    """How far all the small charts go up and down: a pair alone seldom comes near 100."""
    days = [day for panel in panels for day in (*panel.week, *panel.before)]
    highest = max((max(day.escalation, day.deescalation) for day in days), default=0.0)
    return next(scale for scale in (20, 40, 60, 80, 100) if highest <= scale or scale == 100)


def _draw(axes: Any, week: Sequence[Day], before: Sequence[Day]) -> None:
    """Bars of a week, and the one before it as an outline."""
    places = range(len(week))
    axes.bar(places, [day.escalation for day in week], color=ESCALATION, width=0.62, label="escalation", zorder=2)
    axes.bar(places, [-day.deescalation for day in week], color=EASING, width=0.62, label="easing", zorder=2)
    for sign, values in ((1, [day.escalation for day in before]), (-1, [day.deescalation for day in before])):
        heights = [sign * value for value in values[: len(week)]]
        label = "the week before" if sign > 0 else None
        axes.step(range(len(heights)), heights, where="mid", color=BEFORE, linewidth=1.6, label=label, zorder=3)


def _draw_panel(axes: Any, panel: Panel, scale: int, first: bool) -> None:
    """One pair: its name, its days by their first letters, the scale at the left edge of the picture alone."""
    _draw(axes, panel.week, panel.before)
    axes.set_facecolor(PAPER)
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_title(panel.name, fontsize=POINTS, loc="left", color=INK)
    axes.set_ylim(-scale, scale)
    heights = range(-scale, scale + 1, scale // 2)
    axes.set_yticks(heights, [str(abs(height)) if first else "" for height in heights])
    axes.set_xticks(range(len(panel.week)), [f"{day.day:%a}"[0] for day in panel.week])
    axes.grid(axis="y", color=GRID, zorder=0)
    axes.tick_params(colors=INK, length=0, labelsize=POINTS)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


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
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.98), **LEGEND)
