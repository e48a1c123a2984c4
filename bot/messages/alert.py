"""A story at the moment it rings in, the facts of its alert and the message made of them out.

Facts are plain JSON kept with the alert, so that the message can be made again, and looked at, long after.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.messages.lines import Line, fitting, is_linkable, isolated, joined, line, linked, quoted
from bot.messages.message import Button, Message, clip
from models import Alert, AlertKind, Direction, Level, Story, StoryStatus

if TYPE_CHECKING:
    from bot.pipeline.index import Point
    from bot.pipeline.weigh import Weight
    from models.reading import ReadingWithSource

MAX_SOURCES = 5
MAX_CLAIMS = 4
MAX_EVIDENCE = 2
NAME_LIMIT, TITLE_LIMIT = 60, 500
MARKS = {Level.WATCH: "🟡", Level.WARNING: "🟠", Level.CRITICAL: "🔴"}
EASING_MARK = "🟢"
KIND_WORDS = {
    AlertKind.RAISED: "raised",
    AlertKind.CONFIRMED: "CONFIRMED",
    AlertKind.RETRACTED: "RETRACTED",
    AlertKind.TEMPO: "tempo",
}
SIGNAL_NAMES = {
    "troop_buildup": "troop build-up",
    "armed_attack": "armed attack",
    "show_of_force": "show of force",
    "military_encounter": "military encounter",
    "recognition_move": "recognition move",
    "diplomatic_rupture": "diplomatic rupture",
    "arms_transfer": "arms transfer",
    "covert_action": "covert action",
    "emergency_measures": "emergency measures",
    "troop_withdrawal": "troop withdrawal",
    "sanctions_relief": "sanctions relief",
    "prisoner_release": "prisoner release",
    "diplomatic_restoration": "ties restored",
}


def signal_name(signal: str) -> str:
    """A signal's id as people read it."""
    return SIGNAL_NAMES.get(signal, signal.replace("_", " "))


def alert_facts(story: Story, weight: "Weight", direction: Direction, tension: "Point | None" = None) -> dict[str, Any]:
    """What an alert about `story` says, as JSON: headline, sources, claims, evidence, parties, scores, and beside the
    `tension` of its pair today the usual one, where that is known."""
    rows = weight.top.get(direction, ())
    return {
        "title": rows[0][0].title if rows else story.title,
        "url": rows[0][1].url if rows else "",
        "summary": _summary(rows),
        "escalation": round(weight.escalation),
        "deescalation": round(weight.deescalation),
        "status": story.status.value,
        "independent": weight.sources,
        "pair": story.dyad,
        "dyad": [name for _code, name in _pair(story, weight)],
        "signals": list(weight.signals)[:4],
        "contested": list(weight.contested),
        "sources": _sources(rows),
        "claims": _claims(rows, weight),
        "evidence": _evidence(rows, direction),
        "tension": _tension(tension),
    }


def alert_message(alert: Alert) -> Message:
    """The message of an alert: level and direction in the first line, never longer than one Telegram message."""
    facts = alert.facts
    head = headline_of(alert)
    blocks = [
        line(head, bold=True),
        line(clip(facts["title"], TITLE_LIMIT), bold=True),
        line(facts["summary"]),
        *_claim_lines(facts),
        *_apart(_facts_lines(alert, facts)),
        *_apart(_source_lines(facts)),
    ]
    html, plain = joined(fitting([block for block in blocks if block[1]]))
    return Message(
        html=html,
        plain=plain,
        title=head,
        tone="easing" if alert.direction is Direction.DEESCALATION else Level(alert.level).word,
        buttons=_buttons(alert),
    )


def _buttons(alert: Alert) -> tuple[tuple[Button, ...], ...]:
    """What can be done about an alert; its id is known once it is stored."""
    words = {"why": "Why?", "useful": "👍 Useful", "wrong": "👎 Wrong", "mute": "Mute pair"}
    if not alert.facts["dyad"]:
        del words["mute"]
    return (tuple(Button(text, f"alert:{verb}:{alert.id}") for verb, text in words.items()),) if alert.id else ()


