"""Texts of the corpus about one war, each an event of its own -> how many join a story that is none of theirs.

    python -m benchmarks strangers

Where one war fills the news, everything names the same parties in much the same words. The texts of a pair of the
corpus, one of each family, come in at random every ninety minutes and go through the real stages; whatever joins a
story joins a stranger's, but for the few families that tell one event apart.
"""

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from rich.table import Table

from benchmarks.clustering import gathered, stored
from benchmarks.labelled_stories import Headline
from benchmarks.measure import console
from classifiers.corpus_files import read_corpus
from config.schema import Stories

SEED = 20261201
MOST = 900  # texts of a war
LONGEST = 130  # characters: headlines and short sentences
APART = timedelta(minutes=90)
WARS = {
    "Russia, Ukraine": re.compile(r"\b(?:Russia|Ukrain|Putin|Kyiv|Moscow|Kremlin|Zelensk)"),
    "Israel, Gaza, Lebanon": re.compile(r"\b(?:Israel|Gaza|Hamas|Hezbollah|Netanyahu|Palestin)"),
    "India, Pakistan": re.compile(r"\b(?:India|Pakistan|Kashmir|Delhi|Islamabad)"),
}


def streams() -> Iterator[list[Headline]]:
    """The texts of each war in the order in which they come; the same for one corpus."""
    texts = [text for text in read_corpus().texts if text.article < 0 and len(text.text) < LONGEST]
    for war, named in WARS.items():
        of_family = {text.family: text.text for text in reversed(texts) if named.search(text.text)}
        chosen = sorted(of_family.values())
        random.Random(SEED).shuffle(chosen)
        start = datetime(2026, 1, 1, tzinfo=UTC)
        yield [
            Headline(text, None, "one of many", start + number * APART, text, "", war)
            for number, text in enumerate(chosen[:MOST])
        ]


def main() -> None:
    """Print the table."""
    table = Table(title="Texts of one war, each of another event", title_justify="left")
    for heading in ("war", "texts worth a story", "join a stranger", "share"):
        table.add_column(heading, justify="left" if heading == "war" else "right")
    for headlines in streams():
        with stored(headlines) as (database, readings, model):
            stories = gathered(database, list(readings), Stories())
        joined = len(stories) - len(set(stories))
        table.add_row(headlines[0].week, str(len(stories)), str(joined), f"{joined / len(stories):.1%}")
        table.caption = f"model {model}"
    console().print(table)


if __name__ == "__main__":
    main()
