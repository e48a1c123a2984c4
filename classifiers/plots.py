"""an evaluation's rows -> PNG pictures: how honest confidence is, what gets mixed up, what a day holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.evaluate import Row, Table
from classifiers.labels import DIRECTIONS, POLES
from classifiers.measures import confusion, precision_by_pace, reliability

_INK, _GRID = "#1c1f24", "#d9dce1"
_COLOURS = ("#c8452e", "#33618f", "#2f8f5b", "#b58a1b", "#7b5aa6")
_INCHES, _DPI = (7.2, 5.4), 150  # 1080 by 810 pixels: the width of a phone
_SOFTWARE = {"Software": "Tocsin"}


def draw(table: Table, folder: Path) -> list[Path]:
    """Write reliability-, confusion- and (where records have dates and severity) pace-FILE.png; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[Row]] = {}
    for row in table.rows:
        files.setdefault(row.file.replace(" ", "-"), []).append(row)
    made = []
    for name, rows in files.items():
        pictures = {"reliability": _reliability(rows), "confusion": _confusion(rows[0])}
        if rows[0].days and rows[0].sample is not None and rows[0].sample.severity is not None:
            pictures["pace"] = _pace(rows)
        for kind, figure in pictures.items():
            made.append(folder / f"{kind}-{name}.png")
            figure.savefig(made[-1], format="png", metadata=_SOFTWARE)
    return made


def _reliability(rows: Sequence[Row]) -> Any:
    figure, axes = _figure(f"{rows[0].file}: confidence against truth")
    axes.plot([0, 1], [0, 1], color=_INK, linewidth=1, linestyle=":", label="honest")
    for row, colour in zip(rows, _COLOURS, strict=False):
        if row.sample is not None:
            bins = reliability(row.sample, np.arange(row.records))
            axes.plot([b.confidence for b in bins], [b.right for b in bins], marker="o", color=colour, label=row.system)
    axes.set_xlabel("probability given to the direction read")
    axes.set_ylabel("share of those that are right")
    axes.legend(frameon=False)
    return figure


def _pace(rows: Sequence[Row]) -> Any:
    figure, axes = _figure(f"{rows[0].file}: what rings, if the highest scores ring")
    for row, colour in zip(rows, _COLOURS, strict=False):
        if row.sample is not None:
            paces, shares = zip(*precision_by_pace(row.sample, row.days), strict=True)
            axes.plot(paces, shares, color=colour, label=row.system)
    axes.set_xlabel("alerts a day")
    axes.set_ylabel("share worth passing on (severity 2 or more)")
    axes.set_ylim(0, 1)
    axes.legend(frameon=False)
    return figure


def _confusion(row: Row) -> Any:
    figure, axes = _figure(f"{row.file}: {row.system}")
    if row.sample is not None:
        counts = confusion(row.sample)
        names = POLES if row.sample.forced else DIRECTIONS
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (down, across), count in np.ndenumerate(counts):
            dark = shares[down, across] > 0.5
            axes.text(across, down, str(count), ha="center", va="center", color="white" if dark else _INK)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("read as")
        axes.set_ylabel("labelled")
        axes.grid(visible=False)
    return figure


def _figure(title: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DPI, facecolor="white", layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=13, color=_INK)
    axes.grid(color=_GRID)
    axes.set_axisbelow(True)
    return figure, axes
