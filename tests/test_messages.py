"""What alerts and digests look like: valid HTML within Telegram's limits whatever the articles say."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_bot_text import parse_html
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.messages.alert import alert_message, headline_of, stance_verb
from bot.messages.digest import PairLine, StoryLine, WeekFacts, digest_message
from bot.messages.lines import isolated
from bot.messages.message import TEXT_LIMIT, Button, Message, clip, notice, units
from bot.messages.missed import missed_message
from bot.messages.replies import latest
from bot.messages.story import story_message
from bot.messages.why import why_message
from models import Alert, AlertKind, Direction, Story, StoryStatus

NOW = datetime(2026, 3, 12, 9, 30, tzinfo=UTC)


def alert(
    kind: AlertKind = AlertKind.NEW, direction: Direction = Direction.ESCALATION, level: int = 2, **facts: Any
) -> Alert:
    known: dict[str, Any] = {
        "title": "Varnia masses armour", "url": "https://a.example/1", "summary": "", "escalation": 70,
        "deescalation": 3, "status": "unconfirmed", "independent": 1, "dyad": ["Kestria", "Varnia"],
        "signals": ["troop_buildup"], "contested": [], "claims": [], "evidence": [],
        "sources": [{"publisher": "Meridian", "title": "t", "url": "https://a.example/1", "at": NOW.isoformat()}],
    }  # fmt: skip
    return Alert(
        id=1, story_id=1, kind=kind, direction=direction, level=level, score=70, rule="r", facts=known | facts,
        created_at=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (alert(), "🟠 WARNING · Kestria – Varnia"),
        (alert(kind=AlertKind.RAISED, level=3), "🔴 CRITICAL · raised · Kestria – Varnia"),
        (alert(direction=Direction.DEESCALATION, level=1, dyad=[]), "🟢 EASING · watch"),
        (alert(kind=AlertKind.CONTESTED, level=1), "🟡 WATCH · DISPUTED · Kestria – Varnia"),
        (alert(status="contested"), "🟠 WARNING · DISPUTED · Kestria – Varnia"),
    ],
    ids=["new", "raised", "easing", "contested later", "contested at once"],
)
def test_the_first_line_says_level_direction_and_pair(made: Alert, line: str) -> None:
    assert headline_of(made) == line
    assert alert_message(made).plain.startswith(line + "\n")


def test_a_disputed_alert_says_who_stands_where() -> None:
    claims = [
        {"claimant": "Varnia", "signal": "troop_withdrawal", "stance": "affirm", "sentence": "Units are going home."},
        {"claimant": "NATO", "signal": "troop_withdrawal", "stance": "deny", "sentence": "We see no pull-back."},
    ]
    text = alert_message(alert(status="contested", contested=["troop_withdrawal"], claims=claims)).plain
    assert "Varnia affirms (troop withdrawal): “Units are going home.”" in text
    assert "NATO denies (troop withdrawal): “We see no pull-back.”" in text


SAYS = {"claimant": "Varnia", "signal": "threat", "stance": "affirm", "sentence": "They will strike, it says."}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"claims": [SAYS]}, "🗣 Varnia says so (threat); no other source yet: “They will strike, it says.”"),
        ({"claims": [SAYS], "independent": 2}, "🗣 Varnia says so (threat); no neutral source yet: “They will"),
        (
            {"claims": [SAYS], "title": "They will strike, it says."},
            "🗣 Varnia says so (threat); no other source yet.\n",
        ),
        ({"claims": [SAYS | {"claimant": "NATO", "stance": "deny"}]}, "🗣 NATO denies it (threat); no other source yet"),
        ({"claims": [SAYS | {"claimant": "NATO", "stance": "deny"}, SAYS]}, "🗣 Varnia says so (threat)"),
    ],
    ids=["one source", "parties only", "as the headline says", "a denial", "both"],
)
def test_an_unconfirmed_alert_says_whose_word_it_is(facts: dict[str, Any], said: str) -> None:
    text = alert_message(alert(**facts)).plain
    assert said in text and text.count("🗣") == 1


@pytest.mark.parametrize("facts", [{"claims": []}, {"claims": [SAYS], "status": "confirmed"}], ids=["unknown", "known"])
def test_nobody_is_named_where_nobody_is_known_or_others_confirm_it(facts: dict[str, Any]) -> None:
    assert "🗣" not in alert_message(alert(**facts)).plain


ARABIC, HEBREW = "وكالة الأنباء", "סוכנות הידיעות"
HOSTILE_ARABIC = f"{ARABIC}\u2069\u202e"


def test_words_from_right_to_left_do_not_turn_our_sentence_around() -> None:
    source = {"publisher": HEBREW, "title": ARABIC, "url": "https://a.example/1", "at": NOW.isoformat()}
    evidence = {"sentence": HOSTILE_ARABIC, "signal": None, "direction": "escalation", "score": 9.0}
    made = alert(sources=[source], evidence=[evidence], claims=[SAYS | {"claimant": ARABIC, "sentence": HEBREW}])
    story = StoryLine(70, ARABIC, url="https://a.example/1", sources=3)
    for message in (alert_message(made), why_message(made), digest_message(week(escalating=(story,)))):
        for text in (message.html, message.plain):
            words = re.findall(rf"(.)(?:{ARABIC}|{HEBREW})(.)", text)
            assert words and all(pair == ("\u2068", "\u2069") for pair in words)
            assert "\u202e" not in text
            assert text.count("\u2068") == text.count("\u2069")
    assert f"• \u2068{HEBREW}\u2069, 12 Mar 09:30 UTC" in alert_message(made).plain


def test_words_from_left_to_right_stay_as_they_are() -> None:
    for text in ("Київ", "Varnia masses armour", "北京 🇺🇦", ""):
        assert isolated(text) == text


def test_an_alert_names_its_sources_with_links_and_the_rule_that_fired() -> None:
    message = alert_message(alert())
    assert '<a href="https://a.example/1">Meridian</a>, 12 Mar 09:30 UTC' in message.html
    assert "https://a.example/1" in message.plain
    assert "Why: r" in message.plain


def test_facts_and_sources_stand_apart_from_what_happened() -> None:
    text = alert_message(alert(signals=[])).plain
    assert "\n\nScores: escalation 70" in text
    assert "\n\n1 independent source:\n• Meridian" in text
    assert "\n\n\n" not in text


hostile = st.text(max_size=900) | st.sampled_from(
    ["<b>", "</a>", "&lt;", '"><script>', "🇺🇦" * 300, "\u202eabc", "x" * 9000]
)


@settings(max_examples=150)
@given(title=hostile, summary=hostile, name=hostile, sentence=hostile, url=hostile, many=st.integers(0, 12))
def test_whatever_articles_say_an_alert_is_valid_and_fits_one_message(
    title: str, summary: str, name: str, sentence: str, url: str, many: int
) -> None:
    source = {"publisher": name, "title": title, "url": url, "at": NOW.isoformat()}
    claim = {"claimant": name, "signal": "threat", "stance": "deny", "sentence": sentence}
    message = alert_message(
        alert(
            title=clip(title, 500), summary=clip(summary, 320), dyad=[name[:40], name[:40]], contested=["threat"],
            claims=[claim] * many, sources=[source] * many,
            evidence=[{"sentence": sentence, "signal": None, "direction": "escalation", "score": 9.0}],
        )
    )  # fmt: skip
    parse_html(message.html)  # raises what Telegram would refuse
    assert units(message.plain) <= TEXT_LIMIT
    assert units(message.html) <= TEXT_LIMIT


EVIDENCE = [
    {"sentence": "Varnia masses armour", "signal": "troop_buildup", "direction": "escalation", "score": 65.2},
    {"sentence": "Tanks were seen at the Isk.", "signal": None, "direction": "escalation", "score": 44.0},
]


def test_why_is_a_screen_of_rule_sentences_sides_and_linked_sources() -> None:
    claims = [
        {"claimant": "NATO", "signal": signal, "stance": "deny", "sentence": "s"}
        for signal in ("troop_withdrawal", "ceasefire", "ceasefire")
    ]
    message = why_message(alert(evidence=EVIDENCE, claims=claims))
    assert message.plain == (
        "Why: 🟠 WARNING · Kestria – Varnia\nVarnia masses armour\n\nRule: r, on 12 Mar at 09:30 UTC.\n"
        "\nWhat moved the score\n• The headline: 65 points, read as troop build-up\n"
        "• “Tanks were seen at the Isk.”: 44 points\n"
        "\nWho says what\n• NATO denies troop withdrawal, ceasefire\n"
        "\n1 independent source\n• Meridian, 12 Mar 09:30 UTC  https://a.example/1"
    )
    assert '• <a href="https://a.example/1">Meridian</a>, 12 Mar 09:30 UTC' in message.html


def test_why_says_by_how_much_also_where_no_threshold_was_crossed() -> None:
    made = alert(kind=AlertKind.CONFIRMED)
    made.rule = "disputed before, now 2 independent sources"
    assert "Rule: disputed before, now 2 independent sources (escalation 70), on 12 Mar" in why_message(made).plain


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "tg://user?id=1", "ftp://a.example/", "", "https://" + "x" * 2000]
)
def test_only_web_addresses_become_links(url: str) -> None:
    source = {"publisher": "Meridian", "title": "t", "url": url, "at": NOW.isoformat()}
    made = alert(sources=[source], url=url)
    for message in (why_message(made), alert_message(made), latest([made])):
        assert "<a " not in message.html
        assert not url or url not in message.plain


@settings(max_examples=100)
@given(
    title=hostile,
    name=hostile,
    sentence=hostile,
    url=hostile | hostile.map("https://{}".format),
    many=st.integers(0, 12),
)
def test_whatever_articles_say_why_is_valid_and_fits_one_message(
    title: str, name: str, sentence: str, url: str, many: int
) -> None:
    source = {"publisher": name, "title": title, "url": url, "at": NOW.isoformat()}
    claim = {"claimant": name, "signal": "threat", "stance": "deny", "sentence": sentence}
    evidence = {"sentence": sentence, "signal": None, "direction": "escalation", "score": 9.0}
    message = why_message(
        alert(
            title=title, dyad=[name, name], claims=[claim] * many, sources=[source] * many, evidence=[evidence] * many
        )
    )
    parse_html(message.html)  # raises what Telegram would refuse
    assert max(units(message.html), units(message.plain)) <= TEXT_LIMIT


def test_a_contradiction_has_one_word_wherever_readers_meet_it() -> None:
    made = alert(kind=AlertKind.CONTESTED, status="contested", contested=["threat"])
    story = Story(title="t", first_seen_at=NOW, last_seen_at=NOW, dyad="KE-VA", status=StoryStatus.CONTESTED)
    line = StoryLine(70, "t", note="disputed: threat")
    for message in (
        alert_message(made), why_message(made), latest([made]), story_message(story, [], [made]),
        digest_message(week(contested=(line,))), missed_message([made]),
    ):  # fmt: skip
        assert "disputed" in message.plain.lower() and "contested" not in message.plain.lower()


@pytest.mark.parametrize(("length", "links"), [(60, 10), (900, 3)], ids=["usual", "long"])
def test_a_summary_of_missed_alerts_links_its_headlines_and_fits_however_long_the_addresses(
    length: int, links: int
) -> None:
    address = "https://x.example/".ljust(length, "a")
    message = missed_message([alert(title=f"Headline {number}", url=address) for number in range(12)])
    assert message.html.count(f'<a href="{address}">') == links
    assert "Headline 9" in message.plain and "… and 2 more." in message.plain
    assert max(units(message.html), units(message.plain)) <= TEXT_LIMIT


def week(**values: Any) -> WeekFacts:
    facts: dict[str, Any] = {
        "since": NOW - timedelta(days=7), "until": NOW, "articles": 40, "articles_before": 30,
        "stories": 4, "alerts": {},
    }  # fmt: skip
    return WeekFacts(**facts | values)


def test_a_quiet_week_gets_a_digest_that_says_so() -> None:
    assert "a quiet week" in digest_message(week()).plain


def test_a_digest_shows_the_week_against_the_one_before() -> None:
    text = digest_message(week(alerts={"critical": 1}, pairs=(PairLine("A-B", 80, 40, 10, 10),))).plain
    assert "peak: week before → this week" in text
    assert "A-B: escalation\u00a040\u00a0↑\u00a080, easing\u00a010\u00a0→\u00a010" in text  # broken at the comma only
    assert "Alerts raised: 1 critical." in text


def test_a_chats_digest_says_what_was_told_there_and_that_its_lists_are_of_its_choice() -> None:
    line = StoryLine(80, "Armour masses")
    text = digest_message(week(alerts={"watch": 1}, told_here=True, chosen=True, escalating=(line,))).plain
    assert "1 alert was told here: 1 watch." in text and "Escalation in what you chose" in text
    quiet = digest_message(week(told_here=True, chosen=True)).plain
    assert "No alert was told here: a quiet week." in quiet and "Nothing of note in what you chose." in quiet
    assert "chose" not in digest_message(week(told_here=True)).plain


@settings(max_examples=60)
@given(st.lists(hostile, max_size=15))
def test_whatever_the_week_brought_the_digest_is_valid_and_fits(titles: list[str]) -> None:
    lines = tuple(StoryLine(70, title, url=title, sources=3, note=title[:99]) for title in titles)
    message = digest_message(week(escalating=lines, easing=lines, contested=lines, near_misses=lines))
    parse_html(message.html)  # raises what Telegram would refuse
    assert max(units(message.html), units(message.plain)) <= TEXT_LIMIT


@given(st.text(max_size=300), st.integers(min_value=2, max_value=120))
def test_clip_keeps_within_the_limit_and_cuts_no_character_in_two(text: str, limit: int) -> None:
    cut = clip(text, limit)
    assert units(cut) <= limit
    assert cut == text or cut.endswith("…")
    cut.encode("utf-8")


def test_a_notice_cannot_be_turned_into_markup() -> None:
    assert notice("<a href='tg://user?id=1'>admin</a>").html == "&lt;a href='tg://user?id=1'&gt;admin&lt;/a&gt;"


def test_a_message_survives_the_database() -> None:
    message = Message("<b>x</b>", "x", "t", "watch", True, ((Button("Yes", "y:1"), Button("No", "n:1")),))
    assert Message.from_json(message.to_json()) == message
    assert Message.from_json(message.to_json() | {"from_the_future": 1}) == message


@pytest.mark.parametrize(
    ("party", "stance", "said"),
    [
        ("Russia", "affirm", "says so"),
        ("residents", "affirm", "say so"),
        ("rebels", "deny", "deny it"),
        ("United States", "deny", "denies it"),
        ("the ministry", "affirm", "says so"),
    ],
)
def test_parties_without_a_name_that_are_several_speak_in_the_plural(party: str, stance: str, said: str) -> None:
    assert stance_verb({"claimant": party, "stance": stance}, "says so", "denies it") == said
