"""A web process per test, or one for all the tests of a module that look at answers only."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.webhook.running_web import RunningWeb, running_web


@pytest.fixture
def web(tmp_path: Path) -> Iterator[RunningWeb]:
    with running_web(tmp_path) as web:
        yield web


@pytest.fixture(scope="module")
def shared_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWeb]:
    with running_web(tmp_path_factory.mktemp("web")) as web:
        yield web
