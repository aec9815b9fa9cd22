"""One desk in the chat for all tests of a file; each test begins with nothing waiting."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from desk_in_chat import Chats, opened

from core.db import orders
from core.domain.order import OrderState


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Chats]:
    async with opened(tmp_path_factory.mktemp("desk")) as chats:
        yield chats


@pytest_asyncio.fixture(loop_scope="module")
async def chats(world: Chats) -> Chats:
    await world.begin_anew()
    return world


__all__ = ["OrderState", "orders"]
