"""what each party says (speech.py) -> which signal it affirms or denies; and what is contested.

The status and signal heads say what a claim is about and whether it denies; what the rest of the article is about helps
where a sentence hardly says ("That, the spokesman said, was a slander").
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from classifiers.actors import Gazetteer
from classifiers.judgement import Claim
from classifiers.labels import OPPOSITES, Stance
from classifiers.speech import speakers_in, subject_of

_DENIES = re.compile(
    r"\b(?:den(?:y|ies|ied|ial)|reject(?:s|ed)? (?:the |any |all |that |as |reports?|claims?|accusations?|charges?)|"
    r"dismiss(?:es|ed)?|disput(?:es?|ed)|refut(?:es?|ed)|contradict(?:s|ed)?|no (?:evidence|signs?|truth|proof|trace)|"
    r"not (?:true|a single|one)|untrue|fals(?:e|ehood)|fake|lies?\b|slander|fabricat\w+|invent(?:ed|ion)|nonsense|"
    r"nothing to do with|ha[ds] no (?:part|role|hand|knowledge)|never (?:happened|took)|on the contrary)",
    re.IGNORECASE,
)
_LEAST_SIGNAL = 0.12
_LEAST_MATTER = 0.2
_OF_THE_ARTICLE = 0.8
_OF_THE_ONE_BEFORE = 0.2
_FEWEST_OTHERS = 4  # sentences from which an article tells what a claim is about
_SURELY_DENIES = 0.4
_LEXICAL_DENIAL = 0.35
_FACTS = frozenset(
    (
        *("armed_attack", "cyberattack", "covert_action", "military_encounter", "show_of_force", "arms_transfer"),
        *("troop_buildup", "troop_withdrawal", "ceasefire"),
    )
)
"""Signals of acts that happened or did not. What is said (threats, talks, reassurance) is refused more often than
disputed (codebook, settled question 17), so there both sides must have a name."""
_STANCES = frozenset(("reassurance", "threat", "diplomatic_rupture"))
"""Signals that are put in the negative ("no wish for war", "no option is off the table"), which does not deny them."""
_SURELY_DENIES_STANCES = 0.6
_CONTESTED = 0.1
_CONTESTED_WORDS = 0.2
_UNNAMED = 0.5
_LEAST_DENIAL = 0.25
"""Least product of a denial's and an affirmation's probability, of facts and of words, and how much a denial of nobody
in particular counts; and what is no denial at all. Chosen on labelled articles of train and validation."""
_BARE_DENIAL = 6
"""Words from which a denial says by itself what it denies ("Moscow denies it" does not)."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the heads read in a sentence, or the part of one that is one speaker's: its likely signals (id, probability;
    best first) and how likely it denies. `continues` where it goes on from the part before it."""

    text: str
    signals: tuple[tuple[str, float], ...]
    denied: float
    continues: bool = False

    @property
    def denial(self) -> float:
        """0-1: the status head, helped by words that deny."""
        return min(1.0, self.denied + (_LEXICAL_DENIAL if _DENIES.search(self.text) else 0.0))

    def within(self, whole: "Spoken") -> "Spoken":
        """This part of a sentence, about what the whole is about where it does not say so itself."""
        bare = len(self.text.split()) < _BARE_DENIAL and _DENIES.search(self.text)
        silent = bare or not self.signals or self.signals[0][1] < _LEAST_SIGNAL
        signals = whole.signals if silent else self.signals
        return Spoken(self.text, signals, self.denied, not whole.text.startswith(self.text))


def speakers_of(sentences: Sequence[Spoken], gazetteer: Gazetteer) -> list[str]:
    """Who speaks in each sentence ("" for nobody known); "he" or "the ministry" is the party that spoke last."""
    return speakers_in([sentence.text for sentence in sentences], gazetteer)


def claims_of(sentences: Sequence[Spoken], speakers: Sequence[str], gazetteer: Gazetteer) -> tuple[Claim, ...]:
    """One claim for each sentence, or part of one, that has a speaker and a likely signal, in order."""
    claims: list[Claim] = []
    matter = ""
    for sentence, speaker, (signal, likely) in zip(sentences, speakers, matters_of(sentences), strict=True):
        about = subject_of(sentence.text, gazetteer.find(sentence.text), speaker, matter if sentence.continues else "")
        matter = about
        if speaker and likely >= _LEAST_MATTER:
            claims.append(Claim(speaker, signal, stance_of(sentence, signal), sentence.text, about))
    return tuple(claims)


def matters_of(sentences: Sequence[Spoken]) -> list[tuple[str, float]]:
    """The signal each sentence is likeliest about, and how likely (it may pass 1): by its own words, and less by those
    of the article's other sentences and of the one before."""
    wholes: list[Counter[str]] = []
    place: list[int] = []
    for sentence in sentences:
        if not (sentence.continues and wholes):
            wholes.append(Counter())
        wholes[-1] |= Counter(dict(sentence.signals))
        place.append(len(wholes) - 1)
    total = sum(wholes, Counter[str]())
    found = []
    for sentence, at in zip(sentences, place, strict=True):
        own = dict(sentence.signals)
        before = wholes[at - 1] if at else Counter[str]()
        share = _OF_THE_ARTICLE / max(_FEWEST_OTHERS, len(wholes) - 1)
        weights = {
            signal: own.get(signal, 0.0)
            + share * (total[signal] - wholes[at][signal])
            + _OF_THE_ONE_BEFORE * before[signal]
            for signal in total
        }
        found.append(max(weights.items(), key=lambda item: item[1], default=("", 0.0)))
    return found


