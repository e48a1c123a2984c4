"""A new reading and the stories nearest to it -> its story; articles that belong elsewhere move, stories become one.

An early article is often put where it does not belong, because what it is about was not told yet. So with each new one
the articles of the two nearest stories are parted anew (regroup.py). A story that people were told of keeps its
articles, and becomes one with another only where merge.py says that nothing speaks against it.
"""

import logging
from collections import Counter, defaultdict
from datetime import timedelta
from itertools import islice

from sqlmodel import Session, col, func, select, update

from bot.pipeline.merge import any_taken_back, may_be_one, merge, said_of
from bot.pipeline.regroup import Group
from bot.pipeline.story_index import REGROUPED, Entry, StoryIndex
from config.schema import Stories
from models import Direction, Reading, Story

log = logging.getLogger(__name__)


def settle(
    session: Session, index: StoryIndex, reading: Reading, entry: Entry, settings: Stories
) -> tuple[Story, dict[int, int]]:
    """The story of a reading that is in no story yet, and which articles moved to which story. The index follows, but
    for the reading itself."""
    window = timedelta(hours=settings.window_hours)
    known = (each for each in index.matches(entry, window) if session.get(Story, each.story_id))
    near = list(islice(known, REGROUPED))
    groups = index.regroup(reading.article_id, entry, near, window, settings.same_event, _Ties(session))
    named = [(group, _story_of(session, group, reading)) for group in groups]
    stories = {article_id: story for group, story in named for article_id in group.articles}
    moved = _move_articles(session, index, {each: story for each, story in stories.items() if each in index})
    return stories[reading.article_id], moved


class _Ties:
    """What the database knows of stories whose articles are about to be parted anew."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._may_be_one: dict[frozenset[int], bool] = {}

    def is_firm(self, story_id: int) -> bool:
        """What people were told of stays with what they were told."""
        return self._session.get_one(Story, story_id).was_told

    def may_be_one(self, one: int, other: int) -> bool:
        """Not, if one was taken back, or if what was read of them speaks against it."""
        pair = frozenset((one, other))
        if pair not in self._may_be_one:
            self._may_be_one[pair] = self._ask(*(self._session.get_one(Story, story_id) for story_id in sorted(pair)))
        return self._may_be_one[pair]

    def _ask(self, one: Story, other: Story) -> bool:
        self._session.flush()  # others of the round may have joined
        if any_taken_back(self._session, one, other):
            return False
        told = one.was_told or other.was_told
        return may_be_one(said_of(self._session, one), said_of(self._session, other), told)


def _story_of(session: Session, group: Group, reading: Reading) -> Story:
    """The story that a group of articles goes on, or a new one, called after its first article."""
    if group.story_id is not None:
        return session.get_one(Story, group.story_id)
    first = reading
    if reading.article_id not in group.articles:
        of_group = select(Reading).where(col(Reading.article_id).in_(group.articles), col(Reading.latest))
        first = session.exec(of_group.order_by(col(Reading.news_at), col(Reading.id))).first() or reading
    story = Story(title=first.title, first_seen_at=first.news_at, last_seen_at=first.news_at)
    session.add(story)
    session.flush()
    return story


def _move_articles(session: Session, index: StoryIndex, stories: dict[int, Story]) -> dict[int, int]:
    """Bring indexed articles to their stories; a story that keeps none of its own becomes part of the one that most of
    them went to. Returns which moved where."""
    went = defaultdict[int, dict[int, Story]](dict)
    for article_id, story in stories.items():
        went[index.story_of(article_id)][article_id] = story
    moved = dict[int, int]()
    for story_id, targets in went.items():
        left = {each: story for each, story in targets.items() if story.id != story_id}
        if not left:
            continue
        emptied = len(left) == len(targets)
        heir = Counter(story.id for story in left.values()).most_common(1)[0][0] if emptied else None
        for article_id, story in left.items():
            moved[article_id] = story.id
            if story.id != heir:
                _move(session, article_id, session.get_one(Story, story_id), story)
                index.move(article_id, story.id)
        if heir is not None:
            merge(session, session.get_one(Story, story_id), session.get_one(Story, heir))
            index.merge(story_id, heir)
            log.info("stories_merged story=%s into=%s", story_id, heir)
    return moved


def _move(session: Session, article_id: int, story: Story, into: Story) -> None:
    """All readings of an article leave a story that nobody was told of, which is weighed as if they had never been in
    it."""
    session.flush()
    of_article = (col(Reading.article_id) == article_id, col(Reading.story_id) == story.id)
    at = session.exec(select(func.max(Reading.news_at)).where(*of_article)).one()
    session.execute(update(Reading).where(*of_article).values(story_id=into.id))
    if at is not None:
        into.first_seen_at, into.last_seen_at = min(into.first_seen_at, at), max(into.last_seen_at, at)
    left = select(func.min(Reading.news_at), func.max(Reading.news_at)).where(Reading.story_id == story.id)
    first, last = session.exec(left).one()
    if first is not None and last is not None:
        story.first_seen_at, story.last_seen_at = first, last
    for direction in Direction:
        setattr(story, f"peak_{direction}", 0.0)
        setattr(story, f"level_{direction}", 0)
        setattr(story, f"level_{direction}_since", None)
    story.changed = into.changed = True
    log.info("article_moved article=%s story=%s into=%s", article_id, story.id, into.id)
