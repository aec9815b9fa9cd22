"""Noticing that Dhan cannot be read: orders fill there unseen, and a silent desk looks like one that sees."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.broker.port import IncompleteBook
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


_IN_PART = (
    "An entry of Dhan's order book could not be read for a minute. The others are followed, but what became of that "
    "one is not seen here, and doubts are not settled: look into Dhan's app."
)
_CLOSED = (
    "An entry of Dhan's order book cannot be read and may be an order of this desk, so nothing is sent until it can "
    "be: look into Dhan's app."
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
        await self._ring_in_time(_WORDS.format(why=why), wall)

    async def lost_in_part(self, book: IncompleteBook, wall: datetime) -> bool:
        """What could be read of the book was followed. False when a desk that starts must not open on that.

        No order goes out before the desk has compared its own with the book, and an entry that names somebody else is
        none of its own.
        """
        closed = book.may_hide_ours and await self._database.read(_is_starting)
        if closed:
            at = self._clock.now()
            await self._database.write(
                lambda c: controls.set_hold(c, Hold.STARTING, _CLOSED, at=at, actor=journal.DESK)
            )
        await self._ring_in_time(_CLOSED if closed else _IN_PART, wall)
        return not closed

    async def _ring_in_time(self, words: str, wall: datetime) -> None:
        self._lost_at = self._lost_at or wall
        if self._told or wall - self._lost_at < BLIND_AFTER:
            return
        if await self._database.read(_something_hangs_on_it):
            now = self._clock.now()
            await self._database.write(lambda c: notifications.ring(c, Notice.BLIND, at=now, words=words))
            self._told = True


def _something_hangs_on_it(connection: Connection) -> bool:
    waiting = orders.in_states(connection, AT_BROKER | {OrderState.UNKNOWN})
    return bool(waiting) or _is_starting(connection)


def _is_starting(connection: Connection) -> bool:
    return Hold.STARTING in controls.holds(connection)
