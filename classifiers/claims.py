"""sentences that report speech -> who says it, about which signal, affirming or denying; and what is contested.

Rules find the speech verb and its subject; the gazetteer names the party ("the Kremlin" is Russia); the status and
signal heads say what the claim is about and whether it denies.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from classifiers.actors import Gazetteer, Mention
from classifiers.judgement import Claim

_SPEAKS = re.compile(
    r"\b(?:sa(?:id|ys?)|t(?:old|ells?)|announce[sd]?|claim(?:s|ed)?|insist(?:s|ed)?|confirm(?:s|ed)?|reported|"
    r"alleg(?:es?|ed)|accus(?:es?|ed)|blam(?:es?|ed)|warn(?:s|ed)?|vow(?:s|ed)?|pledg(?:es?|ed)|promis(?:es?|ed)|"
    r"declar(?:es?|ed)|assert(?:s|ed)|maintain(?:s|ed)|admit(?:s|ted)?|acknowledg(?:es?|ed)|stat(?:es|ed)|added|"
    r"charg(?:es|ed)|call(?:s|ed)|boast(?:s|ed)|repeat(?:s|ed)|describ(?:es|ed)|complain(?:s|ed)|sees?|wr(?:ote|ites?)|"
    r"argu(?:es|ed)|contend(?:s|ed)|suggest(?:s|ed)|swore|swears|urg(?:es?|ed)|answer(?:s|ed)|repl(?:ies|ied)|"
    r"demand(?:s|ed)|ask(?:s|ed)|offer(?:s|ed)|condemn(?:s|ed)?|denounc(?:es?|ed)|voic(?:es|ed)|regret(?:s|ted)|"
    r"express(?:es|ed)|promised|growl(?:s|ed)|estimat(?:es|ed)|"
    r"den(?:y|ies|ied)|reject(?:s|ed)?|dismiss(?:es|ed)?|disput(?:es?|ed)|refut(?:es?|ed)|contradict(?:s|ed)?|"
    r"rul(?:es?|ed) out|disown(?:s|ed)?|disavow(?:s|ed)?)\b"
)
_DENIES = re.compile(
    r"\b(?:den(?:y|ies|ied|ial)|reject(?:s|ed)? (?:the |any |all |that |as |reports?|claims?|accusations?|charges?)|"
    r"dismiss(?:es|ed)?|disput(?:es?|ed)|refut(?:es?|ed)|contradict(?:s|ed)?|no (?:evidence|signs?|truth|proof|trace)|"
    r"not (?:true|a single|one)|untrue|fals(?:e|ehood)|fake|lies?\b|slander|fabricat\w+|invent(?:ed|ion)|nonsense|"
    r"nothing to do with|ha[ds] no (?:part|role|hand|knowledge)|never (?:happened|took)|on the contrary)",
    re.IGNORECASE,
)
_ACCORDING = re.compile(r"\b(?:according to|in the words of)\b")
_COLON = re.compile(r"^[^:,\"“]{2,40}:\s")
_CLAUSE = re.compile(r"[,;:\"“”()]|\bthat\b|\bwhile\b|\bbut\b|\band\b|\bwhat\b")
_ANAPHOR = re.compile(
    r"\b(?:he|she|it|they|(?:the|an?|its|their|his|her) (?:[\w-]+ ){0,2}(?:ministry|minister|spokes\w+|general|army|"
    r"president|premier|government|statement|officials?|envoy|military|command|side|commander|foreign office))\b",
    re.IGNORECASE,
)
_INVERTED = re.compile(r"\s+(?:(?:an?|the|its|one|two)\s|[A-Z])")
_LEAST_SIGNAL = 0.12
_SURELY_DENIES = 0.4
_LEXICAL_DENIAL = 0.35
_CONTESTED = 0.06
"""Least product of a denial's and an affirmation's probability; chosen on labelled articles of train and validation."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the heads read in a sentence: its likely signals (id, probability; best first) and how likely it denies."""

    text: str
    signals: tuple[tuple[str, float], ...]
    denied: float

    @property
    def denial(self) -> float:
        """0-1: the status head, helped by words that deny."""
        return min(1.0, self.denied + (_LEXICAL_DENIAL if _DENIES.search(self.text) else 0.0))


