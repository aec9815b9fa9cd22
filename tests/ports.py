"""Ports for servers under test: below the range that outgoing connections use, and never the same for two workers."""

import os
import socket
from itertools import count

_FIRST, _A_WORKER, _WORKERS = 20_000, 500, 20


def _worker() -> int:
    """Test workers count from gw0; runs beside one another differ by their process."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "")
    run = int(os.environ.get("PYTEST_XDIST_TESTRUNUID", "0")[:8] or "0", 16) if name else os.getpid()
    return (run * 7 + int(name.removeprefix("gw") or 0)) % _WORKERS


_numbers = count()


def find_port() -> int:
    """A port of 127.0.0.1 that is free now, another one at each call."""
    for _ in range(_A_WORKER):
        port = _FIRST + _worker() * _A_WORKER + next(_numbers) % _A_WORKER
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free for the tests")
