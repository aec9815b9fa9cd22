"""A Dhan stand-in for this folder's tests, on a Wednesday in the session."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.broker.dhan.client import DhanClient
from tests.integration.paper_dhan import PaperDhan, Stage, india

IN_SESSION = india("2026-11-25 10:30")


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with Stage().raised() as stage:
        yield stage


@pytest.fixture
def dhan(stage: Stage, tmp_path: Path) -> Iterator[PaperDhan]:
    with stage.dhan(tmp_path, IN_SESSION) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[DhanClient]:
    client = DhanClient()
    yield client
    await client.close()
