"""What the measurements share: the reference server, the load, the scratch folder, and interleaved rounds."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from tests.bench.load import Load, Result
from tests.bench.processes import LoadGenerator, Process, free_port, running
from tests.bench.product import SECRET, Munshi, install

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Ground:
    scratch: Path
    rounds: int
    generator: LoadGenerator
    reference_port: int
    _numbers: "count[int]"

    def munshi(self, *, is_live: bool = False) -> Munshi:
        return install(self.scratch / f"munshi-{next(self._numbers)}", is_live=is_live)

    def load(self, port: int, connections: int, **more: Any) -> Result:
        return self.generator.run(Load(port=port, connections=connections, secret=SECRET, **more))

    def in_turns(self, one: Callable[[], A], other: Callable[[], B]) -> tuple[list[A], list[B]]:
        """`rounds` results of each, taken alternately, each going first as often as the other."""
        ones: list[A] = []
        others: list[B] = []
        for number in range(self.rounds):
            if number % 2:
                others.append(other())
                ones.append(one())
            else:
                ones.append(one())
                others.append(other())
        return ones, others


@contextmanager
def prepared(scratch: Path, rounds: int) -> Generator[Ground]:
    port = free_port()
    generator = LoadGenerator()
    try:
        with running(Process(scratch, "tests.bench.reference", str(port))) as reference:
            reference.wait_for_port(port)
            ground = Ground(scratch, rounds, generator, port, count(1))
            ground.load(port, 16)
            yield ground
    finally:
        generator.stop()
