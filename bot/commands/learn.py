"""score, train, evaluate: the classifier by itself."""

import io
import json
import shlex
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.app import utc_now
from bot.commands.options import Config, DatabaseUrl, Teller, config_folder, console, database_url, progress, teller
from config.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from classifiers.corpus_files import Labelled, LabelledArticle
    from classifiers.rivals import System
    from classifiers.shelf import Shelf

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
    from bot.model_shelf import live_classifier
    from config.load import load_settings

    classifier = live_classifier(load_settings(config_folder(config)).actors)
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


def train(  # noqa: PLR0913, PLR0917 - options of the command line
    out: Annotated[
        Path | None, typer.Option(help="Write the artifact there and promote nothing. Default: keep it on the shelf.")
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="Labelled text. Default: classifiers/corpus.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides every draw; the split is always the same.")] = None,
    encoder: Annotated[
        bool, typer.Option("--encoder", help="Fine-tune the sentence encoder too; needs the extra 'train'.")
    ] = False,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh",
            help="With --encoder: only the encoder that ships, in a third of the time; what its forerunners read of "
            "texts they had not seen stays. For a corpus of which labels changed.",
        ),
    ] = False,
    verdicts: Annotated[bool, typer.Option(help="Learn from labels that admins gave, too.")] = True,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Train the classifier on the corpus and on admins' labels, and promote it if it is better than the live one.

    Minutes; with --encoder an hour more. Without, the live model's encoder is kept. Better means: better figures on
    validation texts of the same corpus, which were held out, and no fewer hard pairs read right. Prints these, figures
    of the frozen test, and the table of `evaluate --quick`, with the live model beside the new one. `models rollback`
    undoes a promotion.

    Example: python -m bot train --out /tmp/model
    """
    from classifiers.corpus_files import CORPUS
    from classifiers.evaluate import evaluate_new
    from classifiers.train import SEED
    from classifiers.train import train as fit
    from classifiers.tune import retune_encoder, tune_encoder

    if refresh and not encoder:
        raise typer.BadParameter("--refresh says how --encoder is done: give both", param_hint="--refresh")
    display, live, number = console(), _shelf().live(), SEED if seed is None else seed
    extra = _labels(database) if verdicts and out is None else []
    with tempfile.TemporaryDirectory() as scratch, progress(display) as bars:
        tell, place = teller(bars), out or Path(scratch) / "model"
        # Loaded before `out` may replace it.
        others = [*_live(live), *_rivals(Path(scratch), quick=True, tell=tell)]
        source = (retune_encoder(live) if refresh else tune_encoder) if encoder else live
        command = _command(number, encoder, refresh, corpus, out)
        report = fit(corpus or CORPUS, place, number, tell, source, extra, command)
        kept = place if out else _shelf().put(place)
        table = evaluate_new(report, others, tell)
    display.print(f"model {report.model} in {kept}; texts {report.texts}; of these, labels of admins {report.labels}")
    for name, figure in report.figures.items():
        display.print(f"  {name}: {figure:.3f}")
    print("", table, "", sep="\n")
    if out is None:
        _promote_if_better(report.model, database)


def _command(seed: int, encoder: bool, refresh: bool, corpus: Path | None, out: Path | None) -> str:
    """What makes the same artifact again: the options as given, and the seed."""
    options = ["--encoder"] * encoder + ["--refresh"] * refresh
    options += ["--seed", str(seed)]
    for name, path in (("--corpus", corpus), ("--out", out)):
        options += [name, str(path)] if path else []
    return shlex.join(["./run.sh", "train", *options])


def _live(folder: Path) -> "list[System]":
    """What a new model is measured beside; a live model that cannot be loaded is named on stderr and left out."""
    from classifiers.rivals import live_model

    try:
        return [live_model(folder)]
    except ModelError as error:
        print(f"left out: the live model: {error}", file=sys.stderr)
        return []


def _promote_if_better(model: str, database: str | None) -> None:
    from bot.commands.models import take_over
    from classifiers.promotion import compare

    kept = _shelf()
    live = kept.live()
    compared = compare(live, kept.find(model))
    print(compared)
    if compared.better:
        take_over(database, live.name, kept.promote(model))
    else:
        print(f"not promoted: {compared.objection}. All the same: python -m bot models promote {model} --force")


def _shelf() -> "Shelf":
    from bot.model_shelf import shelf

    return shelf()


def _labels(database: str | None) -> "list[Labelled]":
    """What admins labelled in the chat, as texts to train on."""
    from bot.model_shelf import labelled_of
    from models.database import open_database
    from models.verdict import labels

    opened = open_database(database_url(database), utc_now())
    try:
        with opened.read() as session:
            return [labelled_of(verdict) for verdict in labels(session)]
    finally:
        opened.close()


def evaluate(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Labelled JSON Lines to measure on, the same as --external.")
    ] = None,
    external: Annotated[
        list[Path] | None, typer.Option("--external", help="Labelled JSON Lines to measure on; may be repeated.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Without the systems that have to be trained first.")] = False,
    plots: Annotated[Path | None, typer.Option(help="Folder for PNG plots of every file.")] = None,
    failures: Annotated[bool, typer.Option("--failures", help="Also list the hard cases the model misreads.")] = False,
    config: Config = None,
    database: DatabaseUrl = None,
) -> None:
    """Measure the model on its frozen test split, on files of yours and on hard pairs, with bootstrap intervals.

    Beside it, in the same run: a keyword list, VADER sentiment, TF-IDF alone, and the encoder without fine-tuning
    (the last two are trained on the spot, some minutes). What cannot run here is named and left out.

    Example: python -m bot evaluate --external headlines.jsonl sentences.jsonl --plots /tmp/plots
    """
    from classifiers.evaluate import evaluate as measure
    from classifiers.evaluate import read_records
    from classifiers.hard_cases import read_pairs
    from classifiers.plots import draw
    from classifiers.rivals import live_model

    display, others = console(), [*(external or []), *(files or [])]
    for path in others:
        read_records(path)  # refused now, not after minutes
    with tempfile.TemporaryDirectory() as scratch, progress(display) as bars:
        tell = teller(bars)
        test, articles = _frozen_test(Path(scratch))
        systems = [live_model(_shelf().live()), *_rivals(Path(scratch), quick, tell)]
        table = measure(systems, [test, *others], read_pairs(), progress=tell, articles=articles)
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


def _frozen_test(scratch: Path) -> "tuple[Path, list[LabelledArticle]]":
    """The corpus's frozen test: its texts as labelled JSON Lines in a folder, and its articles."""
    from classifiers.corpus_files import CORPUS, read_corpus
    from classifiers.evaluate import TEST_FILE, write_records
    from classifiers.train import articles_of, splits_of

    data = read_corpus(CORPUS)
    return write_records(splits_of(data)["test"], scratch / TEST_FILE), articles_of(data, "test")
