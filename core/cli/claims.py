"""What a start needs for itself alone: the data directory and the ports."""

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Generator
from pathlib import Path
from typing import IO

from core.errors import DeskError


class Taken(DeskError):
    """Somebody else has it. The text says who, and what to do."""


@contextlib.contextmanager
def claim(data_dir: Path) -> Generator[None]:
    """Hold the data directory; the operating system lets go of it for us, however we end. Raises Taken."""
    with (data_dir / "up.lock").open("a+") as file:
        try:
            _lock(file)
        except OSError:
            file.seek(0)
            raise Taken(f"Munshi already runs on {data_dir} (process {file.read().strip() or 'unknown'})") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 (Windows only)

        file.seek(1 << 30)  # beyond the text, which others may read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 (not on Windows)

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check_port(setting: str, host: str, port: int) -> None:
    """Raise Taken unless `host:port` can be listened on; `setting` is the variable that chooses another one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if sys.platform != "win32":  # there the option means: take it from whoever has it
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = (
                "is taken by another program"
                if error.errno == errno.EADDRINUSE
                else f"cannot be used ({error.strerror})"
            )
            raise Taken(f"port {port} on {host} {why}; choose another one with {setting}") from None
