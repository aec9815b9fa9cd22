"""Warnings that a stranger can bring about: at most one a minute, so that they push no other line out of the log."""

from collections.abc import Callable

import structlog

from core.clock import monotonic

log = structlog.get_logger()

MINUTE = 60.0


class Seldom:
    """One kind of warning. `count` in its line: how often it came about since the line before."""

    def __init__(self, event: str, monotonic: Callable[[], float] = monotonic) -> None:
        self._event = event
        self._monotonic = monotonic
        self._said_at = -MINUTE
        self._count = 0

    def warn(self, *, why: str) -> None:
        self._count += 1
        now = self._monotonic()
        if now - self._said_at >= MINUTE:
            log.warning(self._event, why=why, count=self._count)
            self._said_at, self._count = now, 0
