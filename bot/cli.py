"""The commands: `python -m bot COMMAND`. Each does one thing, in bot/commands; this file only names them."""

import sys

import typer

from bot.commands import check, data, explain, feeds, index, learn, messages, models, reread, run, tuning
from config.errors import TocsinError

app = typer.Typer(
    name="bot",
    help="Tocsin reads news feeds for signs that a conflict heats up or cools down, and rings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run.run)
app.command()(run.once)
app.command()(run.demo)
app.command()(check.check)
app.command()(check.health)
# A group's chat id is negative and must not be taken for an option.
app.command("send-test", context_settings={"ignore_unknown_options": True})(messages.send_test)
app.command()(messages.digest)
app.command()(learn.score)
app.command()(learn.train)
app.command()(learn.evaluate)
app.command()(reread.reread)
app.command()(tuning.replay)
app.command()(index.index)
app.command()(explain.why)
app.command()(explain.missed)
app.command()(tuning.backtest)
app.command()(tuning.tune)
app.command()(data.backup)
app.command()(data.restore)
app.add_typer(feeds.app, name="feeds")
app.add_typer(models.app, name="models")


def main() -> None:
    """Run the command line; mistakes are one line on stderr and exit code 1."""
    try:
        app()
    except TocsinError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `... | head` closed the pipe: nothing is wrong
        sys.stderr.close()
