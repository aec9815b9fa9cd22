"""A database with one operator, and a desk's sending side in front of the Dhan stand-in."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from core import failpoints, notifications
from core.broker.dhan.client import DhanClient
from core.broker.dhan.instruments import InstrumentList
from core.db.engine import Database
from tests.builders import NOON, fresh_database
from tests.integration.paper_dhan import PaperDhan, Stage, india
from tests.unit.engine.door import Door
from tests.unit.engine.floor import Floor, opened
from tests.unit.engine.listing import listed_on
from tests.unit.engine.rows import OPERATOR


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = fresh_database(tmp_path)
    with database.transaction() as connection:
        notifications.enrol(connection, [(OPERATOR, "admin")])
    yield database
    database.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """One write transaction for the whole test."""
    with database.transaction() as connection:
        yield connection


@pytest.fixture(scope="session")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InstrumentList]:
    """The stand-in's instruments, as a desk has them."""
    with listed_on(NOON.date(), tmp_path_factory.mktemp("list")) as listed:
        yield listed


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with Stage().raised() as stage:
        yield stage


@pytest.fixture
def dhan(stage: Stage, tmp_path: Path) -> Iterator[PaperDhan]:
    folder = tmp_path / "dhan"
    folder.mkdir()
    with stage.dhan(folder, india("2026-11-25 11:55")) as running:
        running.clock.pass_time(minutes=5)  # long enough after its own sign-in for the desk's
        yield running


@pytest.fixture
async def floor(database: Database, dhan: PaperDhan, tmp_path: Path) -> AsyncIterator[Floor]:
    """Signed in and ready to send at noon."""
    async with opened(database, dhan, tmp_path) as floor:
        assert await floor.sign_in()
        yield floor


@pytest.fixture
async def door(database: Database, dhan: PaperDhan, tmp_path: Path) -> AsyncIterator[Door]:
    client = DhanClient()
    yield Door(database, dhan, client, tmp_path)
    await client.close()


@pytest.fixture(autouse=True)
def _no_failpoint_survives() -> Iterator[None]:
    yield
    failpoints.install(lambda _point: None)
