"""An alert in, the reasons it rang out: the rule, the sentences that moved the score, who says what, the sources."""

from datetime import datetime
from typing import Any

from bot.messages.alert import MAX_CLAIMS, MAX_EVIDENCE, MAX_SOURCES, NAME_LIMIT, headline_of, signal_name, stance_verb
from bot.messages.lines import Line, fitting, heading, is_linkable, isolated, joined, line, linked, one_line, quoted
from bot.messages.message import Message, clip
from models import Alert, AlertKind

_TITLE_LIMIT, _SENTENCE_LIMIT = 200, 240
PRESS_LIMIT = 200  # https://core.telegram.org/bots/api#answercallbackquery
_RING_FOR_MORE_THAN_A_SCORE = (AlertKind.CONFIRMED, AlertKind.CONTESTED, AlertKind.TEMPO)


def why_message(alert: Alert) -> Message:
    """What rang and by which rule, then what that rests on; a screen or two of a phone, and always one message."""
    facts = alert.facts
    head, title = f"Why: {headline_of(alert)}", one_line(str(facts.get("title", "")), _TITLE_LIMIT)
    html, plain = joined(
        fitting(
            [
                line(head, bold=True),
                *([line(title)] if title else []),
                line(f"\n{_rule(alert)}"),
                *_section("What moved the score", _evidence(facts)),
                *_section("Who says what", _claims(facts)),
                *_section(_count(facts), [_source(source) for source in facts.get("sources", [])[:MAX_SOURCES]]),
            ]
        )
    )
    return Message(html=html, plain=plain, title=head)


def why_in_brief(alert: Alert) -> str:
    """Direction, score and rule in what Telegram shows to the one who pressed: at most 200 characters."""
    return clip(f"{alert.direction.word} {alert.score:.0f}. Rule: {one_line(alert.rule, PRESS_LIMIT)}.", PRESS_LIMIT)


def _rule(alert: Alert) -> str:
    """The rule names the score where the score is what rang."""
    score = f" ({alert.direction.word} {alert.score:.0f})" if alert.kind in _RING_FOR_MORE_THAN_A_SCORE else ""
    return f"Rule: {one_line(alert.rule, 300)}{score}, on {alert.created_at:%d %b at %H:%M} UTC."


def _section(title: str, lines: list[Line]) -> list[Line]:
    return [heading(title), *lines] if lines else []


def _evidence(facts: dict[str, Any]) -> list[Line]:
    return [line(_moved(item, str(facts.get("title", "")))) for item in facts.get("evidence", [])[:MAX_EVIDENCE]]


def _moved(item: dict[str, Any], title: str) -> str:
    sentence = one_line(item["sentence"], _SENTENCE_LIMIT)
    what = "The headline" if item["sentence"].strip() == title.strip() else quoted(sentence, _SENTENCE_LIMIT)
    read_as = f", read as {signal_name(item['signal'])}" if item.get("signal") else ""
    return f"• {what}: {item['score']:.0f} points{read_as}"


def _claims(facts: dict[str, Any]) -> list[Line]:
    """Each party once a side, with all that it says of it."""
    said: dict[tuple[str, str], list[str]] = {}
    for claim in facts.get("claims", []):
        signals = said.setdefault((claim["claimant"], stance_verb(claim)), [])
        if (name := signal_name(claim["signal"])) not in signals:
            signals.append(name)
    return [
        line(f"• {isolated(one_line(party, NAME_LIMIT))} {verb} {', '.join(signals)}")
        for (party, verb), signals in list(said.items())[:MAX_CLAIMS]
    ]


def _count(facts: dict[str, Any]) -> str:
    count = facts.get("independent", 0)
    return f"{count} independent source{'s' if count != 1 else ''}"


def _source(source: dict[str, str]) -> Line:
    at = f", {datetime.fromisoformat(source['at']):%d %b %H:%M} UTC"
    html, plain = linked("• ", one_line(source["publisher"], NAME_LIMIT), source["url"], at)
    return html, f"{plain}  {source['url']}" if is_linkable(source["url"]) else plain
