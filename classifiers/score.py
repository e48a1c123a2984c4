"""lines of JSON (one article each) -> judgements as dicts, in order, in batches; bad lines are reported by number."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from classifiers.classifier import Classifier
from classifiers.judgement import Document

BATCH = 200
_LONGEST_LINE = 1_000_000


@dataclass(frozen=True, slots=True)
class ScoredLine:
    """`result` is JSON-ready: "id" (the line's own, or its number as text) and the fields of Judgement.to_dict()."""

    number: int
    result: dict[str, object]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was skipped; `number` counts from 1."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    id: str | int
    document: Document


def score_lines(lines: Iterable[str], classifier: Classifier) -> Iterator[ScoredLine | BadLine]:
    """Read `{"id","title","summary","text","published","source"}` a line (all but title optional); blank lines are skipped.

    Streams: at most one batch is held at a time.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    while batch := list(islice(numbered, BATCH)):
        parsed = [_parse(number, line) for number, line in batch]
        good = [line for line in parsed if isinstance(line, _Line)]
        judged = iter(classifier.judge([line.document for line in good]))
        for line in parsed:
            if isinstance(line, BadLine):
                yield line
            else:
                yield ScoredLine(line.number, {"id": line.id, **next(judged).to_dict()})


def _parse(number: int, line: str) -> _Line | BadLine:
    if len(line) > _LONGEST_LINE:
        return BadLine(number, f"longer than {_LONGEST_LINE} characters")
    try:
        record = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        return BadLine(number, f"not JSON: {error}")
    if not isinstance(record, dict):
        return BadLine(number, f"expected an object, got {type(record).__name__}")
    identity = record.get("id", str(number))
    if not isinstance(identity, str | int):
        return BadLine(number, "id must be a string or a number")
    for key in ("title", "summary", "text", "source"):
        value = record.get(key) or ""
        if not isinstance(value, str):
            return BadLine(number, f"{key} must be a string, got {type(value).__name__}")
    if not (record.get("title") or "").strip():
        return BadLine(number, "title is missing or empty")
    try:
        published = _moment(record.get("published"))
    except (TypeError, ValueError) as error:
        return BadLine(number, f"published must be an ISO 8601 time: {error}")
    text = {key: record.get(key) or "" for key in ("title", "summary", "text", "source")}
    return _Line(number, identity, Document(**text, published=published))


def _moment(value: object) -> datetime | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise TypeError(f"got {type(value).__name__}")
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
