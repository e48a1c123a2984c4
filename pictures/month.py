"""The bundled month lived through with phones in hand, the chats worth showing out.

Everything shown was sent by the bot: alerts and digests by the real pipeline, answers by the real handlers, the
backtest by the real command. Only the news is invented, the clock is moved, and one phone is out of reach for days.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from sqlmodel import col, select

from bot.demo.play import START, SimulatedClock, live_through
from bot.messages.alert import alert_message
from bot.pipeline.address import address_alert
from bot.pipeline.tempo import Tempo, tempo_alert
from models import Story
from models.subscriber import active_subscribers
from pictures.chat import ADMIN, Chat, Picture, beginning, bubble_of, opened
from pictures.phone import Place, Shown

ROOM = Place(ADMIN, group=-1002002, title="Newsroom", topic=7)
QUIET_PAIR = "SOLMERE-VARNIA"
READER = Place(3003, name="Bea")
OUT_OF_REACH = datetime(2026, 3, 20, 6, tzinfo=UTC), datetime(2026, 3, 23, 6, tzinfo=UTC)
UNTIL = datetime(2026, 3, 31, 18, tzinfo=UTC)  # two hours after the accord, when four weeks say what is usual
AFTERWARDS = datetime(2026, 4, 1, 12, tzinfo=UTC)  # once after.jsonl was told


async def live(folder: Path, progress: Console) -> list[Picture]:
    """Play the month into a database in `folder` and go through the chats. Raises TocsinError."""
    clock = SimulatedClock(START)
    async with opened(folder, clock) as (app, admin):
        room, reader = admin.beside(ROOM), admin.beside(READER)
        await room.say("/start")
        pictures = [await joined(admin, reader)]
        away, back = OUT_OF_REACH
        await live_through(app, clock, away, progress)
        admin.phone.away.add(reader.place.chat_id)
        await live_through(app, clock, back, progress)
        admin.phone.away.clear()
        await live_through(app, clock, UNTIL, progress)
        pictures += [*alerts(admin), await in_group(room), *await asked(admin, reader)]
        await live_through(app, clock, AFTERWARDS, progress)
        pictures += [await tempo_rang(admin), retracted(admin), *await chosen(admin), *await administered(admin)]
        return pictures


# What comes by itself -------------------------------------------------------------------------------------------------


def alerts(admin: Chat) -> list[Picture]:
    """An alert, one that rose, one of easing, a dispute with both sides, and two that were edited later."""
    shown = admin.shown
    alert = _first(shown, lambda one: "CRITICAL" in one.html and one.answers is None and "DISPUTED" not in one.html)
    rise = _first(shown, lambda one: "raised" in one.html and one.answers is not None)
    easing = _first(shown, lambda one: "EASING · warning · " in one.html and not _any(one, "DISPUTED", "CONFIRMED"))
    disputed = _first(shown, lambda one: "EASING" in one.html and one.html.count("⚖") > 1)
    updated = _first(shown, lambda one: "(updated" in one.html and not _any(one, "DISPUTED", "CONFIRMED"))
    confirmed = _first(shown, lambda one: "CONFIRMED" in one.html and "CONFIRMED" not in _sent(shown, one.id).html)
    return [
        Picture("alert", "An alert", (bubble_of(alert),)),
        Picture("rise", "The story goes on and rises", (bubble_of(rise, _answered(shown, rise)),)),
        Picture("easing", "An alert of easing", (bubble_of(easing),)),
        Picture("disputed", "An alert that is disputed", (bubble_of(disputed),)),
        Picture("updated", "An alert that others report meanwhile", (bubble_of(updated),)),
        Picture("confirmed", "An alert, once it is confirmed", (bubble_of(confirmed),)),
    ]


async def tempo_rang(admin: Chat) -> Picture:
    """Many small steps that ring together. No pair of the month has five stories a day, so that they are made up."""
    database, settings, now = admin.app.database, admin.app.settings, admin.app.clock()
    with database.write() as session:
        story = session.exec(select(Story).where(Story.dyad == QUIET_PAIR).order_by(col(Story.id).desc())).first()
        assert story is not None  # noqa: S101 - after.jsonl tells it
        tempo = Tempo(QUIET_PAIR, share=0.24, usual=0.04, spreads=6.7, story_id=story.id)
        alert = tempo_alert(session, tempo, settings.alerts, now)
        assert alert is not None  # noqa: S101 - it rang for nothing before
        everybody = active_subscribers(session)
        address_alert(session, alert, alert_message(alert), everybody, settings.alerts, settings.digest.timezone, now)
    shown = _first(await admin.wait_for_mail(), lambda one: "tempo" in one.html)
    return Picture("tempo", "An alert of many small steps", (bubble_of(shown),))


def retracted(admin: Chat) -> Picture:
    """An alert that is taken back: its message as it was edited, and the answer to it."""
    shown = admin.shown
    answer = _first(shown, lambda one: "RETRACTED" in one.html and one.answers is not None)
    edited = [one for one in shown if one.id == answer.answers][-1]
    bubbles = (bubble_of(edited), bubble_of(answer, beginning(edited)))
    return Picture("retracted", "An alert that is taken back", bubbles)


async def joined(admin: Chat, reader: Chat) -> Picture:
    """Somebody asks to subscribe; an admin approves, and the newcomer chooses."""
    await reader.say("/start")
    (request,) = await admin.wait_for_mail()
    answered = await admin.press(request, "Approve")
    for wish in ("/threshold watch", "/watch Kestria Varnia", "/watch Dravel Varnia", "/watch Solmere Dravel"):
        await reader.say(wish)
    await reader.say("/settings budget 20")
    return Picture("join", "A request to subscribe, and once it is answered", (bubble_of(request), bubble_of(answered)))


async def in_group(room: Chat) -> Picture:
    """An alert in a topic of a group, and what Why? gives there: one answer for all."""
    first = _first(room.shown, lambda one: "WARNING" in one.html and not _any(one, "raised", "DISPUTED"))
    alert = [one for one in room.shown if one.id == first.id][-1]
    await room.press(alert, "Why")
    (why,) = await room.wait_for_mail()
    bubbles = (bubble_of(alert), bubble_of(why, beginning(alert)))
    return Picture("group", "An alert and Why? in a topic of a group", bubbles, f"{ROOM.title} › Conflicts")


# What is asked for ----------------------------------------------------------------------------------------------------


async def asked(admin: Chat, reader: Chat) -> list[Picture]:
    """What is answered about the news, and what a chat is told that was out of reach."""
    late = _first(reader.shown, lambda one: "could not be delivered in time" in one.html)
    return [
        Picture("outage", "What was missed during an outage", (bubble_of(late),)),
        Picture("why", "Why an alert rang", await admin.ask("/why")),
        Picture("story", "How a story went on", await admin.ask("/story")),
        Picture("latest", "The last alerts of what a chat chose", await reader.ask("/latest")),
        Picture("missed", "What was not told, and why", await reader.ask("/missed")),
        Picture("status", "Tension and choices", await reader.ask("/status")),
        Picture("digest", "The weekly digest", await admin.ask("/digest")),
        Picture("digest-pairs", "The weekly digest of a chat that chose pairs", await reader.ask("/digest")),
    ]


async def chosen(admin: Chat) -> list[Picture]:
    """/settings with some choices made, in each language, and two of its pages."""
    for wish in ("/settings budget default", "/settings quiet 22:30 06:30", "/watch Kestria Varnia"):
        await admin.say(wish)
    english = await admin.ask("/settings")
    first = admin.shown[-1]
    await admin.say("/settings language fr")
    french = await admin.ask("/settings")
    await admin.say("/settings language en")
    quiet = await admin.press(first, "Quiet hours")
    await admin.say("/mute Dravel Solmere")
    muted = await admin.press(first, "Muted pairs")
    return [
        Picture("settings", "The first page of /settings", english),
        Picture("settings-fr", "The first page of /settings in French", french),
        Picture("settings-quiet", "Quiet hours and muted pairs", (bubble_of(quiet), bubble_of(muted))),
    ]


# For admins -----------------------------------------------------------------------------------------------------------


async def administered(admin: Chat) -> list[Picture]:
    """/admin and its pages, a threshold changed after a backtest, a headline that waits for a label."""
    opening = await admin.ask("/admin")
    first = admin.shown[-1]
    pages = [*await _feeds(admin, first), await _subscriber(admin, first), await _numbers(admin, first)]
    pages.append(await _broadcast(admin, first))
    question = await admin.press(first, "Thresholds", "Levels", "watch", "-5")
    await admin.press(question, "Backtest")
    verdict = await admin.wait_for_file()
    alert = next(one for one in reversed(admin.shown) if "Wrong" in str(one.buttons))
    await admin.press(alert, "Wrong")
    label = await admin.press(first, "Label queue")
    return [
        Picture("admin", "The first page of /admin", opening),
        *pages,
        Picture("threshold", "A lower threshold and what it would ring", (bubble_of(question),)),
        Picture("backtest", "The same question after a backtest", tuple(map(bubble_of, verdict))),
        Picture("label", "A headline that waits for a label", (bubble_of(label),)),
    ]


async def _feeds(admin: Chat, first: Shown) -> list[Picture]:
    """The list, one feed, its page of traits; two are given regions, which the page of /settings then offers."""
    listed = await admin.press(first, "Feeds")
    one = await admin.press(listed, "1")
    for number, region in (("1", "europe"), ("2", "caucasus")):
        await admin.press(listed, number, "Edit", "Regions", "Type it")
        await admin.say(region)
    edited = await admin.press(one, "Edit")
    opened_settings = next(one for one in reversed(admin.shown) if "Quiet hours" in str(one.buttons))
    regions = await admin.press(opened_settings, "Regions", "Europe")
    bubbles = tuple(bubble_of(_published(page)) for page in (listed, one, edited))
    return [
        Picture("feeds", "The feeds, and one of them to be edited", bubbles),
        Picture("settings-regions", "A choice of regions", (bubble_of(regions),)),
    ]


def _published(page: Shown) -> Shown:
    """A feed's address as it would be: that of the demo has another port at each run."""
    return replace(page, html=re.sub(r"http://127\.0\.0\.1:\d+/", "https://feeds.example/", page.html))


