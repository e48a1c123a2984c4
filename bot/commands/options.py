"""The options every command takes, and what they default to."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from config.load import DEFAULT_FOLDER
from config.secrets import CONFIG_FOLDER, DATABASE_URL, DEFAULT_DATABASE_URL, read_secret

Config = Annotated[
    Path | None,
    typer.Option("--config", help=f"Folder of TOML files. Default: ${CONFIG_FOLDER}, else {DEFAULT_FOLDER.name}/."),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database", help=f"Database URL. Default: ${DATABASE_URL}, else {DEFAULT_DATABASE_URL}."),
]


def config_folder(given: Path | None) -> Path:
    """The option, the environment, or the folder that ships."""
    named = read_secret(CONFIG_FOLDER)
    return given or (Path(named) if named else DEFAULT_FOLDER)


def database_url(given: str | None) -> str:
    """The option, the environment (or its _FILE), or SQLite in var/."""
    return given or read_secret(DATABASE_URL) or DEFAULT_DATABASE_URL


def progress(out: Console) -> Progress:
    """Bars that vanish when done; nothing at all where output is piped."""
    return Progress(console=out, transient=True, disable=not out.is_terminal)


Teller = Callable[[str, int, int], None]


def teller(bars: Progress) -> Teller:
    """What a long task calls with stage, steps done and steps in all: one bar a stage."""
    tasks: dict[str, TaskID] = {}

    def tell(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
        bars.update(tasks[stage], completed=done, total=total)

    return tell


def console() -> Console:
    """Where results and alerts are printed; log lines go to stderr. Piped output keeps a readable width."""
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = 100
    return out
