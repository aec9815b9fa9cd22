"""Where tests write: into memory where there is room for it, since on a disk they mostly wait for it."""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
_NAME = "munshi-tests-"


def move_to_memory() -> Path | None:
    """The folder for everything temporary from now on; None where there is no room, or where TMPDIR names one."""
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return None
    _clear_up()
    if shutil.disk_usage(MEMORY).free < ROOM:
        return None
    folder = MEMORY / f"{_NAME}{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
    return folder


def _clear_up() -> None:
    """What runs that were killed have left."""
    for left in MEMORY.glob(f"{_NAME}*"):
        if not Path(f"/proc/{left.name.removeprefix(_NAME)}").exists():
            shutil.rmtree(left, ignore_errors=True)
