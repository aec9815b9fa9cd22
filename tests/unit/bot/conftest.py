"""A database for the console's tests that need rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.builders import fresh_database


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """One write transaction for the whole test."""
    database = fresh_database(tmp_path)
    with database.transaction() as connection:
        yield connection
    database.close()
