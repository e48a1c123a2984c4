"""readings -> those worth an admin's label: what people call wrong, then what is disputed, then what was unsure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from classifiers.labels import DEESCALATORY, ESCALATORY, LIKELY_SIGNAL
from models import Alert, Reading, Story, StoryStatus, Verdict, VerdictKind
from models.story import whole_id

SPAN = timedelta(days=14)
LOOKED_AT = 1000
SURE = 0.65  # of the likeliest direction; above it a reading is left alone
MOST_SIGNALS = 3


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reading and why it is put to an admin."""

    reading: Reading
    why: str


def next_doubt(session: Session, now: datetime, skipped: set[int]) -> tuple[Doubt | None, int]:
    """The one that a label would help most, and how many there are; `skipped` are ids of readings."""
    since = now - SPAN
    doubts = [*_called_wrong(session, since), *_disputed(session, since), *_unsure(session, since)]
    seen: set[str] = {*_labelled(session)}
    left = []
    for doubt in doubts:
        if doubt.reading.title not in seen and doubt.reading.id not in skipped:
            seen.add(doubt.reading.title)
            left.append(doubt)
    return (left[0] if left else None), len(left)


def _labelled(session: Session) -> set[str]:
    return set(session.exec(select(Verdict.text).where(Verdict.kind == VerdictKind.LABEL)))


def _called_wrong(session: Session, since: datetime) -> list[Doubt]:
    """Readings whose headline an alert told and a subscriber called wrong.

    First those on which people disagree most (many call it wrong, many useful), then those called wrong most often.
    """
    kinds = (VerdictKind.WRONG, VerdictKind.USEFUL)
    wrong, useful = (func.count(col(Verdict.id)).filter(col(Verdict.kind) == kind) for kind in kinds)
    rows = session.exec(
        select(Reading, wrong, useful)
        .join(Story, whole_id() == col(Reading.story_id))
        .join(Alert, col(Alert.story_id) == col(Story.id))  # which may have been told of a part of it
        .join(Verdict, col(Verdict.alert_id) == col(Alert.id))
        .where(
            col(Verdict.kind).in_(kinds),
            col(Verdict.created_at) >= since,
            col(Verdict.text) == col(Reading.title),
            col(Reading.latest),
        )
        .group_by(col(Reading.id))
        .having(wrong > 0)
    ).all()
    rows = sorted(rows, key=lambda row: (-min(row[1], row[2]), -row[1], row[0].id))
    return [Doubt(reading, _opinions(no, yes)) for reading, no, yes in rows]


def _opinions(wrong: int, useful: int) -> str:
    often = f"called wrong {wrong} times" if wrong > 1 else "called wrong"
    return f"{often}, and useful {f'{useful} times' if useful > 1 else 'once'}" if useful else often


def _disputed(session: Session, since: datetime) -> list[Doubt]:
    rows = session.exec(
        select(Reading)
        .join(Story, col(Story.id) == col(Reading.story_id))
        .where(Story.status == StoryStatus.CONTESTED, col(Reading.latest), col(Reading.news_at) >= since)
        .order_by(col(Reading.news_at).desc(), col(Reading.id))
        .limit(LOOKED_AT)
    ).all()
    return [Doubt(reading, "its story is disputed") for reading in rows]


def _unsure(session: Session, since: datetime) -> list[Doubt]:
    newest = select(Reading).where(col(Reading.latest), col(Reading.news_at) >= since)
    rows = session.exec(newest.order_by(col(Reading.news_at).desc(), col(Reading.id)).limit(LOOKED_AT)).all()
    unsure = [reading for reading in rows if reading.direction and max(reading.direction.values()) < SURE]
    unsure.sort(key=lambda reading: max(reading.direction.values()))
    return [Doubt(reading, f"the model is {max(reading.direction.values()):.0%} sure") for reading in unsure]


def label(session: Session, reading: Reading, direction: str, severity: int, admin_id: int, now: datetime) -> Verdict:
    """Keep an admin's label of a headline. What kind of event it is stays the model's reading, within the direction."""
    pole = {"escalation": ESCALATORY, "deescalation": DEESCALATORY}.get(direction, ())
    likely = sorted(((chance, name) for name, chance in reading.signals.items() if name in pole), reverse=True)
    row = Verdict(
        kind=VerdictKind.LABEL,
        text=reading.title,
        model=reading.model,
        article_id=reading.article_id,
        admin_id=admin_id,
        direction=direction,
        severity=severity,
        status=reading.status if pole else "asserted",
        signals=[name for chance, name in likely[:MOST_SIGNALS] if chance >= LIKELY_SIGNAL],
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row
