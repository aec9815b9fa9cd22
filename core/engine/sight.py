"""Noticing that Dhan cannot be read: orders fill there unseen, and a silent desk looks like one that sees."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from core import controls, notifications
from core.clock import Clock
from core.controls import Hold
from core.db import orders
from core.db.engine import Database
from core.domain.notice import Notice
from core.domain.order import AT_BROKER, OrderState

BLIND_AFTER = timedelta(seconds=60)
_WORDS = (
    "The order book could not be read for a minute ({why}). Until it can, fills are not seen here and doubts are not "
    "settled: look into Dhan's app."
)


class Sight:
    """Rings once per blindness, while something hangs on it: an order at Dhan, a doubt, or the desk's start."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lost_at: datetime | None = None
        self._told = False

    def regained(self) -> None:
        self._lost_at, self._told = None, False

    async def lost(self, why: str, wall: datetime) -> None:
        """A read failed at this machine time."""
        self._lost_at = self._lost_at or wall
        if self._told or wall - self._lost_at < BLIND_AFTER:
            return
        if await self._database.read(_something_hangs_on_it):
            now, words = self._clock.now(), _WORDS.format(why=why)
            await self._database.write(lambda c: notifications.ring(c, Notice.BLIND, at=now, words=words))
            self._told = True


def _something_hangs_on_it(connection: Connection) -> bool:
    waiting = orders.in_states(connection, AT_BROKER | {OrderState.UNKNOWN})
    return bool(waiting) or Hold.STARTING in controls.holds(connection)
