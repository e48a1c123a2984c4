"""Thresholds that an admin tries and changes in a chat."""

from datetime import timedelta

import pytest

from bot.errands import Done
from models import (
    Story,
)
from tests.admin_bench import ADMIN, NOW, SECOND, Bench, bench, button, buttons, database, folder

__all__ = ["bench", "database", "folder"]


def story(number: int, peak: float) -> Story:
    at = NOW - timedelta(days=number % 10)
    return Story(title="t", first_seen_at=at, last_seen_at=at, peak_escalation=peak)


async def test_a_threshold_changes_after_a_yes_with_its_outlook_and_is_taken_back(bench: Bench) -> None:
    bench.add(*(story(number, 50.0) for number in range(20)))
    before = bench.text("alerts")
    key = await bench.follow(await bench.press("adm:set:sec:levels"), "watch")
    assert "watch = 40\n" in key.text
    asked = await bench.follow(key, "+5")
    assert "levels.watch: 40 → 45" in asked.text
    assert "20 stories" in asked.text
    assert bench.text("alerts") == before
    done = await bench.follow(asked, "Change it")
    assert "Done." in done.text
    assert bench.text("alerts") == before.replace("\nwatch = 40.0", "\nwatch = 45.0", 1)
    assert bench.settings.alerts.levels.watch == 45.0
    assert bench.changes() == [(ADMIN, "alerts", "levels.watch", 40.0, 45.0)]
    await bench.follow(await bench.follow(done, "Undo"), "Take it back")
    assert bench.text("alerts") == before


async def test_pages_and_record_write_a_value_alike(bench: Bench) -> None:
    assert "watch = 40\n" in (await bench.press("adm:set:sec:levels")).text
    done = await bench.follow(await bench.press("adm:set:ask:levels.watch:45"), "Change it")
    assert "watch = 45\n" in done.text
    assert "levels.watch: 40 → 45" in (await bench.press("adm:log:list")).text


async def test_a_value_can_be_typed(bench: Bench) -> None:
    for typed in (" 42.5 ", "digest.timezone Europe/Kyiv", "digest.at 07:15", "telling.default_level watch"):
        await bench.press("adm:set:type:levels.watch")
        await bench.follow(await bench.say(typed), "Change it")
    assert bench.settings.alerts.levels.watch == 42.5
    assert (bench.settings.digest.timezone, f"{bench.settings.digest.at}") == ("Europe/Kyiv", "07:15:00")
    assert bench.settings.alerts.telling.default_level == "watch"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("levels.watch 75", "must be between watch"),
        ("levels.watch loud", "must be a valid number"),
        ("levels.loud 5", "no setting called"),
        ("levels.watch", "must be a valid number"),
        (" ", "a value is needed"),
        ("digest.timezone Mars/Base", "IANA"),
        ("telegram.admins 5", "no settings called"),
        ("<b>x</b> 5", "must be a valid number, got '&lt;b&gt;x"),
        ("levels.watch nan", "levels.watch"),
    ],
)
async def test_a_bad_value_is_told_and_nothing_changes(bench: Bench, typed: str, said: str) -> None:
    before = bench.text("alerts")
    await bench.press("adm:set:type:levels.watch")
    page = await bench.say(typed)
    assert said in page.text
    assert "Change it" not in buttons(page)
    assert bench.text("alerts") == before


@pytest.mark.parametrize(
    ("number", "peak", "said"),
    [(300, 90.0, "rung 33 times a day"), (5, 20.0, "hidden everything"), (0, 0.0, "No stories are stored yet")],
    ids=["too many", "nothing", "no stories"],
)
async def test_a_threshold_that_would_drown_or_hide_everything_is_warned_of(
    bench: Bench, number: int, peak: float, said: str
) -> None:
    bench.add(*(story(each, peak) for each in range(number)))
    assert said in (await bench.press("adm:set:ask:levels.watch:35")).text


async def test_a_value_the_environment_sets_is_told_and_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN__ALERTS__LEVELS__WATCH", "30")
    assert "cannot be changed here" in (await bench.press("adm:set:key:levels.watch")).text
    page = await bench.press("adm:set:ask:levels.watch:45")
    assert "set by the environment (TOCSIN__ALERTS__LEVELS__WATCH)" in page.text


async def test_of_two_admins_the_second_hears_that_the_first_was_quicker(bench: Bench) -> None:
    mine, theirs = [await bench.press(f"adm:set:ask:levels.watch:{value}") for value in (45, 50)]
    await bench.follow(mine, "Change it")
    assert "somebody else" in (await bench.follow(theirs, "Change it")).text
    stolen = await bench.press(button(await bench.press("adm:set:ask:levels.watch:41"), "Change it"), SECOND)
    assert "out of date" in stolen.text
    assert bench.settings.alerts.levels.watch == 45.0


async def test_easing_gets_levels_of_its_own_and_loses_them(bench: Bench) -> None:
    page = await bench.press("adm:set:ask:easing.watch:30")
    await bench.follow(page, "Change it")
    easing = bench.settings.alerts.deescalation
    assert easing is not None
    assert (easing.watch, easing.warning) == (30.0, 55.0)
    await bench.follow(await bench.follow(await bench.press("adm:set:sec:easing"), "Same as"), "Change it")
    assert bench.settings.alerts.deescalation is None


async def test_a_threshold_is_backtested_before_the_yes(bench: Bench) -> None:
    asked = await bench.press("adm:set:ask:levels.watch:45")
    await bench.follow(asked, "Backtest 7d")
    verdict, report = await bench.fake.sent(2)
    assert bench.commands[0][:-1] == ["backtest", "--since", "7d", "--set", "levels.watch=45.0", "--html"]
    assert "told · 3\nall went well &lt;b&gt;" in verdict.text
    assert report.params["document"] == b"<html>plots</html>"
    assert bench.settings.alerts.levels.watch == 40.0
    await bench.follow(verdict, "Change it")
    assert bench.settings.alerts.levels.watch == 45.0


async def test_a_backtest_that_fails_says_so_and_the_question_stays(bench: Bench) -> None:
    bench.outcome = Done(1, "backtest: no articles stored within 14d")
    await bench.follow(await bench.press("adm:set:ask:levels.watch:45"), "Backtest 7d")
    verdict = (await bench.fake.sent(1))[0]
    assert "failed with status 1" in verdict.text
    assert "no articles stored" in verdict.text
