"""archive -> alerts: articles are stored, gathered and decided by the service's stages, in steps of simulated time.

Reading is the slow part and does not depend on the time, so it is done ahead, once for however many settings are tried.
Nothing is sent: one subscriber with the default choices shows what a chat would have got.
"""

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from sqlalchemy import event
from sqlmodel import Session, col, select

from bot.feeds.entries import parsed_entries
from bot.feeds.types import ParsedEntry
from bot.pipeline.classify import Judge, document_of, store_readings
from bot.pipeline.cluster import gather_stories
from bot.pipeline.decide import raise_alerts
from bot.pipeline.levels import threshold
from bot.pipeline.store import store_found
from bot.pipeline.story_index import StoryIndex
from bot.pipeline.tempo import raise_tempo
from bot.replay.archive import NOTABLE, Archive, ArchiveArticle
from bot.subscribers import level_named
from classifiers.judgement import Document, Judgement
from config.schema import Settings
from models import Alert, Article, Delivery, Direction, Feed, Reading, Story, Subscriber, SubscriberState
from models.article import unread_articles
from models.database import Database, open_database
from models.story import whole_id

STEP = timedelta(minutes=30)
BATCH, GATHERED = 200, 500  # fewer than asked for means that none is left: the question need not be put again
TOGETHER = 200  # articles lived through in one transaction, since nobody else reads or writes meanwhile
TEMPO_HOURS = 6
Tell = Callable[[str, int, int], None]
Entries = Mapping[str, tuple[ArchiveArticle, ParsedEntry]]
Step = tuple[datetime, list[tuple[ArchiveArticle, ParsedEntry]]]


@dataclass(frozen=True, slots=True)
class Rang:
    """One alert of a replay. `told`: a chat with the default level and budget got it; `pair` names the parties, or is
    empty; `right` is whether it was worth it, None where nobody judged that."""

    at: datetime
    kind: str
    direction: str
    level: int
    score: float
    title: str
    pair: str
    rule: str
    told: bool
    right: bool | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """How high, 0-100, a story rose in one direction, and whether it was worth an alert in it, None where nobody judged
    that. An article that was worth one and came into no story counts as a story that rose to 0."""

    direction: str
    peak: float
    right: bool | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it: the alerts in order, the days it lasted, articles read, stories opened, how high they rose.

    `told_from` is the score, by direction, from which a chat with the default level is told.
    """

    alerts: Sequence[Rang]
    days: float
    articles: int
    stories: int
    first: datetime
    last: datetime
    reached: Sequence[Reached]
    told_from: Mapping[str, float]


class ReadAhead:
    """A `Judge` that reads every document once, in a thread of its own, ahead of those who ask.

    The classifier mostly computes where Python is not needed, so the stages work meanwhile on what was read before.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Judgement] = {}
        self._failed: Exception | None = None
        self._more = threading.Condition()

    def learn(self, judge: Judge, documents: Sequence[Document], tell: Tell) -> None:
        """Begin to read all documents in batches, in order; the stages then find each by its words."""
        fresh = list(dict.fromkeys(documents))
        # Nobody has to wait for it when the program is interrupted.
        threading.Thread(target=self._learn, args=(judge, fresh, tell), daemon=True).start()

    def _learn(self, judge: Judge, documents: Sequence[Document], tell: Tell) -> None:
        try:
            for start in range(0, len(documents), BATCH):
                part = documents[start : start + BATCH]
                read = dict(zip(map(_key, part), judge.judge(part), strict=True))
                with self._more:
                    self._known |= read
                    self._more.notify_all()
                tell("reading", start + len(part), len(documents))
        except Exception as error:  # noqa: BLE001 - whoever asks is told
            with self._more:
                self._failed = error
                self._more.notify_all()

    def judge(self, documents: Sequence[Document]) -> list[Judgement]:
        """What was read of each; waits for what is not read yet. Raises what the reading raised."""
        keys = [_key(document) for document in documents]
        with self._more:
            self._more.wait_for(lambda: self._failed or all(key in self._known for key in keys))
            if self._failed is not None:
                raise self._failed
            return [self._known[key] for key in keys]


def _key(document: Document) -> tuple[str, str, str]:
    return document.title, document.summary, document.text


@dataclass(frozen=True, slots=True)
class Prepared:
    """An archive whose articles were cleaned as feeds' are, and are read or being read."""

    archive: Archive
    entries: Entries
    judge: ReadAhead


