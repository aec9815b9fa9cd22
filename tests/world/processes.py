"""Real processes of a test's own, each ended by its own id."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, TypeVar, cast

import httpx

from core.clock import monotonic
from tests.patience import PATIENCE
from tests.world.nursery import Streams, born

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
LOOK_AGAIN, AT_LATEST = 0.01, 0.1
"""Seconds between two looks: few for what comes at once, and more as it takes long, since each is a call."""


class Process:
    """One `python …` that can be started, stopped and killed again and again. Its log stays."""

    def __init__(self, name: str, command: tuple[str, ...], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        self._folder = folder
        self._running: BaseProcess | None = None
        self._said_before = 0

    @property
    def is_alive(self) -> bool:
        return self._running is not None and self._running.is_alive()

    @property
    def pid(self) -> int:
        assert self._running is not None, f"{self.name} was never started"
        return cast("int", self._running.pid)

    def start(self) -> None:
        assert not self.is_alive, f"{self.name} runs already"
        self._said_before = self.log.stat().st_size if self.log.exists() else 0
        self.log.touch()
        self._running = born(self._command, self._env, self._folder, Streams(out=self.log, err=self.log))

    def kill(self) -> None:
        """kill -9: it gets no chance to tidy up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, as a service manager does."""
        self._end(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._running.exitcode if self._running else None

    def said(self, words: str) -> bool:
        """Whether it has logged this since it was last started."""
        with self.log.open("rb") as log:
            log.seek(self._said_before)
            return words.encode() in log.read()

    def last_words(self, lines: int = 15) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"--- {self.name}\n" + "\n".join(text.splitlines()[-lines:])

    def _end(self, number: signal.Signals) -> None:
        if self._running is not None and self.is_alive:
            self.send(number)
            self._running.join(timeout=15)
            assert not self.is_alive, f"{self.name} does not end"


def client(url: str, heard: Callable[[httpx.Response], None] | None = None) -> httpx.Client:
    """It drops a connection sooner than the servers do, after five idle seconds: both at once looks like a crash."""
    limits, hooks = httpx.Limits(keepalive_expiry=2), {"response": [heard] if heard else []}
    return httpx.Client(base_url=url, trust_env=False, verify=False, limits=limits, event_hooks=hooks)


def until(condition: Callable[[], T | None], words: str, seconds: float = PATIENCE) -> T:
    """The condition's first truthy value. Raises AssertionError with the words when there is none in time."""
    began = monotonic()
    while not (value := condition()):
        waited = monotonic() - began
        assert waited < seconds, f"not within {seconds:g} s: {words}"
        sleep(min(max(LOOK_AGAIN, waited / 8), AT_LATEST))
    return value
