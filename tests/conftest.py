"""For every test: no settings from outside, no network but this machine, and free ports to listen on."""

import gc
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import hypothesis
import pytest
import structlog

from core.settings import Settings
from tests import overheard, ports, scratch, statements
from tests import postgres_server as postgres
from tests.canary import CanaryWatch

# A developer's own shell and .env must not reach a test, least of all with a live token.
for name in (*Settings.model_fields, "munshi_secrets_dir"):
    os.environ.pop(name.upper(), None)
Settings.model_config["env_file"] = None

ZONES = ("Asia/Kolkata", "America/New_York", "Pacific/Auckland")
"""A moment is a moment in every zone: of several processes that share the tests, each is somewhere else."""
if (process := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(time, "tzset"):
    os.environ.setdefault("TZ", ZONES[int(process.removeprefix("gw")) % len(ZONES)])
    time.tzset()

hypothesis.settings.register_profile("desk", deadline=None)  # how long an example takes is the machine's affair
hypothesis.settings.load_profile("desk")

# As in the product: a traceback without the values around it, which take seconds to write and hold secrets.
_lines = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure([structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), _lines])

statements.share()
overheard.listen()

LOOPBACK = {"127.0.0.1", "::1", "localhost", "", None}


class OutsideWorld(AssertionError):
    """A test reached for another machine."""


def _keep_inside(event: str, details: tuple[Any, ...]) -> None:
    match event:
        case "socket.connect" | "socket.sendto":
            address: Any = details[1]
            host = None if isinstance(address, str | bytes) else address[0]  # text is the path of a Unix socket
        case "socket.getaddrinfo":
            host = details[0].decode() if isinstance(details[0], bytes) else details[0]
        case _:
            return
    if host not in LOOPBACK:
        raise OutsideWorld(f"tests talk to 127.0.0.1 only, and this one tried {host}: use a stand-in of core.sandbox")


sys.addaudithook(_keep_inside)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # workers write below the folder of the one that started them
    scratch.move_to_memory()
    config.pluginmanager.register(CanaryWatch(config), "canary-watch")


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # thousands of tests are no garbage, and the collector need not look at them again and again
    gc.set_threshold(10_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish() -> Generator[None, object, object]:
    postgres.drop_all()  # before their rows are searched
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    for what, text in overheard.taken():
        item.add_report_section(call.when, what, text)
    report = yield
    if report.failed:
        report.sections.append(("Time zone", os.environ.get("TZ", "this machine's")))
    return report


@pytest.fixture(autouse=True)
def _database_of_its_own(request: pytest.FixtureRequest) -> Iterator[None]:
    """On PostgreSQL settings find a test's database by its address, which is gone with the test, as is the database.

    Those of a whole module's tests stay.
    """
    if postgres.is_chosen() and (only := request.node.get_closest_marker("sqlite")):
        pytest.skip(f"on SQLite only: {only.args[0]}")
    others = postgres.made()
    yield
    os.environ.pop("DATABASE_URL", None)
    postgres.drop_all(but=others)


@pytest.fixture
def find_port() -> Callable[[], int]:
    """Each call finds another port of 127.0.0.1 that is free now."""
    return ports.find_port


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    return ports.find_port()
