"""One of our own commands in, its output out: long work (training, backtests) in a process of its own, politely."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.changes import ASKED_BY
from config.errors import TocsinError
from config.secrets import CONFIG_FOLDER, DATABASE_URL, TELEGRAM_TOKEN, TELEGRAM_WEBHOOK_SECRET

LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended: its exit status, and stdout with stderr."""

    code: int
    output: str


class Errands:
    """Runs one command at a time on a folder of settings and a database."""

    def __init__(self, folder: Path, database_url: str, longest_s: float = LONGEST_S) -> None:
        self._folder = folder
        self._database_url = database_url
        self._longest_s = longest_s
        self._busy = asyncio.Lock()

    async def run(self, command: Sequence[str], asked_by: int | None = None) -> Done:
        """`python -m bot COMMAND`, ended when the caller is cancelled. Raises TocsinError when one runs already.

        `asked_by` is the admin for whom it is run: what it changes is recorded as theirs.
        """
        if self._busy.locked():
            raise TocsinError("another training or backtest is running; try again when its result is here")
        async with self._busy:
            return await self._run(command, asked_by)

    async def _run(self, command: Sequence[str], asked_by: int | None) -> Done:
        nice = [path, "-n", "10"] if (path := shutil.which("nice")) else []
        process = await asyncio.create_subprocess_exec(
            *nice,
            *(sys.executable, "-m", "bot", *command),
            env=self._environment(asked_by),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(self._longest_s):
                output, _ = await process.communicate()
        except TimeoutError:
            raise TocsinError(f"{command[0]}: not done within {self._longest_s:.0f} seconds; it was ended") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return Done(process.returncode or 0, output.decode(errors="replace"))

    def _environment(self, asked_by: int | None = None) -> dict[str, str]:
        """Ours, with the database's address where no list of processes shows it, and without the bot's token."""
        secrets = (TELEGRAM_TOKEN, TELEGRAM_WEBHOOK_SECRET)
        left_out = {*secrets, *(f"{name}_FILE" for name in secrets), f"{DATABASE_URL}_FILE", ASKED_BY}
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        asker = {} if asked_by is None else {ASKED_BY: str(asked_by)}
        return kept | asker | {DATABASE_URL: self._database_url, CONFIG_FOLDER: str(self._folder)}
