"""An archive lived through with simulated time: deterministic, by the real stages, and what other thresholds change."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from benchmarks.replay import compose, live_through
from bot.commands.tuning import settings_with
from bot.messages.backtest_page import html_report
from bot.replay import engine
from bot.replay.archive import Archive, ArchiveArticle, archive_of, read_archive
from bot.replay.engine import Prepared, Replayed, prepare, replay
from bot.replay.summary import (
    THRESHOLDS,
    alerts_by_day,
    by_threshold,
    figures_of,
    gained_and_lost,
    told_late,
    warnings_of,
)
from bot.replay.tune import levels_around, propose
from classifiers.judgement import Document, Judgement
from classifiers.labels import DIRECTIONS, SIGNALS
from config.errors import ConfigError
from config.schema import Alerts, Levels, Settings
from models import Alert, AlertKind, Direction, Story, Verdict, VerdictKind
from models.database import Database
from tests.command_line import Bot, command_line
from tests.rows import add_article, add_feed

START = datetime(2022, 5, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


class ByNumber:
    """Reads the number at the end of a title as its score, and counts the batches it was given."""

    def __init__(self) -> None:
        self.batches = 0

    def judge(self, documents: Sequence[Document]) -> list[Judgement]:
        self.batches += 1
        return [_judged(float(document.title.rsplit(maxsplit=1)[1])) for document in documents]


def _judged(score: float) -> Judgement:
    chances = {name: float(name == "escalation") for name in DIRECTIONS}
    return Judgement(score, 0.0, chances, 2, "asserted", dict.fromkeys(SIGNALS, 0.0), dyad=None, model="by number")


def nothing(stage: str, done: int, total: int) -> None: ...


def prepared(*articles: tuple[float, str, str], **labels: Any) -> Prepared:
    """(hours from the start, source, title)"""
    made = [
        ArchiveArticle(str(number), title, START + hours * HOUR, source, **labels)
        for number, (hours, source, title) in enumerate(articles)
    ]
    return prepare(Archive(made), ByNumber(), nothing)


def lived(held: Prepared, **levels: float) -> Replayed:
    return replay(held, Settings(alerts=Alerts(levels=Levels(**levels))), nothing)


LOUD = (
    (0, "A", "Tanks cross the river Isk 95"),
    (1, "B", "Fire at the paper mill in Pellin 50"),
    (30, "A", "Shells fall on Ostrel harbour 75"),
    (31, "C", "Cup final 3"),
)


def test_what_rings_is_what_the_stages_decide_at_the_simulated_moment() -> None:
    seen = lived(prepared(*LOUD))
    assert [(alert.title.rsplit(maxsplit=1)[1], alert.level, alert.told) for alert in seen.alerts] == [
        ("95", 3, True),
        ("50", 1, False),
        ("75", 2, True),
    ]
    assert [alert.at - START for alert in seen.alerts] == [HOUR / 2, 1.5 * HOUR, 30.5 * HOUR]
    assert (seen.articles, seen.stories) == (4, 3)


def test_the_same_archive_gives_the_same_alerts_and_is_read_once_for_all_settings() -> None:
    judge = ByNumber()
    articles = [
        ArchiveArticle(str(n), title, START + hours * HOUR, source) for n, (hours, source, title) in enumerate(LOUD)
    ]
    held = prepare(Archive(articles), judge, nothing)
    first, again, stricter = lived(held), lived(held), lived(held, warning=78.0)
    assert first == again
    assert judge.batches == 1
    assert [alert.title for alert in gained_and_lost(first, stricter)[1]] == ["Shells fall on Ostrel harbour 75"]
    assert gained_and_lost(stricter, first)[0] == gained_and_lost(first, stricter)[1]


def test_figures_count_a_day_without_alerts_too() -> None:
    seen = lived(prepared((0, "A", "Tanks cross 95"), (72, "A", "Cup final 3")))
    figures = figures_of(seen)
    assert (figures.told, figures.worst, figures.mean, figures.median) == (1, 1, 0.25, 0)
    assert list(alerts_by_day(seen, seen.alerts).values()) == [1, 0, 0, 0]
    assert figures.by_level == {"critical": 1}


def test_labels_say_which_alerts_were_worth_it() -> None:
    right = figures_of(lived(prepared((0, "A", "Tanks cross 95"), severity=3, direction="escalation")))
    wrong = figures_of(lived(prepared((0, "A", "Tanks cross 95"), severity=3, direction="deescalation")))
    assert (right.precision, wrong.precision) == (1.0, 0.0)
    assert figures_of(lived(prepared((0, "A", "Tanks cross 95")))).precision is None


def test_precision_and_recall_at_each_threshold_are_of_the_stories_that_somebody_judged() -> None:
    places = ("Alda burns", "Bofe floods", "Cagi shakes", "Dufe sinks", "Elho falls")
    scores, severities = (95, 70, 58, 5, 66), (3, 0, 2, 2, None)  # the fourth is of no story, and missed
    articles = [
        ArchiveArticle(str(n), f"{place} {scores[n]}", START + 24 * n * HOUR, f"S{n}", severity=severities[n])
        for n, place in enumerate(places)
    ]
    held = prepare(Archive([replace(one, direction="escalation") for one in articles]), ByNumber(), nothing)
    rows = by_threshold(lived(held, warning=61.0), lived(held, warning=75.0))
    found = {(row.threshold, row.own): (row.a_day, row.right, row.rang, row.worth) for row in rows}
    assert len(rows) == len(THRESHOLDS) + 2 and rows == sorted(rows, key=lambda row: float(row.threshold))
    assert found["50", ""] == (4 / 5, 2, 3, 3)  # one source counts for nine tenths
    assert found["61", "live"] == (2 / 5, 1, 2, 3)
    assert found["75", "proposed"] == found["80", ""] == (1 / 5, 1, 1, 3)
    page = html_report(lived(held), lived(held, warning=75.0), [])
    assert "1 of 3 (33%)" in page and "75 proposed" in page and "4 judged" in page


def test_a_verdict_speaks_of_the_direction_that_rang_and_only_where_there_is_no_label() -> None:
    def rights(*said: dict[str, Any]) -> set[bool | None]:
        made = [ArchiveArticle(str(n), "Tanks cross 95", START, f"S{n}", **about) for n, about in enumerate(said)]
        return {alert.right for alert in lived(prepare(Archive(made), ByNumber(), nothing)).alerts}

    wrong = {"severity": 0, "direction": "escalation", "by_verdict": True}
    assert rights(wrong) == {False}
    assert rights(wrong, {"severity": 2, "direction": "escalation"}) == {True}
    assert rights(wrong | {"direction": "deescalation"}) == {None}


def test_too_many_and_none_at_all_are_warned_of() -> None:
    hidden = figures_of(lived(prepared((0, "A", "Cup final 3"))))
    assert "hide everything" in warnings_of(hidden)[0]
    places = [f"{one}{two}berg" for one in ("Al", "Bo", "Ca", "Du", "El") for two in ("da", "fe", "gi", "ho", "ju")]
    busy = lived(prepared(*((n / 2, f"S{n}", f"{place} {90 + n * 0.37:.2f}") for n, place in enumerate(places))))
    assert "nobody reads so many" in warnings_of(figures_of(busy))[0]


def test_an_alert_that_comes_later_is_told_as_late() -> None:
    held = prepared((0, "A", "Tanks cross the river Isk 75"), (5, "B", "Tanks cross the river Isk 75"))
    ((alert, by),) = told_late(lived(held), lived(held, warning=70.0))
    assert (alert.score, by) == (pytest.approx(67.5), 5 * HOUR)


def test_the_page_stands_alone_and_quotes_safely() -> None:
    hostile = "<script>alert(1)</script> crosses 95"
    seen = lived(prepared((0, "A", hostile)))
    page = html_report(seen, lived(prepared((0, "A", "Cup final 3"))), ["levels.warning=<b>"])
    assert "<script>" not in page and "&lt;b&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert 'name="viewport"' in page and "data:image/png;base64," in page


def test_the_page_says_disputed_and_names_pairs() -> None:
    seen = lived(prepared((0, "A", "Tanks cross the river Isk 95")))
    disputed = [replace(alert, kind="contested", pair="Kestria – Varnia") for alert in seen.alerts]
    page = html_report(replace(seen, alerts=disputed), replace(seen, alerts=[]), [])
    assert "kind disputed" in page and "· disputed ·" in page and "pair Kestria – Varnia" in page
    assert "contested" not in page


def test_what_the_reading_raises_reaches_who_waits_for_it() -> None:
    held = prepared((0, "A", "Tanks cross 95"), (1, "A", "Tanks cross nothing"))
    with pytest.raises(ValueError, match="nothing"):
        lived(held)


# What it costs --------------------------------------------------------------------------------------------------------


class ByWords:
    """A score that depends on the title alone, mostly low."""

    def judge(self, documents: Sequence[Document]) -> list[Judgement]:
        return [_judged(max(0.0, crc32(document.title.encode()) % 190 - 95.0)) for document in documents]


def test_statements_an_article_are_few_and_do_not_grow_with_the_archive() -> None:
    few, many = (live_through(compose(count, 300, seed=1), ByWords(), nothing) for count in (200, 800))
    assert many.lived.stories > 3 * few.lived.stories > 90
    assert few.statements / 200 < 12
    assert many.statements / 800 < 1.15 * few.statements / 200
    assert many.commits < 12


def test_no_question_that_a_step_asks_walks_a_table_that_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite plans by the indexes there are, not by the rows, so that a small archive shows it."""
    plans: dict[str, list[str]] = {}
    step, asking = engine._step, []

    def watched(*given: Any) -> None:
        asking.append(True)
        step(*given)
        asking.pop()

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if asking and not many and statement.startswith(("SELECT", "UPDATE")) and statement not in plans:
            plan = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans[statement] = [row[3] for row in plan.fetchall()]

    monkeypatch.setattr(engine, "_step", watched)
    event.listen(Engine, "before_cursor_execute", explain)
    try:
        live_through(compose(150, 300, seed=1), ByWords(), nothing)
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
    assert len(plans) > 15
    few_rows = ("SCAN feed", "SCAN subscriber", "SCAN article USING INDEX ix_article_unread")
    walks = [(row, plan) for plan, rows in plans.items() for row in rows if row.startswith("SCAN")]
    assert [walk for walk in walks if not walk[0].startswith(few_rows)] == []


