"""One desk for the acceptance tests of a worker; each finds it in order, on a Tuesday morning."""

from collections.abc import Generator

import pytest

from tests.world import Shared, World


@pytest.fixture(scope="session")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shared]:
    shared = Shared(tmp_path_factory.mktemp("acceptance"))
    yield shared
    shared.close()


@pytest.fixture
def world(shared_world: Shared) -> World:
    return shared_world.take()
