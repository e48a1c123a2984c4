"""A story with its reports and alerts in, its course out. Pure; what feeds wrote is hostile text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.messages.alert import headline_of, signal_name
from bot.messages.lines import Line, fitting, isolated, joined, line, linked, one_line
from bot.messages.message import Message
from bot.messages.names import pair_name
from models import Alert, Direction, Level, Story

if TYPE_CHECKING:
    from models.reading import ReadingWithSource

SHOWN_REPORTS, SHOWN_ALERTS = 8, 6


def story_message(story: Story, reports: "Sequence[ReadingWithSource]", alerts: Sequence[Alert]) -> Message:
    """Where the story stands, what was told of it, and its reports, newest first; at most one Telegram message."""
    title = one_line(story.title, 300)
    publishers = {feed.source for _reading, _article, feed in reports}
    lines = [
        line(title, bold=True),
        *map(line, _standing(story)),
        line(f"{_many(len(reports), 'report')} of {_many(len(publishers), 'publisher')}, {_moment(story)}."),
        *(line(f"Told {alert.created_at:%d %b %H:%M}: {headline_of(alert)}") for alert in alerts[-SHOWN_ALERTS:]),
        *(_report(row) for row in reversed(reports[-SHOWN_REPORTS:])),
    ]
    html, plain = joined(fitting(lines))
    return Message(html=html, plain=plain, title="Story")


def _standing(story: Story) -> list[str]:
    told = [
        f"{way.word} {story.score(way):.0f} now"
        + (f" ({story.level(way).word})" if story.level(way) is not Level.NONE else "")
        + f", {story.peak(way):.0f} at its peak"
        for way in Direction
    ]
    signals = ", ".join(signal_name(name) for name in list(story.signals)[:4])
    names = {actor["code"]: actor["name"] for actor in story.actors}
    head = f"{pair_name(story.dyad, names)}, {story.status.word}" if story.dyad else story.status.word
    return [head, "; ".join(told), *([f"Signals: {signals}"] if signals else [])]


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _moment(story: Story) -> str:
    return f"{story.first_seen_at:%d %b %H:%M} to {story.last_seen_at:%d %b %H:%M} UTC"


def _report(row: "ReadingWithSource") -> Line:
    reading, article, feed = row
    name = one_line(feed.title or feed.publisher or feed.url, 60)
    return linked(f"• {article.news_at:%d %b %H:%M} ", name, article.url, f": {isolated(one_line(reading.title, 200))}")
