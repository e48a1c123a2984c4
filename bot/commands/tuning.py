"""replay, backtest, tune: old articles lived through again, with the live settings and with others."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.app import utc_now
from bot.commands.options import Config, DatabaseUrl, Teller, config_folder, console, database_url, progress, teller
from bot.spans import parse_span
from config.errors import ConfigError

if TYPE_CHECKING:
    from bot.replay.archive import Archive
    from bot.replay.engine import Prepared, Rang, Replayed
    from config.schema import Settings

SHOWN, LATE_SHOWN = 30, 3
LEVEL_NAMES = ("watch", "warning", "critical")
Changes = Annotated[
    list[str] | None, typer.Option("--set", help="A key of alerts.toml and its value; may be repeated.")
]


def replay(
    file: Annotated[Path, typer.Argument(help='JSON Lines: {"title", "published", ...}, see docs/tuning.md.')],
    changes: Changes = None,
    keep: Annotated[str | None, typer.Option(help="URL of a new database to keep. Default: a scratch one.")] = None,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Live through an archive of dated articles with the real stages and simulated time; show what would have rung.

    Nothing is sent and the database of the service is not touched. Example: python -m bot replay 2022.jsonl
    """
    from bot.replay.archive import read_archive
    from bot.replay.engine import replay as live

    archive = read_archive(file)
    _tell_bad(archive, file)
    settings = settings_with(config_folder(config), changes or [])
    out = console()
    start = time.perf_counter()
    with progress(out) as bars:
        tell = teller(bars)
        lived = live(_prepared(archive, settings, tell), settings, tell, keep)
    _show(lived, time.perf_counter() - start, out)