def headline_of(alert: Alert) -> str:
    """The line a phone shows on its lock screen: mark, level, direction, pair."""
    level = Level(alert.level)
    easing = alert.direction is Direction.DEESCALATION
    mark = EASING_MARK if easing else MARKS[level]
    words = ["EASING" if easing else level.word.upper()]
    if easing:
        words.append(level.word)
    if alert.kind in KIND_WORDS:
        words.append(KIND_WORDS[alert.kind])
    words += _dispute(alert)
    pair = " – ".join(clip(name, NAME_LIMIT) for name in alert.facts["dyad"])
    return f"{mark} {' · '.join(words)}{f' · {pair}' if pair else ''}"


def _dispute(alert: Alert) -> list[str]:
    """Of an alert about a dispute also that it is over, once its facts were changed."""
    if alert.facts["status"] == StoryStatus.CONTESTED:
        return ["DISPUTED"]
    if alert.kind is not AlertKind.CONTESTED:
        return []
    return ["no longer disputed" if "updated" in alert.facts else "DISPUTED"]


def _summary(rows: "tuple[ReadingWithSource, ...]") -> str:
    if not rows:
        return ""
    reading, article, _feed = rows[0]
    lead = reading.lead or article.summary
    return "" if lead.strip() == reading.title.strip() else clip(lead, 320)


def _pair(story: Story, weight: "Weight") -> list[Line]:
    names = dict(weight.actors)
    return [(code, names.get(code, code)) for code in (story.dyad or "").split("-") if code]


def _tension(point: "Point | None") -> dict[str, int] | None:
    """Escalation of the pair, 0-100; None until there are 28 days to compare with."""
    if point is None or point.usual is None:
        return None
    return {"usual": round(point.usual), "today": round(point.escalation)}


def _sources(rows: "tuple[ReadingWithSource, ...]") -> list[dict[str, str]]:
    """One line per publisher family, best reading first."""
    seen: set[str] = set()
    lines = []
    for reading, article, feed in rows:
        if feed.source not in seen:
            seen.add(feed.source)
            lines.append(
                {
                    "publisher": feed.title or feed.publisher or feed.url,
                    "title": reading.title,
                    "url": article.url,
                    "at": article.news_at.isoformat(),
                }
            )
    return lines


