"""An alert in, the reasons it rang out: rule, scores, evidence sentence by sentence, sources, and who says what."""

from datetime import datetime
from html import escape

from bot.messages.alert import headline_of, signal_name
from bot.messages.message import TEXT_LIMIT, Message, clip, units
from models import Alert

_SENTENCE_LIMIT = 300


def why_message(alert: Alert) -> Message:
    """From the rule back to the sentences that moved the score; at most one Telegram message."""
    facts = alert.facts
    title = f"Why: {headline_of(alert)}"
    lines = [
        title,
        clip(str(facts.get("title", "")), _SENTENCE_LIMIT),
        f"Rule: {alert.rule}. Told {alert.created_at:%d %b %H:%M} UTC.",
        f"Scores: escalation {facts.get('escalation', 0)}, easing {facts.get('deescalation', 0)}, of 100; "
        f"{facts.get('status', '')}, {facts.get('independent', 0)} independent sources.",
        *(
            f"“{clip(item['sentence'], _SENTENCE_LIMIT)}” gave {item['score']:.0f} points"
            + (f", read as {signal_name(item['signal'])}." if item.get("signal") else ".")
            for item in facts.get("evidence", [])
        ),
        *(_who_says(claim) for claim in facts.get("claims", [])[:4]),
        *(
            f"{source['publisher']}, {datetime.fromisoformat(source['at']):%d %b %H:%M} UTC: {source['title']}"
            for source in facts.get("sources", [])[:5]
        ),
        "Scores are a model's reading, not the truth: Useful and Wrong under the alert teach it.",
    ]
    kept = [line for line in lines if line]
    while len(kept) > 2 and units(escape("\n\n".join(kept), quote=False)) > TEXT_LIMIT:
        kept.pop()
    plain = "\n\n".join(kept)
    return Message(html=escape(plain, quote=False), plain=plain, title=title)


def _who_says(claim: dict[str, str]) -> str:
    verb = "denies" if claim["stance"] == "deny" else "affirms"
    return f"{claim['claimant']} {verb} {signal_name(claim['signal'])}."
