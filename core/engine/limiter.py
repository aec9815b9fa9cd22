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
_YIELDS = 0.002


@dataclass(frozen=True)
class Window:
    """So many calls in so many seconds; the last `reserve` of them are for cancellations and exits."""

    calls: int
    seconds: float
    reserve: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.reserve < self.calls:
            raise ValueError("a window leaves room for some calls beside its reserve")


ORDER_CALLS = (Window(10, 1), Window(250, 60, 10), Window(1_000, 3_600, 50), Window(7_000, 86_400, 200))


class Limiter:
    """Lets a call through when every window has room."""

    def __init__(self, windows: Iterable[Window]) -> None:
        self._windows = tuple(windows)
        self._calls: deque[float] = deque(maxlen=max((window.calls for window in self._windows), default=0))
        self._turn = asyncio.Lock()
        self._urgent = asyncio.Lock()
        self._rests_until = 0.0

    def remember(self, ages: Iterable[float]) -> None:
        """Count these calls in place of those so far: the rows know also what other desks sent. Ages in seconds."""
        now = monotonic()
        self._calls.clear()
        self._calls.extend(sorted(now - age for age in ages))

    async def wait_for_room(self, *, urgent: bool = False) -> float:
        """Return when one more call fits, and count it; what it returns can be given back.

        First come, first served; but urgent calls pass the others, and may use what is kept in reserve for them.
        """
        queue = self._urgent if urgent else self._turn
        async with queue:
            while (delay := self._delay(urgent)) > 0:  # noqa: ASYNC110 - only time makes room
                await asyncio.sleep(delay)
            taken = monotonic()
            self._calls.append(taken)
            return taken

    def take_room(self, most: int) -> list[float]:
        """Count as many calls as fit right now, at most so many, when nobody waits; none of them passes another."""
        taken: list[float] = []
        while not self._turn.locked() and len(taken) < most and self._delay(urgent=False) <= 0:
            taken.append(monotonic())
            self._calls.append(taken[-1])
        return taken

    def rest(self, seconds: float) -> None:
        """The broker asked for fewer calls, without saying when the next may come: nothing goes for so long."""
        self._rests_until = monotonic() + seconds

    def give_back(self, taken: float) -> None:
        """The call that was let through then was not made after all."""
        if taken in self._calls:
            self._calls.remove(taken)

    def _delay(self, urgent: bool) -> float:
        now = monotonic()
        waits = [self._rests_until - now, *(self._wait(window, now, urgent) for window in self._windows)]
        if not urgent and self._urgent.locked():
            waits.append(_YIELDS)
        return max(waits)

    def _wait(self, window: Window, now: float, urgent: bool) -> float:
        allowed = window.calls if urgent else window.calls - window.reserve
        if len(self._calls) < allowed:
            return 0
        return self._calls[-allowed] + window.seconds * _LONGER - now