def _claims(rows: "tuple[ReadingWithSource, ...]", weight: "Weight") -> list[dict[str, str]]:
    """Who says what: each party once per signal, in words that show where it stands on balance."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for reading, _article, _feed in rows:
        for claim in reading.claims:
            if weight.stances.get(claim["signal"], {}).get(claim["claimant"]) == claim["stance"]:
                found.setdefault((claim["signal"], claim["claimant"]), dict(claim))
    return list(found.values())


def _evidence(rows: "tuple[ReadingWithSource, ...]", direction: Direction) -> list[dict[str, Any]]:
    found = [item for reading, _, _ in rows[:3] for item in reading.evidence if item["direction"] == direction]
    unique = {item["sentence"]: item for item in found}
    return sorted(unique.values(), key=lambda item: -item["score"])[:MAX_EVIDENCE]


def _claim_lines(facts: dict[str, Any]) -> list[Line]:
    words = _whose_word if facts["status"] == StoryStatus.UNCONFIRMED else _side
    return [line(words(claim, facts)) for claim in _shown_claims(facts)]


def _shown_claims(facts: dict[str, Any]) -> list[dict[str, str]]:
    """Those of both sides of a dispute; of a story that nobody else confirms, the first."""
    if facts["status"] == StoryStatus.UNCONFIRMED:
        return sorted(facts["claims"], key=lambda claim: claim["stance"] == "deny")[:1]
    contested = [claim for claim in facts["claims"] if claim["signal"] in facts["contested"]]
    return sorted(contested, key=lambda claim: (claim["signal"], claim["stance"]))[:MAX_CLAIMS]


def stance_verb(claim: dict[str, str], affirm: str = "affirms", deny: str = "denies") -> str:
    """What the claimant does; `affirm` and `deny` are as one does it, and parties without a name that are several, such
    as "residents", do it without the s."""
    verb, party = deny if claim["stance"] == "deny" else affirm, claim["claimant"]
    if not (party[:1].islower() and party.endswith("s")):
        return verb
    first, _, rest = verb.partition(" ")
    plural = first.removesuffix("ies") + "y" if first.endswith("ies") else first.removesuffix("s")
    return f"{plural} {rest}".strip()


def _side(claim: dict[str, str], _facts: dict[str, Any]) -> str:
    said = f"{stance_verb(claim)} ({signal_name(claim['signal'])}): {quoted(claim['sentence'], 160)}"
    return f"⚖ {isolated(clip(claim['claimant'], NAME_LIMIT))} {said}"


def _whose_word(claim: dict[str, str], facts: dict[str, Any]) -> str:
    """The sentence itself only where it is not on the screen already."""
    verb = stance_verb(claim, "says so", "denies it")
    known = "no other source yet" if facts["independent"] <= 1 else "no neutral source yet"
    repeats = claim["sentence"] in facts["title"] or claim["sentence"] in facts["summary"]
    sentence = "." if repeats else f": {quoted(claim['sentence'], 160)}"
    who = isolated(clip(claim["claimant"], NAME_LIMIT))
    return f"🗣 {who} {verb} ({signal_name(claim['signal'])}); {known}{sentence}"


def _facts_lines(alert: Alert, facts: dict[str, Any]) -> list[Line]:
    signals = ", ".join(signal_name(signal) for signal in facts["signals"])
    scores = f"escalation {facts['escalation']} · easing {facts['deescalation']} · {StoryStatus(facts['status']).word}"
    evidence = next((item["sentence"] for item in facts["evidence"] if item["sentence"] != facts["title"]), "")
    if evidence in facts["summary"] or any(claim["sentence"] in evidence for claim in _shown_claims(facts)):
        evidence = ""
    return [
        line(f"Signals: {signals}") if signals else ("", ""),
        line(f"Scores: {scores}"),
        line(_usual(facts)),
        line(f"Evidence: {quoted(evidence, 240)}") if evidence else ("", ""),
        line(f"Why: {alert.rule}"),
    ]


def _usual(facts: dict[str, Any]) -> str:
    """The pair's tension beside its usual one: a score of 60 is news for a calm pair and a weekday for another."""
    tension = facts.get("tension")  # alerts of older versions have none
    pair = " – ".join(clip(name, NAME_LIMIT) for name in facts["dyad"])
    return f"Usual tension for {pair}: {tension['usual']}, today {tension['today']}" if tension and pair else ""


def _source_lines(facts: dict[str, Any]) -> list[Line]:
    shown = facts["sources"][:MAX_SOURCES]
    count = facts["independent"]
    reports = len(facts["sources"])
    head = f"{count} independent source{'s' if count != 1 else ''}"
    head += f", {reports} publishers" if reports > count else ""
    head += f" (updated {_moment(facts['updated'])}):" if "updated" in facts else ":"
    return [line(head), *[_source_line(source) for source in shown]] if shown else []


def _apart(lines: list[Line]) -> list[Line]:
    """Those that say anything, after an empty line: on a phone an alert is some twenty lines long."""
    said = [each for each in lines if each[1]]
    return [(f"\n{html}", f"\n{plain}") for html, plain in said[:1]] + said[1:]


def _source_line(source: dict[str, str]) -> Line:
    html, plain = linked("• ", clip(source["publisher"], NAME_LIMIT), source["url"], f", {_moment(source['at'])}")
    return html, f"{plain}  {source['url']}" if is_linkable(source["url"]) else plain


def _moment(at: str) -> str:
    return f"{datetime.fromisoformat(at):%d %b %H:%M} UTC"
