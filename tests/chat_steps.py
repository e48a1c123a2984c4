"""Steps that several chat tests begin with: feeds and stories to choose from, an alert told, a button pressed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import fake_updates as updates

from bot.messages.message import Message
from models import (
    Alert,
    AlertKind,
    Delivery,
    Direction,
    Feed,
    Story,
    SubscriberState,
)
from tests.rows import add_feed, add_reading
from tests.test_chat_handlers import ANNA, NOW, Bench

ACTIVE = SubscriberState.ACTIVE


def buttons(message: Message) -> Iterator[str]:
    return (button.data for row in message.buttons for button in row)


def set_up(bench: Bench) -> None:
    with bench.database.write() as session:
        session.add(Feed(url="https://a.example/", publisher="A", regions=["europe"], next_fetch_at=NOW))
        session.add(Story(title="s", first_seen_at=NOW, last_seen_at=NOW, dyad="RU-UA"))


async def press(bench: Bench, data: str, user_id: int = ANNA, chat: dict[str, Any] | None = None) -> Any:
    """Press a button; the answer to the press, once everything it causes is done."""
    update = updates.press(data, user_id)
    if chat is not None:
        update["callback_query"]["message"]["chat"] = chat
    number = len(bench.fake.calls_of("answerCallbackQuery"))
    await bench.fake.push(update)
    return (await bench.fake.called("answerCallbackQuery", number + 1))[number].params


def alert_told(bench: Bench, subscriber_id: int) -> int:
    facts = {
        "title": "Armour crosses", "status": "confirmed", "dyad": ["Russia", "Ukraine"], "independent": 2,
        "escalation": 66, "deescalation": 3, "sources": [], "claims": [],
        "evidence": [{"sentence": "Tanks <crossed>.", "signal": "armed_attack", "direction": "up", "score": 40}],
    }  # fmt: skip
    with bench.database.write() as session:
        story = Story(title="Armour crosses", first_seen_at=NOW, last_seen_at=NOW, dyad="RU-UA")
        story.actors = [{"code": "UA", "name": "Ukraine"}, {"code": "RU", "name": "Russia"}]
        session.add(story)
        session.flush()
        alert = Alert(
            story_id=story.id, kind=AlertKind.NEW, direction=Direction.ESCALATION, level=2, score=66,
            rule="escalation 66 reached warning (60)", facts=facts, created_at=NOW,
        )  # fmt: skip
        session.add(alert)
        session.flush()
        row = Delivery(subscriber_id=subscriber_id, key="a", alert_id=alert.id, send_after=NOW, created_at=NOW)
        row.sent_at = NOW
        session.add(row)
        return alert.id


def in_the_news(bench: Bench, dyad: str, escalation: float, regions: tuple[str, ...] = ()) -> None:
    with bench.database.write() as session:
        story = Story(title="s", first_seen_at=NOW, last_seen_at=NOW, dyad=dyad, regions=list(regions))
        session.add(story)
        session.flush()
        feed = add_feed(session, NOW, first_read_at=NOW - timedelta(days=90))
        at = NOW - timedelta(hours=1)
        add_reading(session, feed, at, "t", escalation, story_id=story.id, gathered=True, dyad=dyad)
