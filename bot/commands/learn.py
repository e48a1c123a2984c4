"""score, train, evaluate: the classifier by itself."""

import io
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.commands.options import Config, DatabaseUrl, Teller, config_folder, console, progress, teller
from config.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from classifiers.rivals import System

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
    from classifiers.tune import tune_encoder

    display = console()
    with progress(display) as bars:
        place, number = out or DEFAULT_ARTIFACT, SEED if seed is None else seed
        report = fit(corpus or CORPUS, place, number, teller(bars), tune=tune_encoder if encoder else None)
    display.print(f"model {report.model} in {report.artifact}; texts {report.texts}")
    for name, figure in report.figures.items():
        display.print(f"  {name}: {figure:.3f}")


def evaluate(
    external: Annotated[
        list[Path] | None, typer.Option("--external", help="Labelled JSON Lines to measure on; may be repeated.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the model and the keyword list; leaves out what has to be trained.")
    ] = False,
    plots: Annotated[Path | None, typer.Option(help="Folder for PNG plots of every file.")] = None,
    failures: Annotated[bool, typer.Option("--failures", help="Also list the hard cases the model misreads.")] = False,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Measure the model on its frozen test split, on files of yours and on hard pairs, with bootstrap intervals.

    Beside it, in the same run: a keyword list, VADER sentiment, TF-IDF alone, and the encoder without fine-tuning
    (the last two are trained on the spot, some minutes). What cannot run here is named and left out.

    Example: python -m bot evaluate --external headlines.jsonl --plots /tmp/plots
    """
    from classifiers.evaluate import evaluate as measure
    from classifiers.hard_cases import read_pairs
    from classifiers.plots import draw
    from classifiers.rivals import live_model

    display = console()
    with tempfile.TemporaryDirectory() as scratch, progress(display) as bars:
        tell = teller(bars)
        files = [_write_test_split(Path(scratch) / "frozen test.jsonl"), *(external or [])]
        systems = [live_model(), *_rivals(Path(scratch), quick, tell)]
        table = measure(systems, files, read_pairs(), progress=tell)
    print(table)
    if failures:
        print("", *table.hard[systems[0].name].failures, sep="\n")
    for picture in draw(table, plots) if plots else ():
        print(f"drawn: {picture}")


def _rivals(scratch: Path, quick: bool, tell: Teller) -> "list[System]":
    """The other systems; one that cannot run here is named on stderr."""
    from classifiers.rivals import frozen_encoder, keyword_list, tfidf_only, vader

    makers = [vader]
    if not quick:
        makers += [
            lambda: tfidf_only(scratch / "tfidf", progress=tell),
            lambda: frozen_encoder(scratch / "frozen", progress=tell),
        ]
    made = [keyword_list()]
    for make in makers:
        try:
            made.append(make())
        except ModelError as error:
            print(f"left out: {error}", file=sys.stderr)
    return made


def _write_test_split(path: Path) -> Path:
    """The corpus's frozen test split as labelled JSON Lines, the form in which every other file is measured."""
    from classifiers.corpus_files import CORPUS, read_corpus, split_of
    from classifiers.train import SEED

    texts = [text for text in read_corpus(CORPUS).texts if split_of(text.family, SEED) == "test"]
    fields = ("text", "signals", "direction", "severity", "status")
    lines = (json.dumps({name: getattr(text, name) for name in fields}) for text in texts)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
