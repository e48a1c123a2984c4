"""documents -> judgements: title, lead and body are read sentence by sentence and combined into one reading each.

passages -> gate -> features -> heads -> combiner -> judgement
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.actors import Gazetteer
from classifiers.artifact import DEFAULT_ARTIFACT, Parts, load_parts
from classifiers.claims import Spoken, claims_of, contested_of, speakers_of
from classifiers.combiner import Floats
from classifiers.features import join
from classifiers.heads import Readings, quiet_readings
from classifiers.judgement import ActorEntry, Document, Evidence, Judgement
from classifiers.labels import DIRECTIONS, LIKELY_SIGNAL, POLES, SIGNALS, STATUSES, severity_of
from classifiers.language import ENGLISH, language_of
from classifiers.passages import Passage, is_roundup, passages_of
from classifiers.speech import parts_of

__all__ = ["DEFAULT_ARTIFACT", "Classifier", "load_classifier"]

_PLACE_WEIGHTS = {"title": 3.0, "lead": 2.0, "body": 1.0}
_MOST_EVIDENCE = 3
_LEAST_EVIDENCE = 2.0
_MOST_CUT = 8  # sentences of one document that are read once more in parts
_OPENING = 3  # sentences that say which event it is about, the title among them
Floats32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Read:
    """One English document on its way: its passages, what the heads read in each, the points each gave, and where each
    stands among events (zeros where the gate kept it back)."""

    passages: list[Passage]
    readings: Readings
    shares: Floats
    events: Floats32


class Classifier:
    """Reads batches of documents. Holds no state between calls, so one instance may serve several threads."""

    def __init__(self, parts: Parts, version: str, gazetteer: Gazetteer) -> None:
        self.version = version
        self._parts = parts
        self._gazetteer = gazetteer

    def judge(self, documents: Sequence[Document]) -> list[Judgement]:
        """One judgement a document, in order. A batch of some hundreds is read much faster than one by one."""
        languages = [language_of(f"{document.title}. {document.summary or document.text}") for document in documents]
        english = [index for index, language in enumerate(languages) if language == ENGLISH]
        read = self._read([passages_of(documents[index]) for index in english])
        spoken = self._spoken(read)
        judged = {index: self._judgement(one, said) for index, one, said in zip(english, read, spoken, strict=True)}
        return [judged.get(index) or self._unread(language) for index, language in enumerate(languages)]

    def sentence_readings(self, texts: Sequence[str]) -> Readings:
        """Probabilities of each text by itself; what the gate keeps back reads as out of scope."""
        return self._sentences(texts)[0]

    def _sentences(self, texts: Sequence[str]) -> tuple[Readings, Floats32]:
        parts = self._parts
        words = parts.words.transform(texts)
        passed = np.flatnonzero(parts.gate.passes(words))
        readings = quiet_readings(len(texts))
        events = np.zeros((len(texts), parts.encoder.width if parts.encoder else 0), dtype=np.float32)
        if len(passed):
            from scipy import sparse

            kept = [texts[int(index)] for index in passed]
            encoded = parts.encoder.start(kept) if parts.encoder else lambda: (events[passed], events[passed])
            rows = sparse.hstack([words[passed], join(parts.others, kept)], format="csr")
            vectors, events[passed] = encoded()
            for name, values in _fields(parts.heads.read(rows, vectors)):
                getattr(readings, name)[passed] = values
        return readings, events

    def _read(self, documents: Sequence[list[Passage]]) -> list[_Read]:
        texts = [passage.text for passages in documents for passage in passages]
        readings, events = self._sentences(texts) if texts else (quiet_readings(0), np.zeros((0, 0), np.float32))
        scores = self._parts.combiner.sentence_scores(readings) if texts else np.zeros((0, len(POLES)))
        out: list[_Read] = []
        start = 0
        for passages in documents:
            rows = slice(start, start + len(passages))
            start += len(passages)
            here = _of_most(scores[rows]) if is_roundup(passages) else scores[rows]
            shares = self._parts.combiner.shares(here) if passages else np.zeros((0, len(POLES)))
            out.append(_Read(passages, readings[rows], shares, events[rows]))
        return out

    def _spoken(self, documents: Sequence[_Read]) -> list[list[Spoken]]:
        """What may be claims, document by document: sentences, and those of two speakers in parts, read apart."""
        cuts = [self._cuts(read.passages) for read in documents]
        parts = [part for cut in cuts for some in cut.values() for part in some]
        readings = self.sentence_readings(parts) if parts else quiet_readings(0)
        apart = iter(_as_spoken(parts, readings))
        out = []
        for read, cut in zip(documents, cuts, strict=True):
            wholes = _as_spoken([passage.text for passage in read.passages], read.readings)
            out.append(
                [
                    one
                    for at, whole in enumerate(wholes)
                    for one in ([next(apart).within(whole) for _ in cut[at]] if at in cut else [whole])
                ]
            )
        return out

    def _cuts(self, passages: Sequence[Passage]) -> dict[int, tuple[str, ...]]:
        """The parts of the first passages in which two speak, by place."""
        found = ((at, parts_of(each.text, self._gazetteer.find(each.text))) for at, each in enumerate(passages))
        return dict(islice(((at, parts) for at, parts in found if len(parts) > 1), _MOST_CUT))

    def _judgement(self, read: _Read, spoken: Sequence[Spoken]) -> Judgement:
        if not read.passages:
            return self._unread(ENGLISH)
        scores = read.shares.sum(axis=0)
        weights = _salience(read.shares)
        speakers = speakers_of(spoken, self._gazetteer)
        claims = claims_of(spoken, speakers, self._gazetteer)
        named = self._gazetteer.named_in((p.text, _PLACE_WEIGHTS[p.place]) for p in read.passages)
        return Judgement(
            escalation=round(float(scores[0]), 1),
            deescalation=round(float(scores[1]), 1),
            direction=_probabilities(DIRECTIONS, weights @ read.readings.direction),
            severity=severity_of(float(scores.max())),
            status=STATUSES[int((weights @ read.readings.status).argmax())],
            signals=_probabilities(SIGNALS, read.readings.signals.max(axis=0)),
            evidence=_evidence(read),
            actors=named.actors,
            dyad=named.dyad,
            places=named.places,
            claims=claims,
            contested=contested_of(spoken, speakers, claims),
            event=_event(read.events[:_OPENING]),
            language=ENGLISH,
            model=self.version,
        )

    def _unread(self, language: str) -> Judgement:
        return Judgement(
            escalation=0.0,
            deescalation=0.0,
            direction=dict.fromkeys(DIRECTIONS, 0.0) | {"none": 1.0},
            severity=0,
            status="asserted",
            signals=dict.fromkeys(SIGNALS, 0.0),
            language=language,
            model=self.version,
        )


def load_classifier(artifact: Path = DEFAULT_ARTIFACT, extra_actors: Sequence[ActorEntry] = ()) -> Classifier:
    """Load a trained model; raises ModelError naming the command that makes a good one."""
    gazetteer = Gazetteer(extra_actors)
    parts, manifest = load_parts(artifact, gazetteer)
    return Classifier(parts, str(manifest["model"]), gazetteer)


def _fields(readings: Readings) -> list[tuple[str, Floats]]:
    return [(name, getattr(readings, name)) for name in ("direction", "levels", "status", "signals")]


def _of_most(scores: Floats) -> Floats:
    """Sentence scores of a round-up (sentences x poles), none higher than what more than half of them reach."""
    reached = np.sort(scores, axis=0)[::-1][len(scores) // 2]
    return np.asarray(np.minimum(scores, reached))


def _event(rows: Floats32) -> bytes:
    """The middle of some sentences' places among events, as a Judgement keeps it."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    middle = (rows / np.maximum(lengths, 1e-9)).sum(axis=0)
    largest = float(np.abs(middle).max(initial=0.0))
    return np.rint(middle * (127 / largest)).astype(np.int8).tobytes() if largest else b""


