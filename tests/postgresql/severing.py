"""A way to the server that can be cut at a commit: before the server hears it, or before its answer is heard."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress

from sqlalchemy.engine import make_url

_COMMIT = b"COMMIT\0"


class Severing:
    """Passes bytes on in both directions; `address` leads through it."""

    def __init__(self, address: str) -> None:
        url = make_url(address)
        self._server = (url.host or "127.0.0.1", url.port or 5432)
        self._door = socket.create_server(("127.0.0.1", 0))
        through = url.set(host="127.0.0.1", port=self._door.getsockname()[1])
        self.address = through.render_as_string(hide_password=False)
        self._cut = ""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._welcome, daemon=True).start()

    @classmethod
    @contextmanager
    def between(cls, address: str) -> Generator["Severing"]:
        severing = cls(address)
        try:
            yield severing
        finally:
            severing._end()

    def cut_at_commit(self, lost: str) -> None:
        """The next commit loses its `question`, or its `answer`."""
        self._cut = lost

    def mend(self) -> None:
        self._cut = ""

    def _welcome(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(self._server)
                self._open += [near, far]
                silent = threading.Event()
                threading.Thread(target=self._ask, args=(near, far, silent), daemon=True).start()
                threading.Thread(target=self._answer, args=(far, near, silent), daemon=True).start()

    def _ask(self, near: socket.socket, far: socket.socket, silent: threading.Event) -> None:
        with suppress(OSError):
            while data := near.recv(65_536):
                if _COMMIT in data and self._cut == "question":
                    break
                if _COMMIT in data and self._cut == "answer":
                    silent.set()
                far.sendall(data)
        _hang_up(near, far)

    def _answer(self, far: socket.socket, near: socket.socket, silent: threading.Event) -> None:
        with suppress(OSError):
            while data := far.recv(65_536):
                if silent.is_set():
                    break
                near.sendall(data)
        _hang_up(near, far)

    def _end(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        _hang_up(*self._open)
        for each in self._open:
            each.close()


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
