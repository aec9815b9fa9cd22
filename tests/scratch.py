"""Where tests write: into memory where there is room for it, since a disk makes them wait."""

import os
import shutil
import tempfile
from multiprocessing.util import Finalize
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
_NAME = "munshi-tests-"
_LAST = -200  # after what multiprocessing removes from there, which is -100


def move_to_memory() -> None:
    """Everything temporary, until this process ends; not where there is no room, nor where TMPDIR names a folder."""
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return
    _clear_up()
    if shutil.disk_usage(MEMORY).free < ROOM:
        return
    folder = MEMORY / f"{_NAME}{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
    Finalize(None, shutil.rmtree, args=[folder], kwargs={"ignore_errors": True}, exitpriority=_LAST)


def _clear_up() -> None:
    """What runs that were killed have left."""
    for left in MEMORY.glob(f"{_NAME}*"):
        if not Path(f"/proc/{left.name.removeprefix(_NAME)}").exists():
            shutil.rmtree(left, ignore_errors=True)
