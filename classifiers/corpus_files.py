"""classifiers/corpus/*.jsonl -> labelled sentences and whole articles, in three splits that share no story."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from classifiers.passages import headline
from config.errors import ModelError

CORPUS = Path(__file__).with_name("corpus")
SPLITS = ("train", "validation", "test")
_SHARES = (0.70, 0.85)
_SPLIT = 20260101  # never another: it would send texts of the frozen test to training
_WORD = re.compile(r"[^\W\d_]{3,}")
_NEIGHBOURS = 8
_RARE = 25
_UNCOMMON = 150
_WRITTEN_IN_BLOCKS = {"contrast": 5}  # minimal families of a fixed size
_ALIKE = 0.6


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled text; `family` joins near-copies and texts of one story, `article` is its index or -1."""

    text: str
    signals: tuple[str, ...]
    direction: str
    severity: int
    status: str
    source: str
    article: int = -1
    family: int = -1


@dataclass(frozen=True, slots=True)
class LabelledArticle:
    """A whole article with its labels; `contested` holds signal ids, `family` is that of its sentences."""

    title: str
    sentences: tuple[str, ...]
    escalation: float
    deescalation: float
    contested: tuple[str, ...]
    topic: str
    labels: tuple[dict[str, Any], ...] = field(repr=False)
    family: int = -1


@dataclass(frozen=True, slots=True)
class Corpus:
    """Everything read: `texts` (sentences of articles included), `articles`, and the digest of the files."""

    texts: tuple[Labelled, ...]
    articles: tuple[LabelledArticle, ...]
    sha256: str


def read_corpus(folder: Path = CORPUS) -> Corpus:
    """Read every .jsonl file of a folder; raises ModelError that names file and line of what cannot be read."""
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise ModelError(f"no *.jsonl in {folder}: point --corpus at the labelled corpus")
    digest = hashlib.sha256()
    texts: list[Labelled] = []
    articles: list[LabelledArticle] = []
    for path in paths:
        content = path.read_bytes()
        digest.update(path.name.encode() + b"\0" + content)
        for record in _records(path, content.decode("utf-8")):
            if "sentences" in record:
                texts.extend(_text(label, path.stem, len(articles)) for label in record["sentences"])
                articles.append(_article(record))
            else:
                texts.append(_text(record, path.stem))
    families = _families(texts, [article.topic for article in articles])
    return Corpus(
        tuple(_with_family(text, family) for text, family in zip(texts, families, strict=True)),
        tuple(_article_families(texts, articles, families)),
        digest.hexdigest(),
    )


def split_of(family: int) -> str:
    """The split a family belongs to, once and for all: about 70 % train, 15 % validation, 15 % frozen test."""
    point = _number(f"{_SPLIT}:{family}") / 2**48
    return SPLITS[sum(point >= share for share in _SHARES)]


def family_of_text(text: str) -> int:
    """The family of a text that stands by itself."""
    return _number(text)


def near_copies(texts: Sequence[str], known: Sequence[str]) -> list[bool]:
    """Which of `texts` are as like one of `known` as members of one family are."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not texts or not known:
        return [False] * len(texts)
    rows = TfidfVectorizer(token_pattern=_WORD.pattern, sublinear_tf=True).fit_transform([*known, *texts])
    likest = (rows[len(known) :] @ rows[: len(known)].T).max(axis=1).toarray().ravel().tolist()
    same = set(known)
    return [text in same or likeness >= _ALIKE for text, likeness in zip(texts, likest, strict=True)]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest())


def _records(path: Path, content: str) -> Iterable[dict[str, Any]]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ModelError(f"{path}:{number}: not JSON ({error})") from error
        yield record


def _text(record: dict[str, Any], source: str, article: int = -1) -> Labelled:
    return Labelled(
        headline(record["text"]) if record.get("kind") == "headline" else record["text"],
        tuple(record["signals"]),
        record["direction"],
        record["severity"],
        record["status"],
        source,
        article,
    )


def _with_family(text: Labelled, family: int) -> Labelled:
    return Labelled(
        text.text, text.signals, text.direction, text.severity, text.status, text.source, text.article, family
    )


def _article(record: dict[str, Any]) -> LabelledArticle:
    sentences = tuple(label["text"] for label in record["sentences"])
    return LabelledArticle(
        record["title"],
        sentences[1:] if sentences[:1] == (record["title"],) else sentences,
        float(record["escalation"]),
        float(record["deescalation"]),
        tuple(record["contested"]),
        record.get("topic", "").removesuffix("-next"),
        tuple(record["sentences"]),
    )


def _article_families(
    texts: Sequence[Labelled], articles: Sequence[LabelledArticle], families: Sequence[int]
) -> Iterable[LabelledArticle]:
    family_of = {text.article: family for text, family in zip(texts, families, strict=True)}
    for index, article in enumerate(articles):
        yield LabelledArticle(
            article.title,
            article.sentences,
            article.escalation,
            article.deescalation,
            article.contested,
            article.topic,
            article.labels,
            family_of[index],
        )


def _families(texts: Sequence[Labelled], topics: Sequence[str]) -> list[int]:
    """Joins near-copies anywhere, neighbours in a file that share rare words (families stand adjacent), one topic."""
    parent = list(range(len(texts)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    links = (_near_copies(texts), _neighbours(texts), _blocks(texts), _same_topic(texts, topics))
    for one, other in chain.from_iterable(links):
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    # Named by its first text, so that a family keeps its split when files are added.
    return [_number(texts[root(index)].text) for index in range(len(texts))]


def _near_copies(texts: Sequence[Labelled]) -> Iterable[tuple[int, int]]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    matrix = TfidfVectorizer(token_pattern=_WORD.pattern, sublinear_tf=True).fit_transform([t.text for t in texts])
    for start in range(0, matrix.shape[0], 1000):
        alike = (matrix[start : start + 1000] @ matrix.T).tocoo()
        close = (alike.data >= _ALIKE) & (alike.row + start < alike.col)
        yield from zip((alike.row[close] + start).tolist(), alike.col[close].tolist(), strict=True)


def _neighbours(texts: Sequence[Labelled]) -> Iterable[tuple[int, int]]:
    words = [{word.casefold() for word in _WORD.findall(text.text)} for text in texts]
    counts = Counter(word for some in words for word in some)
    telling = [{word for word in some if counts[word] <= _UNCOMMON} for some in words]
    for index, text in enumerate(texts):
        for before in range(max(0, index - _NEIGHBOURS), index):
            if texts[before].source != text.source:
                continue
            shared = telling[before] & telling[index]
            if len(shared) > 1 or any(counts[word] <= _RARE for word in shared):
                yield before, index


def _blocks(texts: Sequence[Labelled]) -> Iterable[tuple[int, int]]:
    starts: dict[str, int] = {}
    for index, text in enumerate(texts):
        size = _WRITTEN_IN_BLOCKS.get(text.source)
        if size:
            start = starts.setdefault(text.source, index)
            yield start + (index - start) // size * size, index


def _same_topic(texts: Sequence[Labelled], topics: Sequence[str]) -> Iterable[tuple[int, int]]:
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        if text.article >= 0:
            groups[topics[text.article] or text.article].append(index)
    for members in groups.values():
        yield from ((members[0], member) for member in members[1:])
