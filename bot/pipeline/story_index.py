"""Words of recent articles in, the stories most like a new one out.

An inverted index over the articles of open stories: a look-up touches a bounded number of articles that share the
rarest words with the new one, and with the newest vectors, so its cost follows neither the archive nor the window. How
the articles of the nearest stories part into events is decided anew with each (regroup.py). What two articles share
(likeness.py) begins with the cosine of stemmed words weighted by rarity (Sparck Jones, "A statistical interpretation of
term specificity", 1972), in the window and in this kind of news at large (word_counts.py).
"""

import heapq
import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, groupby
from typing import Protocol, TypeVar

import numpy as np

from bot.pipeline.likeness import (
    MOST_NUMBERS,
    WITH_VECTORS,
    WITHOUT_VECTORS,
    Shared,
    Vector,
    crowd,
    log_odds_of,
    probability,
    telling,
    told_again,
)
from bot.pipeline.nearest import NearestVectors
from bot.pipeline.regroup import ALWAYS, NEVER, Group, named, part
from bot.pipeline.word_counts import read_counts

Key = TypeVar("Key")

CANDIDATES, MEMBERS = 40, 30  # stories compared with an article, and articles of each, at most
NEAR = 10  # stories that are found by the vectors of their articles besides, at most
LOOKED_AT = 40  # of the articles whose vectors are most like the new one's
REGROUPED = 2  # stories whose articles are parted anew with a new one, at most
PARTED = 12  # articles of each of them, at most; a story that has more stays whole
NEARLY = 1.5  # a story is parted anew if it is as sure as asked for, less so many log-odds
RELUCTANT = -2.0  # log-odds of articles of two stories that keep theirs: what is made one is not put right again
EVERYBODY = ""  # names nobody, and so is named by all
POSTINGS = 600  # holders of its words looked at to find those stories, at most: of the rarest words, the newest
USUAL_SHARE = 0.2  # a text that was counted once and for all weighs this much of an article in the window
COMMON_SHARE = 0.2  # a word in more than this share of the articles tells no story from another
_LONG_APART = -12.0  # log-odds of articles further apart than the window


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One indexed article: its words with their weights, and whose story it is.

    `actors` are the parties that it names and the states where it happens, `numbers` the figures in its text, `event`
    is where it stands among events (None: the encoder has not read it), `kinds` how probable each signal is, as a
    vector of length 1 (None: it reports none). `runs` are its words in their order, those of one weight together.
    """

    story_id: int
    news_at: datetime
    words: Mapping[str, float]
    actors: frozenset[str] = frozenset()
    signals: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    event: Vector | None = None
    kinds: Vector | None = None
    runs: tuple[tuple[float, tuple[str, ...]], ...] = field(init=False)

    def __post_init__(self) -> None:
        by_weight = groupby(self.words, key=self.words.__getitem__)
        object.__setattr__(self, "runs", tuple((weight, tuple(words)) for weight, words in by_weight))

    def traits(self) -> Iterator[str]:
        """What it is found by: its words, and its parties, as no word is written. To name the same party says too
        little where no vector tells which event it is."""
        yield from self.words
        if self.event is not None:
            yield from (f"@{code}" for code in self.actors)


@dataclass(frozen=True, slots=True)
class Match:
    """How sure it is that a new article tells of a story's event, 0-1."""

    story_id: int
    sure: float


class Ties(Protocol):
    """What is known of stories beside their words."""

    def is_firm(self, story_id: int) -> bool:
        """Whether no article may leave it."""

    def may_be_one(self, one: int, other: int) -> bool:
        """Whether nothing speaks against it that articles of both are of one event."""


@dataclass(slots=True)
class Work:
    """What the look-ups so far took: how many there were, holders of words looked at, articles compared."""

    lookups: int = 0
    holders: int = 0
    compared: int = 0


class _Commonness(dict[str, float]):
    """Word -> how common it is: 1, the indexed articles that hold it, and a share of the texts counted for good."""

    def __init__(self) -> None:
        super().__init__()
        self._usual = read_counts().holders

    def note(self, word: str, holders: int) -> None:
        """So many articles of the index hold `word` now."""
        if holders:
            self[word] = 1 + holders + USUAL_SHARE * self._usual.get(word, 0)
        else:
            self.pop(word, None)

    def __missing__(self, word: str) -> float:
        return 1 + USUAL_SHARE * self._usual.get(word, 0)


