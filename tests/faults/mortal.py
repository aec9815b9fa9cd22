"""`python mortal.py web|desk`: the real process, which meets its fate where the data directory's `fates.json` says.

A fate is a point of `core.failpoints` and what happens there: `kill` (SIGKILL, at once) or `full` (no file may grow
any more). Fates come one after the other and only once each; without one the process is the plain one.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path

import bot.__main__
import webhook.__main__
from core.failpoints import Point, install

FATES = Path(os.environ.get("MUNSHI_DATA_DIR", ""), "fates.json")
MAINS = {"web": webhook.__main__.main, "desk": bot.__main__.main}


def meet_fate(point: Point) -> None:
    fates: list[tuple[str, str]] = json.loads(FATES.read_text()) if FATES.exists() else []
    if not fates or fates[0][0] != point:
        return
    write_fates(FATES, fates[1:])
    if fates[0][1] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def write_fates(file: Path, fates: list[tuple[str, str]]) -> None:
    """Whole or not at all: two processes read it at any time."""
    scratch = file.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps(fates))
    scratch.replace(file)


if __name__ == "__main__":
    install(meet_fate)
    sys.exit(MAINS[sys.argv[1]]())
