"""Alerts that nobody could be told of in time in, one message about all of them out."""

from collections.abc import Sequence
from html import escape

from bot.messages.alert import headline_of
from bot.messages.message import Message, clip
from models import Alert

SHOWN = 10
_TITLE_LIMIT = 160


def missed_message(alerts: Sequence[Alert]) -> Message:
    """A summary of `alerts`, the gravest first as given; its HTML and its plain text say the same."""
    count = len(alerts)
    title = f"⏳ {count} alert{'s' if count != 1 else ''} could not be delivered in time"
    lines = [(headline_of(alert), clip(alert.facts.get("title", ""), _TITLE_LIMIT), alert) for alert in alerts[:SHOWN]]
    rest = f"… and {count - SHOWN} more." if count > SHOWN else ""
    tail = [rest] if rest else []
    tail.append("Telegram could not be reached while these were news. /latest shows what stands now.")
    plain = [title, *(f"{head}, {alert.created_at:%d %b %H:%M} UTC\n{text}" for head, text, alert in lines), *tail]
    html = [
        f"<b>{escape(title, quote=False)}</b>",
        *(
            f"{escape(head, quote=False)}, {alert.created_at:%d %b %H:%M} UTC\n{escape(text, quote=False)}"
            for head, text, alert in lines
        ),
        *(escape(line, quote=False) for line in tail),
    ]
    return Message(html="\n\n".join(html), plain="\n\n".join(plain), title=title)
