"""Alerts that nobody could be told of in time in, one message about all of them out."""

from collections.abc import Sequence

from bot.messages.alert import headline_of
from bot.messages.lines import Line, line
from bot.messages.message import Message, clip
from models import Alert

SHOWN = 10
_TITLE_LIMIT = 160


def missed_message(alerts: Sequence[Alert]) -> Message:
    """A summary of `alerts`, the gravest first as given; its HTML and its plain text say the same."""
    count = len(alerts)
    title = f"⏳ {count} alert{'s' if count != 1 else ''} could not be delivered in time"
    told = [_alert(alert) for alert in alerts[:SHOWN]]
    rest = [line(f"… and {count - SHOWN} more.")] if count > SHOWN else []
    end = line("Telegram could not be reached, or a mute was on, while these were news. /latest shows what stands now.")
    blocks = [line(title, bold=True), *told, *rest, end]
    html, plain = ("\n\n".join(block[form] for block in blocks) for form in (0, 1))
    return Message(html=html, plain=plain, title=title)


def _alert(alert: Alert) -> Line:
    title = clip(alert.facts.get("title", ""), _TITLE_LIMIT)
    return line(f"{headline_of(alert)}, {alert.created_at:%d %b %H:%M} UTC\n{title}")
