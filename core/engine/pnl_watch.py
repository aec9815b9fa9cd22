"""Looking at the account's positions: after fills, every quarter of an hour while something is open, at the close."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, func, select

from core import market_days, pnl
from core.broker.account import Account
from core.clock import INDIA, Clock, monotonic, to_india
from core.db.engine import Database
from core.db.tables import events
from core.domain.instrument import SegmentClass
from core.domain.order import OrderState
from core.domain.sessions import Calendar, Trading
from core.errors import BrokerUnavailable, SignInNeeded

log = structlog.get_logger()

LOOK_EVERY = timedelta(minutes=15)
AFTER_CLOSE = timedelta(minutes=5)
RESTS = 5.0
ASK_AGAIN = 30.0
_FILLS = (OrderState.FILLED.value, OrderState.PART_FILLED.value)


class PnlWatch:
    def __init__(self, *, database: Database, account: Account, calendar: Calendar, clock: Clock) -> None:
        self._database = database
        self._account = account
        self._calendar = calendar
        self._clock = clock
        self._seen: int | None = None
        self._has_filled = False
        self._not_before = 0.0

    async def look_when_due(self) -> None:
        """Ask Dhan and keep a point. When Dhan cannot say, it stays due; nobody is told, since nothing hangs on it."""
        if monotonic() < self._not_before or not await self._database.read(self._is_due):
            return
        self._not_before = monotonic() + RESTS
        try:
            positions = await self._account.positions()
        except (BrokerUnavailable, SignInNeeded) as trouble:
            log.info("pnl_not_known", why=str(trouble))
            self._not_before = monotonic() + ASK_AGAIN
            return
        self._has_filled = False
        now = self._clock.now()
        await self._database.write(lambda connection: pnl.record(connection, positions, now))

    def _is_due(self, connection: Connection) -> bool:
        newest = connection.execute(select(func.max(events.c.id))).scalar() or 0
        if self._seen is None:
            self._seen = newest
        elif newest > self._seen:
            new = select(events.c.id).where(events.c.id > self._seen, events.c.after.in_(_FILLS)).limit(1)
            self._has_filled = self._has_filled or connection.execute(new).first() is not None
            self._seen = newest
        return self._has_filled or self._may_have_moved(connection, self._clock.now())

    def _may_have_moved(self, connection: Connection, now: datetime) -> bool:
        """Something was open when the desk looked last, and a price of the session was not seen yet."""
        before = pnl.last(connection)
        if before is None or not before.open_positions or to_india(before.at).date() != to_india(now).date():
            return False
        today = market_days.in_force(connection, self._calendar).day(SegmentClass.CASH, to_india(now).date())
        if not isinstance(today, Trading):
            return False
        closes = datetime.combine(to_india(now).date(), today.sessions[-1].closes, INDIA)
        if now < closes:
            return now - before.at >= LOOK_EVERY
        return before.at < closes and now >= closes + AFTER_CLOSE
