"""The broker of the contract: Dhan's adapter in front of the stand-in, over HTTP."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.broker.dhan.adapter import Dhan
from core.broker.dhan.client import DhanClient
from core.broker.port import Broker
from core.errors import SignInNeeded
from core.settings import PaperAccount
from tests.integration.paper_dhan import PaperDhan, Stage, india

IN_SESSION = india("2026-11-25 10:30")  # a Wednesday


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with Stage().raised() as stage:
        yield stage


@pytest.fixture
def dhan(stage: Stage, tmp_path: Path) -> Iterator[PaperDhan]:
    with stage.dhan(tmp_path, IN_SESSION) as running:
        yield running


@pytest.fixture
async def broker(dhan: PaperDhan) -> AsyncIterator[Broker]:
    """Sends the token that the stand-in's own client has; without one it is signed out."""

    def token() -> str:
        if "access-token" not in dhan.http.headers:
            raise SignInNeeded("not signed in at Dhan")
        return dhan.http.headers["access-token"]

    client = DhanClient()
    yield Dhan(client, url=f"{dhan.http.base_url}/dhan/v2", client_id=PaperAccount.CLIENT_ID, token=token)
    await client.close()
