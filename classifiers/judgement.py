"""What goes into the classifier (Document) and what comes out (Judgement), as frozen values without behaviour."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from classifiers.labels import Stance


@dataclass(frozen=True, slots=True)
class Document:
    """One article as plain text; only the title is required. `published` is aware; `source` is a name or host."""

    title: str
    summary: str = ""
    text: str = ""
    published: datetime | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class ActorEntry:
    """A party to look for: its code, its name, and every other spelling that means it (names are case-sensitive)."""

    code: str
    name: str
    aliases: tuple[str, ...] = ()
    kind: Literal["state", "organisation", "group"] = "state"


@dataclass(frozen=True, slots=True)
class Actor:
    """A party an article names: ISO 3166 alpha-2 for states, ids of ours for organisations and armed groups."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that moved a score: `score` is its share of the document's score, in points (0-100)."""

    sentence: str
    signal: str | None
    direction: str
    score: float


@dataclass(frozen=True, slots=True)
class Claim:
    """Who says it: a party affirms or denies the event that `signal` names.

    `sentence` is the part of the sentence that is this party's; `about` names the party whose act it is.
    """

    claimant: str
    signal: str
    stance: Stance
    sentence: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The reading of one document.

    `escalation` and `deescalation` are independent, 0-100, with severity 1/2/3 anchored at 25/55/85; `direction` holds
    three probabilities that sum to 1; `signals` has all twenty ids; `dyad` is the main pair of actor codes, sorted.
    `places` are the states in which the places lie that it names, most named first.
    `event` is where it stands among events, one signed byte a dimension: the cosine of two says how likely both tell of
    the same one; empty where no encoder read anything. It is for comparing, so `to_dict` leaves it out.
    A document that is not English scores 0 with direction none = 1 and its language named ("und": unknown).
    """

    escalation: float
    deescalation: float
    direction: dict[str, float]
    severity: int
    status: str
    signals: dict[str, float]
    evidence: tuple[Evidence, ...] = ()
    actors: tuple[Actor, ...] = ()
    dyad: tuple[str, str] | None = None
    places: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    contested: tuple[str, ...] = ()
    event: bytes = b""
    language: str = "en"
    model: str = field(default="", kw_only=True)

    def to_dict(self) -> dict[str, object]:
        """JSON-ready values under the field names."""
        return {
            "escalation": self.escalation,
            "deescalation": self.deescalation,
            "direction": dict(self.direction),
            "severity": self.severity,
            "status": self.status,
            "signals": dict(self.signals),
            "evidence": [
                {"sentence": e.sentence, "signal": e.signal, "direction": e.direction, "score": e.score}
                for e in self.evidence
            ],
            "actors": [{"code": a.code, "name": a.name} for a in self.actors],
            "dyad": list(self.dyad) if self.dyad else None,
            "places": list(self.places),
            "claims": [
                {
                    "claimant": c.claimant,
                    "signal": c.signal,
                    "stance": c.stance,
                    "sentence": c.sentence,
                    "about": c.about,
                }
                for c in self.claims
            ],
            "contested": list(self.contested),
            "language": self.language,
            "model": self.model,
        }
