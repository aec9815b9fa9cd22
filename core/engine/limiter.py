"""Pacing under the broker's order limits: one limiter, in the one process that sends.

Dhan allows 10 order calls a second, 250 a minute, 1,000 an hour and 7,000 a day (Dhan API v2 docs, Rate Limit). Each
window is kept half a per cent longer than theirs, since pacing exactly at the limit draws refusals.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from core.clock import monotonic

_LONGER = 1.005


@dataclass(frozen=True)
class Window:
    calls: int
    seconds: float


ORDER_CALLS = (Window(10, 1), Window(250, 60), Window(1_000, 3_600), Window(7_000, 86_400))


class Limiter:
    """Lets a call through when every window has room. `past` are ages in seconds of calls made before this start."""

    def __init__(self, windows: Iterable[Window], past: Iterable[float] = ()) -> None:
        now = monotonic()
        self._windows = tuple(windows)
        self._calls: deque[float] = deque(
            sorted(now - age for age in past), maxlen=max((window.calls for window in self._windows), default=0)
        )
        self._turn = asyncio.Lock()

    async def wait_for_room(self) -> float:
        """Return when one more call fits, and count it; what it returns can be given back. First come, first served."""
        async with self._turn:
            while (delay := self._delay()) > 0:  # noqa: ASYNC110 - only time makes room
                await asyncio.sleep(delay)
            taken = monotonic()
            self._calls.append(taken)
            return taken

    def give_back(self, taken: float) -> None:
        """The call that was let through then was not made after all."""
        if taken in self._calls:
            self._calls.remove(taken)

    def _delay(self) -> float:
        now = monotonic()
        return max((self._wait(window, now) for window in self._windows), default=0)

    def _wait(self, window: Window, now: float) -> float:
        if len(self._calls) < window.calls:
            return 0
        return self._calls[-window.calls] + window.seconds * _LONGER - now