def stance_of(sentence: Spoken, signal: str) -> Stance:
    """Whether a sentence denies the signal it is about."""
    if signal in _STANCES:
        return "deny" if _DENIES.search(sentence.text) and sentence.denial >= _SURELY_DENIES_STANCES else "affirm"
    return "deny" if sentence.denial >= _SURELY_DENIES else "affirm"


def contested_of(sentences: Sequence[Spoken], speakers: Sequence[str], claims: Sequence[Claim] = ()) -> tuple[str, ...]:
    """Signals that one sentence denies and another, not by the same speaker, reports; then opposites that different
    parties affirm of one party."""
    found = dict.fromkeys(_denied_and_reported(sentences, speakers))
    affirmed = [(claim.signal, claim.claimant, claim.about) for claim in claims if claim.stance == "affirm"]
    return tuple(found | dict.fromkeys(opposed(affirmed)))


def opposed(affirmed: Iterable[tuple[str, str, str]]) -> list[str]:
    """(signal, claimant, whose act) -> both signals of each pair of opposites that two affirm of one party."""
    said = set(affirmed)
    return [
        signal
        for pair in OPPOSITES
        if any(
            one[0] == pair[0] and other[0] == pair[1] and one[2] and one[1] != other[1] and one[2] == other[2]
            for one in said
            for other in said
        )
        for signal in pair
    ]


def _denied_and_reported(sentences: Sequence[Spoken], speakers: Sequence[str]) -> Iterable[str]:
    for denying, denier in zip(sentences, speakers, strict=True):
        for signal, likely in denying.signals if denying.denial >= _LEAST_DENIAL else ():
            against = denying.denial * likely * (1.0 if denier else _UNNAMED)
            reports = (
                (1.0 - other.denial) * dict(other.signals).get(signal, 0.0)
                for other, speaker in zip(sentences, speakers, strict=True)
                if other is not denying and _may_contradict(signal, denier, speaker)
            )
            if against * max(reports, default=0.0) >= (_CONTESTED if signal in _FACTS else _CONTESTED_WORDS):
                yield signal


def _may_contradict(signal: str, one: str, other: str) -> bool:
    return one != other if one and other else signal in _FACTS