def speakers_of(sentences: Sequence[Spoken], gazetteer: Gazetteer) -> list[str]:
    """Who speaks in each sentence ("" for nobody known); "he" or "the ministry" is the party that spoke last."""
    speakers: list[str] = []
    last = ""
    for sentence in sentences:
        named = claimant_of(sentence.text, gazetteer.find(sentence.text), last)
        speakers.append(named)
        last = named or last
    return speakers


def claims_of(sentences: Sequence[Spoken], speakers: Sequence[str]) -> tuple[Claim, ...]:
    """One claim for each sentence that has a speaker and a likely signal, in order."""
    return tuple(
        Claim(
            speaker,
            sentence.signals[0][0],
            "deny" if sentence.denial >= _SURELY_DENIES else "affirm",
            sentence.text,
        )
        for sentence, speaker in zip(sentences, speakers, strict=True)
        if speaker and sentence.signals and sentence.signals[0][1] >= _LEAST_SIGNAL
    )


def claimant_of(text: str, mentions: Sequence[Mention], before: str = "") -> str:
    """Name of the party whose word a sentence rests on; "" when it reports no speech or the speaker is unknown."""
    colon = _COLON.match(text)
    if colon and (inside := _first(mentions, 0, colon.end())):
        return inside
    source = _ACCORDING.search(text)
    if source:
        return _first(mentions, source.end(), len(text))
    for verb in _SPEAKS.finditer(text):
        name = _subject(text, verb, mentions, before)
        if name:
            return name
    return ""


def contested_of(sentences: Sequence[Spoken], speakers: Sequence[str]) -> tuple[str, ...]:
    """Signals that one sentence denies and another, not by the same speaker, reports."""
    found: dict[str, None] = {}
    for index, denying in enumerate(sentences):
        for signal, likely in denying.signals:
            against = denying.denial * likely
            others = (
                (1.0 - other.denial) * dict(other.signals).get(signal, 0.0)
                for place, other in enumerate(sentences)
                if place != index and not (speakers[place] and speakers[place] == speakers[index])
            )
            if against * max(others, default=0.0) >= _CONTESTED:
                found[signal] = None
    return tuple(found)


def _subject(text: str, verb: re.Match[str], mentions: Sequence[Mention], before: str) -> str:
    """The party that governs a speech verb: before it in its clause, else meant by a pronoun, else right after it."""
    start = _clause_start(text, verb.start())
    if not text[start : verb.start()].strip(' "”,') and _INVERTED.match(text, verb.end()):
        return _first(mentions, verb.end(), verb.end() + 80)
    for reach in (start, _apposition_start(text, start)):
        named = _first(mentions, reach, verb.start())
        if named:
            return named
        if before and _ANAPHOR.search(text[reach : verb.start()]):
            return before
    inverted = not text[start : verb.start()].strip(' "”,')
    return _first(mentions, verb.end(), verb.end() + 80) if inverted else ""


def _apposition_start(text: str, start: int) -> int:
    """Where the subject begins when a comma stands between it and its verb ("Mr Lavrov, in Geneva, said")."""
    before = _clause_start(text, start - 1) if start > 1 and text[start - 1] == "," else start
    return _clause_start(text, before - 1) if before > 1 and text[before - 1] == "," else before


def _first(mentions: Sequence[Mention], start: int, end: int) -> str:
    return next((mention.actor.name for mention in mentions if start <= mention.start < end), "")


def _clause_start(text: str, end: int) -> int:
    return max((boundary.end() for boundary in _CLAUSE.finditer(text, 0, end)), default=0)
