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
    """What a digest is made of; the span is [since, until), aware, in the zone whose days are named.

    `alerts` counts those told to the chat it is for (`told_here`), else those raised. `chosen`: the stories are those
    of the chat's choice, not of all the world. `held_back` of stories the chat's own budget kept from it, of which
    `held_back_most` are the loudest.
    """

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
    told_here: bool = False
    chosen: bool = False
    held_back: int = 0
    held_back_most: tuple[StoryLine, ...] = ()


def digest_message(facts: WeekFacts) -> Message:
    """One message; lists are shortened from the end when it would be too long for Telegram."""
    span = week_words(facts.since, facts.until)
    blocks = [
        line(f"🗓 Week of {span}", bold=True),
        line(_overview(facts)),
        *_held_back(facts),  # before the long lists, whose end is cut: it is told nowhere else
        *_pairs(facts.pairs),
        *_stories(facts),
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
    """At most so many of `pairs`, in their order: those chosen by name first, then those of regions chosen, then the
    others. Pairs without news are left out, but for those chosen by name. Pure."""
    shown = [
        replace(pair, own=pair.code in dyads or bool(pair.regions & regions))
        for pair in pairs
        if pair.code in dyads or max(pair.escalation, pair.deescalation) > 0
    ]
    return tuple(sorted(shown, key=lambda pair: (pair.code not in dyads, not pair.own))[:most])


def week_words(since: datetime, until: datetime) -> str:
    """The days of [since, until) as the chart names them: each by the day on which its 24 hours begin."""
    last = max(since, until - timedelta(days=1))
    return f"{since:%d %b} to {last:%d %b %Y}"


def _overview(facts: WeekFacts) -> str:
    before = f" ({facts.articles_before} the week before)" if facts.articles_before else ""
    read = f"{facts.articles} articles read{before}, {facts.stories} stories followed. "
    told = [f"{count} {level}" for level, count in facts.alerts.items() if count]
    if not told:
        return f"{read}{'No alert was told here' if facts.told_here else 'Nothing crossed a threshold'}: a quiet week."
    return f"{read}{_told_here(sum(facts.alerts.values())) if facts.told_here else 'Alerts raised'}: {', '.join(told)}."


def _told_here(count: int) -> str:
    return f"{count} alerts were told here" if count > 1 else "1 alert was told here"


def _held_back(facts: WeekFacts) -> list[Line]:
    if not facts.held_back:
        return []
    some = ", the loudest:" if facts.held_back > len(facts.held_back_most) else ":"
    return [heading(f"Held back by your daily budget: {facts.held_back}{some}"), *map(_story, facts.held_back_most)]


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


def _stories(facts: WeekFacts) -> list[Line]:
    """The lists of stories; where a chat chose, they say so, also when there is nothing in them."""
    which = " in what you chose" if facts.chosen else ""
    lines = [
        *_section(f"Escalation{which}", facts.escalating),
        *_section(f"Easing{which}", facts.easing),
        *_section(f"Disputed{which}, and how it ended", facts.contested),
        *_section(f"Near misses{which}", facts.near_misses),
    ]
    return lines or ([line("Nothing of note in what you chose.")] if facts.chosen else [])


def _section(title: str, stories: tuple[StoryLine, ...]) -> list[Line]:
    return [heading(title), *map(_story, stories)] if stories else []


def _story(story: StoryLine) -> Line:
    tail = f" ({story.sources} sources)" if story.sources > 1 else ""
    tail += f": {story.note}" if story.note else ""
    return linked(f"• {story.score:.0f} ", clip(story.title, 160), story.url, tail)


def _withheld(withheld: dict[str, int]) -> list[Line]:
    parts = [f"{reason} {count}" for reason, count in withheld.items() if count]
    return [heading("Told to nobody, and why"), line(", ".join(parts))] if parts else []
