"""What Dhan is asked before an order leaves: are the shares there, has the price moved, is the position still open?

Each question has its module (cover, drift, closing); here they are put, those of several orders together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from core import exits
from core.broker.account import Account
from core.broker.port import Broker, PastFill
from core.broker.quotes import Name, Quotes
from core.clock import Clock, Moment, SystemClock, to_india
from core.db.engine import Database
from core.domain.order import Order
from core.engine import closing, cover, drift
from core.engine.cover import Shares
from core.errors import BrokerUnavailable, SignInNeeded
from core.exits import Seen
from core.logins import Session
from core.policies import Policies

log = structlog.get_logger()
T = TypeVar("T")

PATIENCE = 3.0
"""Seconds for Dhan to tell: late is as good as unknown, since an order has a window to catch."""
Check = Callable[[Connection, Order, Moment], Order | None]
"""Asked in the transaction of the claim: the order as it may be claimed, None when it does not go now."""


@dataclass(frozen=True)
class Asked:
    """What is asked for several orders at once; `shares` once the first of them needs it."""

    prices: asyncio.Task[Mapping[Name, Decimal]]
    account: asyncio.Task[Seen | None]
    shares: Callable[[], Awaitable[Shares | None]]


class Soundness:
    def __init__(
        self,
        *,
        database: Database,
        broker: Broker,
        account: Account,
        session: Session,
        clock: Clock,
        quotes: Quotes | None,
    ) -> None:
        self._database = database
        self._broker = broker
        self._account = account
        self._session = session
        self._clock = clock
        self._wall = SystemClock()
        self._quotes = quotes

    def is_in_question(self, order: Order, now: datetime) -> bool:
        """Whether Dhan is asked before it leaves. An exit that goes at once was confirmed a moment ago."""
        if order.closes:
            return closing.has_waited(order, now)
        may_know_prices = self._quotes is not None and self._quotes.may_tell
        return cover.needs_cover(order) or (may_know_prices and drift.may_drift(order))

    def ask(self, waited: Sequence[Order]) -> Asked:
        return Asked(
            prices=asyncio.create_task(self._last_prices(waited)),
            account=asyncio.create_task(self._see(waited)),
            shares=cache(lambda: asyncio.create_task(self._shares())),
        )

    async def look(self, order: Order, asked: Asked) -> list[Check] | None:
        """What its claim has to check; None when the operator is asked about it instead."""
        checks: list[Check] = []
        if cover.needs_cover(order) and not await self._database.read(lambda c: cover.was_asked(c, order)):
            checks.append(partial(cover.check, stock=await self._stock(order, asked)))
        if order.closes:  # checked first; asked for meanwhile, since both one after the other may be too old together
            checks.insert(0, partial(closing.check, seen=await asked.account))
        last = (await asked.prices).get((order.segment, order.security_id)) if drift.may_drift(order) else None
        return None if last is not None and await self._has_drifted(order, last) else checks

    async def _last_prices(self, waited: Sequence[Order]) -> Mapping[Name, Decimal]:
        return await _in_time("prices_not_known", drift.last_prices(self._quotes, waited)) or {} if self._quotes else {}

    async def _stock(self, order: Order, asked: Asked) -> cover.Stock | None:
        """None where nobody knows: that holds nothing up."""
        shares = await asked.shares()
        return None if shares is None else await self._told(cover.stock_for(self._account, order, shares))

    async def _shares(self) -> Shares | None:
        return await self._told(cover.look(self._account, self._clock.now()))

    async def _told(self, reading: Awaitable[T]) -> T | None:
        try:
            return await _in_time("cover_not_known", reading)
        except SignInNeeded as trouble:
            log.warning("cover_not_known", why=str(trouble))
            return None

    async def _see(self, waited: Sequence[Order]) -> Seen | None:
        """The account, for the exits among these."""
        if not any(order.closes for order in waited):
            return None
        serial, now = self._session.serial, self._clock.now()
        days = {day for order in waited if order.closes and (day := closing.day_of_holding(order, now))}
        try:
            seen, past = await asyncio.gather(
                _in_time("positions_not_known", exits.look(self._account, self._broker, now)),
                asyncio.gather(*(self._since(day, now) for day in days)),
            )
        except SignInNeeded as trouble:
            await self._session.die(str(trouble), serial)
            return None
        return None if seen is None else replace(seen, past=dict(past))

    async def _since(self, day: date, now: datetime) -> tuple[date, Mapping[str, PastFill]]:
        """That day, and the trade history from it until yesterday; empty where Dhan does not tell."""
        yesterday = to_india(now).date() - timedelta(days=1)
        return day, await _in_time("past_days_not_known", self._broker.past_fills(day, yesterday)) or {}

    async def _has_drifted(self, order: Order, last: Decimal) -> bool:
        """Whether the price moved too far while the order waited, so that the operator is asked."""
        policies = await self._database.read(Policies.read)
        words = drift.why_ask(order, last, policies.drift)
        if words is None:
            return False
        await self._database.write(lambda connection: drift.ask_about(connection, order, last, words, self._moment()))
        return True

    def _moment(self) -> Moment:
        return Moment(now=self._clock.now(), wall=self._wall.now())


async def _in_time(otherwise: str, reading: Awaitable[T]) -> T | None:
    """What Dhan says; None when that is nothing, or too late, which is logged as `otherwise`. Raises SignInNeeded."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await reading
    except (BrokerUnavailable, TimeoutError) as trouble:
        log.warning(otherwise, why=str(trouble) or "no answer in time")
        return None
