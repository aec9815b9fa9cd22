"""One desk of mortal processes for the fault tests of a worker; each test finds it in order, on a Tuesday morning."""

from collections.abc import Generator
from pathlib import Path

import pytest

from core.failpoints import Point
from tests.faults.mortal import write_fates
from tests.world import Shared, World
from tests.world.processes import Process

MORTAL = str(Path(__file__).with_name("mortal.py"))
KILLED = -9


class Fates:
    """Where the processes of a world die, and how they come back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._file = world.settings.munshi_data_dir / "fates.json"

    def die_at(self, *points: Point) -> None:
        """Whoever comes to the first dies there; then the next of the points counts."""
        write_fates(self._file, [(point, "kill") for point in points])

    def disk_full_at(self, point: Point) -> None:
        write_fates(self._file, [(point, "full")])

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)

    def is_dead(self, process: Process) -> None:
        """Wait for its death."""
        self._world.until(lambda: process.ended() == KILLED, f"{process.name} dies")

    def revive_desk(self) -> None:
        """Start it again, after its old lease ran out."""
        self._world.let_lease_run_out()
        self._world.desk.start()


@pytest.fixture(scope="session")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shared]:
    mortals = {name: (MORTAL, name) for name in ("web", "desk")}
    shared = Shared(tmp_path_factory.mktemp("faults"), mortals)
    yield shared
    shared.close()


@pytest.fixture
def world(shared_world: Shared) -> World:
    return shared_world.take()


@pytest.fixture
def fates(world: World) -> Generator[Fates]:
    fates = Fates(world)
    fates.forget()
    yield fates
    fates.forget()
