"""Two stories that turn out to be of one event -> one: the articles, alerts and silences of the younger move.

Whatever either of them told counts as told, so nothing rings twice. The younger one stays as a trace that leads to the
older, and is judged no more; an alert that both were told by stays on it, so that of each can be said who was told it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlmodel import Session, col, select, update

from bot.pipeline.correct import prefix_of_updates
from bot.pipeline.sequence import Heard, give_up, heard_of
from models import Alert, AlertKind, Delivery, Direction, Priority, Reading, Story, StoryStatus, Suppression
from models.delivery import give_up_waiting
from models.story import parts_of

#: From this probability on, a signal says what kind of event a text is about.
PROBABLE = 0.4
#: Of so many readings of a story, the last, is asked whether it may be one with another.
ASKED = 50
#: In the facts of an alert: chats were told another status of its story, by what was told of the other half of it.
TOLD_APART = "told_apart"
#: A contradiction is news where the story was told already; tempo is about the pair.
_CROSSINGS = (AlertKind.NEW, AlertKind.RAISED, AlertKind.EASED)


class Said(NamedTuple):
    """What one reading said: between whom, how much of escalation and of easing, and of which kinds of event."""

    dyad: str | None
    escalation: float
    deescalation: float
    signals: frozenset[str]


def may_be_one(ones: Sequence[Said], others: Sequence[Said], told: bool = True) -> bool:
    """Whether nothing in the readings of two stories speaks against it: neither their pairs, nor which way they lead,
    nor that they share no kind of event. Where nobody was `told` of either, a single reading may only not name another
    pair. Pure."""
    if len({pair for said in (ones, others) for pair in _pair(said)}) > 1:
        return False
    if not told and 1 in (len(ones), len(others)):
        return True
    ways = {way for said in (ones, others) for way in _way(said)}
    kinds, other_kinds = (frozenset[str]().union(*(each.signals for each in said)) for said in (ones, others))
    return len(ways) < 2 and not (kinds and other_kinds and kinds.isdisjoint(other_kinds))


def said_of(session: Session, story: Story) -> Sequence[Said]:
    """What `may_be_one` asks about; readings that joined in this round are there only after a flush. A story may have
    thousands, and is asked about with every article that might bridge it."""
    columns = select(Reading.dyad, Reading.escalation, Reading.deescalation, Reading.signals)
    newest = columns.where(Reading.story_id == story.id, col(Reading.latest)).order_by(col(Reading.id).desc())
    rows = session.exec(newest.limit(ASKED))
    return [Said(dyad, up, down, kinds_in(signals)) for dyad, up, down, signals in rows]


def kinds_in(signals: Mapping[str, float]) -> frozenset[str]:
    """The signals that a text is probably about."""
    return frozenset(signal for signal, probability in signals.items() if probability >= PROBABLE)


def any_taken_back(session: Session, *stories: Story) -> bool:
    """Whether one was retracted: readers were told that it is not so, which nothing that joins it may undo."""
    retracted = select(Alert.id).where(Alert.kind == AlertKind.RETRACTED)
    told = retracted.where(col(Alert.story_id).in_([story.id for story in stories])).limit(1)
    return any(story.status is StoryStatus.RETRACTED for story in stories) or session.exec(told).first() is not None


def merge(session: Session, story: Story, into: Story) -> None:
    """Move all that belongs to `story`; what both have alike is counted once."""
    session.flush()  # what was gathered a moment ago moves too
    _tell_apart(session, story, into)
    moved = update(Reading).where(col(Reading.story_id) == story.id).values(story_id=into.id)
    session.execute(moved)
    _move_alerts(session, story, into)
    _move_silences(session, story, into)
    _join_told(story, into)
    _leave_trace(session, story, into)
    session.flush()
    _tell_once(session, into)


def _pair(said: Sequence[Said]) -> list[str]:
    """The commonest, if any is named."""
    counts = Counter(each.dyad for each in said if each.dyad)
    return [max(counts, key=lambda dyad: (counts[dyad], dyad))] if counts else []


def _way(said: Sequence[Said]) -> list[Direction]:
    """Of most that was said, weighed by its score; neither where both are equal."""
    lead = sum(each.escalation - each.deescalation for each in said)
    return [Direction.ESCALATION if lead > 0 else Direction.DEESCALATION] if lead else []


def _tell_apart(session: Session, story: Story, into: Story) -> None:
    """Where the two were told otherwise, or a message of `story` was yet to change, remember it with the last alert:
    the next judgement changes the messages of both."""
    lasts = [told[-1] for each in (story, into) if (told := _told_by_all(session, each))]
    if not lasts:
        return
    updates = col(Delivery.key).startswith(prefix_of_updates(story.id)) & (col(Delivery.priority) == Priority.UPDATE)
    ended = give_up_waiting(session, updates, "the story turned out to be part of another")
    if ended or len({alert.facts.get("status") for alert in lasts}) > 1:
        last = max(lasts, key=lambda alert: alert.id)
        last.facts = last.facts | {TOLD_APART: True}


def _told_by_all(session: Session, story: Story) -> Sequence[Alert]:
    """Also of those that became part of it before."""
    return session.exec(select(Alert).where(col(Alert.story_id).in_(parts_of(story.id))).order_by(col(Alert.id))).all()


def _tell_once(session: Session, story: Story) -> None:
    """What waits to tell a chat of it ends where another message tells as much."""
    old = [each.id for heard in heard_of(session, story.id).values() for each in _needless(heard)]
    give_up(session, old, "told by another story that turned out to be the same")


def _needless(heard: Sequence[Heard]) -> list[Heard]:
    """Of what tells one chat of one story, in each direction all that waits but the loudest, of those the one that is
    sent or else the last."""
    telling = [each for each in heard if not each.edits and each.kind is not AlertKind.TEMPO]
    best = {each.direction: each for each in sorted(telling, key=_worth)}
    return [each for each in telling if each.is_held and each.kind in _CROSSINGS and each is not best[each.direction]]


def _worth(heard: Heard) -> tuple[int, bool, bool, int]:
    """A contradiction tells more than what it is about."""
    return heard.level, heard.kind is AlertKind.CONTESTED, not heard.is_held, heard.id


def _move_alerts(session: Session, story: Story, into: Story) -> None:
    """Of what both were told as, the alert of `story` stays: a story is told by each once."""
    theirs = {_as_told(alert) for alert in _alerts(session, into)}
    for alert in _alerts(session, story):
        if _as_told(alert) not in theirs:
            alert.story_id = into.id


def _alerts(session: Session, story: Story) -> Sequence[Alert]:
    return session.exec(select(Alert).where(Alert.story_id == story.id).order_by(col(Alert.id))).all()


def _as_told(alert: Alert) -> tuple[str, str, int]:
    return alert.kind, alert.direction, alert.level


def _move_silences(session: Session, story: Story, into: Story) -> None:
    known = {_as_kept(row): row for row in _silences(session, into)}
    for row in _silences(session, story):
        same = known.get(_as_kept(row))
        if same is None:
            row.story_id = into.id
            continue
        same.times += row.times
        same.score = max(same.score, row.score)
        same.first_at, same.last_at = min(same.first_at, row.first_at), max(same.last_at, row.last_at)
        session.delete(row)


def _silences(session: Session, story: Story) -> Sequence[Suppression]:
    return session.exec(select(Suppression).where(Suppression.story_id == story.id).order_by(col(Suppression.id))).all()


def _as_kept(row: Suppression) -> tuple[str, int, str, int]:
    return row.direction, row.level, row.reason, row.subscriber_id


def _join_told(story: Story, into: Story) -> None:
    into.first_seen_at = min(into.first_seen_at, story.first_seen_at)
    into.last_seen_at = max(into.last_seen_at, story.last_seen_at)
    into.told_contested = into.told_contested or story.told_contested
    into.last_told_at = max(filter(None, (into.last_told_at, story.last_told_at)), default=None)
    for direction in Direction:
        for field in (f"peak_{direction}", f"told_{direction}"):
            setattr(into, field, max(getattr(into, field), getattr(story, field)))
        if story.level(direction) > into.level(direction):
            for field in (f"level_{direction}", f"level_{direction}_since"):
                setattr(into, field, getattr(story, field))
    into.changed = True


def _leave_trace(session: Session, story: Story, into: Story) -> None:
    """Traces that led to it lead on. It keeps headline and pair, for buttons that name it; it holds no level, and
    nothing looks at it again."""
    for direction in Direction:
        for field in (f"peak_{direction}", f"told_{direction}", f"level_{direction}", str(direction)):
            setattr(story, field, 0)
        setattr(story, f"level_{direction}_since", None)
    session.execute(update(Story).where(col(Story.merged_into) == story.id).values(merged_into=into.id))
    story.merged_into = into.id
    story.status, story.contested, story.told_contested = StoryStatus.UNCONFIRMED, [], False
    story.articles = story.publishers = 0
    story.changed, story.judge_again_at = False, None
