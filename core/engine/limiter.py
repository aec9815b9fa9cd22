"""Pacing under the broker's order limits: one limiter, in the one process that sends.

Dhan allows 10 order calls a second, 250 a minute, 1,000 an hour and 7,000 a day (Dhan API v2 docs, Rate Limit). Which
instant of a call Dhan counts, nobody says; so a call fills its place from when it is let through until the window's
length after its answer, and however long the way, no window of Dhan's holds more.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from math import inf

from core.clock import monotonic

_LONGER = 1.001
"""Two machines' seconds differ a little."""
_YIELDS = 0.002
AHEAD = 0.05
"""Seconds that a call may be made ready before there is room for it: what it needs until it waits."""
LEFT_LATER = 2.0
"""Seconds that a call may have left after its row was written: it waited for its room, or for the end of a rest."""


@dataclass(frozen=True)
class Window:
    """So many calls in so many seconds; the last `reserve` of them are for cancellations and exits."""

    calls: int
    seconds: float
    reserve: int = 0


ORDER_CALLS = (Window(10, 1), Window(250, 60, 10), Window(1_000, 3_600, 50), Window(7_000, 86_400, 200))


class Limiter:
    """Lets a call through when every window has room. Whoever was let through says `answered` or `give_back`, once."""

    def __init__(self, windows: Iterable[Window]) -> None:
        self._windows = tuple(windows)
        self._answered: deque[float] = deque(maxlen=max((window.calls for window in self._windows), default=0))
        self._under_way = 0
        self._turn = asyncio.Lock()
        self._urgent = asyncio.Lock()
        self._in_line = {False: 0, True: 0}
        self._rests_until = 0.0

    def remember(self, ages: Iterable[float]) -> None:
        """Count these calls in place of those so far: the rows know also what other desks sent.

        Ages in seconds, of their rows.
        """
        now = monotonic()
        self._answered.clear()
        self._answered.extend(sorted(now - max(age - LEFT_LATER, 0) for age in ages))

    async def wait_for_room(self, *, urgent: bool = False) -> None:
        """Return when one more call fits, and count it."""
        async with self.turn(urgent=urgent):
            pass

    @asynccontextmanager
    async def turn(self, *, urgent: bool = False) -> AsyncGenerator[bool]:
        """The turn of a call that fits now, counted; whoever is behind it waits for the end of the block.

        Gives whether it had to wait. First come, first served; but urgent calls pass the others, and may use what is
        kept in reserve for them.
        """
        queue = self._urgent if urgent else self._turn
        has_waited = queue.locked() or self._in_line[urgent] > 0  # a lock that is being handed on is not locked
        with ExitStack() as line:
            self._in_line[urgent] += 1
            line.callback(self._step_out, urgent)
            async with queue:
                while (delay := self._delay(0, urgent=urgent)) > 0:
                    has_waited = True
                    await asyncio.sleep(_YIELDS if delay == inf else delay)
                self._under_way += 1
                line.close()
                yield has_waited

    def _step_out(self, urgent: bool) -> None:
        self._in_line[urgent] -= 1

    def room_in(self, *, urgent: bool = False, behind: int = 0) -> float:
        """Seconds until there is room for one more call, behind those that wait and so many more.

        Infinite while that depends on calls that are under way, or urgent.
        """
        return self._delay(behind + self._in_line[urgent], urgent=urgent)

    def answered(self) -> None:
        """A call that was let through came to its end, whatever that was."""
        self._under_way -= 1
        self._answered.append(monotonic())

    def give_back(self) -> None:
        """A call that was let through was not made after all."""
        self._under_way -= 1

    def rest(self, seconds: float) -> None:
        """The broker asked for fewer calls, without saying when the next may come: nothing goes for so long."""
        self._rests_until = monotonic() + seconds

    def _delay(self, behind: int, *, urgent: bool) -> float:
        if not urgent and self._in_line[True]:
            return inf
        now = monotonic()
        return max(
            [self._rests_until - now, *(self._wait(window, behind, now, urgent=urgent) for window in self._windows)]
        )

    def _wait(self, window: Window, behind: int, now: float, *, urgent: bool) -> float:
        free = window.calls - (0 if urgent else window.reserve) - self._under_way - behind
        if free <= 0:
            return inf
        if len(self._answered) < free:
            return 0
        return self._answered[-free] + window.seconds * _LONGER - now
