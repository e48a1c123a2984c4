"""`why` goes from sentence to rule for a text, an address and a story; `missed` lists what nearly rang."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.app import utc_now
from bot.feeds.urls import canonical_url
from models import Alert, AlertKind, Direction, Story, StoryStatus, Suppression, SuppressionReason
from models.database import open_database
from tests.command_line import Bot, command_line
from tests.rows import add_feed, add_reading

URL = "https://news.example/world/tanks"


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bot:
    run = command_line(tmp_path, monkeypatch, capsys)
    now = utc_now()
    opened = open_database("sqlite:///tocsin.db", now)
    with opened.write() as session:
        story = Story(title="Tanks cross the Isk", first_seen_at=now, last_seen_at=now, dyad="KE-VA", escalation=71.0)
        story.actors = [{"code": "KE", "name": "Kestria"}, {"code": "VA", "name": "Varnia"}]
        story.status = StoryStatus.CONTESTED
        quiet = Story(title="Envoy recalled", first_seen_at=now, last_seen_at=now, peak_escalation=38, publishers=1)
        idle = Story(title="Fair opens", first_seen_at=now, last_seen_at=now, peak_escalation=2)
        session.add_all([story, quiet, idle])
        session.flush()
        seen = {"evidence": [{"sentence": "Tanks crossed at dawn.", "signal": "armed_attack", "score": 60.0}]}
        feed = add_feed(session, now)
        add_reading(
            session, feed, now, story.title, 71.0, url=URL, canonical_url=canonical_url(URL), story_id=story.id, **seen
        )
        said = [
            {
                "sentence": "It recalled its envoy.",
                "signal": "severed_ties",
                "score": 30.0,
                "direction": "escalation",
            },
            {"sentence": "Both want talks.", "signal": "negotiation", "score": 12.0, "direction": "deescalation"},
            {"sentence": "A crowd sang.", "signal": "", "score": 4.0, "direction": "escalation"},
        ]
        near = {"story_id": quiet.id, "evidence": said, "deescalation": 15.0}
        add_reading(session, feed, now, "Envoy recalled", 42.0, **near)
        add_reading(session, feed, now, "Envoy back home", 12.0, story_id=quiet.id)
        add_reading(session, feed, now, "Cup final", 3.0, url="https://news.example/cup")
        alert = {"kind": AlertKind.NEW, "direction": Direction.ESCALATION, "level": 2, "score": 71.0}
        alert["facts"] = {"title": story.title, "status": "contested", "dyad": ["Kestria", "Varnia"], "independent": 1}
        alert["facts"]["sources"] = [{"publisher": "Meridian", "title": "t", "url": URL, "at": now.isoformat()}]
        session.add(Alert(story_id=story.id, rule="escalation 71 reached warning (60)", created_at=now, **alert))
        for told, score, reason in (
            (story, 70.0, SuppressionReason.REPEAT),
            (story, 45.0, SuppressionReason.BUDGET),
            (quiet, 38.0, SuppressionReason.BELOW_THRESHOLD),
        ):
            facts = {"direction": Direction.ESCALATION, "level": 1, "score": score, "reason": reason}
            session.add(Suppression(story_id=told.id, first_at=now, last_at=now - timedelta(hours=1), **facts))
    opened.close()
    return run


def test_a_text_is_read_on_the_spot(bot: Bot) -> None:
    done = bot("why", "Russian missiles strike Kyiv, dozens killed")
    assert done.code == 0, done.err
    assert "armed_attack" in done.words and "Russia" in done.words and "points" in done.words
    assert "escalation: " in done.words and "reaches" in done.words
    assert "below watch (40)" in bot("why", "Cup final goes to penalties").words


@pytest.mark.parametrize("what", ["1", URL, URL + "?utm_source=rss"])
def test_a_story_is_explained_from_evidence_to_rule(bot: Bot, what: str) -> None:
    done = bot("why", what)
    assert done.code == 0, done.err
    assert "escalation 71 reached warning (60)" in done.words
    assert "budget" in done.words and "Kestria – Varnia (KE-VA)" in done.words
    assert f"• Meridian, {utc_now():%d %b}" in done.words and URL in done.words
    assert "disputed" in done.words and "contested" not in done.words
    assert ("Tanks crossed at dawn." in done.words) == what.startswith("http")


def test_a_story_that_never_rang_is_explained_by_its_sentences_levels_and_silences(bot: Bot) -> None:
    words = bot("why", "2").words
    assert "below threshold" in words
    up, easing = words.index("escalation: peak 38.0; below watch (40), warning (55)"), words.index("easing: peak 0.0;")
    loud, mild = words.index("42 (Publisher"), words.index("12 (Publisher")
    first, second = words.index("30 points (severed_ties): It recalled its envoy."), words.index("A crowd sang.")
    assert up < loud < first < second < mild < easing < words.index("12 points (negotiation): Both want talks.")
    assert "Envoy recalled" in words and words.count("It recalled its envoy.") == 1


def test_a_story_that_came_near_nothing_says_so(bot: Bot) -> None:
    assert "nothing was kept of why" in bot("why", "3").words
    assert "nothing was kept" not in bot("why", "1").words


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("99", "no story 99 is stored"),
        ("https://news.example/nothing", "no article of https://news.example/nothing was read"),
        ("https://news.example/cup", "scored too little"),
    ],
)
def test_what_has_no_story_is_told_why(bot: Bot, what: str, said: str) -> None:
    done = bot("why", what)
    assert done.code == 1 and said in done.err


def test_missed_lists_the_loudest_first_and_no_repeats(bot: Bot) -> None:
    words = bot("missed").words
    assert words.index("Tanks cross") < words.index("Envoy recalled")
    assert "45 escalation" in words and "repeat" not in words
    assert "below threshold" in words