class _Rarities(dict[float, float]):
    """Commonness -> rarity among so many articles. Ten thousand articles are compared, and few values occur."""

    def __init__(self, articles: float) -> None:
        super().__init__()
        self._articles = articles

    def __missing__(self, commonness: float) -> float:
        found = self[commonness] = math.log((1 + self._articles) / commonness) + 0.1
        return found


class _Squares(dict[float, float]):
    """Commonness -> what a word of one weight adds to the square of a norm."""

    def __init__(self, weight: float, rarities: _Rarities) -> None:
        super().__init__()
        self._weight, self._rarities = weight, rarities

    def __missing__(self, commonness: float) -> float:
        found = self[commonness] = (self._weight * self._rarities[commonness]) ** 2
        return found


class StoryIndex:
    """Articles of stories that are still open. It can be rebuilt from the database at any time and holds no truth."""

    def __init__(self) -> None:
        self.work = Work()
        self._entries: dict[int, Entry] = {}
        # Ascending ids, not sets: the newest can be taken without touching the others, whatever came in which order.
        self._holders: dict[str, list[int]] = {}
        self._of_story: dict[int, list[int]] = {}
        self._naming: defaultdict[str, Counter[int]] = defaultdict(Counter)  # party -> story -> articles
        self._news_of: defaultdict[str, list[datetime]] = defaultdict(list)  # party -> when, in order
        self._vectors = NearestVectors()
        self._by_age: list[tuple[datetime, int]] = []
        self._usual_texts = read_counts().texts
        self._commonness = _Commonness()
        self._count_anew()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, article_id: int) -> bool:
        return article_id in self._entries

    def story_of(self, article_id: int) -> int:
        """The story of an indexed article."""
        return self._entries[article_id].story_id

    def add(self, article_id: int, entry: Entry) -> None:
        """Index an article; an edited one replaces its former words."""
        self.remove(article_id)
        self._entries[article_id] = entry
        self._count_anew()
        heapq.heappush(self._by_age, (entry.news_at, article_id))
        _insert(self._of_story, entry.story_id, article_id)
        self._count_parties(entry, 1)
        if entry.event is not None:
            self._vectors.add(article_id, entry.event)
        for key in entry.traits():
            self._commonness.note(key, _insert(self._holders, key, article_id))

    def remove(self, article_id: int) -> None:
        """Forget an article; unknown ones are ignored."""
        entry = self._entries.pop(article_id, None)
        if entry is None:
            return
        self._count_anew()
        _discard(self._of_story, entry.story_id, article_id)
        self._count_parties(entry, -1)
        self._vectors.remove(article_id)
        for key in entry.traits():
            self._commonness.note(key, _discard(self._holders, key, article_id))

    def _count_anew(self) -> None:
        self._rarities = _Rarities(len(self._entries) + USUAL_SHARE * self._usual_texts)
        self._squares: dict[float, _Squares] = {}

    def forget_before(self, moment: datetime) -> None:
        """Drop articles whose news is older than `moment`."""
        while self._by_age and self._by_age[0][0] < moment:
            news_at, article_id = heapq.heappop(self._by_age)
            entry = self._entries.get(article_id)
            if entry and entry.news_at == news_at:  # an edited one comes up again when its later news is old
                self.remove(article_id)

    def matches(self, new: Entry, window: timedelta) -> list[Match]:
        """The stories that share a telling word with `new` and have news within `window`, the surest first.
        `new.story_id` is not looked at."""
        self.work.lookups += 1
        rarity = {key: self._rarity(key) for key in new.traits()}
        norm, company = self._norm(new), self._company(new)
        matches = [
            Match(story_id, _together([self._odds(new, member, norm, company) for member in members]))
            for story_id in self._candidates(new, rarity)
            if (members := self._near(story_id, new, window))
        ]
        # The lower id wins a tie, so that the same articles in the same order always give the same stories.
        return sorted(matches, key=lambda match: (-match.sure, match.story_id))

    def regroup(
        self,
        article_id: int,
        new: Entry,
        matches: Sequence[Match],
        window: timedelta,
        least: float,
        ties: Ties,
    ) -> list[Group]:
        """How `new`, which is not indexed yet, and the articles of the stories nearest to it part into events of which
        it is at least as sure as `least` (0-1, on average); `matches` are what it was found to match, the surest first.
        """
        nearly = probability(log_odds_of(least) - NEARLY)
        near = [match.story_id for match in matches[:REGROUPED] if match.sure >= nearly]
        firm = {story for story in near if len(self._of_story[story]) > PARTED or ties.is_firm(story)}
        story_of = {each: story for story in near for each in self._of_story[story][-PARTED:]}
        articles = [*story_of, article_id]
        entries = [*(self._entries[each] for each in story_of), new]
        odds = np.full((len(entries), len(entries)), NEVER)
        for row, one in enumerate(entries):
            norm, company = self._norm(one), self._company(one)
            for column, other in enumerate(entries[:row]):
                bond = _bond(story_of.get(articles[row]), story_of[articles[column]], firm, ties)
                if bond not in (ALWAYS, NEVER):
                    bond += self._odds_within(window, one, other, norm, company)
                odds[row, column] = odds[column, row] = bond
        return named(articles, part(odds, log_odds_of(least)), story_of, firm)

    def move(self, article_id: int, into: int) -> None:
        """From now on an article is of another story."""
        entry = self._entries[article_id]
        _discard(self._of_story, entry.story_id, article_id)
        self._count_parties(entry, -1)
        moved = self._entries[article_id] = replace(entry, story_id=into)
        _insert(self._of_story, into, article_id)
        self._count_parties(moved, 1)

    def merge(self, story_id: int, into: int) -> None:
        """From now on the articles of a story are those of another."""
        for article_id in list(self._of_story.get(story_id, ())):
            self.move(article_id, into)

    def _newest(self, story_id: int, most: int) -> list[Entry]:
        return [self._entries[article_id] for article_id in reversed(self._of_story.get(story_id, [])[-most:])]

    def _candidates(self, new: Entry, rarity: Mapping[str, float]) -> list[int]:
        """Stories that share the most telling words, at most CANDIDATES, found by looking at POSTINGS holders at most,
        and those nearest by their vectors: what bounds the cost of a look-up."""
        shared: defaultdict[int, float] = defaultdict(float)
        for word, holders in self._rarest_holders(rarity):
            self.work.holders += len(holders)
            for story_id in {self._entries[article_id].story_id for article_id in holders}:
                shared[story_id] += rarity[word]
        found = heapq.nlargest(CANDIDATES, shared, key=lambda story_id: (shared[story_id], story_id))
        return list(dict.fromkeys([*found, *self._nearest_by_vector(new)]))

    def _nearest_by_vector(self, new: Entry) -> list[int]:
        """Stories of the articles that look most like telling of the same event, though no word may be in common."""
        if new.event is None:
            return []
        nearest = (self._entries[article_id] for article_id in self._vectors.nearest(new.event, LOOKED_AT))
        return list(dict.fromkeys(entry.story_id for entry in nearest))[:NEAR]

    def _rarest_holders(self, words: Iterable[str]) -> Iterator[tuple[str, Sequence[int]]]:
        """The articles that hold each of `words`, rarest word first; of the last word only the newest are left."""
        most = max(10.0, COMMON_SHARE * len(self._entries))
        left = POSTINGS
        for held, word in sorted((len(self._holders.get(word, ())), word) for word in words):
            if not 0 < held <= most:
                continue
            yield word, self._holders[word][-left:]
            left -= held
            if left <= 0:
                return

    def _near(self, story_id: int, new: Entry, window: timedelta) -> list[Entry]:
        """The newest articles of a story, those with news about when `new` has."""
        members = self._newest(story_id, MEMBERS)
        self.work.compared += len(members)
        return [member for member in members if abs(new.news_at - member.news_at) <= window]

    def _count_parties(self, entry: Entry, more: int) -> None:
        for party in (*entry.actors, EVERYBODY):
            stories, news = self._naming[party], self._news_of[party]
            stories[entry.story_id] += more
            if not stories[entry.story_id]:
                del stories[entry.story_id]
            if more > 0:
                insort(news, entry.news_at)
            else:
                del news[bisect_left(news, entry.news_at)]

    def _company(self, new: Entry) -> list[tuple[str, float]]:
        """Each party of an article, the rarest first, and at last everybody; with each the log-odds that go with how
        often its news tells of a known event."""
        parties = sorted(new.actors, key=lambda party: (len(self._news_of[party]), party))
        return [
            (party, told_again(len(self._news_of[party]), len(self._naming[party]))) for party in (*parties, EVERYBODY)
        ]

    def _odds(self, new: Entry, member: Entry, norm: float, company: Sequence[tuple[str, float]]) -> float:
        """Log-odds that both tell of one event, by what they share and by how much news there is of those they name."""
        party, again = next((party, again) for party, again in company if party in member.actors or party == EVERYBODY)
        odds = self._log_odds(new, member, norm) + again
        if party == EVERYBODY:
            return odds
        # As many as there were when the later of them came: what comes afterwards says nothing of these two.
        return odds - crowd(bisect_right(self._news_of[party], max(new.news_at, member.news_at)))

    def _odds_within(
        self, window: timedelta, one: Entry, other: Entry, norm: float, company: Sequence[tuple[str, float]]
    ) -> float:
        self.work.compared += 1
        if abs(one.news_at - other.news_at) > window:
            return _LONG_APART
        return self._odds(one, other, norm, company)

    def _log_odds(self, new: Entry, member: Entry, norm: float) -> float:
        weights = WITHOUT_VECTORS if new.event is None or member.event is None else WITH_VECTORS
        return weights.log_odds(self._shared(new, member, norm))

    def shared(self, new: Entry, window: timedelta) -> dict[int, Shared]:
        """What `new` has in common with each indexed article within `window`, by the article's id; weights are fitted
        on it."""
        norm = self._norm(new)
        return {
            article_id: self._shared(new, member, norm)
            for article_id, member in self._entries.items()
            if abs(new.news_at - member.news_at) <= window
        }

    def _shared(self, new: Entry, member: Entry, norm: float) -> Shared:
        words = math.sqrt(self._cosine(new, member, norm))
        event = 0.0 if new.event is None or member.event is None else float(new.event @ member.event)
        return Shared(
            words,
            event,
            words * event,
            parties=float(bool(new.actors & member.actors)),
            other_parties=_differ(new.actors, member.actors),
            other_kinds=_differ(new.signals, member.signals),
            numbers=float(min(len(new.numbers & member.numbers), MOST_NUMBERS)),
            hours=abs(new.news_at - member.news_at) / timedelta(hours=1),
            kinds_apart=_kinds_apart(new, member),
        )

    def _cosine(self, new: Entry, member: Entry, norm: float) -> float:
        ours, theirs = new.words, member.words
        shared = sorted(ours.keys() & theirs.keys())
        if not shared:
            return 0.0
        dot = sum([ours[word] * theirs[word] * self._rarity(word) ** 2 for word in shared])
        return dot / (norm * self._norm(member))

    def _norm(self, entry: Entry) -> float:
        # Most of a look-up is spent here, so the words are added up without a step of Python for each.
        common = self._commonness.__getitem__
        parts = (map(self._squares_at(weight).__getitem__, map(common, words)) for weight, words in entry.runs)
        return math.sqrt(sum(chain.from_iterable(parts)))

    def _squares_at(self, weight: float) -> _Squares:
        found = self._squares.get(weight)
        if found is None:
            found = self._squares[weight] = _Squares(weight, self._rarities)
        return found

    def _rarity(self, word: str) -> float:
        return self._rarities[self._commonness[word]]