def prepare(archive: Archive, judge: Judge, tell: Tell) -> Prepared:
    """Clean every article of an archive, and begin to read them."""
    ahead, entries = ReadAhead(), {}
    for article in archive.articles:
        made = parsed_entries([_raw(article)], article.published + STEP)
        if made:
            entries[made[0].entry_key] = (article, made[0])
    documents = [Document(entry.title, entry.summary, entry.text) for _, entry in entries.values()]
    ahead.learn(judge, documents, tell)
    return Prepared(archive, entries, ahead)


def _raw(article: ArchiveArticle) -> dict[str, object]:
    """As feedparser would hand it over."""
    content = [{"type": "text/html", "value": article.text}] if article.text else []
    return {
        "id": f"{article.source} {article.id}",
        "title": article.title,
        "summary": article.summary,
        "content": content,
        "link": article.url,
        "published": article.published.isoformat(),
        "published_parsed": article.published.utctimetuple(),
    }


def replay(prepared: Prepared, settings: Settings, tell: Tell, database_url: str | None = None) -> Replayed:
    """Live through a prepared archive with `settings`, in a scratch database or a new one that is kept; deterministic.

    Raises DatabaseError for a bad `database_url`.
    """
    if database_url is not None:
        return _replay(prepared, settings, tell, database_url)
    with tempfile.TemporaryDirectory(prefix="tocsin-replay-") as folder:
        return _replay(prepared, settings, tell, f"sqlite:///{Path(folder) / 'replay.db'}")


def _replay(prepared: Prepared, settings: Settings, tell: Tell, database_url: str) -> Replayed:
    ordered = sorted(prepared.entries.values(), key=lambda pair: (pair[0].published, pair[1].entry_key))
    first, last = ordered[0][0].published, ordered[-1][0].published
    database = open_database(database_url, first)
    try:
        with database.write() as session:
            feeds = _add_feeds(session, {article.source for article, _ in ordered}, first)
            _add_chat(session, settings, first)
        steps, index, done = _steps(ordered), StoryIndex(), 0
        for part in _parts(steps):
            with database.write() as session, _held(session):
                for now, group in part:
                    _step(session, prepared.judge, settings, index, feeds, group, now)
            done += len(part)
            tell("living through", done, len(steps))
        with database.write() as session:
            _fade(session, settings, last + STEP)
        return _look_back(database, prepared, settings, first, last)
    finally:
        database.close()


def _steps(ordered: Sequence[tuple[ArchiveArticle, ParsedEntry]]) -> list[Step]:
    """Articles by the end of the half hour they were published in."""
    by_end = groupby(ordered, key=lambda pair: _end_of_step(pair[0].published))
    return [(end, list(group)) for end, group in by_end]