async def _subscriber(admin: Chat, first: Shown) -> Picture:
    people = await admin.press(first, "Subscribers")
    one = await admin.press(people, "1")
    return Picture("subscribers", "The subscribers, and one of them", (bubble_of(people), bubble_of(one)))


async def _numbers(admin: Chat, first: Shown) -> Picture:
    await admin.press(first, "Numbers")
    return Picture("numbers", "Numbers of the last two weeks", tuple(map(bubble_of, admin.shown[-2:])))


async def _broadcast(admin: Chat, first: Shown) -> Picture:
    await admin.press(first, "Broadcast")
    text = "From Monday on this bot also follows three outlets of Solmere."
    return Picture("broadcast", "A broadcast before it goes", await admin.ask(text))


# Looking things up ----------------------------------------------------------------------------------------------------


def _any(shown: Shown, *words: str) -> bool:
    return any(word in shown.html for word in words)


def _first(shown: Sequence[Shown], fits: Callable[[Shown], bool]) -> Shown:
    found = next((one for one in shown if fits(one)), None)
    if found is None:
        raise LookupError(
            "the month told no message of a kind that is to be drawn: look at what ./run.sh demo tells now"
        )
    return found


def _sent(shown: Sequence[Shown], message_id: int) -> Shown:
    """A message as it was before any edit."""
    return _first(shown, lambda one: one.id == message_id)


def _answered(shown: Sequence[Shown], answer: Shown) -> str:
    """The first line of what an answer answers."""
    return beginning(_sent(shown, answer.answers or 0))
