"""A week's facts in, the digest message out. Quiet weeks get one too: silence should never leave doubt."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.messages.lines import Line, fitting, heading, joined, line, linked
from bot.messages.message import Message, clip

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
    """A pair of parties by its name: its loudest escalation and easing this week and the week before, 0-100.

    By `code` ("RU-UA") and `regions` a reader may have chosen it; then it is their `own`.
    """

    pair: str
    escalation: float
    escalation_before: float
    deescalation: float
    deescalation_before: float
    code: str = ""
    regions: frozenset[str] = frozenset()
    own: bool = False


@dataclass(frozen=True, slots=True)
class WeekFacts:
    """What a digest is made of; the span is [since, until), aware, in the zone whose days are named."""

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
    span = week_words(facts.since, facts.until)
    blocks = [
        line(f"🗓 Week of {span}", bold=True),
        line(_overview(facts)),
        *_pairs(facts.pairs),
        *_section("Escalation", facts.escalating),
        *_section("Easing", facts.easing),
        *_section("Disputed, and how it ended", facts.contested),
        *_section("Near misses", facts.near_misses),
        *_withheld(facts.withheld or {}),
    ]
    html, plain = joined(fitting(blocks))
    return Message(
        html=html,
        plain=plain,
        title=f"Weekly digest · {span}",
        silent=True,
    )


def own_first(
    pairs: Sequence[PairLine], dyads: frozenset[str], regions: frozenset[str], most: int
) -> tuple[PairLine, ...]:
    """At most so many of `pairs`, in their order: those of a reader's choice first, then the others. Pairs without
    news are left out, but for those chosen by name. Pure."""
    shown = [
        replace(pair, own=pair.code in dyads or bool(pair.regions & regions))
        for pair in pairs
        if pair.code in dyads or max(pair.escalation, pair.deescalation) > 0
    ]
    return tuple(sorted(shown, key=lambda pair: not pair.own)[:most])


def week_words(since: datetime, until: datetime) -> str:
    """The days of [since, until) as the chart names them: each by the day on which its 24 hours begin."""
    last = max(since, until - timedelta(days=1))
    return f"{since:%d %b} to {last:%d %b %Y}"


def _overview(facts: WeekFacts) -> str:
    before = f" ({facts.articles_before} the week before)" if facts.articles_before else ""
    read = f"{facts.articles} articles read{before}, {facts.stories} stories followed. "
    told = [f"{count} {level}" for level, count in facts.alerts.items() if count]
    if not told:
        return read + "Nothing crossed a threshold: a quiet week."
    return f"{read}Alerts raised: {', '.join(told)}."


def _pairs(pairs: tuple[PairLine, ...]) -> list[Line]:
    if not pairs:
        return []
    lines = [
        f"{'★' if pair.own else '•'} {pair.pair}: escalation{_NBSP}{_change(pair.escalation, pair.escalation_before)}, "
        f"easing{_NBSP}{_change(pair.deescalation, pair.deescalation_before)}"
        for pair in pairs
    ]
    first = ", ★ yours first" if any(pair.own for pair in pairs) else ""
    return [heading(f"Pairs{first} (peak: week before → this week)"), *map(line, lines)]


def _change(now: float, before: float) -> str:
    arrow = "↑" if now - before >= 5 else "↓" if before - now >= 5 else "→"
    return f"{before:.0f}{_NBSP}{arrow}{_NBSP}{now:.0f}"


def _section(title: str, stories: tuple[StoryLine, ...]) -> list[Line]:
    return [heading(title), *map(_story, stories)] if stories else []


def _story(story: StoryLine) -> Line:
    tail = f" ({story.sources} sources)" if story.sources > 1 else ""
    tail += f": {story.note}" if story.note else ""
    return linked(f"• {story.score:.0f} ", clip(story.title, 160), story.url, tail)


def _withheld(withheld: dict[str, int]) -> list[Line]:
    parts = [f"{reason} {count}" for reason, count in withheld.items() if count]
    return [heading("Not told, and why"), line(", ".join(parts))] if parts else []
