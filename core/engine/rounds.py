"""What the desk does beside its orders: the day's messages, the briefing after a start, looks at the positions.

Whatever is wrong with these, orders and their look-ups go on.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from core import controls
from core.clock import Clock, Moment, SystemClock, monotonic
from core.controls import Hold
from core.db.engine import Database
from core.engine import briefing
from core.engine.daily import Daily
from core.engine.pnl_watch import PnlWatch
from core.errors import Unavailable

log = structlog.get_logger()

EVERY = 1.0
RESTS = 30.0
STARTS_WITHIN = 30.0


class Rounds:
    def __init__(self, *, database: Database, daily: Daily, pnl_watch: PnlWatch, clock: Clock) -> None:
        self._database = database
        self._daily = daily
        self._pnl_watch = pnl_watch
        self._clock = clock
        self._wall = SystemClock()
        self._rests_until: dict[str, float] = {}

    async def run(self, tell: Callable[[], None]) -> None:
        """`tell`: something may wait for the chats."""
        began = monotonic()
        while True:
            try:
                await self.make(has_started=monotonic() - began > STARTS_WITHIN)
                tell()
            except Exception:
                log.exception("rounds_failed")
                await asyncio.sleep(RESTS)
            await asyncio.sleep(EVERY)

    async def make(self, *, has_started: bool = True) -> None:
        """One round. A desk that is starting knows too little for a report, so it waits a little with it."""
        await self._take("briefing", self._brief)
        if not has_started and await self._database.read(lambda c: Hold.STARTING in controls.holds(c)):
            return
        await self._take("readiness card", self._daily.tell_readiness_when_due)
        await self._take("summary of the day", self._daily.tell_day_when_due)
        await self._take("positions", self._pnl_watch.look_when_due)

    async def _take(self, name: str, turn: Callable[[], Awaitable[None]]) -> None:
        """A bug of ours in it costs no other; it rests, then. Raises Unavailable."""
        if monotonic() < self._rests_until.get(name, 0.0):
            return
        try:
            await turn()
        except Unavailable:
            raise
        except Exception:
            log.exception("round_failed", turn=name)
            self._rests_until[name] = monotonic() + RESTS

    async def _brief(self) -> None:
        if await self._database.read(briefing.waits):
            moment = Moment(now=self._clock.now(), wall=self._wall.now())
            await self._database.write(lambda c: briefing.tell_when_known(c, moment))
