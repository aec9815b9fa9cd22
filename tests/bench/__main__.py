"""`python -m tests.bench [--rounds N] [--only NAME …]`: ratios of one interleaved run beside the targets.

Only ratios mean anything: the machine may be busy with other things, but then it is so for both sides.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

from tests.bench import acks, commands, drain, footprint, instruments, orders, slow_clients
from tests.bench.ground import Ground, prepared
from tests.bench.processes import Process, free_port, running
from tests.bench.slow_disk import NoCompiler
from tests.bench.table import Measured, aligned, rows

MEASUREMENTS: dict[str, Callable[[Ground], Generator[Measured]]] = {
    "acks": acks.acks,
    "burst": acks.burst,
    "slow": acks.slow,
    "overload": acks.overload,
    "slow-clients": slow_clients.slow_clients,
    "order": orders.one_by_one,
    "console": orders.with_console,
    "commands": commands.commands,
    "orders-64": orders.all_at_once,
    "drain": orders.drain,
    "drain-500": drain.drain_fast,
    "desk": acks.while_the_desk_works,
    "instruments": instruments.instruments,
    "footprint": footprint.footprint,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS), metavar="NAME")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="munshi-bench-") as scratch,
        prepared(Path(scratch), options.rounds) as ground,
    ):
        print(_machine(ground), flush=True)
        measured = [figure for name in options.only for figure in _take(name, ground)]
    print(aligned(rows(measured)))
    return 0


def _take(name: str, ground: Ground) -> list[Measured]:
    try:
        figures = list(MEASUREMENTS[name](ground))
    except NoCompiler as reason:
        print(f"{name}: {reason}", flush=True)
        return []
    print(aligned(rows(figures)[1:]), flush=True)
    return figures


def _machine(ground: Ground) -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "?",
    )
    port = free_port()
    with running(Process(ground.scratch, "tests.bench.ceiling", str(port))) as ceiling:
        ceiling.wait_for_port(port)
        most, reference = ground.load(port, 64).rate, ground.load(ground.reference_port, 64).rate
    return (
        f"{os.cpu_count()} × {model}, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}\n"
        f"load generator: at most {most:.0f}/s; the reference takes {reference:.0f}/s"
    )


if __name__ == "__main__":
    sys.exit(main())
