"""A database of its own for every test of this folder, and a clock that stands still."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from core.db.engine import Database
from tests.builders import FrozenClock, fresh_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = fresh_database(tmp_path)
    yield database
    database.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """One write transaction around the whole test."""
    with database.transaction() as connection:
        yield connection


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()
