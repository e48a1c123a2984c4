"""Words of recent articles in, the stories most like a new one out.

An inverted index over the articles of open stories: a look-up touches a bounded number of articles that share the
rarest words with the new one, so its cost follows neither the archive nor the window. What two articles share
(likeness.py) begins with the cosine of stemmed words weighted by rarity (Sparck Jones, "A statistical interpretation of
term specificity", 1972), in the window and in this kind of news at large (word_counts.py).
"""

import heapq
import math
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain, groupby
from typing import TypeVar

import snowballstemmer

from bot.pipeline.likeness import (
    CROWD,
    MOST_NUMBERS,
    WITH_VECTORS,
    WITHOUT_VECTORS,
    Shared,
    Vector,
    probability,
    telling,
)
from bot.pipeline.word_counts import read_counts

Key = TypeVar("Key")

TITLE_WEIGHT = 1.6
CANDIDATES, MEMBERS = 40, 30  # stories compared with an article, and articles of each, at most
PAIRED = 8  # articles of each of two stories that are compared, at most
POSTINGS = 600  # holders of its words looked at to find those stories, at most: of the rarest words, the newest
USUAL_SHARE = 0.2  # a text that was counted once and for all weighs this much of an article in the window
COMMON_SHARE = 0.2  # a word in more than this share of the articles tells no story from another
_WORD = re.compile(r"[^\W_]+(?:[.’'-][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OUTLET_SUFFIX = re.compile(r"\s+[-–—|]\s+[^-–—|]{2,40}$")
_STOP_WORDS = """
    a about after again against all also an and any are as at be because been before being between both but by can
    could did do does during each for from further had has have he her here his how if in into is it its itself just
    more most my new no nor not now of off on once only or other our out over own per said same say says she should
    so some such than that the their them then there these they this those through to too under until up very was we
    were what when where which while who whom why will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())


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
        self._naming: Counter[str] = Counter()
        self._by_age: list[tuple[datetime, int]] = []
        self._usual_texts = read_counts().texts
        self._commonness = _Commonness()
        self._count_anew()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, article_id: int, entry: Entry) -> None:
        """Index an article; an edited one replaces its former words."""
        self.remove(article_id)
        self._entries[article_id] = entry
        self._count_anew()
        heapq.heappush(self._by_age, (entry.news_at, article_id))
        _insert(self._of_story, entry.story_id, article_id)
        self._naming.update(entry.actors)
        for key in entry.traits():
            self._commonness.note(key, _insert(self._holders, key, article_id))

    def remove(self, article_id: int) -> None:
        """Forget an article; unknown ones are ignored."""
        entry = self._entries.pop(article_id, None)
        if entry is None:
            return
        self._count_anew()
        _discard(self._of_story, entry.story_id, article_id)
        self._naming.subtract(entry.actors)
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
        norm = self._norm(new)
        near = {story_id: self._near(story_id, new, window) for story_id in self._candidates(rarity)}
        others = sum(any(new.actors & member.actors for member in members) for members in near.values())
        matches = [
            Match(
                story_id,
                _together([self._log_odds(new, member, norm) for member in members], self._crowd(new, members, others)),
            )
            for story_id, members in near.items()
        ]
        # The lower id wins a tie, so that the same articles in the same order always give the same stories.
        return sorted(matches, key=lambda match: (-match.sure, match.story_id))

    def alike(self, one: int, other: int, window: timedelta) -> float:
        """How sure it is that two stories tell of one event, 0-1: by all pairs of the newest articles of each."""
        ones, others = (self._newest(story_id, PAIRED) for story_id in (one, other))
        self.work.compared += len(ones) * len(others)
        odds = [
            self._log_odds(first, second, norm)
            for first in ones
            for norm in (self._norm(first),)
            for second in others
            if abs(first.news_at - second.news_at) <= window
        ]
        return _together(odds)

    def merge(self, story_id: int, into: int) -> None:
        """From now on the articles of a story are those of another."""
        for article_id in self._of_story.pop(story_id, ()):
            self._entries[article_id] = replace(self._entries[article_id], story_id=into)
            _insert(self._of_story, into, article_id)

    def _newest(self, story_id: int, most: int) -> list[Entry]:
        return [self._entries[article_id] for article_id in reversed(self._of_story.get(story_id, [])[-most:])]

    def _candidates(self, rarity: Mapping[str, float]) -> list[int]:
        """Stories that share the most telling words, at most CANDIDATES, found by looking at POSTINGS holders at most:
        what bounds the cost of a look-up."""
        shared: defaultdict[int, float] = defaultdict(float)
        for word, holders in self._rarest_holders(rarity):
            self.work.holders += len(holders)
            for story_id in {self._entries[article_id].story_id for article_id in holders}:
                shared[story_id] += rarity[word]
        return heapq.nlargest(CANDIDATES, shared, key=lambda story_id: (shared[story_id], story_id))

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

    def _crowd(self, new: Entry, members: Sequence[Entry], others: int) -> int:
        """Articles that name the rarest party that `new` has in common with a story; `others` where it has none."""
        shared = new.actors & frozenset[str]().union(*(member.actors for member in members))
        return min((self._naming[party] for party in shared), default=others)

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


def _together(odds: Sequence[float], crowd: int = 0) -> float:
    """Log-odds of pairs of articles -> how sure it is of what they are from, 0 without any; `crowd` articles name the
    same party. Between single link, which chains neighbouring events together, and average link, which splits long
    stories."""
    if not odds:
        return 0.0
    return probability((max(odds) + sum(odds) / len(odds)) / 2 - CROWD * math.log1p(crowd))


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


def story_words(title: str, lead: str) -> dict[str, float]:
    """Stemmed words of a headline and lead with their weights; the headline counts more. Deterministic."""
    counts: Counter[str] = Counter()
    for word in _stems(_OUTLET_SUFFIX.sub("", title)):
        counts[word] = max(counts[word], TITLE_WEIGHT)  # type: ignore[assignment]
    for word in _stems(lead):
        counts[word] = max(counts[word], 1.0)  # type: ignore[assignment]
    return dict(counts)


def numbers_in(text: str) -> frozenset[str]:
    """The figures of a text as they are written."""
    return frozenset(_NUMBER.findall(text))


def _stems(text: str) -> list[str]:
    words = (word.lower().replace("’", "'").removesuffix("'s") for word in _WORD.findall(text))
    return [_stem(word) for word in words if len(word) > 1 and word not in _STOP]


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return str(snowballstemmer.stemmer("english").stemWord(word))
