"""a correction and the chats that heard of its story -> edits, answers, and what waits set right before it is told."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import update
from sqlmodel import Session, col, select

from bot.messages.message import Message
from bot.pipeline.fold import leave_out
from bot.pipeline.sequence import (
    Heard,
    HeardBy,
    Telling,
    common,
    edit,
    give_up,
    heard_of,
    overtake,
    queue,
    reword,
)
from models import Alert, AlertKind, Delivery, DeliveryState, Priority, Story
from models.delivery import give_up_waiting
from models.story import parts_of
from models.subscriber import active_subscribers

TAKEN_BACK = "retracted before it was sent"


def correct(
    session: Session, alert: Alert, message: Message, tellings: Sequence[Telling], heard: HeardBy, now: datetime
) -> None:
    """Whoever heard of the story hears this too: a confirmation in the message they have, a contradiction and a
    retraction as an answer to it, of which a pair muted since makes no sound."""
    _end_updates(session, alert)
    if alert.kind is AlertKind.CONFIRMED:
        _confirm(session, alert, message, tellings, heard, now)
        return
    pair = session.get_one(Story, alert.story_id).dyad
    tellings = [replace(each, silent=pair is not None and pair in each.subscriber.muted_dyads) for each in tellings]
    retracted = alert.kind is AlertKind.RETRACTED
    gone = _take_back(session, heard) if retracted else overtake(session, alert, tellings, heard)
    told = {each.subscriber.id for each in tellings if _left(heard[each.subscriber.id], gone)}
    # A contradiction of what nobody was told yet is told in its place; a retraction of it would be about nothing.
    news = [each for each in tellings if each.subscriber.id in told or not (retracted or each.silent)]
    queue(session, alert, message, news, heard, gone, now)
    if retracted:
        last = {chat: _left(heard[chat], gone)[-1] for chat in told}
        there = {chat: each.id for chat, each in last.items() if not each.waits and each.summary_id is None}
        values = {"key": f"alert:{alert.id}:edit", "priority": Priority.UPDATE, "created_at": now}
        edit(session, there, values, message)


def _left(heard: Sequence[Heard], gone: Collection[int]) -> list[Heard]:
    return [each for each in heard if each.id not in gone]


def _end_updates(session: Session, alert: Alert) -> None:
    of_story = select(Delivery.id).join(Alert, col(Alert.id) == col(Delivery.alert_id))
    updates = col(Delivery.edits_id).in_(of_story.where(col(Alert.story_id).in_(parts_of(alert.story_id))))
    give_up_waiting(session, updates & (col(Delivery.priority) == Priority.UPDATE), "the story was corrected before")


def _confirm(
    session: Session, alert: Alert, message: Message, tellings: Sequence[Telling], heard: HeardBy, now: datetime
) -> None:
    """In the last message; in the one that waits, before it is sent; a summary of missed alerts is answered."""
    last = {each.subscriber.id: heard[each.subscriber.id][-1] for each in tellings}
    reworded = reword(session, [each.id for each in last.values() if each.waits and each.summary_id is None], message)
    there = {chat: each.id for chat, each in last.items() if each.summary_id is None and each.id not in reworded}
    edit(session, there, common(alert, now), message)
    answers = [replace(each, silent=True) for each in tellings if _is_told_in_summary(last[each.subscriber.id])]
    queue(session, alert, message, answers, heard, (), now)


def _is_told_in_summary(heard: Heard) -> bool:
    return heard.summary_id is not None and not heard.waits


def _take_back(session: Session, heard: HeardBy) -> set[int]:
    """Nothing that waits of the story is told; returns what never arrived."""
    waiting = [each for chat in heard.values() for each in chat if each.waits]
    left_out = [each.id for each in waiting if each.summary_id is not None]
    leave_out(session, left_out, TAKEN_BACK)
    return give_up(session, [each.id for each in waiting if each.summary_id is None], TAKEN_BACK) | {*left_out}


def prefix_of_updates(story_id: int) -> str:
    """With which the keys of what `address_update` writes of a story begin."""
    return f"update:{story_id}:"


def address_update(session: Session, alert: Alert, message: Message, now: datetime) -> None:
    """Change the message by which each chat last heard of the alert's story, without a sound; one that waits yet,
    before it is sent. A summary of missed alerts stays as it is."""
    story_id = session.get_one(Story, alert.story_id).whole_id
    prefix = prefix_of_updates(story_id)
    newer = (col(Delivery.state) == DeliveryState.WAITING, col(Delivery.key).startswith(prefix))
    session.execute(update(Delivery).where(*newer).values(message=replace(message, silent=True).to_json()))
    under_way = set(session.exec(select(Delivery.subscriber_id).where(*newer)))
    waiting = {subscriber.id for subscriber in active_subscribers(session)} - under_way
    last = {chat: heard[-1] for chat, heard in heard_of(session, story_id).items()}
    last = {chat: each for chat, each in last.items() if each.summary_id is None}
    reworded = reword(session, [each.id for each in last.values() if each.waits], message)
    there = {chat: each.id for chat, each in last.items() if chat in waiting and each.id not in reworded}
    key = f"{prefix}{alert.id}:{alert.facts['independent']}:{now.timestamp():.6f}"
    edit(session, there, {"key": key, "priority": Priority.UPDATE, "created_at": now}, message)