def _salience(shares: Floats) -> Floats:
    """How much each sentence stands for its document: by points given, the title first where nothing scored."""
    weights = shares.sum(axis=1) + 1e-3
    weights[0] += 1.0
    return np.asarray(weights / weights.sum())


def _probabilities(names: tuple[str, ...], values: Floats) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(names, values, strict=True)}


def _as_spoken(texts: Sequence[str], readings: Readings) -> list[Spoken]:
    denied = readings.status[:, STATUSES.index("denied")]
    out = []
    for text, row, denial in zip(texts, readings.signals, denied, strict=True):
        best = np.argsort(-row, kind="stable")[:3]
        out.append(Spoken(text, tuple((SIGNALS[i], float(row[i])) for i in best), float(denial)))
    return out


def _evidence(read: _Read) -> tuple[Evidence, ...]:
    """The sentences that gave most points to either score, with the signal they were read for."""
    strongest = np.argsort(-read.shares.max(axis=1), kind="stable")[:_MOST_EVIDENCE]
    found = []
    for index in strongest:
        pole = int(read.shares[index].argmax())
        points = float(read.shares[index, pole])
        if points < _LEAST_EVIDENCE:
            continue
        row = read.readings.signals[index]
        best = int(row.argmax())
        signal = SIGNALS[best] if row[best] >= LIKELY_SIGNAL else None
        found.append(Evidence(read.passages[index].text, signal, POLES[pole], round(points, 1)))
    return tuple(found)
