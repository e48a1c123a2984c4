"""Names of benchmarks in, their tables out; each runs in a process of its own, so that none pays for another's memory.

python -m benchmarks --list
python -m benchmarks                      everything that needs nothing
python -m benchmarks outbox stories       these
python -m benchmarks headlines FILE ...   one, with options of its own (--help lists them)
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module of this package that can be run, and what it measures; what `needs` something runs only when named."""

    name: str
    what: str
    needs: str = ""


BENCHMARKS = (
    Benchmark("ingest", "feeds/s and articles/s from loopback into the database: all new, all 304, all the same body"),
    Benchmark("reading", "articles/s and memory of the classifier, and of the stages from article to alert"),
    Benchmark("outbox", "messages/s of one alert to thousands of chats, and whether time grows in step"),
    Benchmark("fanout", "the same over HTTP under Telegram's limits: share of the allowed rate, 429s, what overtakes"),
    Benchmark("kills", "a process killed 200 times while polling, deciding and sending: what was lost or doubled"),
    Benchmark("errors", "hours of a Bot API that errs at random: how deliveries end, and whether that is true"),
    Benchmark("second_reader", "how well a second reader's labels agree with the corpus: Cohen's kappa of each field"),
    Benchmark("doubts", "labels of the corpus that the encoder finds least likely, to be read again"),
    Benchmark("claims", "claims and disputes in the labelled articles: found, right, spurious, missed"),
    Benchmark("events", "how well stories match the events of the bundled month (docs/decisions/0002-stories.md)"),
    Benchmark("clustering", "how well stories match labelled events of many crises, beside simpler rules"),
    Benchmark("strangers", "how many texts of one war, each of another event, join a story that is not theirs"),
    Benchmark("stories", "time to find an article's story, as the window fills and as the archive grows"),
    Benchmark("replay", "articles/s, statements and CPU of living through an archive, from the file to the alerts"),
    Benchmark("http_clients", "requests/s of aiohttp and httpx, paired (docs/decisions/0001-http-client.md)"),
    Benchmark("headlines", "a file of labelled headlines lived through: what rang, what did not, and why", "a FILE"),
    Benchmark("curve", "what more text and a deeper encoder bring the classifier", "the extra train"),
)


def chosen(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The benchmarks that `words` name (all that need nothing when none) and the options for the one named.

    Raises SystemExit with a message when a word is no benchmark, or options come with several.
    """
    known = {benchmark.name for benchmark in BENCHMARKS}
    names = []
    for word in words:
        if word not in known:
            break
        names.append(word)
    options = list(words[len(names) :])
    if options and len(names) != 1:
        sys.exit(f"benchmarks: {options[0]!r} is not one of {', '.join(sorted(known))}")
    return names or [benchmark.name for benchmark in BENCHMARKS if not benchmark.needs], options


def show_list(console: Console) -> None:
    """One line per benchmark."""
    table = Table("name", "what it measures", box=None, header_style="bold")
    for benchmark in BENCHMARKS:
        table.add_row(benchmark.name, benchmark.what + (f" (needs {benchmark.needs})" if benchmark.needs else ""))
    console.print(table)


def main(words: Sequence[str]) -> int:
    """Run what `words` name; 0 when all went well."""
    console = Console()
    if words and words[0] in ("--list", "-l", "--help", "-h"):
        console.print(__doc__, highlight=False)
        show_list(console)
        return 0
    names, options = chosen(words)
    worst = 0
    for name in names:
        console.rule(name)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False)
        worst = max(worst, done.returncode)
    return worst


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
