"""Who begins next, where several processes write to one file.

SQLite lets whoever asks at the right moment begin, and one that writes a transaction after the other asks most often.
Here nobody asks whose turn it is not, and who has the turn keeps it until they have begun.
"""

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class Turnstile:
    """One place, kept in `file`; the system frees it when its holder dies. On Windows everybody is let through."""

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file: int | None = None

    def enter(self) -> bool:
        """Whether it is ours now. It was before, too, or it was free."""
        if sys.platform == "win32":
            return True
        if self._file is None:
            self._file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def leave(self) -> None:
        """For the next one. Whoever is not in it may leave as well."""
        if sys.platform != "win32" and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