def _bond(one: int | None, other: int, firm: Collection[int], ties: Ties) -> float:
    """Log-odds that go with the stories of two articles: what was told together stays so, and of two stories that were
    told more is asked to be one."""
    if one is None:
        return 0.0
    if one == other:
        return ALWAYS if one in firm else 0.0
    if not ties.may_be_one(one, other):
        return NEVER
    return RELUCTANT if one in firm and other in firm else 0.0


def _together(odds: Sequence[float]) -> float:
    """Log-odds of an article and each of a story's -> how sure it is of the story. Between single link, which chains
    neighbouring events together, and average link, which splits long stories."""
    return probability((max(odds) + sum(odds) / len(odds)) / 2)


def _insert(lists: dict[Key, list[int]], key: Key, article_id: int) -> int:
    """Returns how many there are now."""
    found = lists.setdefault(key, [])
    found.insert(bisect_left(found, article_id), article_id)  # nearly always at the end
    return len(found)


def _discard(lists: dict[Key, list[int]], key: Key, article_id: int) -> int:
    """Returns how many are left."""
    found = lists[key]
    del found[bisect_left(found, article_id)]
    if not found:
        del lists[key]
    return len(found)


def _differ(ones: frozenset[str], others: frozenset[str]) -> float:
    return float(bool(ones) and bool(others) and ones.isdisjoint(others))


def _kinds_apart(new: Entry, member: Entry) -> float:
    says = telling(min(len(new.words), len(member.words)))
    if not says or new.kinds is None or member.kinds is None:
        return 0.0
    return says * (1.0 - float(new.kinds @ member.kinds))
