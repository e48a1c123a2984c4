"""score, train, evaluate: the classifier by itself."""

import io
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from bot.commands.options import Config, DatabaseUrl, config_folder, console, progress
from config.errors import ConfigError

BAD_LINES = 3


def score(
    file: Annotated[Path | None, typer.Argument(help="JSON Lines; default: standard input.")] = None,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Read articles, one JSON object a line, and write what the classifier makes of each.

    Fields: id, title, summary, text, published, source; all but title optional. Bad lines are skipped, named on stderr,
    and make the exit code 3. Example: echo '{"title": "Army masses tanks at border"}' | python -m bot score
    """
    from bot.app import extra_actors
    from classifiers.classifier import load_classifier
    from config.load import load_settings

    actors = extra_actors(load_settings(config_folder(config)).actors)
    classifier = load_classifier(extra_actors=actors)
    if file is None:
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        bad = _score(sys.stdin, classifier)
    else:
        try:
            with file.open(encoding="utf-8", errors="replace") as lines:
                bad = _score(lines, classifier)
        except OSError as error:
            raise ConfigError(f"score {file}: cannot be read: {error.strerror}") from error
    if bad:
        raise typer.Exit(BAD_LINES)


def _score(lines: Iterable[str], classifier: object) -> int:
    from classifiers.classifier import Classifier
    from classifiers.score import BadLine, score_lines

    assert isinstance(classifier, Classifier)  # noqa: S101 - narrowed here so that --help imports no scikit-learn
    bad = 0
    for line in score_lines(lines, classifier):
        if isinstance(line, BadLine):
            bad += 1
            print(f"line {line.number}: skipped: {line.reason}", file=sys.stderr)
        else:
            # Half a surrogate pair cannot be written; as the escape it came in by, it can.
            print(json.dumps(line.result, ensure_ascii=False).encode("utf-8", "backslashreplace").decode())
    return bad


def train(
    out: Annotated[Path | None, typer.Option(help="Where the artifact goes. Default: the one that ships.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="Labelled text. Default: classifiers/corpus.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides the split and every draw.")] = None,
    encoder: Annotated[
        bool, typer.Option("--encoder", help="Fine-tune the sentence encoder too; needs the extra 'train'.")
    ] = False,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Train the classifier on the corpus; minutes, with --encoder twenty more. Prints figures of the frozen test.

    Example: python -m bot train --out /tmp/model
    """
    from classifiers.artifact import DEFAULT_ARTIFACT
    from classifiers.corpus_files import CORPUS
    from classifiers.train import SEED
    from classifiers.train import train as fit

    display = console()
    with progress(display) as bars:
        tasks = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        report = fit(corpus or CORPUS, out or DEFAULT_ARTIFACT, SEED if seed is None else seed, tell, fine_tune=encoder)
    display.print(f"model {report.model} in {report.artifact}; texts {report.texts}")
    for name, figure in report.figures.items():
        display.print(f"  {name}: {figure:.3f}")


def evaluate(
    external: Annotated[
        list[Path] | None, typer.Option("--external", help="Labelled JSON Lines to measure on; may be repeated.")
    ] = None,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Measure the shipped model on its frozen test split, and on files of yours, with bootstrap intervals.

    The table is beside what a list of keywords would do. Nothing is trained.

    Example: python -m bot evaluate --external headlines.jsonl
    """
    from classifiers.classifier import load_classifier
    from classifiers.evaluate import evaluate as measure

    with tempfile.TemporaryDirectory() as scratch:
        own = _write_test_split(Path(scratch) / "frozen test.jsonl")
        print(measure(load_classifier(), [own, *(external or [])]))


def _write_test_split(path: Path) -> Path:
    """The corpus's frozen test split as labelled JSON Lines, the form in which every other file is measured."""
    from classifiers.corpus_files import CORPUS, read_corpus, split_of
    from classifiers.train import SEED

    texts = [text for text in read_corpus(CORPUS).texts if split_of(text.family, SEED) == "test"]
    fields = ("text", "signals", "direction", "severity", "status")
    lines = (json.dumps({name: getattr(text, name) for name in fields}) for text in texts)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
