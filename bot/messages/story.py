"""A story with its reports and alerts in, its course out. Pure; what feeds wrote is hostile text."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from bot.messages.alert import headline_of, signal_name
from bot.messages.message import TEXT_LIMIT, Message, clip, units
from bot.messages.replies import one_line
from models import Alert, Direction, Level, Story

if TYPE_CHECKING:
    from models.reading import ReadingWithSource

SHOWN_REPORTS, SHOWN_ALERTS = 8, 6


def story_message(story: Story, reports: "Sequence[ReadingWithSource]", alerts: Sequence[Alert]) -> Message:
    """Where the story stands, what was told of it, and its reports, newest first; at most one Telegram message."""
    title = one_line(story.title, 300)
    publishers = {feed.source for _reading, _article, feed in reports}
    lines = [
        (f"<b>{escape(title, quote=False)}</b>", title),
        *map(_plain, _standing(story)),
        _plain(f"{len(reports)} reports of {len(publishers)} publishers, {_moment(story)}."),
        *(_plain(f"Told {alert.created_at:%d %b %H:%M}: {headline_of(alert)}") for alert in alerts[-SHOWN_ALERTS:]),
        *(_report(row) for row in reversed(reports[-SHOWN_REPORTS:])),
    ]
    while len(lines) > 2 and max(units("\n".join(line[form] for line in lines)) for form in (0, 1)) > TEXT_LIMIT:
        lines.pop()
    html, plain = ("\n".join(line[form] for line in lines) for form in (0, 1))
    return Message(html=html, plain=plain, title="Story")


def _standing(story: Story) -> list[str]:
    told = [
        f"{way.word} {story.score(way):.0f} now"
        + (f" ({story.level(way).word})" if story.level(way) is not Level.NONE else "")
        + f", {story.peak(way):.0f} at its peak"
        for way in Direction
    ]
    signals = ", ".join(signal_name(name) for name in list(story.signals)[:4])
    head = f"{story.dyad}, {story.status.value}" if story.dyad else story.status.value
    return [head, "; ".join(told), *([f"Signals: {signals}"] if signals else [])]


def _moment(story: Story) -> str:
    return f"{story.first_seen_at:%d %b %H:%M} to {story.last_seen_at:%d %b %H:%M} UTC"


def _report(row: "ReadingWithSource") -> tuple[str, str]:
    reading, article, feed = row
    name = one_line(feed.title or feed.publisher or feed.url, 60)
    head, text = f"• {article.news_at:%d %b %H:%M} ", f": {clip(one_line(reading.title, 200), 200)}"
    safe = escape(name, quote=False)
    if article.url.startswith(("http://", "https://")) and len(article.url) <= 1000:
        safe = f'<a href="{escape(article.url)}">{safe}</a>'
    return f"{head}{safe}{escape(text, quote=False)}", f"{head}{name}{text}"


def _plain(text: str) -> tuple[str, str]:
    return escape(text, quote=False), text
