"""A file of dated articles, or the database's own, in; articles in order of time out.

JSON Lines, one article a line: {"title", "published"} and, if there are any, "source", "url", "summary", "text", "id",
"severity" (0-3) and "direction" as somebody labelled it. `published` is ISO 8601; without an offset it counts as UTC.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from config.errors import ConfigError
from models import Alert, Article, Feed, Verdict, VerdictKind
from models.verdict import labels

#: From this severity on an article is worth an alert.
NOTABLE = 2
_OLDEST = datetime(1970, 1, 2, tzinfo=UTC)


class _Said(NamedTuple):
    by_verdict: bool
    severity: int | None
    direction: str | None


_NOTHING = _Said(by_verdict=True, severity=None, direction=None)


@dataclass(frozen=True, slots=True)
class ArchiveArticle:
    """One article as it was published; `severity` and `direction` are labels, None where nobody judged it.

    `by_verdict`: they say no more than that an alert in this direction was called useful (NOTABLE) or wrong (0).
    """

    id: str
    title: str
    published: datetime
    source: str = "archive"
    url: str = ""
    summary: str = ""
    text: str = ""
    severity: int | None = None
    direction: str | None = None
    by_verdict: bool = False


@dataclass(frozen=True, slots=True)
class Archive:
    """`articles` oldest first, and `bad`: line number and reason of each line that was left out."""

    articles: Sequence[ArchiveArticle]
    bad: Sequence[tuple[int, str]] = ()


def read_archive(path: Path) -> Archive:
    """Read a file. A bad line is left out and told; raises ConfigError when nothing can be read."""
    articles: list[ArchiveArticle] = []
    bad: list[tuple[int, str]] = []
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        articles.append(_article(json.loads(line), number))
                    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
                        bad.append((number, _reason(error)))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if not articles:
        first = f"; line {bad[0][0]}: {bad[0][1]}" if bad else ""
        raise ConfigError(f'{path}: no article in it, a line is {{"title": ..., "published": ...}}{first}')
    return Archive(sorted(articles, key=lambda article: (article.published, article.id)), bad)


def archive_of(session: Session, since: datetime) -> Archive:
    """The stored articles that count as news since a moment, as they were first seen, with what people said of them."""
    stored = select(Article, Feed).join(Feed).where(col(Article.news_at) >= since, col(Article.backlog).is_(False))
    rows = session.exec(stored.order_by(col(Article.news_at), col(Article.id)))
    said = _said(session)
    return Archive(
        [
            ArchiveArticle(
                id=str(article.id),
                title=article.title,
                published=article.news_at,
                source=feed.source,
                url=article.url,
                summary=article.summary,
                text=article.text,
                # A label before a verdict, and that of the article before one of the same words elsewhere.
                **min(said.get(article.id, _NOTHING), said.get(article.title, _NOTHING), key=_rank)._asdict(),
            )
            for article, feed in rows
        ]
    )


def _rank(said: _Said) -> tuple[bool, bool]:
    return said.by_verdict, said.severity is None


def _said(session: Session) -> dict[int | str, _Said]:
    """What people said of articles, by their id and by their headline: the newest label, or else what most verdicts on
    the alert came to, where they are not as many for it as against."""
    found: dict[int | str, _Said] = {}
    for key, (opinion, direction) in _opinions(session).items():
        if opinion:
            found[key] = _Said(by_verdict=True, severity=NOTABLE if opinion > 0 else 0, direction=direction)
    for row in labels(session):
        for key in _keys(row):
            found[key] = _Said(by_verdict=False, severity=row.severity, direction=row.direction)
    return found


def _opinions(session: Session) -> dict[int | str, tuple[int, str]]:
    """How many more called it useful than wrong, and the direction of the alert that the last one was about."""
    found: dict[int | str, tuple[int, str]] = {}
    verdicts = select(Verdict, Alert.direction).join(Alert).where(Verdict.kind != VerdictKind.LABEL)
    for row, direction in session.exec(verdicts.order_by(col(Verdict.created_at), col(Verdict.id))):
        for key in _keys(row):
            found[key] = found.get(key, (0, ""))[0] + (1 if row.kind is VerdictKind.USEFUL else -1), str(direction)
    return found


def _keys(row: Verdict) -> list[int | str]:
    return [row.text] if row.article_id is None else [row.article_id, row.text]


def _article(row: Any, number: int) -> ArchiveArticle:
    if not isinstance(row, dict):
        raise ValueError("not an object")
    title = row.get("title")
    if not isinstance(title, str) or not title.strip():
        raise ValueError("no title")
    url, summary, text = (str(row.get(name) or "") for name in ("url", "summary", "text"))
    severity, direction = row.get("severity"), row.get("direction")
    return ArchiveArticle(
        id=str(row.get("id") or f"line {number}"),
        title=title,
        published=_moment(row.get("published")),
        source=str(row.get("source") or "archive"),
        severity=severity if isinstance(severity, int) else None,
        direction=str(direction) if direction else None,
        url=url,
        summary=summary,
        text=text,
    )


def _moment(text: Any) -> datetime:
    if not isinstance(text, str):
        raise ValueError("no published date")
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment < _OLDEST:
        raise ValueError("published before 1970")
    return moment


def _reason(error: Exception) -> str:
    return f"not JSON ({error})" if isinstance(error, json.JSONDecodeError) else str(error) or type(error).__name__
