"""sentences that report speech -> who says it, about which signal, affirming or denying; and which signals are contested.

Rules find the speech verb and its subject; the gazetteer names the party ("the Kremlin" is Russia); the status and signal
heads say what the claim is about and whether it denies.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from classifiers.actors import Gazetteer, Mention
from classifiers.judgement import Claim
from classifiers.labels import Stance

_SPEAKS = re.compile(
    r"\b(?:sa(?:id|ys?)|t(?:old|ells?)|announce[sd]?|claim(?:s|ed)?|insist(?:s|ed)?|confirm(?:s|ed)?|report(?:s|ed)|"
    r"alleg(?:es?|ed)|accus(?:es?|ed)|blam(?:es?|ed)|warn(?:s|ed)?|vow(?:s|ed)?|pledg(?:es?|ed)|promis(?:es?|ed)|"
    r"declar(?:es?|ed)|assert(?:s|ed)?|maintain(?:s|ed)|admit(?:s|ted)?|acknowledg(?:es?|ed)|stat(?:es|ed)|add(?:s|ed)|"
    r"charg(?:es|ed)|call(?:s|ed)|boast(?:s|ed)?|repeat(?:s|ed)|describ(?:es?|ed)|complain(?:s|ed)|see[sn]?|wrote|"
    r"argu(?:es?|ed)|contend(?:s|ed)|suggest(?:s|ed)|swor?e(?:ars)?|urg(?:es?|ed)|"
    r"den(?:y|ies|ied)|reject(?:s|ed)?|dismiss(?:es|ed)?|disput(?:es?|ed)|refut(?:es?|ed)|contradict(?:s|ed)?|"
    r"rul(?:es?|ed) out|disown(?:s|ed)?|disavow(?:s|ed)?)\b"
)
_DENIES = re.compile(
    r"\b(?:den(?:y|ies|ied|ial)|reject(?:s|ed)? (?:the |any |all |that |as |reports?|claims?|accusations?|allegations?)|"
    r"dismiss(?:es|ed)?|disput(?:es?|ed)|refut(?:es?|ed)|contradict(?:s|ed)?|no (?:evidence|sign|truth|proof|trace)|"
    r"not (?:true|a single|one)|untrue|fals(?:e|ehood)|fake|lies?\b|slander|fabricat\w+|invent(?:ed|ion)|nonsense|"
    r"nothing to do with|had no (?:part|role|hand|knowledge)|has no (?:part|role|hand|knowledge)|never (?:happened|took))",
    re.IGNORECASE,
)
_ACCORDING = re.compile(r"\b(?:according to|in the words of|as seen by)\b")
_COLON = re.compile(r"^[^:,\"“]{2,40}:\s")
_CLAUSE = re.compile(r"[,;:\"“”()]|\bthat\b|\bwhile\b|\bbut\b|\band\b")
_ANAPHOR = re.compile(
    r"\b(?:he|she|it|they|the (?:\w+ )?(?:ministry|minister|spokes\w+|general|president|premier|army|government|statement|"
    r"official|officials|envoy|military|command|kremlin|foreign office)|(?:a|its|their|his|her) (?:\w+ )?(?:ministry|minister|"
    r"spokes\w+|general|official|army|military|envoy))\b",
    re.IGNORECASE,
)
_LEAST_SIGNAL = 0.25

_OPPOSITES = (
    ("troop_buildup", "troop_withdrawal"),
    ("armed_attack", "ceasefire"),
    ("threat", "reassurance"),
    ("sanctions", "sanctions_relief"),
)
"""Signals that are two poles of one matter: a party that affirms one answers a party that affirms the other."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the heads read in one sentence: its likely signals (id, probability; best first) and how likely it denies."""

    text: str
    signals: tuple[tuple[str, float], ...]
    denied: float


def claims_of(sentences: Sequence[Spoken], gazetteer: Gazetteer) -> tuple[Claim, ...]:
    """Claims in order; a pronoun or "the ministry" stands for the party that spoke last."""
    claims: list[Claim] = []
    speaker = ""
    for sentence in sentences:
        named = claimant_of(sentence.text, gazetteer.find(sentence.text), speaker)
        if not named:
            continue
        speaker = named
        if sentence.signals and sentence.signals[0][1] >= _LEAST_SIGNAL:
            claims.append(Claim(named, sentence.signals[0][0], _stance(sentence), sentence.text))
    return tuple(claims)


def claimant_of(text: str, mentions: Sequence[Mention], before: str = "") -> str:
    """Name of the party whose word a sentence rests on; "" when it reports no speech or the speaker is unknown."""
    colon = _COLON.match(text)
    if colon:
        inside = [mention for mention in mentions if mention.end <= colon.end()]
        if inside:
            return inside[0].actor.name
    source = _ACCORDING.search(text)
    if source:
        return _first(mentions, source.end(), len(text))
    for verb in _SPEAKS.finditer(text):
        start = _clause_start(text, verb.start())
        name = _first(mentions, start, verb.start())
        if not name and _ANAPHOR.search(text[start : verb.start()]):
            name = before
        if not name and not text[start : verb.start()].strip():
            name = _first(mentions, verb.end(), verb.end() + 40)
        if name:
            return name
    return ""


def contested_of(claims: Iterable[Claim]) -> tuple[str, ...]:
    """Signals that one party affirms and another denies, or whose opposite another party affirms."""
    found: dict[str, None] = {}
    for one, other in combinations(claims, 2):
        if one.claimant == other.claimant:
            continue
        if one.signal == other.signal and one.stance != other.stance:
            found[one.signal] = None
        elif one.stance == other.stance == "affirm" and _opposed(one.signal, other.signal):
            found[one.signal] = None
    return tuple(found)


def _opposed(one: str, other: str) -> bool:
    return (one, other) in _OPPOSITES or (other, one) in _OPPOSITES


def _stance(sentence: Spoken) -> Stance:
    return "deny" if _DENIES.search(sentence.text) or sentence.denied >= 0.5 else "affirm"


def _first(mentions: Sequence[Mention], start: int, end: int) -> str:
    return next((mention.actor.name for mention in mentions if start <= mention.start < end), "")


def _clause_start(text: str, end: int) -> int:
    last = 0
    for boundary in _CLAUSE.finditer(text, 0, end):
        if text[boundary.end() : end].strip():
            last = boundary.end()
    return last
