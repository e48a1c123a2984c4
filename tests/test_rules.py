"""The rules of telling one by one: easing, cool-down of a pair, confirmation, retraction. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.pipeline.rules import Past, Silence, Telling, is_outdated, is_retracted, worth_telling
from bot.pipeline.weigh import Weight
from config.schema import Alerts
from config.schema import Telling as TellingSettings
from models import AlertKind, Direction, Level, Story, SuppressionReason
from models.story import StoryStatus

SETTINGS = Alerts()
UP, DOWN = Direction.ESCALATION, Direction.DEESCALATION


def story_at(now: datetime, **values: object) -> Story:
    return Story(**{"id": 1, "title": "s", "first_seen_at": now, "last_seen_at": now, "changed": True} | values)


def only(outcomes: list[Telling | Silence]) -> Telling | Silence:
    (outcome,) = outcomes
    return outcome


def test_a_calming_turn_of_a_story_told_as_escalation_is_told_as_easing(now: datetime) -> None:
    told = story_at(now, level_deescalation=1, told_escalation=2, level_escalation=0)
    weight = Weight(deescalation=50.0, status=StoryStatus.CONFIRMED, sources=2)
    outcomes = worth_telling(told, weight, Past(), SETTINGS, now)
    assert [outcome.kind for outcome in outcomes if isinstance(outcome, Telling)] == [AlertKind.EASED]
    fresh = story_at(now, level_deescalation=1)
    new = only(worth_telling(fresh, weight, Past(), SETTINGS, now))
    assert isinstance(new, Telling) and new.kind is AlertKind.NEW


@pytest.mark.parametrize(
    ("level", "pair", "minutes", "told"),
    [
        (Level.WATCH, Level.WATCH, 10, False),
        (Level.WATCH, Level.WARNING, 59, False),
        (Level.WARNING, Level.WATCH, 10, True),
        (Level.WATCH, Level.WATCH, 60, True),
        (Level.CRITICAL, Level.CRITICAL, 1, True),
    ],
    ids=["as loud", "less loud", "a rise", "afterwards", "critical"],
)
def test_after_an_alert_a_pair_is_silent_unless_it_gets_worse(
    now: datetime, level: Level, pair: Level, minutes: int, told: bool
) -> None:
    rang = now - timedelta(minutes=minutes)
    outcome = only(
        worth_telling(
            story_at(now, level_escalation=int(level)),
            Weight(escalation=85.0, status=StoryStatus.CONFIRMED, sources=2, dyad="RU-UA"),
            Past(pair={UP: (pair, rang)}),
            SETTINGS,
            now,
        )
    )
    assert isinstance(outcome, Telling) is told
    if isinstance(outcome, Silence):
        assert (outcome.reason, outcome.until) == (SuppressionReason.COOL_DOWN, rang + timedelta(minutes=60))


def test_a_signal_that_wants_sources_waits_for_them_but_never_at_critical(now: datetime) -> None:
    wary = SETTINGS.model_copy(update={"telling": TellingSettings(confirm_signals=("covert_action",))})
    alone = Weight(escalation=65.0, sources=1, signals={"covert_action": 0.9})
    waiting = story_at(now, level_escalation=2)
    outcome = only(worth_telling(waiting, alone, Past(), wary, now))
    assert isinstance(outcome, Silence) and outcome.reason is SuppressionReason.UNCONFIRMED
    assert isinstance(only(worth_telling(waiting, replace(alone, sources=2), Past(), wary, now)), Telling)
    assert isinstance(only(worth_telling(waiting, replace(alone, signals={}), Past(), wary, now)), Telling)
    critical = story_at(now, level_escalation=3)
    assert isinstance(only(worth_telling(critical, alone, Past(), wary, now)), Telling)


@pytest.mark.parametrize("before", [StoryStatus.UNCONFIRMED, StoryStatus.CONTESTED])
def test_what_was_told_as_a_claim_is_confirmed_once(now: datetime, before: StoryStatus) -> None:
    story = story_at(now, level_escalation=2, told_escalation=2, status=StoryStatus.CONFIRMED, changed=False)
    weight = Weight(escalation=65.0, status=StoryStatus.CONFIRMED, sources=3, backing={UP: 3})
    outcome = only(worth_telling(story, weight, Past(told_as=before), SETTINGS, now))
    assert isinstance(outcome, Telling)
    assert (outcome.kind, outcome.level) == (AlertKind.CONFIRMED, Level.WARNING)
    assert before.word in outcome.rule and "3 independent" in outcome.rule
    assert worth_telling(story, weight, Past(frozenset({AlertKind.CONFIRMED}), before), SETTINGS, now) == []
    assert worth_telling(story, weight, Past(told_as=StoryStatus.CONFIRMED), SETTINGS, now) == []
    other_side = replace(weight, backing={UP: 1, DOWN: 2})
    assert worth_telling(story, other_side, Past(told_as=before), SETTINGS, now) == []


UNCONFIRMED, CONFIRMED, CONTESTED = StoryStatus.UNCONFIRMED, StoryStatus.CONFIRMED, StoryStatus.CONTESTED


@pytest.mark.parametrize(
    ("told_as", "status", "kinds", "changes"),
    [
        (CONTESTED, UNCONFIRMED, {AlertKind.CONTESTED}, True),
        (CONTESTED, CONFIRMED, {AlertKind.CONFIRMED, AlertKind.CONTESTED}, True),
        (CONTESTED, CONFIRMED, {AlertKind.CONTESTED}, False),
        (CONFIRMED, CONTESTED, {AlertKind.CONTESTED}, True),
        (CONFIRMED, CONTESTED, {AlertKind.NEW}, False),
        (CONFIRMED, CONFIRMED, {AlertKind.NEW}, False),
        (CONTESTED, UNCONFIRMED, {AlertKind.RETRACTED}, False),
    ],
    ids=["over", "confirmed again", "yet to confirm", "disputed again", "yet to dispute", "the same", "taken back"],
)
def test_a_status_that_no_alert_tells_changes_the_message_that_is_there(
    now: datetime, told_as: StoryStatus, status: StoryStatus, kinds: set[AlertKind], changes: bool
) -> None:
    contested = AlertKind.CONTESTED in kinds
    story = story_at(now, told_escalation=2, level_escalation=2, status=status, told_contested=contested)
    weight = Weight(escalation=65.0, status=status, sources=2)
    assert is_outdated(story, weight, Past(frozenset(kinds), told_as, sources=2)) is changes


@pytest.mark.parametrize(
    ("peak", "said"),
    [(41.6, "rewritten: rang at 42, now 26"), (58.3, "rewritten: rang at 42, rose to 58, now 26")],
    ids=["stayed", "rose"],
)
def test_a_retraction_counts_in_the_scores_that_readers_were_shown(now: datetime, peak: float, said: str) -> None:
    """Not in those of single readings: the story's score is less while one source tells it."""
    story = story_at(now, told_escalation=1, changed=False, status=StoryStatus.RETRACTED)
    story.escalation, story.peak_escalation = 26.0, peak
    past = Past(superseded={UP: 81.0}, rang_at={UP: 41.6})
    outcome = only(worth_telling(story, Weight(escalation=26.0), past, SETTINGS, now))
    assert isinstance(outcome, Telling) and outcome.rule == said


def test_reports_that_were_rewritten_are_told_as_retracted_once(now: datetime) -> None:
    story = story_at(now, told_escalation=2, level_escalation=2, changed=False)
    weight = Weight(escalation=5.0, sources=1, fades_at=now + timedelta(hours=9))
    past = Past(superseded={UP: 70.0}, rang_at={UP: 62.4})
    assert is_retracted(story, weight, past, SETTINGS)
    assert not is_retracted(story, replace(weight, escalation=45.0), past, SETTINGS)
    assert not is_retracted(story, weight, Past(superseded={UP: 50.0}), SETTINGS)
    assert not is_retracted(story, replace(weight, fades_at=None), past, SETTINGS)  # it only faded
    assert not is_retracted(story_at(now), weight, past, SETTINGS)  # it was never told
    story.status = StoryStatus.RETRACTED
    outcome = only(worth_telling(story, weight, past, SETTINGS, now))
    assert isinstance(outcome, Telling) and outcome.kind is AlertKind.RETRACTED
    again = replace(past, kinds=frozenset({AlertKind.RETRACTED}))
    assert worth_telling(story, weight, again, SETTINGS, now) == []
