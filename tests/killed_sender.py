"""Drains an outbox into a file, one line per message: python killed_sender.py URL FILE before|after|never MOMENT

With "before" or "after" it kills itself (SIGKILL) at the third message, before or after that message is out.
"""

import asyncio
import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path

from sqlmodel import select

from bot.outlet import Envelope
from bot.pipeline import deliver
from models import Delivery, Outlet
from models.database import Database, open_database

FATAL = 3


class FileSender:
    """Writes what it is given where it outlives this process."""

    def __init__(self, file: Path, die: str) -> None:
        self._file = file
        self._die = die
        self._sent = 0

    async def send(self, envelope: Envelope) -> int | None:
        self._sent += 1
        if self._die == "before" and self._sent == FATAL:
            os.kill(os.getpid(), signal.SIGKILL)
        await envelope.begin()
        with self._file.open("a") as file:
            file.write(json.dumps({"key": envelope.message.title}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if self._die == "after" and self._sent == FATAL:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._sent


def put_keys_into_messages(database: Database) -> None:
    with database.write() as session:
        for row in session.exec(select(Delivery)):
            row.message = {**row.message, "title": row.key}


def main(url: str, file: str, die: str, moment: str) -> None:
    now = datetime.fromisoformat(moment)
    database = open_database(url, now)
    put_keys_into_messages(database)
    sender = FileSender(Path(file), die)
    asyncio.run(deliver.drain_outbox(database, {Outlet.TELEGRAM: sender}, lambda: now, at_once=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
