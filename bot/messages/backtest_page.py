"""Two replays in, one HTML page out that opens offline and reads well on a phone: tables, plots, headlines. Pure.

Everything quoted is hostile text and escaped; plots are inlined, so that nothing is loaded from anywhere.
"""

import base64
from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import Any

from bot.messages.chart import png_of
from bot.replay.engine import Rang, Replayed
from bot.replay.summary import Figures, alerts_by_day, by_threshold, figures_of, gained_and_lost, told_late, warnings_of
from models import AlertKind, Level

THRESHOLD_HEADINGS = ("from score", "alerts a day", "precision", "recall")
_SHOWN = 40
_STYLE = """
body{font:16px/1.45 system-ui,sans-serif;margin:0 auto;max-width:44rem;padding:1rem;color:#1c1f24;background:#fff}
h1{font-size:1.3rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
td,th{padding:.3rem .4rem;border-bottom:1px solid #d9dce1;text-align:left;vertical-align:top}
td.n{text-align:right;white-space:nowrap}img{width:100%;height:auto}.warn{background:#fdecea;padding:.6rem;border-radius:6px}
small{color:#5d6570}
@media (prefers-color-scheme:dark){body{background:#16181c;color:#e6e8eb}td,th{border-color:#363b43}
.warn{background:#4a1f1c}small{color:#9aa3ad}img{background:#fff;border-radius:6px}}
"""


def html_report(live: Replayed, proposed: Replayed, changes: Sequence[str]) -> str:
    """The page. `changes` are the settings proposed, as "levels.warning=50"."""
    before, after = figures_of(live), figures_of(proposed)
    gained, lost = gained_and_lost(live, proposed)
    late = told_late(live, proposed)
    parts = [
        f"<h1>What other thresholds would change</h1><p>{escape(', '.join(changes) or 'the live settings')}</p>",
        f"<p><small>{live.articles:,} articles, {live.stories:,} stories, {live.first:%d %b %Y} to "
        f"{live.last:%d %b %Y}. Counted are alerts that a chat with default level and budget is told.</small></p>",
        *(f'<p class="warn">{escape(warning)}</p>' for warning in warnings_of(after)),
        _figures_table(before, after),
        "<h2>By threshold</h2>" + _threshold_table(live, proposed),
        "<h2>Alerts a day</h2>" + _image(_days_plot(live, proposed)),
        f"<h2>Gained ({len(gained)})</h2>" + _alerts_table(gained),
        f"<h2>Lost ({len(lost)})</h2>" + _alerts_table(lost),
        f"<h2>Told later ({len(late)})</h2>" + _late_table(late),
    ]
    page = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Tocsin backtest</title><style>{_STYLE}</style></head><body>{page}</body></html>\n"
    )


def rows_of(before: Figures, after: Figures) -> list[tuple[str, str, str]]:
    """Figure, live, proposed: what the table on the terminal and the page show."""
    rows = [
        ("alerts told", str(before.told), str(after.told)),
        ("a day, mean", f"{before.mean:.2f}", f"{after.mean:.2f}"),
        ("a day, median", f"{before.median:g}", f"{after.median:g}"),
        ("worst day", str(before.worst), str(after.worst)),
    ]
    for what, one, other in (
        ("level", before.by_level, after.by_level),
        ("kind", before.by_kind, after.by_kind),
        ("pair", before.by_pair, after.by_pair),
    ):
        rows += [(f"{what} {name}", str(one.get(name, 0)), str(other.get(name, 0))) for name in sorted({*one, *other})]
    if before.labelled or after.labelled:
        shares = [_share(figures.notable, figures.labelled) for figures in (before, after)]
        rows.append(("worth it, as judged", shares[0], shares[1]))
    return rows


def threshold_rows(live: Replayed, proposed: Replayed) -> list[tuple[str, str, str, str]]:
    """What THRESHOLD_HEADINGS name, by threshold."""
    return [
        (f"{at.threshold} {at.own}".strip(), f"{at.a_day:.2f}", _share(at.right, at.rang), _share(at.right, at.worth))
        for at in by_threshold(live, proposed)
    ]


def threshold_note(proposed: Replayed) -> str:
    """What to know of the table by threshold: of how many judged stories it speaks."""
    judged = sum(story.right or (story.right is False and story.peak > 0) for story in proposed.reached)
    of = f"{judged} judged (a story in one direction)" if judged else "none: nobody labelled or judged these articles"
    return f"Without quiet periods, cool-downs and budgets. Precision and recall are of {of}."


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "-"


def _threshold_table(live: Replayed, proposed: Replayed) -> str:
    head = "".join(f"<th>{heading}</th>" for heading in THRESHOLD_HEADINGS)
    rows = (f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in threshold_rows(live, proposed))
    note = escape(threshold_note(proposed))
    return f"<table><tr>{head}</tr>{''.join(rows)}</table><p><small>{note}</small></p>"


def _figures_table(before: Figures, after: Figures) -> str:
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{escape(one)}</td><td class="n">{escape(other)}</td></tr>'
        for name, one, other in rows_of(before, after)
    )
    return f"<table><tr><th></th><th>live</th><th>proposed</th></tr>{rows}</table>"


def _alerts_table(alerts: Sequence[Rang]) -> str:
    if not alerts:
        return "<p>None.</p>"
    rows = "".join(_alert_row(alert, "") for alert in alerts[:_SHOWN])
    rest = f"<p><small>… and {len(alerts) - _SHOWN} more.</small></p>" if len(alerts) > _SHOWN else ""
    return f"<table>{rows}</table>{rest}"


def _late_table(late: Sequence[tuple[Rang, timedelta]]) -> str:
    if not late:
        return "<p>None.</p>"
    rows = (_alert_row(alert, f"{by.total_seconds() / 3600:.1f} h later") for alert, by in late[:_SHOWN])
    return f"<table>{''.join(rows)}</table>"


def _alert_row(alert: Rang, note: str) -> str:
    way = "easing" if alert.direction == "deescalation" else Level(alert.level).word
    facts = " · ".join(filter(None, (f"{alert.at:%d %b %H:%M}", way, AlertKind(alert.kind).word, alert.pair, note)))
    return (
        f'<tr><td class="n">{alert.score:.0f}</td><td>{escape(alert.title)}<br><small>{escape(facts)}</small></td></tr>'
    )


def _days_plot(live: Replayed, proposed: Replayed) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.2), dpi=150, facecolor="white", layout="constrained")
    axes: Any = figure.subplots()
    for replayed, colour, label in ((live, "#7b828c", "live"), (proposed, "#c8452e", "proposed")):
        days = alerts_by_day(replayed, [alert for alert in replayed.alerts if alert.told])
        axes.step(list(days), list(days.values()), where="mid", color=colour, label=label)
    axes.set_ylabel("alerts told")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#d9dce1")
    axes.legend(frameon=False)
    figure.autofmt_xdate()
    return png_of(figure)


def _image(png: bytes) -> str:
    return f'<img alt="alerts a day" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
