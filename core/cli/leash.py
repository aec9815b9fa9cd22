"""Runs a command that the kernel stops when our parent dies, even by SIGKILL (Linux; elsewhere it just runs it).

Called as `python leash.py PARENT-PID COMMAND…`. The command takes over this process, so its id stays the same.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); it outlives execve(2)


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit("the process that started this one has gone")
    os.execv(command[0], command)  # noqa: S606 (the supervisor's own list)


main()
