"""Ports for servers under test: below those of outgoing connections, and hardly ever the same for two runs."""

import socket
from random import SystemRandom

_FIRST, _LAST = 20_000, 32_000
_dice = SystemRandom()
_given: set[int] = set()


def find_port() -> int:
    """A port of 127.0.0.1 that is free now, another one at each call."""
    for _ in range(1_000):
        port = _dice.randint(_FIRST, _LAST)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError("no port is free for the tests")
