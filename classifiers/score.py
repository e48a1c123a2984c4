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
    """Read one `{"id","title","summary","text","published","source"}` a line, all but title optional.

    Blank lines are skipped. Streams: at most one batch is held at a time.
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
    try:
        record = _record(line)
        identity = record.get("id", str(number))
        if not isinstance(identity, str | int):
            raise ValueError("id must be a string or a number")
        return _Line(number, identity, _document(record))
    except (ValueError, RecursionError) as error:
        return BadLine(number, str(error))


def _record(line: str) -> dict[str, object]:
    if len(line) > _LONGEST_LINE:
        raise ValueError(f"longer than {_LONGEST_LINE} characters")
    try:
        record = json.loads(line.removeprefix("\ufeff"))
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"expected an object, got {type(record).__name__}")
    return record


def _document(record: dict[str, object]) -> Document:
    texts = {key: _text(record, key) for key in ("title", "summary", "text", "source")}
    if not texts["title"].strip():
        raise ValueError("title is missing or empty")
    return Document(**texts, published=_moment(record.get("published")))


def _text(record: dict[str, object], key: str) -> str:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} must be a string, got {type(value).__name__}")
    return value or ""


def _moment(value: object) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"published must be an ISO 8601 time, got {str(value)[:40]!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
