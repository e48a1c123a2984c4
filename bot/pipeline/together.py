"""Small writes of many tasks in, one transaction for all that gathered while the last one was under way.

A commit waits for the disk, and other writers wait for it; what is written in it costs next to nothing. Nobody waits
for company: a write that comes alone is committed alone, at once.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlmodel import Session

from models.database import Database

T = TypeVar("T")
Change = Callable[[Session], Any]


class Together:
    """Commits in the order asked for. It does not try again: where a commit fails, everybody in it is told."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Change, asyncio.Future[Any]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, change: Callable[[Session], T]) -> T:
        """What `change` returns, once it is committed, also if whoever waits is cancelled. Raises DatabaseError."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await done

    async def finish(self) -> None:
        """Return when everything asked for is committed, or has failed."""
        while self._writing is not None:
            await asyncio.shield(self._writing)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._write(batch)
        finally:
            self._writing = None

    async def _write(self, batch: list[tuple[Change, asyncio.Future[Any]]]) -> None:
        try:
            results = await asyncio.to_thread(self._commit, [change for change, _ in batch])
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return
        for (_, done), result in zip(batch, results, strict=True):
            if not done.done():
                done.set_result(result)

    def _commit(self, changes: list[Change]) -> list[Any]:
        with self._database.write() as session:
            return [change(session) for change in changes]
