"""labelled whole articles and what was read in them -> errors of the scores, how claims and contested signals fare."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from classifiers.actors import Gazetteer
from classifiers.corpus_files import LabelledArticle
from classifiers.judgement import Claim, Document, Judgement
from classifiers.labels import ANCHORS, POLES, severity_of


@dataclass(frozen=True, slots=True)
class Found:
    """Counts: how many were `read`, how many are `labelled`, and how many of both are the same."""

    same: int = 0
    read: int = 0
    labelled: int = 0

    @property
    def precision(self) -> str:
        """Share 0-1 of what was read, with its counts."""
        return share(self.same, self.read)

    @property
    def recall(self) -> str:
        """Share 0-1 of what is labelled, with its counts."""
        return share(self.same, self.labelled)


@dataclass(frozen=True, slots=True)
class ArticleFigures:
    """One system on whole articles. Scores are 0-100; poles are those of POLES.

    `errors` is the mean absolute error by pole, `anchors` (articles, mean score) by pole and nearest labelled anchor.
    `claims` counts sentences that report somebody's word; of those found, `right` counts by part (claimant, signal,
    stance) how many are as labelled.
    """

    articles: int
    errors: dict[str, float]
    anchors: dict[str, dict[float, tuple[int, float]]]
    contested: Found
    claims: Found
    right: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[tuple[str, str]]:
        """What is measured, and the figure, in the order to print."""
        rows = [("articles", str(self.articles))]
        for pole in POLES:
            rows.append((f"mean error, {pole}", f"{self.errors[pole]:.1f}"))
            rows += [
                (f"  mean {pole} where labelled near {anchor:.0f}", f"{mean:.1f} of {count}" if count else "-")
                for anchor, (count, mean) in self.anchors[pole].items()
            ]
        for name, found in (("contested signals", self.contested), ("claims found", self.claims)):
            rows += [(f"{name}, precision", found.precision), (f"{name}, recall", found.recall)]
        rows += [(f"  {part} right", share(count, self.claims.same)) for part, count in self.right.items()]
        return rows


def documents_of(articles: Sequence[LabelledArticle]) -> list[Document]:
    """Articles as a system reads them."""
    return [Document(article.title, text="\n".join(article.sentences)) for article in articles]


def article_figures(articles: Sequence[LabelledArticle], judged: Sequence[Judgement]) -> ArticleFigures:
    """Figures of articles (at least one) and their judgements, in the same order."""
    contested = [(set(each.contested), set(article.contested)) for article, each in zip(articles, judged, strict=True)]
    claims, right = _claims(articles, judged)
    return ArticleFigures(
        len(articles),
        {pole: _error(articles, judged, pole) for pole in POLES},
        {pole: _by_anchor(articles, judged, pole) for pole in POLES},
        Found(
            sum(len(read & labelled) for read, labelled in contested),
            sum(len(read) for read, _ in contested),
            sum(len(labelled) for _, labelled in contested),
        ),
        claims,
        right,
    )


def share(good: int, count: int) -> str:
    """A share 0-1 with its counts; "-" of nothing."""
    return f"{good / count:.2f} ({good} of {count})" if count else "-"


def _error(articles: Sequence[LabelledArticle], judged: Sequence[Judgement], pole: str) -> float:
    pairs = zip(articles, judged, strict=True)
    return float(np.mean([abs(getattr(each, pole) - getattr(article, pole)) for article, each in pairs]))


def _by_anchor(
    articles: Sequence[LabelledArticle], judged: Sequence[Judgement], pole: str
) -> dict[float, tuple[int, float]]:
    scores: defaultdict[float, list[float]] = defaultdict(list)
    for article, each in zip(articles, judged, strict=True):
        scores[ANCHORS[severity_of(getattr(article, pole))]].append(getattr(each, pole))
    return {anchor: (len(scores[anchor]), float(np.mean(scores[anchor] or [0.0]))) for anchor in ANCHORS}


def _claims(articles: Sequence[LabelledArticle], judged: Sequence[Judgement]) -> tuple[Found, dict[str, int]]:
    """Each labelled sentence is found once at most; further claims from it count as read only."""
    right = dict.fromkeys(("claimant", "signal", "stance"), 0)
    same = read = labelled = 0
    gazetteer = Gazetteer()
    for article, each in zip(articles, judged, strict=True):
        wanted = {_plain(label["text"]): label for label in article.labels if label.get("claimant")}
        read, labelled = read + len(each.claims), labelled + len(wanted)
        for claim in each.claims:
            text = _label_of(claim, wanted)
            if text is not None:
                same += 1
                for part in _agreeing(claim, wanted.pop(text), gazetteer):
                    right[part] += 1
    return Found(same, read, labelled), right


def _agreeing(claim: Claim, label: Mapping[str, Any], gazetteer: Gazetteer) -> list[str]:
    agree = {
        "claimant": _party(claim.claimant, gazetteer) == _party(label["claimant"], gazetteer),
        "signal": claim.signal in label["signals"],
        "stance": claim.stance == label.get("stance"),
    }
    return [part for part, same in agree.items() if same]


def _label_of(claim: Claim, wanted: Iterable[str]) -> str | None:
    """The labelled sentence that a claim was read in; the reader may have split or joined sentences otherwise."""
    text = _plain(claim.sentence)
    return next((sentence for sentence in wanted if text in sentence or sentence in text), None)


def _party(name: str, gazetteer: Gazetteer) -> str:
    """One name for every spelling of a known party."""
    mentions = gazetteer.find(name)
    return mentions[0].actor.name if mentions else name.casefold()


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
