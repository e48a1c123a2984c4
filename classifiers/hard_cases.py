"""hard_cases/pairs.jsonl: two texts that differ in little and mean something else; a pair passes if both read right.

Each line: {"rule", "texts": [{"text", "direction", "status" where it matters}, ...]}. Nothing is trained on them.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from classifiers.judgement import Document, Judgement
from config.errors import ModelError

HARD_CASES = Path(__file__).with_name("hard_cases") / "pairs.jsonl"

Read = Callable[[Sequence[Document]], Sequence[Judgement]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts, each with the direction (and perhaps the status) it has to be read with."""

    rule: str
    texts: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class HardCases:
    """`passed` by rule: (pairs passed, pairs); `failures` holds every text that was read otherwise, with how.

    `outcomes` has one entry a pair: whether it passed.
    """

    passed: dict[str, tuple[int, int]]
    failures: tuple[str, ...]
    outcomes: tuple[bool, ...] = ()

    @property
    def rate(self) -> float:
        """Share of all pairs that passed, 0-1."""
        return sum(good for good, _ in self.passed.values()) / max(sum(count for _, count in self.passed.values()), 1)

    def __str__(self) -> str:
        return "\n".join(f"  {rule:<20}{good:>4} of {count}" for rule, (good, count) in self.passed.items())


@cache
def read_pairs(path: Path = HARD_CASES) -> tuple[Pair, ...]:
    """All pairs in order; raises ModelError when the file is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
        return tuple(Pair(row["rule"], tuple(row["texts"])) for row in rows)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read as hard cases ({error}): take it from git") from error


def suite_sha256(path: Path = HARD_CASES) -> str:
    """Which suite a pass rate was measured on."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def try_pairs(read: Read, pairs: Sequence[Pair]) -> HardCases:
    """Read every text by itself as a headline and count, rule by rule, the pairs of which both are right."""
    judged = iter(read([Document(text["text"]) for pair in pairs for text in pair.texts]))
    passed: defaultdict[str, list[bool]] = defaultdict(list)
    failures: list[str] = []
    outcomes: list[bool] = []
    for pair in pairs:
        wrong = [told for text in pair.texts if (told := _misread(text, next(judged)))]
        outcomes.append(not wrong)
        passed[pair.rule].append(not wrong)
        failures += [f"{pair.rule}: {told}" for told in wrong]
    by_rule = {rule: (sum(good), len(good)) for rule, good in passed.items()}
    return HardCases(by_rule, tuple(failures), tuple(outcomes))


def _misread(wanted: dict[str, Any], judged: Judgement) -> str:
    """How a text was misread, or nothing."""
    direction = max(judged.direction, key=lambda name: judged.direction[name])
    read = {"direction": direction, "status": judged.status}
    wrong = [f"{read[name]}, not {wanted[name]}" for name in read if name in wanted and wanted[name] != read[name]]
    return f"{wanted['text']} ({'; '.join(wrong)})" if wrong else ""