def backtest(
    since: Annotated[str, typer.Option(help="How far back in the stored articles: 12h, 30d, 2w.")] = "30d",
    archive: Annotated[Path | None, typer.Option(help="An archive instead of the stored articles.")] = None,
    changes: Changes = None,
    html: Annotated[Path | None, typer.Option(help="Also write a page with plots, for any browser, offline.")] = None,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Show what other thresholds would have told: alerts a day, by level, kind and pair, gained, lost and late.

    Nothing is changed. Example: python -m bot backtest --since 14d --set levels.warning=50 --html report.html
    """
    from bot.messages.backtest_page import html_report
    from bot.replay.engine import replay as live

    folder = config_folder(config)
    settings, proposed = settings_with(folder, []), settings_with(folder, changes or [])
    held = _archive(archive, since, database)
    out = console()
    with progress(out) as bars:
        tell = teller(bars)
        prepared = _prepared(held, settings, tell)
        before = live(prepared, settings, tell)
        after = live(prepared, proposed, tell)
    _compare(before, after, out)
    if html is not None:
        _write(html, html_report(before, after, changes or []))
        out.print(Text(f"report: {html}"))


def _compare(before: "Replayed", after: "Replayed", out: Console) -> None:
    from bot.messages.backtest_page import THRESHOLD_HEADINGS, rows_of, threshold_note, threshold_rows
    from bot.replay.summary import figures_of, gained_and_lost, told_late, warnings_of

    table = Table("", "live", "proposed", title=f"{before.articles:,} articles, {before.days:.1f} days")
    for row in rows_of(figures_of(before), figures_of(after)):
        table.add_row(*row)
    out.print(table)
    thresholds = Table(*THRESHOLD_HEADINGS, title="By threshold", title_justify="left")
    for cells in threshold_rows(before, after):
        thresholds.add_row(*cells)
    out.print(thresholds)
    out.print(threshold_note(after))
    gained, lost = gained_and_lost(before, after)
    for name, alerts in (("gained", gained), ("lost", lost)):
        _show_alerts(f"{len(alerts)} {name}", alerts, out)
    late = told_late(before, after)
    out.print(f"{len(late)} told later")
    for alert, by in late[:LATE_SHOWN]:
        out.print(Text(f"  by {by.total_seconds() / 3600:.1f} h: {alert.title}"))
    for warning in warnings_of(figures_of(after)):
        out.print(Text(f"Warning: {warning}", style="bold red"))


def tune(
    alerts_per_day: Annotated[float, typer.Option("--alerts-per-day", min=0.05, max=100, help="On average.")] = 3.0,
    since: Annotated[str, typer.Option(help="How far back in the stored articles: 12h, 30d, 2w.")] = "30d",
    archive: Annotated[Path | None, typer.Option(help="An archive instead of the stored articles.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put them into alerts.toml, keeping its comments.")] = False,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Propose levels that tell a chat with default choices so many alerts a day, and explain them.

    Nothing is changed unless --write is given. Example: python -m bot tune --alerts-per-day 3 --since 14d
    """
    from bot.replay.summary import warnings_of
    from bot.replay.tune import propose

    folder = config_folder(config)
    settings = settings_with(folder, [])
    held = _archive(archive, since, database)
    out = console()
    with progress(out) as bars:
        tell = teller(bars)
        found = propose(_prepared(held, settings, tell), settings, alerts_per_day, tell)
    table = Table("warning level", "alerts a day, without a budget", title="Tried", title_justify="left")
    for warning, mean in found.tried:
        table.add_row(str(warning), f"{mean:.2f}")
    out.print(table)
    levels, live = found.levels, settings.alerts.levels
    for name in LEVEL_NAMES:
        out.print(f"{name}: {getattr(live, name):g} now, {getattr(levels, name):g} proposed")
    out.print(f"{found.figures.mean:.2f} alerts a day, {found.figures.worst} on the worst, {alerts_per_day:g} wanted.")
    if not found.reached:
        out.print("No level from 20 to 95 comes to that number here; this is the nearest.")
    for warning_text in warnings_of(found.figures):
        out.print(Text(f"Warning: {warning_text}", style="bold red"))
    if write:
        _write_levels(folder, database, {name: float(getattr(levels, name)) for name in LEVEL_NAMES})
        out.print(Text(f"written: {folder / 'alerts.toml'}; a running Tocsin takes it up within seconds"))
    else:
        out.print("Nothing was changed; --write puts them into alerts.toml.")


def _write_levels(folder: Path, database: str | None, wanted: dict[str, float]) -> None:
    """In an order in which watch < warning < critical holds after each step."""
    from bot.changes import change_value, who_asks
    from config.load import load_file
    from models.database import open_database

    rises = wanted["warning"] >= load_file(folder, "alerts").levels.warning
    opened = open_database(database_url(database), utc_now())
    try:
        for name in reversed(LEVEL_NAMES) if rises else LEVEL_NAMES:
            with opened.write() as session:
                where = ("alerts", ("levels", name))
                change_value(session, folder, who_asks(), where, wanted[name], utc_now())
    finally:
        opened.close()


def settings_with(folder: Path, changes: list[str]) -> "Settings":
    """The settings of a folder with keys of alerts.toml set, as "levels.warning=50". Raises ConfigError."""
    from config.load import load_file, load_settings

    environment = dict(os.environ)
    for change in changes:
        key, sign, value = change.partition("=")
        if not sign or not key.strip() or not value.strip():
            raise ConfigError(f"--set {change}: write it as KEY=VALUE, such as levels.warning=50")
        environment["TOCSIN__ALERTS__" + key.strip().upper().replace(".", "__")] = value.strip()
    settings = load_settings(folder)
    return settings.model_copy(update={"alerts": load_file(folder, "alerts", environment)})


def _archive(path: Path | None, since: str, database: str | None) -> "Archive":
    from bot.replay.archive import archive_of, read_archive
    from models.database import open_database

    if path is not None:
        found = read_archive(path)
        _tell_bad(found, path)
        return found
    opened = open_database(database_url(database), utc_now())
    try:
        with opened.read() as session:
            found = archive_of(session, utc_now() - parse_span(since))
    finally:
        opened.close()
    if not found.articles:
        raise ConfigError(f"no articles stored within {since}; name a file with --archive FILE")
    return found


def _tell_bad(archive: "Archive", path: Path) -> None:
    for number, reason in archive.bad[:5]:
        typer.echo(f"{path}:{number}: left out: {reason}", err=True)
    if len(archive.bad) > 5:
        typer.echo(f"{path}: {len(archive.bad)} lines left out in all", err=True)


def _prepared(archive: "Archive", settings: "Settings", tell: Teller) -> "Prepared":
    from bot.model_shelf import live_classifier
    from bot.replay.engine import prepare

    return prepare(archive, live_classifier(settings.actors), tell)


def _show(lived: "Replayed", took_s: float, out: Console) -> None:
    from bot.messages.backtest_page import rows_of
    from bot.replay.summary import figures_of

    figures = figures_of(lived)
    out.print(
        f"{lived.articles:,} articles of {lived.days:.1f} days, {lived.stories:,} stories, {figures.raised} alerts "
        f"raised; lived through at {lived.articles / max(took_s, 1e-9):.0f} articles/s"
    )
    table = Table("what a default chat is told", "")
    for name, value, _ in rows_of(figures, figures):
        table.add_row(name, value)
    out.print(table)
    _show_alerts("Told", [alert for alert in lived.alerts if alert.told], out)


def _show_alerts(title: str, alerts: "list[Rang]", out: Console) -> None:
    table = Table("when", "kind", "score", "pair", "title", title=title, title_justify="left")
    for alert in alerts[:SHOWN]:
        way = "easing" if alert.direction == "deescalation" else alert.kind
        table.add_row(f"{alert.at:%d %b %H:%M}", way, f"{alert.score:.0f}", alert.pair, Text(alert.title))
    if alerts:
        out.print(table)
    if len(alerts) > SHOWN:
        out.print(f"... and {len(alerts) - SHOWN} more")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
