"""The codebook's closed vocabulary: signal ids and poles, directions, statuses, and the scores that anchor severity."""

from typing import Literal, get_args

from config.schema import Deescalatory, Escalatory, SignalName

Direction = Literal["escalation", "deescalation", "none"]
Status = Literal["asserted", "claimed", "denied", "planned", "background"]
Stance = Literal["affirm", "deny"]

ESCALATORY: tuple[str, ...] = get_args(Escalatory)
DEESCALATORY: tuple[str, ...] = get_args(Deescalatory)
SIGNALS: tuple[str, ...] = get_args(SignalName)
DIRECTIONS: tuple[str, ...] = get_args(Direction)
STATUSES: tuple[str, ...] = get_args(Status)
POLES: tuple[str, ...] = ("escalation", "deescalation")
LEVELS: tuple[int, ...] = (1, 2, 3)
OPPOSITES: tuple[tuple[str, str], ...] = (
    ("troop_buildup", "troop_withdrawal"),
    ("armed_attack", "ceasefire"),
    ("sanctions", "sanctions_relief"),
    ("diplomatic_rupture", "diplomatic_restoration"),
)
"""Signals of which one party's forces or government can do only one: who affirms the other contradicts."""

ANCHORS: tuple[float, ...] = (0.0, 25.0, 55.0, 85.0)
"""Score of a typical text of severity 0, 1, 2, 3 (codebook, "Severity")."""

CUTS: tuple[float, ...] = (12.5, 40.0, 70.0)
"""Scores halfway between two anchors: where a text is as likely above a severity as below it."""

LIKELY_SIGNAL = 0.3
"""Probability from which a signal counts as reported: rare signals are found late by one half (held-out texts)."""


def severity_of(score: float) -> int:
    """Severity 0-3 whose anchor is nearest to a score of 0-100."""
    return sum(score >= cut for cut in CUTS)
