"""What a chat asks about alerts: why, verdicts, /story, /missed, /status, /digest, /feedback, /forget; over HTTP."""

from datetime import timedelta
from typing import Any

import fake_updates as updates
import pytest
from sqlmodel import col, select

from bot.messages.message import Message
from bot.pipeline.fold import fold_old_news
from models import (
    Alert,
    AlertKind,
    Delivery,
    DeliveryState,
    Direction,
    Reading,
    Story,
    SubscriberState,
    Suppression,
    SuppressionReason,
    Verdict,
    VerdictKind,
)
from models import Digest as WeeklyDigest
from tests.chat_steps import ACTIVE, alert_told, in_the_news, press
from tests.rows import add_feed, add_reading
from tests.test_chat_handlers import ADMIN, ANNA, GROUP, NOW, Bench, bench, database

__all__ = ["bench", "database"]


async def test_useful_and_wrong_are_kept_once_a_chat_with_the_words(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    await press(bench, f"alert:useful:{alert}")
    assert "Noted" in (await press(bench, f"alert:wrong:{alert}"))["text"]
    with bench.database.read() as session:
        verdict = session.exec(select(Verdict)).one()
    assert (verdict.kind, verdict.text, verdict.alert_id) == (VerdictKind.WRONG, "Armour crosses", alert)
    assert (verdict.model, verdict.article_id) == ("", None)


async def test_a_verdict_names_the_article_of_the_headline_and_the_model_that_read_it(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    with bench.database.write() as session:
        story = session.exec(select(Story.id)).one()
        feed = add_feed(session, NOW)
        add_reading(session, feed, NOW, "Another headline", 60.0, story_id=story)
        add_reading(session, feed, NOW, "Armour crosses", 60.0, story_id=story)
        wanted = session.exec(select(Reading).where(Reading.title == "Armour crosses")).one()
        expected = (wanted.model, wanted.article_id)
    assert "the next training learns" in (await press(bench, f"alert:wrong:{alert}"))["text"]
    with bench.database.read() as session:
        verdict = session.exec(select(Verdict)).one()
    assert (verdict.model, verdict.article_id) == expected


async def test_why_explains_the_alert_from_rule_to_sentence(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    text = await bench.ask("/why")
    assert "reached warning (60)" in text
    assert "Tanks &lt;crossed&gt;." in text and "40 points" in text
    await press(bench, f"alert:why:{alert}")
    assert (await bench.fake.sent(2))[1].text == text


async def test_what_a_summary_told_counts_as_told(bench: Bench) -> None:
    number = bench.add(ACTIVE, level_escalation=3)
    alert, later = alert_told(bench, number), NOW + timedelta(hours=25)
    with bench.database.write() as session:
        session.exec(select(Delivery)).one().sent_at = None
    fold_old_news(bench.database, later, timedelta(hours=24))
    for command, nothing in (("/why", "No alert was sent"), ("/story", "No story"), ("/latest", "/missed what was")):
        assert nothing in await bench.ask(command), command
    with bench.database.write() as session:
        told = session.exec(select(Delivery).where(col(Delivery.key).startswith("missed:"))).one()
        told.state, told.sent_at = DeliveryState.SENT, later
    assert "reached warning (60)" in await bench.ask("/why")
    assert "Armour crosses" in await bench.ask("/story")
    assert "Armour crosses" in await bench.ask("/latest")
    assert "Noted" in await bench.ask("/feedback wrong")
    with bench.database.read() as session:
        assert session.exec(select(Verdict.alert_id)).all() == [alert]


async def test_why_with_words_explains_the_last_alert_of_the_story_they_name(bench: Bench) -> None:
    number = bench.add(ACTIVE)
    alert_told(bench, number)
    text = await bench.ask("/why")
    with bench.database.write() as session:
        later = NOW + timedelta(minutes=5)
        session.add(Story(title="Armour rests", first_seen_at=later, last_seen_at=later, dyad="RU-UA"))
    assert await bench.ask("/why RU UA") == await bench.ask("/why armour") == text
    assert "No story that rang" in await bench.ask("/why armour rests")


async def test_forget_asks_first_and_then_leaves_only_verdicts_without_the_chat(bench: Bench) -> None:
    alert = alert_told(bench, bench.add(ACTIVE))
    await press(bench, f"alert:wrong:{alert}")
    asked = await bench.say(updates.private("/forget", ANNA))
    assert "forget:yes" in str(asked.params["reply_markup"])
    await press(bench, "forget:no")
    assert bench.state() is ACTIVE
    await press(bench, "forget:yes")
    assert bench.find() is None
    with bench.database.read() as session:
        assert session.exec(select(Delivery)).all() == []
        assert session.exec(select(Verdict)).one().subscriber_id is None


async def test_forget_in_general_names_the_topics_that_go_and_deletes_them_too(bench: Bench) -> None:
    bench.fake.members[GROUP, ANNA] = "administrator"
    for topic in (9, 12):
        bench.add(ACTIVE, chat_id=GROUP, kind="supergroup", thread_id=topic)
    bench.add(SubscriberState.REFUSED, chat_id=GROUP, kind="supergroup", thread_id=13)
    asked = await bench.say(updates.group("/forget", GROUP, ANNA))
    assert "forget:yes" in str(asked.params["reply_markup"])
    assert "the whole group, with topic 9, topic 12, topic 13." in asked.text
    chat = {"id": GROUP, "type": "supergroup", "title": "Newsroom"}
    assert "these stay so that it holds" in (await press(bench, "forget:yes", chat=chat))["text"]
    assert [bench.state(GROUP, topic) for topic in (9, 12, 13)] == [None, None, SubscriberState.REFUSED]


async def test_forget_in_a_topic_names_general_in_the_chats_language(bench: Bench) -> None:
    bench.fake.members[GROUP, ANNA] = "administrator"
    for topic in (0, 9):
        bench.add(ACTIVE, chat_id=GROUP, kind="supergroup", thread_id=topic, language="fr")
    asked = await bench.say(updates.group("/forget", GROUP, ANNA, topic=9))
    assert asked.text.endswith("Cela vaut pour tout le groupe, avec Général.")


@pytest.mark.parametrize("command", ["/stop", "/settings", "/latest"])
@pytest.mark.parametrize("here", [None, SubscriberState.STOPPED, SubscriberState.BLOCKED], ids=str)
async def test_where_another_topic_is_subscribed_nobody_is_told_to_start_a_second_time(
    bench: Bench, command: str, here: SubscriberState | None
) -> None:
    bench.fake.members[GROUP, ANNA] = "administrator"
    bench.add(ACTIVE, chat_id=GROUP, kind="supergroup", thread_id=9)
    if here is not None:
        bench.add(here, chat_id=GROUP, kind="supergroup")
    answer = await bench.say(updates.group(command, GROUP, ANNA))
    assert answer.text == "Another topic of this group is subscribed; write it there."
    assert bench.state(GROUP, 9) is ACTIVE


async def test_forget_takes_the_chats_name_out_of_what_admins_were_told_of_it(bench: Bench) -> None:
    number, admin = bench.add(ACTIVE, name="Oksana"), bench.add(ACTIVE, chat_id=ADMIN)
    named = Message("Oksana (id 42)", "Oksana (id 42)").to_json()
    with bench.database.write() as session:
        for kind, state in (
            ("paused", DeliveryState.SENT),
            ("unreachable", DeliveryState.WAITING),
            ("feedback", DeliveryState.SENT),
        ):
            about = {"subscriber_id": admin, "state": state, "message": named, "send_after": NOW, "created_at": NOW}
            session.add(Delivery(key=f"{kind}:{number}:1", **about))
            session.add(Delivery(key=f"{kind}:{number}9:1", **about))
    await press(bench, "forget:yes")
    left = {row.key for row in bench.outbox(ADMIN) if "Oksana" in row.message["plain"]}
    assert left == {f"{kind}:{number}9:1" for kind in ("paused", "unreachable", "feedback")}


@pytest.mark.parametrize("state", [SubscriberState.REFUSED, SubscriberState.PENDING])
async def test_forget_is_no_way_round_a_refusal_nor_to_ask_the_admins_again(
    bench: Bench, state: SubscriberState
) -> None:
    bench.add(state, name="Oksana", muted_dyads=["RU-UA"])
    await bench.ask("/start")
    asked = len(bench.outbox(ADMIN))
    await press(bench, "forget:yes")
    found = bench.find()
    assert found is not None and (found.state, found.name, found.muted_dyads) == (state, "", [])
    await bench.ask("/start")
    assert bench.state() is state
    assert len(bench.outbox(ADMIN)) == asked


async def test_missed_and_privacy_answer(bench: Bench) -> None:
    bench.add(ACTIVE)
    assert "Nothing came near" in await bench.ask("/missed")
    stored = await bench.ask("/privacy")
    assert "Stored about this chat" in stored and "words you sent with /feedback" in stored and "its language" in stored


def kept_back(bench: Bench, title: str, reason: SuppressionReason, told: int = 0, level: int = 2, chat: int = 0) -> int:
    """A story that was kept back at a level, and then told to a chat at the level `told`."""
    about: dict[str, Any] = {"direction": Direction.ESCALATION, "score": 66}
    with bench.database.write() as session:
        story = Story(title=title, first_seen_at=NOW, last_seen_at=NOW)
        session.add(story)
        session.flush()
        about["story_id"] = story.id
        session.add(Suppression(level=level, reason=reason, first_at=NOW, last_at=NOW, **about))
        if told:
            alert = Alert(kind=AlertKind.NEW, level=told, rule="", created_at=NOW, facts={"title": title}, **about)
            session.add(alert)
            session.flush()
            row = {"alert_id": alert.id, "state": DeliveryState.SENT, "send_after": NOW, "created_at": NOW}
            session.add(Delivery(subscriber_id=chat, key=f"alert:{alert.id}", sent_at=NOW, **row))
        return story.id


async def test_missed_leaves_out_what_was_told_here_after_all(bench: Bench) -> None:
    here, other = bench.add(ACTIVE), bench.add(ACTIVE, chat_id=GROUP)
    kept_back(bench, "Cooled down, then told", SuppressionReason.COOL_DOWN, 2, chat=here)
    part = kept_back(bench, "Near miss, then told as part of another", SuppressionReason.BELOW_THRESHOLD, level=1)
    whole = kept_back(bench, "The other", SuppressionReason.QUIET, 3, chat=here)
    with bench.database.write() as session:
        session.get_one(Story, part).merged_into = whole
    kept_back(bench, "Told at a lower level", SuppressionReason.COOL_DOWN, 1, chat=here)
    kept_back(bench, "Told elsewhere", SuppressionReason.COOL_DOWN, 2, chat=other)
    shown = await bench.ask("/missed")
    assert "then told" not in shown and "The other" not in shown
    assert "Told at a lower level" in shown and "Told elsewhere" in shown


async def test_status_shows_choices_and_tension_with_a_chart(bench: Bench) -> None:
    bench.add(ACTIVE, dyads=["RU-UA"])
    assert "Russia – Ukraine: calm" in await bench.ask("/status")
    with bench.database.write() as session:
        story = Story(title="s", first_seen_at=NOW, last_seen_at=NOW, dyad="RU-UA")
        session.add(story)
        session.flush()
        feed = add_feed(session, NOW, first_read_at=NOW - timedelta(days=90))
        at = NOW - timedelta(hours=1)
        add_reading(session, feed, at, "t", 90.0, story_id=story.id, gathered=True, dyad="RU-UA")
    shown = await bench.say(updates.private("/status", ANNA))
    assert shown.method == "sendPhoto"
    assert "Russia – Ukraine: escalation 18 (usually 0)" in shown.text
    assert "Pairs: Russia – Ukraine" in shown.text and "RU-UA" not in shown.text


@pytest.mark.parametrize(
    ("age", "said"), [(timedelta(days=5), "Russia – Ukraine: escalation 18, easing 0"), (timedelta(0), "calm")]
)
async def test_status_shows_tension_before_the_bot_is_six_weeks_old(bench: Bench, age: timedelta, said: str) -> None:
    bench.add(ACTIVE, dyads=["RU-UA"])
    with bench.database.write() as session:
        story = Story(title="s", first_seen_at=NOW, last_seen_at=NOW, dyad="RU-UA")
        session.add(story)
        session.flush()
        feed = add_feed(session, NOW, first_read_at=NOW - age)
        at = NOW - timedelta(hours=1)
        add_reading(session, feed, at, "t", 90.0, story_id=story.id, gathered=True, dyad="RU-UA")
    assert said in await bench.ask("/status")


async def test_status_lists_every_pair_watched_the_calm_ones_too_and_says_how_many_more_there_are(
    bench: Bench,
) -> None:
    bench.add(ACTIVE, dyads=[*(f"P{number}-UA" for number in range(11)), "RU-UA"])
    in_the_news(bench, "RU-UA", 90)
    in_the_news(bench, "IL-IR", 90)
    shown = await bench.ask("/status")
    first, second = shown.splitlines()[1:3]
    assert first == "Russia – Ukraine: escalation 18 (usually 0), easing 0"
    assert second == "P0 – Ukraine: calm (usually 0)"
    assert "and 2 more, quieter" in shown and "Israel" not in shown.partition("Escalation from")[0]


async def test_status_of_a_chat_whose_pairs_are_all_calm_draws_the_first(bench: Bench) -> None:
    bench.add(ACTIVE, dyads=["RU-UA", "IL-IR"])
    shown = await bench.say(updates.private("/status", ANNA))
    assert shown.method == "sendPhoto" and "Israel – Iran: calm" in shown.text


async def test_status_of_a_pair_tells_its_tension_with_its_chart_whatever_was_chosen(bench: Bench) -> None:
    bench.add(ACTIVE, dyads=["IL-IR"])
    in_the_news(bench, "RU-UA", 90)
    shown = await bench.say(updates.private("/status Russia Ukraine", ANNA))
    assert shown.method == "sendPhoto"
    assert "Russia – Ukraine: escalation 18" in shown.text and "Israel" not in shown.text
    assert "China – Taiwan: calm" in await bench.ask("/status cn tw")
    assert "such as /status RU UA" in await bench.ask("/status Russia")


async def test_digest_sends_the_last_one_again(bench: Bench) -> None:
    bench.add(ACTIVE)
    assert "no digest yet" in await bench.ask("/digest")
    with bench.database.write() as session:
        week = {"since": NOW - timedelta(days=7), "until": NOW, "created_at": NOW, "chart": b""}
        session.add(WeeklyDigest(message=Message("<b>Week</b>", "Week").to_json(), **week))
    assert await bench.ask("/digest") == "<b>Week</b>"


async def test_digest_is_the_chats_own_where_others_have_a_newer_one(bench: Bench) -> None:
    subscriber = bench.add(ACTIVE)
    with bench.database.write() as session:
        span = {"since": NOW - timedelta(days=7), "created_at": NOW, "chart": b""}
        own = WeeklyDigest(until=NOW, message=Message("all", "all").to_json(), **span)
        newer = WeeklyDigest(until=NOW + timedelta(hours=1), message=Message("n", "n").to_json(), **span)
        session.add_all([own, newer])
        session.flush()
        told = Delivery(subscriber_id=subscriber, key="digest:1", send_after=NOW + timedelta(days=1), created_at=NOW)
        told.digest_id, told.message = own.id, Message("<b>Mine</b>", "Mine").to_json()
        session.add(told)
    assert await bench.ask("/digest") == "<b>Mine</b>"


async def test_story_tells_the_course_of_the_last_alerts_story_or_of_one_named(bench: Bench) -> None:
    number = bench.add(ACTIVE)
    assert "No story" in await bench.ask("/story")
    alert_told(bench, number)
    with bench.database.write() as session:
        feed = add_feed(session, NOW, publisher="<Wire>")
        add_reading(session, feed, NOW, "Armour <b>crosses", 60.0, story_id=session.exec(select(Story.id)).one())
    text = await bench.ask("/story")
    assert "Russia – Ukraine, unconfirmed" in text and "Told 17 Feb 12:00: 🟠 WARNING" in text
    assert "&lt;Wire&gt;" in text and "Armour &lt;b&gt;crosses" in text
    assert await bench.ask("/story armour ru-ua") == text
    assert "No story" in await bench.ask("/story arm%r")


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("Russia Ukraine", "Talks in Minsk"),
        ("RU UA", "Talks in Minsk"),
        ("us iran", "Tankers seized"),
        ("Iran tankers", "Tankers seized"),
        ("tanker", "Tankers seized"),
        ("ruin", "A ruin is bought"),
        ("Russie et Ukraine guarding", None),
        ("ankers", None),
        ("***", None),
    ],
)
async def test_story_is_found_by_its_parties_and_by_whole_words_of_its_headline(
    bench: Bench, words: str, title: str | None
) -> None:
    bench.add(ACTIVE)
    told = [("Talks in Minsk", "RU-UA"), ("Tankers seized", "IR-US"), ("Trump guards a square", None)]
    with bench.database.write() as session:
        for minutes, (name, dyad) in enumerate([*told, ("A ruin is bought", None)]):
            seen = NOW + timedelta(minutes=minutes)
            session.add(Story(title=name, first_seen_at=seen, last_seen_at=seen, dyad=dyad))
    assert (title or "No story") in await bench.ask(f"/story {words}")


async def test_feedback_reaches_admins_once_and_a_few_times_a_day(bench: Bench) -> None:
    bench.add(ACTIVE, name="Oksana")
    assert "Write /feedback" in await bench.ask("/feedback")
    for text in ("too <loud>", "too <loud>", "1", "2", "3", "4", "5"):
        await bench.ask(f"/feedback {text}")
    told = [row.message["html"] for row in bench.outbox(ADMIN) if row.key.startswith("feedback:")]
    assert len(told) == 5
    assert "“Oksana”" in told[0] and "too &lt;loud&gt;" in told[0]


async def test_feedback_that_nobody_is_set_up_to_read_says_so(bench: Bench) -> None:
    bench.use(access="invite", invite_code="spring-2022")
    bench.add(ACTIVE)
    assert "Nobody is set up to read it" in await bench.ask("/feedback too many alerts")


async def test_feedback_in_one_word_is_the_button_under_the_last_alert(bench: Bench) -> None:
    number = bench.add(ACTIVE)
    assert "No alert was sent here" in await bench.ask("/feedback wrong")
    alert_told(bench, number)
    assert "Noted" in await bench.ask("/feedback wrong")
    with bench.database.read() as session:
        assert session.exec(select(Verdict)).one().kind is VerdictKind.WRONG


async def test_a_stranger_gives_no_feedback_and_sees_no_story(bench: Bench) -> None:
    assert "subscribers only" in await bench.ask("/feedback hello")
    assert "subscribers only" in await bench.ask("/story")
    assert bench.outbox(ADMIN) == []
