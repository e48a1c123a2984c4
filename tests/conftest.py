"""Fixtures that several test modules share: a moment, and a migrated database on SQLite and on PostgreSQL."""

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from fake_bot_api import FakeBotApi

from models.database import Database, open_database

NOW = datetime(2026, 3, 12, 9, 30, tzinfo=UTC)
POSTGRES = os.environ.get("TOCSIN_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


@pytest.fixture
def now() -> datetime:
    """The moment at which a test happens."""
    return NOW


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An address where no database is yet."""
    return f"sqlite:///{tmp_path / 'tocsin.db'}"


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """An empty scratch database on the PostgreSQL server named by TOCSIN_TEST_POSTGRES; skips where there is none."""
    try:
        server = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"NO POSTGRESQL at {POSTGRES}: {str(error).splitlines()[0]}")
    name = f"tocsin_test_{uuid4().hex[:12]}"
    with server:
        server.execute(f'CREATE DATABASE "{name}"')
        yield f"{POSTGRES.rsplit('/', 1)[0]}/{name}"
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database of each kind in turn."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def database(database_url: str, now: datetime) -> Iterator[Database]:
    """An open, migrated, empty database of each kind in turn."""
    opened = open_database(database_url, now)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(sqlite_url: str, now: datetime) -> Iterator[Database]:
    """An open, migrated, empty SQLite database, for tests that have nothing to do with the kind."""
    opened = open_database(sqlite_url, now)
    yield opened
    opened.close()


@pytest.fixture
async def fake() -> AsyncIterator[FakeBotApi]:
    """A Bot API on loopback, running."""
    async with FakeBotApi() as server:
        yield server
