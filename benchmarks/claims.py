"""The corpus's labelled articles, read whole -> how many claims are found and right, and how many disputes.

    python -m benchmarks claims [--errors]

Articles of train and validation are apart from those of the frozen test. The model that ships has seen the sentences
of the former, so only the latter says how well it does; errors are shown of the former alone, so that nobody tunes on
the test.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from benchmarks.measure import console
from classifiers.actors import Gazetteer
from classifiers.classifier import load_classifier
from classifiers.corpus_files import LabelledArticle, read_corpus, split_of
from classifiers.judgement import Claim, Document, Judgement

FIELDS = ("claimant", "signal", "stance")


@dataclass(slots=True)
class Tally:
    """Counts over some articles. `right` holds, for each field, the found claims in which it is right."""

    articles: int = 0
    claims: int = 0
    found: int = 0
    right: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FIELDS, 0))
    all_right: int = 0
    spurious: int = 0
    contested_right: int = 0
    contested_wrong: int = 0
    contested_missed: int = 0
    errors: list[str] = field(default_factory=list)

    def add(self, article: LabelledArticle, judged: Judgement, gazetteer: Gazetteer) -> None:
        """Count one article; its errors are remembered in words."""
        self.articles += 1
        self._add_contested(article, set(judged.contested))
        for label in article.labels:
            here = [claim for claim in judged.claims if claim.sentence in label["text"]]
            if label.get("claimant"):
                self._add_claim(label, here, gazetteer)
            elif here:
                self.spurious += 1
                self.errors.append(f"SPURIOUS {_told(here)} | {label['text']}")

    def _add_contested(self, article: LabelledArticle, told: set[str]) -> None:
        labelled = set(article.contested)
        self.contested_right += len(labelled & told)
        self.contested_wrong += len(told - labelled)
        self.contested_missed += len(labelled - told)
        if labelled != told:
            self.errors.append(f"CONTESTED {sorted(told)}, labelled {sorted(labelled)} | {article.title}")

    def _add_claim(self, label: dict[str, Any], here: Sequence[Claim], gazetteer: Gazetteer) -> None:
        self.claims += 1
        self.found += bool(here)
        marks = max((_marks(claim, label, gazetteer) for claim in here), key=sum, default=(False,) * len(FIELDS))
        for name, good in zip(FIELDS, marks, strict=True):
            self.right[name] += good
        self.all_right += all(marks)
        if not all(marks):
            wanted = f"{label['claimant']} {label['signals']} {label['stance']}"
            self.errors.append(f"CLAIM {_told(here)}, labelled {wanted} | {label['text']}")


def same_party(told: str, labelled: str, gazetteer: Gazetteer) -> bool:
    """Whether two names mean one party: as words, or by what the gazetteer finds in them ("Soviet Union" is Russia)."""
    meant = {mention.actor.name for mention in gazetteer.find(labelled)}
    return told.casefold() == labelled.casefold() or told in meant


def count(articles: Sequence[LabelledArticle], judged: Sequence[Judgement], gazetteer: Gazetteer) -> Tally:
    """What `judged`, one for each article in order, got right and wrong."""
    tally = Tally()
    for article, one in zip(articles, judged, strict=True):
        tally.add(article, one, gazetteer)
    return tally


def _marks(claim: Claim, label: dict[str, Any], gazetteer: Gazetteer) -> tuple[bool, ...]:
    return (
        same_party(claim.claimant, label["claimant"], gazetteer),
        claim.signal in label["signals"],
        claim.stance == label["stance"],
    )


def _told(claims: Sequence[Claim]) -> str:
    return "; ".join(f"{claim.claimant} {claim.signal} {claim.stance}" for claim in claims) or "none"


def _rows(tally: Tally) -> list[tuple[str, str]]:
    return [
        ("articles", str(tally.articles)),
        ("contested signals: right, wrong, missed", _three(tally)),
        ("labelled claims, found", f"{tally.claims}, {tally.found}"),
        *((f"  {name} right", str(tally.right[name])) for name in FIELDS),
        ("  all three right", str(tally.all_right)),
        ("sentences that claim nothing, taken for claims", str(tally.spurious)),
    ]


def _three(tally: Tally) -> str:
    return f"{tally.contested_right}, {tally.contested_wrong}, {tally.contested_missed}"


def main() -> None:
    """Print the table, and with --errors what went wrong in the articles that may be looked at."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", action="store_true", help="list what was read wrong in train and validation")
    given = parser.parse_args()
    gazetteer, classifier = Gazetteer(), load_classifier()
    halves: dict[bool, list[LabelledArticle]] = {False: [], True: []}
    for article in read_corpus().articles:
        halves[split_of(article.family) == "test"].append(article)
    tallies = []
    for articles in halves.values():
        judged = classifier.judge([Document(article.title, text="\n".join(article.sentences)) for article in articles])
        tallies.append(count(articles, judged, gazetteer))
    table = Table("", "train and validation", "test", title=f"model {classifier.version}", title_justify="left")
    for (what, known), (_, unseen) in zip(*map(_rows, tallies), strict=True):
        table.add_row(what, known, unseen)
    console().print(table)
    for error in tallies[0].errors if given.errors else ():
        console().print(error, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
