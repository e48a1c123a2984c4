"""Numbers, broadcasts, backups, models, training and labels: what an admin does in a chat to keep it going."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from bot.errands import Done
from bot.unfinished import tell_unfinished
from config.errors import TocsinError
from models import (
    Alert,
    AlertKind,
    Article,
    Delivery,
    Direction,
    Feed,
    FeedHealth,
    Memo,
    Priority,
    Reading,
    Story,
    StoryStatus,
    Subscriber,
    SubscriberState,
    Verdict,
    VerdictKind,
)
from tests.admin_bench import ADMIN, HOSTILE, NOW, SECOND, A, Bench, bench, buttons, chat, database, folder

__all__ = ["bench", "database", "folder"]

# Operating ------------------------------------------------------------------------------------------------------------


async def test_numbers_come_with_a_chart(bench: Bench) -> None:
    bench.add(Feed(id=1, url=A, health=FeedHealth.HEALTHY, next_fetch_at=NOW))
    bench.add(Article(feed_id=1, entry_key="k", title="t", content_hash="h", news_at=NOW, seen_at=NOW))
    page = await bench.press("adm:ops:stats")
    assert "Articles: 1 today" in page.text
    assert "healthy 1" in page.text
    (photo,) = await bench.fake.sent(1)
    assert photo.params["photo"].startswith(b"\x89PNG")


async def test_a_broadcast_goes_to_active_chats_once_after_a_yes(bench: Bench) -> None:
    bench.add(*(chat(100 + n, state) for n, state in enumerate(SubscriberState)))
    await bench.press("adm:ops:write")
    asked = await bench.say("Maintenance <tonight> & tomorrow")
    assert "1 chats" in asked.text
    assert bench.rows(Delivery) == []
    await bench.follow(asked, "Send to")
    await bench.follow(asked, "Send to")
    (row,) = bench.rows(Delivery)
    assert row.priority == Priority.BROADCAST
    assert row.message["html"] == "Maintenance &lt;tonight&gt; &amp; tomorrow"
    assert bench.changes() == [(ADMIN, "broadcast", "1", None, "Maintenance <tonight> & tomorrow")]
    assert "Undo" not in "".join(buttons(await bench.press("adm:log:list")))


async def test_a_broadcast_waits_until_a_chats_quiet_hours_end(bench: Bench) -> None:
    quiet = chat(101, SubscriberState.ACTIVE)
    begins, ends = (f"{NOW + timedelta(hours=hours):%H:%M}" for hours in (-1, 1))
    quiet.quiet_from, quiet.quiet_until, quiet.timezone = begins, ends, "UTC"
    bench.add(quiet, chat(102, SubscriberState.ACTIVE))
    await bench.press("adm:ops:write")
    await bench.follow(await bench.say("Maintenance"), "Send to")
    held, at_once = bench.rows(Delivery)
    assert held.send_after == held.due_at == (NOW + timedelta(hours=1)).replace(second=0, microsecond=0)
    assert at_once.send_after == NOW


async def test_reload_says_what_is_wrong_with_the_settings(bench: Bench) -> None:
    assert "Nothing had changed" in (await bench.press("adm:ops:reload")).text
    (bench.folder / "alerts.toml").write_text("[levels]\nwatch = 99\n", encoding="utf-8")
    assert "must be between watch" in (await bench.press("adm:ops:reload")).text


async def test_a_test_message_goes_through_the_outbox(bench: Bench) -> None:
    await bench.press("adm:ops:test")
    (row,) = bench.rows(Delivery)
    assert "test message" in row.message["plain"]


async def test_a_backup_comes_as_a_file(bench: Bench) -> None:
    await bench.follow(await bench.press("adm:ops:backup"), "Send it")
    (file,) = await bench.fake.sent(1)
    assert file.params["document"].startswith(b"SQLite format 3")


async def test_models_are_listed_and_there_is_nothing_to_roll_back_to(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_MODELS", str(tmp_path / "models"))
    assert "★ shipped" in (await bench.press("adm:ops:models")).text
    assert "nothing to roll back to" in (await bench.press("adm:ops:rollback:yes")).text


async def test_training_runs_by_itself_and_its_outcome_comes_as_a_message(bench: Bench) -> None:
    await bench.follow(await bench.press("adm:ops:train"), "Train")
    (message,) = await bench.fake.sent(1)
    assert bench.commands == [["train"]]
    assert bench.asked_by == [ADMIN]
    assert "train: Done." in message.text
    bench.outcome = TocsinError("another training or backtest is running")
    await bench.press("adm:ops:train:yes")
    assert "another training" in (await bench.fake.sent(2))[1].text


async def test_training_that_a_stop_cuts_off_is_told_at_the_next_start_to_who_asked_for_it(bench: Bench) -> None:
    bench.stuck = True
    await bench.press("adm:ops:train:yes", SECOND)
    await bench.fake.until(lambda: bench.commands == [["train"]])
    await bench.stop()
    with bench.database.write() as session:
        assert tell_unfinished(session, bench.settings, NOW) == 1
        assert tell_unfinished(session, bench.settings, NOW) == 0
    (row,) = bench.rows(Delivery)
    assert "train was stopped" in row.message["plain"]
    assert row.message["buttons"] == [[{"text": "Train again", "data": "adm:ops:train"}]]
    assert [each.chat_id for each in bench.rows(Subscriber)] == [SECOND]


async def test_training_that_ended_in_any_way_is_not_told_as_stopped(bench: Bench) -> None:
    for number, outcome in enumerate((Done(1, "no"), TocsinError("another training or backtest is running")), 1):
        bench.outcome = outcome
        await bench.press("adm:ops:train:yes")
        await bench.fake.sent(number)
    assert bench.rows_of(Memo) == []


# Labels ---------------------------------------------------------------------------------------------------------------


def reading(number: int, sure: float, **values: Any) -> list[SQLModel]:
    article = Article(
        id=number, feed_id=1, entry_key=f"k{number}", title="t", content_hash="h", news_at=NOW, seen_at=NOW
    )
    defaults: dict[str, Any] = {
        "title": f"Headline {number}",
        "direction": {"escalation": sure, "none": 1 - sure},
        "signals": {"threat": 0.9, "ceasefire": 0.8},
        "status": "claimed",
    }
    common: dict[str, Any] = {"escalation": 50.0, "deescalation": 5.0, "severity": 2, "news_at": NOW, "read_at": NOW}
    return [article, Reading(id=number, article_id=number, model="m", **defaults | common | values)]


def queue(bench: Bench) -> None:
    at = {"first_seen_at": NOW, "last_seen_at": NOW}
    bench.add(Feed(id=1, url=A, next_fetch_at=NOW))
    bench.add(Story(id=1, title="t", status=StoryStatus.CONTESTED, **at), Story(id=2, title="t", **at))
    bench.add(*reading(1, 0.99), *reading(2, 0.6), *reading(3, 0.51), *reading(4, 0.9, story_id=1))
    bench.add(*reading(5, 0.9, story_id=2, title=f"Wrong {HOSTILE}"))
    told = {"direction": Direction.ESCALATION, "level": 1, "score": 50.0, "rule": "r", "created_at": NOW}
    bench.add(Alert(id=1, story_id=2, kind=AlertKind.NEW, **told))
    bench.add(Verdict(kind=VerdictKind.WRONG, text=f"Wrong {HOSTILE}", alert_id=1, created_at=NOW))


async def test_the_queue_puts_wrong_before_disputed_before_unsure_and_leaves_the_sure(bench: Bench) -> None:
    queue(bench)
    page, shown = await bench.press("adm:label:list"), []
    for _ in range(5):
        shown.append(page.text)
        page = await bench.follow(page, "Skip") if "Skip" in buttons(page) else page
    wanted = ["called wrong", "Headline 4", "Headline 3", "Headline 2", "Nothing waits"]
    assert all(words in text for words, text in zip(wanted, shown, strict=True))
    assert "<b>" not in shown[0]


async def test_the_queue_begins_with_what_people_disagree_on(bench: Bench) -> None:
    queue(bench)
    at = {"first_seen_at": NOW, "last_seen_at": NOW}
    told = {"direction": Direction.ESCALATION, "level": 1, "score": 50.0, "rule": "r", "created_at": NOW}
    bench.add(Story(id=3, title="t", **at), Alert(id=2, story_id=3, kind=AlertKind.NEW, **told))
    bench.add(*reading(6, 0.9, story_id=3), *reading(7, 0.9, story_id=3))
    for kind in (VerdictKind.WRONG, VerdictKind.USEFUL, VerdictKind.USEFUL):
        bench.add(Verdict(kind=kind, text="Headline 6", alert_id=2, created_at=NOW))
    bench.add(Verdict(kind=VerdictKind.USEFUL, text="Headline 7", alert_id=2, created_at=NOW))
    page = await bench.press("adm:label:list")
    assert "called wrong, and useful 2 times" in page.text and "Headline 6" in page.text
    shown = [page.text]
    while "Skip" in buttons(page):
        page = await bench.follow(page, "Skip")
        shown.append(page.text)
    assert "because called wrong.\n" in shown[1]
    assert not any("Headline 7" in text for text in shown)


async def test_what_one_admin_skips_stays_skipped_for_them_alone_also_after_a_restart(bench: Bench) -> None:
    queue(bench)
    await bench.follow(await bench.press("adm:label:list"), "Skip")
    await bench.restart()
    assert "Headline 4" in (await bench.press("adm:label:list")).text
    assert "called wrong" in (await bench.press("adm:label:list", SECOND)).text


async def test_one_tap_stores_a_label_that_training_finds(bench: Bench) -> None:
    queue(bench)
    page = await bench.follow(await bench.press("adm:label:list"), "⬆ critical")
    assert "Stored: escalation, severity 3" in page.text
    page = await bench.follow(page, "Neither")
    labels = [row for row in bench.rows(Verdict) if row.kind == VerdictKind.LABEL]
    assert [(row.text, row.direction, row.severity, row.signals, row.status) for row in labels] == [
        (f"Wrong {HOSTILE}", "escalation", 3, ["threat"], "claimed"),
        ("Headline 4", "none", 0, [], "asserted"),
    ]
    assert {row.admin_id for row in labels} == {ADMIN}
    page = await bench.follow(page, "Take that back")
    assert "Headline 4" in page.text
    assert len(bench.rows(Verdict)) == 2
    assert bench.changes() == [(ADMIN, "label", "Headline 4", "none, severity 0", None)]
    assert "label taken back (none, severity 0): Headline 4" in (await bench.press("adm:log:list")).text
