"""A server for the tests of this folder, whatever the rest of the run is on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.db.engine import Database
from tests import postgres_server as postgres


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Of a migrated database without rows; skipped where there is no server."""
    return postgres.fresh_address(tmp_path)


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    database = Database(address, busy_timeout=1.0)
    yield database
    database.close()
