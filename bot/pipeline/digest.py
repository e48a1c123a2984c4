"""a week of stories -> one digest per subscriber whose digest is due, also after downtime, never twice.

The week ends at the latest moment a digest was due. Two weeks of downtime give one digest, of the last week; one that
was moved to less than 5.5 days after the last is left out. Days are those of the subscriber's time zone, and
what it tells is what the chat chose. Texts and charts are made once for all chats of equal choices, before the
transaction that queues them: drawing takes long, and other writers would wait for it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlmodel import Session, col, select

from bot.calendar import digest_for, next_digest
from bot.messages.chart import MOST_PANELS, Panel, pairs_chart, week_chart
from bot.messages.digest import digest_message, week_words
from bot.messages.message import Message
from bot.messages.names import PANEL_WIDTH, chart_title
from bot.notices import enqueue_all
from bot.pipeline.choice import Choice
from bot.pipeline.look_back import held_back, told_here, week_of
from bot.pipeline.week import WEEK, Counts, HeldBack, Span, daily_tension, facts_for, pairs_for
from config import schema as config_schema
from config.schema import Settings
from models import Digest, Priority, Subscriber
from models.database import Database
from models.digest import drawn_for, last_digests
from models.subscriber import digest_due

#: So many chats are told in one transaction, and what was drawn for them is kept before the next ones are looked at.
ROUND = 500
LEAST_APART = timedelta(days=5, hours=12)  # a digest moved to the day before comes then, one moved to the evening not
Pairs = tuple[str, ...]
"""The pairs that a chart is of, as stories name them ("RU-UA"); none: of all pairs together."""


def send_due_digests(database: Database, settings: Settings, now: datetime) -> int:
    """Queue the digest for everybody whose time has come; returns for how many."""
    queued = 0
    while True:
        with database.read() as session:
            due = digest_due(session, now, ROUND)
            issues = [
                _write(session, settings, span, subscribers) for span, subscribers in _plan(session, settings, due, now)
            ]
        if not due:
            return queued
        with database.write() as session:
            still = _still_due(session, due)
            queued += sum(_queue(session, issue, still, now) for issue in issues)
            _set_next(still, settings, now)


def _plan(
    session: Session, settings: Settings, due: Sequence[Subscriber], now: datetime
) -> list[tuple[Span, list[Subscriber]]]:
    """Who of those due is told, by their week."""
    last = last_digests(session, [subscriber.id for subscriber in due])
    spans: dict[object, Span] = {}
    by_week: dict[object, list[Subscriber]] = defaultdict(list)
    for subscriber in due:
        assert subscriber.digest_due_at is not None  # noqa: S101 - the query asked for it
        wanted = digest_for(subscriber, settings.digest)
        until = latest_due(subscriber.digest_due_at, wanted, now)
        if subscriber.id not in last or until - last[subscriber.id] >= LEAST_APART:
            span = Span.before(until, wanted.timezone)
            spans.setdefault(span.key, span)
            by_week[span.key].append(subscriber)
    return [(spans[key], subscribers) for key, subscribers in by_week.items()]


def latest_due(due: datetime, digest: config_schema.Digest, now: datetime) -> datetime:
    """The last moment at or before `now` at which a digest was due, counted from one that was."""
    while (following := next_digest(digest, due)) <= now:
        due = following
    return due


def coming_digest(session: Session, settings: Settings, subscriber: Subscriber, now: datetime) -> datetime | None:
    """When the next one comes to a subscriber, None for never: those too near the last are left out."""
    due, wanted = subscriber.digest_due_at, digest_for(subscriber, settings.digest)
    if not subscriber.digest or due is None:
        return None
    due = latest_due(due, wanted, now) if due <= now else due
    last = last_digests(session, [subscriber.id]).get(subscriber.id)
    while last is not None and due - last < LEAST_APART:
        due = next_digest(wanted, due)
    return due


class _Draft(NamedTuple):
    """What one subscriber is told, and the pairs of the chart that comes with it."""

    subscriber: Subscriber
    message: Message
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class _Issue:
    """The digests of a week: `message` is the one of nobody in particular; `charts` are those not drawn before."""

    span: Span
    message: Message
    drafts: Sequence[_Draft]
    charts: dict[Pairs, bytes]


def _write(session: Session, settings: Settings, span: Span, subscribers: Sequence[Subscriber]) -> _Issue:
    """Words and pictures for all who are told of a week; stores nothing."""
    ids, ends = [each.id for each in subscribers], _ends(span)
    editor, told, over = Editor(session, settings, span), told_here(session, ids, *ends), held_back(session, ids, *ends)
    drafts = [
        _Draft(each, editor.message(choice, told[each.id], over.get(each.id, ())), editor.pairs(choice))
        for each in subscribers
        for choice in (Choice.of(each),)
    ]
    wanted = dict.fromkeys([(), *(draft.pairs for draft in drafts)])
    drawn = drawn_for(session, *span.key)
    charts = {pairs: editor.chart(pairs) for pairs in wanted if _joined(pairs) not in drawn}
    return _Issue(span, editor.message(Choice()), drafts, charts)


def _queue(session: Session, issue: _Issue, still: Mapping[int, Subscriber], now: datetime) -> int:
    """Keep the digests and put the messages of an issue into the outbox; returns how many."""
    digests = _keep(session, issue, now)
    drafts = {draft.subscriber.id: draft for draft in issue.drafts if draft.subscriber.id in still}
    key, people = f"digest:{_ends(issue.span)[1]:%Y%m%dT%H%M}", [still[subscriber] for subscriber in drafts]
    rows = enqueue_all(session, people, key, issue.message, now, Priority.DIGEST)
    for row in rows:
        draft = drafts[row.subscriber_id]
        row.message, row.digest_id = draft.message.to_json(), digests[_joined(draft.pairs)]
    return len(rows)


def _keep(session: Session, issue: _Issue, now: datetime) -> dict[str, int]:
    """The digests of a week, by the pairs of their chart -> their ids, those of earlier rounds among them."""
    since, until, ahead = issue.span.key
    known = drawn_for(session, since, until, ahead)
    made = [
        Digest(
            since=since, until=until, minutes_ahead=ahead, pairs=_joined(pairs), chart=chart, created_at=now,
            message=issue.message.to_json(),
        )
        for pairs, chart in issue.charts.items()
        if _joined(pairs) not in known
    ]  # fmt: skip
    session.add_all(made)
    session.flush()
    return known | {digest.pairs: digest.id for digest in made}


def _still_due(session: Session, due: Sequence[Subscriber]) -> dict[int, Subscriber]:
    """Those of `due` who neither left nor changed when it comes while it was written."""
    before = {subscriber.id: (subscriber.state, subscriber.digest, subscriber.digest_due_at) for subscriber in due}
    found = session.exec(select(Subscriber).where(col(Subscriber.id).in_(before)))
    return {each.id: each for each in found if (each.state, each.digest, each.digest_due_at) == before[each.id]}


def _set_next(subscribers: Mapping[int, Subscriber], settings: Settings, now: datetime) -> None:
    """When the next one comes, also to those who were told lately."""
    for subscriber in subscribers.values():
        subscriber.digest_due_at = next_digest(digest_for(subscriber, settings.digest), now)


def _ends(span: Span) -> tuple[datetime, datetime]:
    return span.key[:2]


def _joined(pairs: Pairs) -> str:
    return " ".join(pairs)


class Editor:
    """Words and charts of one week, each made once for all who are told the same."""

    def __init__(self, session: Session, settings: Settings, span: Span) -> None:
        self._week, self._most = week_of(session, settings, span), settings.digest.top_stories
        self._messages: dict[tuple[Choice, Counts | None, HeldBack], Message] = {}
        self._panels: dict[str, Panel] = {}

    def message(self, choice: Choice, told: Counts | None = None, over: HeldBack = ()) -> Message:
        """For chats of a choice that were told so many alerts, with what their budget held back; None: for nobody in
        particular."""
        key = choice, told, over
        if key not in self._messages:
            self._messages[key] = digest_message(facts_for(self._week, choice, self._most, told, over))
        return self._messages[key]

    def pairs(self, choice: Choice) -> Pairs:
        """The pairs that a chart for a choice is of."""
        return tuple(pair.code for pair in pairs_for(self._week, choice, MOST_PANELS) if pair.own)

    def chart(self, pairs: Pairs) -> bytes:
        """A PNG, drawn at each call."""
        span = self._week.span
        words = week_words(span.since, span.until)
        if pairs:
            return pairs_chart([self._panel(pair) for pair in pairs], f"Tension, your pairs, {words}")
        whole = self._panel("")
        return week_chart(whole.week, whole.before, f"Tension, all pairs, {words}")

    def _panel(self, pair: str) -> Panel:
        """This week of a pair, or of all, and the one before."""
        if pair not in self._panels:
            week, span = self._week, self._week.span
            heard = week.heard.get(pair, ()) if pair else [one for some in week.heard.values() for one in some]
            self._panels[pair] = Panel(
                chart_title(pair, week.names, "", PANEL_WIDTH),
                daily_tension(heard, span.since, span.until),
                daily_tension(heard, span.since - WEEK, span.since),
            )
        return self._panels[pair]


def compose_digest(session: Session, settings: Settings, until: datetime, timezone: str) -> tuple[Message, bytes]:
    """Message and chart (PNG) of the week before `until`, for nobody in particular; stores nothing."""
    editor = Editor(session, settings, Span.before(until, timezone))
    return editor.message(Choice()), editor.chart(())
