"""The processes of a benchmark: started on loopback, waited for, measured, and stopped one by one."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.bench.load import Load, Result

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
PYTHON = os.environ.get("MUNSHI_PYTHON", sys.executable)
"""What the processes run on: one with `requirements.lock` alone weighs what it weighs at a user's."""


class DidNotStart(Exception):
    """A process ended or stayed silent; its last words are in the message."""


class Process:
    """`python -m MODULE …` with nothing but `settings` in its environment that could change how it behaves."""

    def __init__(self, scratch: Path, *command: str, settings: Mapping[str, str] | None = None) -> None:
        self.name = command[0]
        self._log = scratch / f"{self.name}-{time.time_ns()}.log"
        plain = {name: os.environ[name] for name in ("PATH", "HOME", "TZ") if name in os.environ}
        self.started = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [PYTHON, "-m", *command],
                cwd=scratch,  # where no .env of a developer lies
                env=plain | {"PYTHONPATH": str(ROOT)} | dict(settings or {}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def resident(self) -> float:
        """MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def wait_for_port(self, port: int) -> None:
        self.wait_until(lambda: _accepts(port))

    def wait_for_page(self, port: int, path: str, *statuses: int) -> float:
        return self.wait_until(lambda: _status(port, path) in statuses)

    def finish(self) -> None:
        if self._process.wait(PATIENCE) != 0:
            raise DidNotStart(self._last_words())

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def wait_until(self, condition: Callable[[], bool]) -> float:
        """Seconds from the start of the process until the condition held."""
        until = time.monotonic() + PATIENCE
        while not condition():
            if self._process.poll() is not None or time.monotonic() > until:
                raise DidNotStart(self._last_words())
            time.sleep(0.005)
        return time.monotonic() - self.started

    def _last_words(self) -> str:
        return f"{self.name}: {self._log.read_text(errors='replace')[-2_000:]}"


class LoadGenerator:
    """One `tests.bench.load` process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, load: Load) -> Result:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(asdict(load)), file=self._process.stdin, flush=True)
        return Result(**json.loads(self._process.stdout.readline()))

    def stop(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def running(process: Process) -> Generator[Process]:
    try:
        yield process
    finally:
        process.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _status(port: int, path: str) -> int:
    """0 when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
