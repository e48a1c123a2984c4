"""articles -> readings: every waiting article is read once by the classifier, and each later version of it again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlmodel import Session, col, select, update

from classifiers.judgement import Document, Judgement
from models import Article, Feed, Reading, Revision
from models.article import unread_articles
from models.database import Database

LEAD_CHARS, OPENING_CHARS = 400, 300
Waiting = tuple[Article, Feed, Revision | None]
_APART = {"synchronize_session": False}  # none of these rows is held by the session that writes them


class Judge(Protocol):
    """Whatever reads documents: `classifiers.classifier.Classifier`."""

    def judge(self, documents: Sequence[Document]) -> list[Judgement]:
        """One judgement per document, in order."""
        ...


def read_new_articles(database: Database, judge: Judge, now: datetime, limit: int = 200) -> int:
    """Read up to `limit` waiting articles, oldest news first; returns how many.

    Nothing is locked while the classifier thinks; an article that was edited meanwhile simply waits again.
    """
    with database.read() as session:
        waiting = unread_articles(session, limit)
    if not waiting:
        return 0
    judgements = judge.judge([document_of(*row) for row in waiting])
    with database.write() as session:
        store_readings(session, waiting, judgements, now)
    return len(waiting)


def store_readings(
    session: Session, waiting: Sequence[Waiting], judgements: Sequence[Judgement], now: datetime
) -> None:
    """Write what was made of each waiting version, in place of the article's former reading.

    A model that comes back (after a rollback) and reads a version again writes its own row of then anew. That row keeps
    its story, so that the article returns to where it was told of.
    """
    of_revision: dict[int | None, list[int]] = {}
    for article, _, _ in waiting:
        of_revision.setdefault(article.unread_revision, []).append(article.id)
    read = [article.id for article, _, _ in waiting]
    former = update(Reading).where(col(Reading.article_id).in_(read), col(Reading.latest)).values(latest=False)
    session.execute(former, execution_options=_APART)
    readings = [
        _reading(article, revision, judgement, now)
        for (article, _feed, revision), judgement in zip(waiting, judgements, strict=True)
    ]
    _store(session, readings)
    for number, ids in of_revision.items():
        same = (col(Article.id).in_(ids)) & (col(Article.unread_revision) == number)
        session.execute(update(Article).where(same).values(unread_revision=None), execution_options=_APART)


def _store(session: Session, readings: Sequence[Reading]) -> None:
    """Add readings; one of an article, revision and model that is stored already takes that row's place and story."""
    of_models = (
        col(Reading.article_id).in_([reading.article_id for reading in readings]),
        col(Reading.model).in_({reading.model for reading in readings}),
    )
    before = {_key(reading): reading for reading in session.exec(select(Reading).where(*of_models))}
    for reading in readings:
        known = before.get(_key(reading))
        if known is None:
            session.add(reading)
        else:
            reading.id, reading.story_id = known.id, known.story_id
            session.merge(reading)


def _key(reading: Reading) -> tuple[int, int, str]:
    """What the table holds one row of."""
    return reading.article_id, reading.revision, reading.model


def document_of(article: Article, feed: Feed, revision: Revision | None) -> Document:
    """The words of an article, in the version given (None: as first seen), as the classifier takes them."""
    words = revision or article
    return Document(
        title=words.title, summary=words.summary, text=words.text, published=article.published_at, source=feed.publisher
    )


def _reading(article: Article, revision: Revision | None, judgement: Judgement, now: datetime) -> Reading:
    words = revision or article
    facts: dict[str, Any] = judgement.to_dict()
    return Reading(
        article_id=article.id,
        revision=revision.number if revision else 0,
        model=judgement.model,
        title=words.title,
        lead=(words.summary or words.text)[:LEAD_CHARS],
        opening=words.text[:OPENING_CHARS] if words.summary else words.text[LEAD_CHARS:][:OPENING_CHARS],
        escalation=judgement.escalation,
        deescalation=judgement.deescalation,
        direction=dict(judgement.direction),
        severity=judgement.severity,
        status=judgement.status,
        signals=dict(judgement.signals),
        evidence=facts["evidence"],
        claims=facts["claims"],
        actors=facts["actors"],
        places=facts["places"],
        dyad="-".join(judgement.dyad) if judgement.dyad else None,
        contested=list(judgement.contested),
        event=judgement.event or None,
        language=judgement.language,
        news_at=article.news_at,
        read_at=now,
    )
