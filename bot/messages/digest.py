"""A week's facts in, the digest message out. Quiet weeks get one too: silence should never leave doubt."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from bot.messages.message import TEXT_LIMIT, Message, clip, units

_NBSP = "\u00a0"  # a phone does not break a line between a number and its arrow


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One story in a list: its peak score 0-100, headline, address and independent sources."""

    score: float
    title: str
    url: str = ""
    sources: int = 1
    note: str = ""


@dataclass(frozen=True, slots=True)
class PairLine:
    """A pair of parties: its loudest escalation and easing this week and the week before, 0-100."""

    pair: str
    escalation: float
    escalation_before: float
    deescalation: float
    deescalation_before: float


@dataclass(frozen=True, slots=True)
class WeekFacts:
    """What a digest is made of; the span is [since, until), aware."""

    since: datetime
    until: datetime
    articles: int
    articles_before: int
    stories: int
    alerts: dict[str, int]
    escalating: tuple[StoryLine, ...] = ()
    easing: tuple[StoryLine, ...] = ()
    contested: tuple[StoryLine, ...] = ()
    near_misses: tuple[StoryLine, ...] = ()
    withheld: dict[str, int] | None = None
    pairs: tuple[PairLine, ...] = ()


def digest_message(facts: WeekFacts) -> Message:
    """One message; lists are shortened from the end when it would be too long for Telegram."""
    head = f"Week of {_span(facts)}"
    blocks = [
        (f"<b>🗓 {escape(head)}</b>", f"🗓 {head}"),
        _text(_overview(facts)),
        *_pairs(facts.pairs),
        *_section("Escalation", facts.escalating),
        *_section("Easing", facts.easing),
        *_section("Disputed", facts.contested),
        *_section("Near misses", facts.near_misses),
        *_withheld(facts.withheld or {}),
    ]
    while max(units("\n".join(block[form] for block in blocks)) for form in (0, 1)) > TEXT_LIMIT:
        blocks.pop()
    return Message(
        html="\n".join(block[0] for block in blocks),
        plain="\n".join(block[1] for block in blocks),
        title=f"Weekly digest · {_span(facts)}",
        silent=True,
    )


def _span(facts: WeekFacts) -> str:
    # The span ends at the hour the digest is due; the day it covers last is that of the moment before.
    last = facts.until - timedelta(seconds=1)
    return f"{facts.since:%d %b} to {last:%d %b %Y}"


def _overview(facts: WeekFacts) -> str:
    before = f" ({facts.articles_before} the week before)" if facts.articles_before else ""
    read = f"{facts.articles} articles read{before}, {facts.stories} stories followed. "
    told = [f"{count} {level}" for level, count in facts.alerts.items() if count]
    if not told:
        return read + "Nothing crossed a threshold: a quiet week."
    return f"{read}Alerts raised: {', '.join(told)}."


def _pairs(pairs: tuple[PairLine, ...]) -> list[tuple[str, str]]:
    if not pairs:
        return []
    lines = [
        f"• {pair.pair}: escalation{_NBSP}{_change(pair.escalation, pair.escalation_before)}, "
        f"easing{_NBSP}{_change(pair.deescalation, pair.deescalation_before)}"
        for pair in pairs
    ]
    return [_heading("Pairs (peak: week before → this week)"), *[_text(line) for line in lines]]


def _change(now: float, before: float) -> str:
    arrow = "↑" if now - before >= 5 else "↓" if before - now >= 5 else "→"
    return f"{before:.0f}{_NBSP}{arrow}{_NBSP}{now:.0f}"


def _section(title: str, lines: tuple[StoryLine, ...]) -> list[tuple[str, str]]:
    return [_heading(title), *[_line(line) for line in lines]] if lines else []


def _line(line: StoryLine) -> tuple[str, str]:
    title = clip(line.title, 160)
    tail = f" ({line.sources} sources)" if line.sources > 1 else ""
    tail += f": {line.note}" if line.note else ""
    linked = (
        f'<a href="{escape(line.url)}">{escape(title, quote=False)}</a>' if line.url else escape(title, quote=False)
    )
    return f"• {line.score:.0f} {linked}{escape(tail, quote=False)}", f"• {line.score:.0f} {title}{tail}"


def _withheld(withheld: dict[str, int]) -> list[tuple[str, str]]:
    parts = [f"{reason} {count}" for reason, count in withheld.items() if count]
    return [_heading("Not told, and why"), _text(", ".join(parts))] if parts else []


def _heading(text: str) -> tuple[str, str]:
    return f"\n<b>{escape(text, quote=False)}</b>", f"\n{text}"


def _text(text: str) -> tuple[str, str]:
    return escape(text, quote=False), text
