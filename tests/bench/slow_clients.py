"""An honest alert among three hundred senders who say nothing, or only half of it."""

import socket
import time
from collections.abc import Generator
from contextlib import ExitStack
from itertools import cycle, islice

from tests.bench.ground import Ground
from tests.bench.load import body
from tests.bench.product import SECRET
from tests.bench.table import Measured

SLOW = 300
_HEAD = b"POST /webhook HTTP/1.1\r\nHost: desk\r\nContent-Length: 500\r\n"
_FIRST_WORDS = (b"", _HEAD, _HEAD + b"\r\n{")


def slow_clients(ground: Ground) -> Generator[Measured]:
    munshi = ground.munshi()
    with munshi.web():
        ground.load(munshi.port, 16)
        taken = [_one_round(munshi.port, number) for number in range(ground.rounds)]
    note = f"{SLOW} slow clients; {', '.join(f'{seconds * 1000:.1f}' for seconds in taken)} ms"
    yield Measured(target="slow-clients", values=[seconds * 1000 for seconds in taken], note=note)


def _one_round(port: int, number: int) -> float:
    with ExitStack() as stack:
        for words in islice(cycle(_FIRST_WORDS), SLOW):
            stack.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(words)
        return _ack(port, number)


def _ack(port: int, number: int) -> float:
    """Seconds from connecting until the whole answer is here."""
    text = body(SECRET, f"slow-{number}").encode()
    head = b"POST /webhook HTTP/1.1\r\nHost: desk\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(text)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as honest:
        honest.sendall(head + text)
        answer = b""
        while chunk := honest.recv(65_536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    return time.monotonic() - began
