"""`benchmarks headlines`: every alert with its verdict, how right they are at three a day, and no headline where none
may be quoted. The headlines are our own words, each with its score at its end."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks import headlines
from benchmarks.headlines import Headline, read_headlines
from benchmarks.headlines_alerts import listed, operating_point, quietest_enough, told_from, without_titles
from benchmarks.headlines_report import write_markdown
from benchmarks.headlines_seen import Lived, Rang, Verdict, verdict
from classifiers.classifier import Classifier
from config.schema import Alerts
from models import Alert, AlertKind, Direction, Outlet

START = datetime(2022, 5, 1, 6, tzinfo=UTC)
LABELS = (
    ("escalation", 2, Verdict.RIGHT), ("escalation", 1, Verdict.ROUTINE), ("deescalation", 2, Verdict.OTHER_WAY),
    ("none", 0, Verdict.NO_NEWS),
)  # fmt: skip


def rang(number: int, score: float, story: int | None = None, kind: AlertKind = AlertKind.NEW) -> Rang:
    """An alert of a story of its own, a day after the one before; labels come in turn."""
    direction, severity, _ = LABELS[number % len(LABELS)]
    at = START + timedelta(days=number)
    facts = {"title": f"Herons land {score:.0f}", "dyad": ["Kestria", "Varnia"], "signals": ["threat"]}
    alert = Alert(
        story_id=number if story is None else story, kind=kind, direction=Direction.ESCALATION, level=1 + (score >= 60),
        score=score, rule="r", facts=facts, created_at=at,
    )  # fmt: skip
    headline = Headline(str(number), facts["title"], "Outlet", at, direction, severity)
    return Rang(alert, alert.story_id, headline, verdict(alert.direction, headline), frozenset({Outlet.TELEGRAM}))


def lived(*alerts: Rang, days: int = 2) -> Lived:
    return Lived(
        Alerts(), "model", 1, tuple(date(2022, 5, 1 + day) for day in range(days)), 1, 0, alerts, fates=(),
        suppressed=(),
    )  # fmt: skip


def test_every_alert_is_listed_with_its_verdict() -> None:
    section = listed(lived(*(rang(number, 55 + 2 * number) for number in range(4))))
    assert [row[0] for row in section.rows] == ["1", "2", "3", "4"]
    assert [row[section.headings.index("verdict")] for row in section.rows] == [each.value for *_, each in LABELS]
    assert section.rows[3] == (
        "4", "04 May 2022", "new escalation", "warning", "61", "Kestria – Varnia", "threat", "none 0", "out of scope",
        "new chat", "Herons land 61",
    )  # fmt: skip


def test_where_no_headline_may_be_quoted_none_is() -> None:
    report = [listed(lived(rang(0, 55.0), rang(1, 62.0)))]
    assert "Herons land 62" in write_markdown(report)
    shy = write_markdown(without_titles(report))
    assert "Herons" not in shy and "headline" not in shy and "| 62 | Kestria – Varnia |" in shy


def test_the_operating_point_is_the_lowest_warning_level_that_rings_so_often() -> None:
    """Ten alerts in two days, six of them allowed: scores 41, 43 ... 59."""
    month = lived(*(rang(number, 41.0 + 2 * number) for number in range(10)))
    assert quietest_enough(month, 3) == 47.5
    section = operating_point(month)
    (row,) = [row for row in section.rows if "operating point" in row[0]]
    assert row[:4] == ("47.5 (operating point)", "6", "3.00", "1")
    assert row[4:] == ("2 (33%)", "2 (33%)", "1 (17%)", "1 (17%)", "0")
    assert "from warning 47.5 (watch 40, critical 80)" in section.note
    assert quietest_enough(lived(*month.rang[:6]), 3) == 40  # fewer than three a day at any level


def test_a_story_counts_once_and_corrections_do_not() -> None:
    told = [rang(0, 50.0, story=7), rang(1, 66.0, story=7), rang(2, 67.0, story=7, kind=AlertKind.CONFIRMED)]
    assert told_from(told, 40) == told[:1]
    assert told_from(told, 60) == told[1:2]
    assert told_from(told, 66.5) == []


def test_the_report_of_a_run_leaves_the_headlines_out_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alert = rang(0, 62.0)
    rows = [{"id": "a", "title": "Herons land 62", "source": "Outlet", "published": START.isoformat()}]
    (tmp_path / "file.jsonl").write_text("\n".join(map(json.dumps, rows)))

    async def live(given: Sequence[Headline], _changes: str, _classifier: Classifier | None) -> tuple[Lived, None]:
        assert given == read_headlines(tmp_path / "file.jsonl")
        return replace(lived(alert), days=(START.date(),)), None

    monkeypatch.setattr(headlines, "live", live)
    for flags in ([], ["--no-titles"]):
        monkeypatch.setattr(
            sys, "argv", ["headlines", str(tmp_path / "file.jsonl"), "--out", str(tmp_path / "out"), *flags]
        )
        headlines.main()
        shown = capsys.readouterr().out + (tmp_path / "out").read_text()
        assert "Every alert" in shown and "Precision at 3 alerts a day" in shown
        assert ("Herons" in shown) is not bool(flags)
