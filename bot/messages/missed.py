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

    Addresses may be long: where all would not fit, the last headlines go without.
    """
    count = len(alerts)
    title = f"⏳ {count} alert{'s' if count != 1 else ''} could not be delivered in time"
    html, plain = next(
        told for links in range(SHOWN, -1, -1) if _fits(told := _told(title, alerts, links)) or not links
    )
    return Message(html=html, plain=plain, title=title)


def _told(title: str, alerts: Sequence[Alert], links: int) -> Line:
    """The first `links` headlines lead to their articles."""
    told = [_alert(alert, number < links) for number, alert in enumerate(alerts[:SHOWN])]
    rest = [line(f"… and {len(alerts) - SHOWN} more.")] if len(alerts) > SHOWN else []
    end = line(
        "Telegram could not be reached, or a mute was on, while these were news. /why explains the latest of them, "
        "/latest shows what stands now."
    )
    blocks = [line(title, bold=True), *told, *rest, end]
    html, plain = ("\n\n".join(block[form] for block in blocks) for form in (0, 1))
    return html, plain


def _fits(told: Line) -> bool:
    return max(map(units, told)) <= TEXT_LIMIT


def _alert(alert: Alert, with_link: bool) -> Line:
    head = f"{headline_of(alert)}, {alert.created_at:%d %b %H:%M} UTC\n"
    address = str(alert.facts.get("url") or "") if with_link else ""
    return linked(head, clip(alert.facts.get("title", ""), _TITLE_LIMIT), address)
