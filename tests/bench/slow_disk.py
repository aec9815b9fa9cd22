"""A disk on which every sync takes 5 ms longer: a preload shim, compiled when it is needed."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("slow_disk.c")
SLOW, STUCK = 5_000, 250_000  # microseconds


class NoCompiler(Exception):
    """The slow disk needs gcc and Linux."""


def slow_disk(scratch: Path, microseconds: int = SLOW) -> dict[str, str]:
    """The environment that makes a process's disk slow. Raises NoCompiler."""
    if shutil.which("gcc") is None:
        raise NoCompiler("left out: there is no gcc to build the slow disk with")
    shim = scratch / "slow_disk.so"
    if not shim.exists():
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(shim), str(SOURCE), "-ldl"], check=True)
    return {"LD_PRELOAD": str(shim), "SLOW_SYNC_US": str(microseconds)}
