"""Alerts that nobody could be told of in time in, one message about all of them out."""

from collections.abc import Sequence

from bot.messages.alert import headline_of
from bot.messages.lines import Line, line, linked
from bot.messages.message import TEXT_LIMIT, Message, clip, units
from models import Alert

SHOWN = 10
_TITLE_LIMIT = 160


def missed_message(alerts: Sequence[Alert]) -> Message:
    """A summary of `alerts`, the gravest first as given; its HTML and its plain text say the same.

    Addresses may be long: fewer are shown where all would not fit.
    """
    count = len(alerts)
    title = f"⏳ {count} alert{'s' if count != 1 else ''} could not be delivered in time"
    html, plain = next(told for shown in range(SHOWN, -1, -1) if _fits(told := _told(title, alerts, shown)))
    return Message(html=html, plain=plain, title=title)


def _told(title: str, alerts: Sequence[Alert], most: int) -> Line:
    rest = [line(f"… and {len(alerts) - most} more.")] if len(alerts) > most else []
    end = line(
        "Telegram could not be reached, or a mute was on, while these were news. /why explains the latest of them, "
        "/latest shows what stands now."
    )
    blocks = [line(title, bold=True), *map(_alert, alerts[:most]), *rest, end]
    html, plain = ("\n\n".join(block[form] for block in blocks) for form in (0, 1))
    return html, plain


def _fits(told: Line) -> bool:
    return max(map(units, told)) <= TEXT_LIMIT


def _alert(alert: Alert) -> Line:
    """Its line and its headline, which leads to the article."""
    head = f"{headline_of(alert)}, {alert.created_at:%d %b %H:%M} UTC\n"
    return linked(head, clip(alert.facts.get("title", ""), _TITLE_LIMIT), str(alert.facts.get("url") or ""))