# The archive ----------------------------------------------------------------------------------------------------------


def test_bad_lines_are_left_out_and_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"title": "b", "published": "2022-05-02T00:00:00"}\n{"title": 3}\nnot json\n[]\n\n'
        '{"title": "a", "published": "2022-05-01T02:00:00+02:00", "severity": 2}\n{"title": "c", "published": "soon"}\n'
    )
    found = read_archive(path)
    assert [article.title for article in found.articles] == ["a", "b"]
    assert found.articles[0].published == datetime(2022, 5, 1, tzinfo=UTC)
    assert [number for number, _ in found.bad] == [2, 3, 4, 7]


@given(st.text(max_size=200))
def test_no_line_whatever_breaks_the_archive(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        good = json.dumps({"title": "good", "published": "2022-05-02"})
        path.write_text(f"{good}\n{text}\n{json.dumps({'title': text, 'published': text})}\n", errors="replace")
        assert any(article.title == "good" for article in read_archive(path).articles)


def test_an_archive_without_articles_says_what_a_line_is(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match=r'"title".*line 1: no title'):
        read_archive(tmp_path / "a.jsonl")


def test_the_stored_articles_are_an_archive_too(database: Database, now: datetime) -> None:
    with database.write() as session:
        feed = add_feed(session, now)
        add_article(session, feed, now - 50 * HOUR, "old")
        add_article(session, feed, now - HOUR, "new")
        add_article(session, feed, now - HOUR, "there before us", backlog=True)
    with database.read() as session:
        assert [article.title for article in archive_of(session, now - 24 * HOUR).articles] == ["new"]


def test_stored_articles_carry_labels_or_else_what_most_verdicts_say(database: Database, now: datetime) -> None:
    with database.write() as session:
        feed = add_feed(session, now)
        made = {
            name: add_article(session, feed, now - HOUR, name) for name in ("both", "good", "split", "words", "none")
        }
        story = Story(title="s", first_seen_at=now, last_seen_at=now)
        session.add(story)
        session.flush()
        about = {"story_id": story.id, "level": 2, "score": 70.0, "rule": "", "created_at": now}
        alert = Alert(kind=AlertKind.NEW, direction=Direction.ESCALATION, facts={}, **about)
        session.add(alert)
        session.flush()
        useful, wrong, label = VerdictKind.USEFUL, VerdictKind.WRONG, VerdictKind.LABEL
        for name, kind in (("both", wrong), ("good", useful), ("split", useful), ("split", wrong)):
            of = made[name].id
            session.add(Verdict(kind=kind, text=name, article_id=of, alert_id=alert.id, created_at=now))
        for name, of_article in (("both", made["both"].id), ("words", None)):
            kept = {"text": name, "article_id": of_article, "direction": "deescalation", "severity": 3}
            session.add(Verdict(kind=label, created_at=now, **kept))
    with database.read() as session:
        found = archive_of(session, now - 24 * HOUR).articles
    assert {one.title: (one.severity, one.direction, one.by_verdict) for one in found if one.severity is not None} == {
        "both": (3, "deescalation", False),
        "good": (2, "escalation", True),
        "words": (3, "deescalation", False),
    }


# The commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bot:
    return command_line(tmp_path, monkeypatch, capsys)


def test_backtest_shows_live_beside_proposed_and_writes_the_page(bot: Bot, tmp_path: Path) -> None:
    lines = [
        {"title": "Russian army launches full-scale invasion, missiles hit Kyiv", "published": "2022-02-24T04:00:00Z"},
        {"title": "Cup final goes to penalties", "published": "2022-02-24T20:00:00Z", "source": "B"},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = bot(
        "backtest",
        "--archive",
        "a.jsonl",
        "--set",
        "levels.critical=100",
        "--set",
        "levels.warning=99",
        "--html",
        "r.html",
    )
    assert done.code == 0, done.err
    assert "By threshold" in done.words and "99 proposed" in done.words and "0 told later" in done.words
    assert "nobody labelled or judged" in done.words
    assert "1 lost" in done.words and "Warning: Nothing would have been told" in done.words
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert "Russian army" in bot("replay", "a.jsonl").out


@pytest.mark.parametrize(
    ("change", "said"),
    [("levels.warning", "KEY=VALUE"), ("levels.warning=300", "100"), ("levels.wrning=60", "wrning")],
)
def test_a_change_that_cannot_be_is_refused(bot: Bot, tmp_path: Path, change: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings_with(tmp_path / "config", [change])


def test_without_stored_articles_backtest_says_what_to_do(bot: Bot) -> None:
    assert "name a file with --archive" in bot("backtest").err


# Tuning ---------------------------------------------------------------------------------------------------------------

SCORES = (95, 88, 83, 77, 71, 66, 61, 55, 48, 42)


def ten_days() -> Prepared:
    """One story a day, each of a score of its own."""
    places = [f"{one}{two}berg burns" for one in ("Al", "Bo", "Ca", "Du", "El") for two in ("da", "fe")]
    return prepared(*((24.0 * n, f"S{n}", f"{place} {SCORES[n]}") for n, place in enumerate(places)))


def test_the_lowest_level_that_meets_the_number_is_proposed_and_the_distances_stay() -> None:
    found = propose(ten_days(), Settings(), 0.5, nothing)
    assert found.reached
    assert figures_of(lived(ten_days(), **_levels(found.levels))).mean <= 0.5
    lower = levels_around(found.levels, int(found.levels.warning) - 1)
    assert figures_of(lived(ten_days(), **_levels(lower))).mean > 0.5
    assert (found.levels.warning - found.levels.watch, found.levels.critical - found.levels.warning) == (15, 25)
    means = [mean for _, mean in found.tried]
    assert means == sorted(means, reverse=True)


def _levels(levels: Levels) -> dict[str, float]:
    return {"watch": levels.watch, "warning": levels.warning, "critical": levels.critical}


def test_a_number_out_of_reach_is_said_to_be() -> None:
    assert not propose(ten_days(), Settings(), 50.0, nothing).reached


@given(st.integers(20, 95))
def test_levels_around_any_warning_are_valid(warning: int) -> None:
    moved = levels_around(Levels(), warning)
    assert Levels(**moved.model_dump()) == moved
    assert moved.warning == warning


def test_tune_writes_only_when_asked_and_keeps_comments(bot: Bot, tmp_path: Path) -> None:
    (tmp_path / "config" / "alerts.toml").write_text("[levels]\nwarning = 60.0  # mine\n")
    lines = [
        {"title": f"Russian missiles strike {place}, dozens dead", "published": f"2022-05-0{day}"}
        for day, place in enumerate(("Odesa", "Lviv", "Izium"), 1)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = bot("tune", "--archive", "a.jsonl", "--alerts-per-day", "0.5")
    assert done.code == 0, done.err
    assert "Nothing was changed" in done.words
    assert (tmp_path / "config" / "alerts.toml").read_text() == "[levels]\nwarning = 60.0  # mine\n"
    written = bot("tune", "--archive", "a.jsonl", "--alerts-per-day", "0.5", "--write")
    assert written.code == 0, written.err
    text = (tmp_path / "config" / "alerts.toml").read_text()
    assert "# mine" in text and "critical" in text
    assert settings_with(tmp_path / "config", []).alerts.levels.watch < 100
