"""texts -> readings by a keyword list, the way feed filters and simple alert bots do it; a yardstick, not a product."""

import re
from collections.abc import Sequence

from classifiers.judgement import Judgement
from classifiers.labels import DIRECTIONS, SIGNALS, severity_of

_ALARMING = {
    "armed_attack": "attack attacks attacked airstrike airstrikes shelling bombing bombs missile missiles invasion war "
    "invades killed clashes offensive explosion rocket rockets",
    "troop_buildup": "troops mobilisation mobilization deployment buildup reinforcements",
    "cyberattack": "cyberattack cyber hackers ddos malware",
    "show_of_force": "nuclear ballistic drills exercises warships",
    "threat": "threatens threat ultimatum warns retaliation",
    "sanctions": "sanctions embargo",
    "diplomatic_rupture": "expels recalls condemns",
    "emergency_measures": "emergency evacuation",
}
_CALMING = {
    "ceasefire": "ceasefire truce armistice",
    "negotiation": "talks negotiations summit mediation",
    "agreement": "peace agreement treaty accord deal",
    "troop_withdrawal": "withdrawal withdraws pullback",
    "prisoner_release": "released freed hostages swap",
}
_POINTS = (0.0, 45.0, 65.0, 85.0)
_WORD = re.compile(r"\w+")


def keyword_judgements(texts: Sequence[str]) -> list[Judgement]:
    """One judgement a text: points by the number of listed words of each pole, the pole with more words wins."""
    return [_judge({word.casefold() for word in _WORD.findall(text)}) for text in texts]


def _judge(words: set[str]) -> Judgement:
    hits = {signal: len(words & set(listed.split())) for signal, listed in {**_ALARMING, **_CALMING}.items()}
    alarming, calming = sum(hits[s] for s in _ALARMING), sum(hits[s] for s in _CALMING)
    escalation, deescalation = _POINTS[min(alarming, 3)], _POINTS[min(calming, 3)]
    winner = "none" if alarming == calming == 0 else "escalation" if alarming >= calming else "deescalation"
    return Judgement(
        escalation=escalation,
        deescalation=deescalation,
        direction={name: float(name == winner) for name in DIRECTIONS},
        severity=severity_of(max(escalation, deescalation)),
        status="asserted",
        signals={signal: float(hits.get(signal, 0) > 0) for signal in SIGNALS},
        model="keywords",
    )
