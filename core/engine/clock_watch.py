"""Watching this machine's clock: after a jump or a sleep nothing is sent until Dhan's own clock agrees with it.

The desk's windows hang on the clock. A clock that leaps, back or forth, must not send an order by leaping; a machine
that slept finds out what happened meanwhile first. Dhan's clock is the Date of its replies.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.clock import Clock, monotonic
from core.controls import Hold
from core.domain.notice import Notice

JUMP = timedelta(seconds=2)
PATIENCE = 300.0
"""Seconds: a machine that has just started has set its clock by then, wherever it can reach anybody who knows the time.
"""
MOST_BEHIND, MOST_AHEAD = timedelta(seconds=1), timedelta(seconds=5)
"""How far off our clock may seem. Dhan's Date has its fraction of a second cut off and took a while to come, which only
ever makes ours seem further ahead: one that seems a second behind may be two, the margin at the end of a session.
"""
_CUT_OFF = timedelta(seconds=1)
ASK_EVERY = 30.0
SET_IT = "timedatectl set-ntp true"


class ClockWatch:
    """`skew` says how far our clock is ahead of Dhan's; None before Dhan replied. `ask` makes it reply, if it can.

    `doubt` says in a sentence what is wrong with our clock, and is empty as long as nothing is known to be.
    """

    def __init__(
        self,
        wall: Clock,
        skew: Callable[[], timedelta | None],
        ticks: Callable[[], float] = monotonic,
        *,
        ask: Callable[[], Awaitable[bool]],
    ) -> None:
        self._wall = wall
        self._skew = skew
        self._ticks = ticks
        self._ask = ask
        self._asked_at: float | None = None
        self._seen = wall.now(), ticks()
        self._began = ticks()
        self._was_compared = False
        self._is_off = False
        self.doubt = ""

    def is_sure(self) -> bool:
        """Look at the clocks; False before Dhan's clock was compared, and from a jump on until it is again."""
        before, now = self._seen, (self._wall.now(), self._ticks())
        self._seen = now
        jump = (now[0] - before[0]) - timedelta(seconds=now[1] - before[1])
        if abs(jump) > JUMP:
            kind = "jumped ahead, or the machine slept" if jump > timedelta(0) else "jumped back"
            self.doubt = f"This machine's clock {kind} ({_length(jump)}): it is compared with Dhan's first."
            self._was_compared = self._is_off = False
        return self._was_compared

    def may_expire(self) -> bool:
        """Whether time may end what waits: once Dhan's clock agrees, and not while ours is known to be wrong.

        Where Dhan stays away for long, all the same: an order that nobody ends, and nobody is reminded of, waits in
        silence, while its window is over by the only clock there is.
        """
        # counted on the clock that nobody can set: the other one may leap just now
        has_waited = self._ticks() - self._began >= PATIENCE
        return self._was_compared or (has_waited and not self.doubt)

    async def find_out(self) -> None:
        """Compare while nothing else is said to Dhan, as without a sign-in: a doubt must end by itself."""
        now = self._ticks()
        if self._was_compared or (self._asked_at is not None and now - self._asked_at < ASK_EVERY):
            return
        self._asked_at = now
        if await self._ask():
            self.compare()

    def compare(self) -> None:
        """After Dhan replied: trust our clock as far as the two agree."""
        skew = self._skew()
        if skew is None:
            return
        # once found too far off, it must come back by more than two Dates differ, and the words stay as they are: else
        # the doubt would come and go, or change, and ring each time
        was_off, closer = self._is_off, _CUT_OFF if self._is_off else timedelta(0)
        self._is_off = not agrees(skew, closer)
        self._was_compared = not self._is_off
        if self._was_compared:
            self.doubt = ""
        elif not was_off:
            off = f"{_length(skew)} {'ahead of' if skew > timedelta(0) else 'behind'}"
            self.doubt = f"This machine's clock is {off} Dhan's: set it right ({SET_IT}). Nothing is sent until then."


def agrees(skew: timedelta, closer: timedelta = timedelta(0)) -> bool:
    """Whether a clock that seems so far ahead of Dhan's may tell when an order leaves; the bounds lie `closer`."""
    return closer - MOST_BEHIND <= skew <= MOST_AHEAD - closer


def hold(connection: Connection, words: str, now: datetime) -> None:
    """Send nothing for now, and ring."""
    if controls.set_hold(connection, Hold.CLOCK, words, at=now, actor=journal.DESK):
        notifications.ring(connection, Notice.CLOCK, at=now, words=words)


def _length(span: timedelta) -> str:
    seconds = int(abs(span).total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
