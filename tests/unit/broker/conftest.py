"""A Dhan stand-in for this folder's tests, on a Wednesday in the session."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.broker.dhan.client import DhanClient
from tests.integration.paper_dhan import PaperDhan, Stage, india
from tests.unit.broker.host import Host

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


@pytest.fixture
async def host() -> AsyncIterator[tuple[Host, str]]:
    host = Host()
    async with await asyncio.start_server(host.serve, "127.0.0.1") as server:
        yield host, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/orders"
        await host.hang_up()