def _parts(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Steps in their order, so many together that they bring in about TOGETHER articles."""
    part: list[Step] = []
    articles = 0
    for step in steps:
        part.append(step)
        articles += len(step[1])
        if articles >= TOGETHER:
            yield part
            part, articles = [], 0
    if part:
        yield part


@contextmanager
def _held(session: Session) -> Iterator[None]:
    """Every row that is read or written stays in memory, so that none is made an object, and parsed, twice."""
    held: list[object] = []
    for name in ("loaded_as_persistent", "pending_to_persistent"):
        event.listen(session, name, lambda _session, row: held.append(row))
    yield


def _end_of_step(moment: datetime) -> datetime:
    seconds = STEP.total_seconds()
    return moment + timedelta(seconds=seconds - moment.timestamp() % seconds)


def _step(
    session: Session,
    judge: Judge,
    settings: Settings,
    index: StoryIndex,
    feeds: Mapping[str, Feed],
    group: Iterable[tuple[ArchiveArticle, ParsedEntry]],
    now: datetime,
) -> None:
    """What is due by time alone is judged first, at its own moment; then the articles of this step come in."""
    _fade(session, settings, now - STEP)
    found = [(feeds[article.source], entry) for article, entry in group]
    store_found(session, found, settings.service.articles, now)
    while _read(session, judge, now) == BATCH:
        pass
    while gather_stories(session, index, settings.alerts.stories, GATHERED) == GATHERED:
        pass
    raise_alerts(session, settings.alerts, now, timezone=settings.digest.timezone)
    if now.hour % TEMPO_HOURS == 0:
        raise_tempo(session, settings.alerts, now, settings.digest.timezone)


def _read(session: Session, judge: Judge, now: datetime) -> int:
    """As `read_new_articles` does, in the transaction of the step: what is known beforehand need not be waited for."""
    waiting = unread_articles(session, BATCH)
    store_readings(session, waiting, judge.judge([document_of(*row) for row in waiting]), now)
    return len(waiting)


def _fade(session: Session, settings: Settings, until: datetime) -> None:
    """Judge stories whose time comes before `until`, each when it comes."""
    waiting = select(Story.judge_again_at).where(col(Story.judge_again_at) <= until)
    first = waiting.order_by(col(Story.judge_again_at)).limit(1)
    while (moment := session.exec(first).first()) is not None:
        raise_alerts(session, settings.alerts, moment, timezone=settings.digest.timezone)


def _add_feeds(session: Session, sources: Iterable[str], first: datetime) -> dict[str, Feed]:
    """One feed a source, each followed from the first article of all: none is backlog, every source is of the panel,
    and the time before, of which nothing is known, does not count as calm."""
    found, begin = {}, first.replace(microsecond=0)  # as dates of feeds are
    for name in sorted(sources):
        feed = Feed(url=f"archive:{name}", publisher=name, next_fetch_at=first, first_read_at=begin)
        feed.last_read_at = first
        found[name] = feed
    session.add_all(found.values())
    return found


def _add_chat(session: Session, settings: Settings, now: datetime) -> None:
    level = int(level_named(settings.alerts.telling.default_level))
    chat = Subscriber(chat_id=1, state=SubscriberState.ACTIVE, digest=False, created_at=now, changed_at=now)
    chat.level_escalation = chat.level_deescalation = level
    session.add(chat)


def _look_back(database: Database, prepared: Prepared, settings: Settings, first: datetime, last: datetime) -> Replayed:
    with database.read() as session:
        told = set(session.exec(select(Delivery.alert_id)))
        whole = dict(session.exec(select(Story.id, whole_id())).all())  # of a merged story the one it is part of
        stories = session.exec(select(Story).where(col(Story.merged_into).is_(None)).order_by(col(Story.id))).all()
        labelled, missed = _labelled(session, prepared)
        alerts = [
            Rang(
                at=alert.created_at,
                kind=alert.kind.value,
                direction=alert.direction.value,
                level=alert.level,
                score=alert.score,
                title=str(alert.facts.get("title", "")),
                pair=" – ".join(alert.facts["dyad"]),
                rule=alert.rule,
                told=alert.id in told,
                right=_is_right(labelled.get(whole[alert.story_id], ()), alert.direction),
            )
            for alert in session.exec(select(Alert).order_by(col(Alert.created_at), col(Alert.id)))
        ]
        reached = [
            Reached(direction.value, story.peak(direction), _is_right(labelled.get(story.id, ()), direction))
            for story in stories
            for direction in Direction
        ]
    reached += (Reached(direction, 0.0, True) for direction in missed)
    days = max((last - first) / timedelta(days=1), 1.0)
    level = level_named(settings.alerts.telling.default_level)
    told_from = {way.value: threshold(level, settings.alerts.levels_for(way)) for way in Direction}
    return Replayed(alerts, days, len(prepared.entries), len(stories), first, last, reached, told_from)


def _labelled(session: Session, prepared: Prepared) -> tuple[dict[int, list[ArchiveArticle]], list[str]]:
    """Story id -> its articles that somebody judged; and the direction of each worth an alert that is in no story."""
    found: dict[int, list[ArchiveArticle]] = {}
    missed: list[str] = []
    rows = select(Article.entry_key, Reading.story_id).join(Reading, col(Article.id) == col(Reading.article_id))
    for key, story_id in session.exec(rows.where(col(Reading.latest)).order_by(col(Article.id))):
        article = prepared.entries[key][0]
        if article.severity is None:
            continue
        if story_id is not None:
            found.setdefault(story_id, []).append(article)
        elif article.severity >= NOTABLE and article.direction in set(Direction):
            missed.append(str(article.direction))
    return found, missed


def _is_right(articles: Sequence[ArchiveArticle], direction: Direction) -> bool | None:
    """Whether a story was worth an alert in a direction: by its labels, which speak of both; by verdicts, which speak
    of the direction that rang, only where it has none."""
    labels = [article for article in articles if not article.by_verdict]
    said = labels or [article for article in articles if article.direction == direction]
    if not said:
        return None
    return any((article.severity or 0) >= NOTABLE and article.direction == direction for article in said)
