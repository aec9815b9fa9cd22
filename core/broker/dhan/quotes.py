"""Last traded prices (Dhan API v2, Market Quote, LTP): one call a second, and only with the paid data plan."""

import asyncio
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, cast

import structlog

from core.broker.dhan.adapter import Dhan
from core.broker.dhan.client import Reply
from core.broker.dhan.wire import LACKS_DATA_PLAN, Row, as_row, read_error
from core.broker.quotes import Name
from core.clock import monotonic
from core.domain.instrument import Segment
from core.errors import BrokerUnavailable, SignInNeeded

log = structlog.get_logger()

BETWEEN_CALLS = 1.005
ASK_AGAIN = 6 * 3600.0
"""Seconds until an account that had no data plan is asked again."""
MOST_INSTRUMENTS = 1_000
_SEGMENTS = frozenset(segment.value for segment in Segment)


class DhanQuotes:
    """Remembers that there is no plan, so that its absence costs one call in hours."""

    def __init__(self, dhan: Dhan) -> None:
        self._dhan = dhan
        self._no_plan_until = 0.0
        self._turn = asyncio.Lock()
        self._next_call = 0.0
        self._wanted: set[Name] = set()
        self._calls = 0
        self._told: Mapping[Name, Decimal] = {}

    @property
    def may_tell(self) -> bool:
        return monotonic() >= self._no_plan_until

    async def last_price(self, instruments: Iterable[Name]) -> Mapping[Name, Decimal]:
        """Whoever waits while another calls shares the one call that comes after it."""
        mine = set(instruments)
        if not mine:
            return {}
        self._wanted |= mine
        calls = self._calls
        async with self._turn:
            if self._calls == calls and self.may_tell:
                await asyncio.sleep(max(self._next_call - monotonic(), 0))
                wanted, self._wanted, self._told = self._wanted, set(), {}
                self._calls += 1
                self._next_call = monotonic() + BETWEEN_CALLS
                self._told = await self._ask(sorted(wanted)[:MOST_INSTRUMENTS])
            return {name: self._told[name] for name in mine if name in self._told}

    async def _ask(self, wanted: list[Name]) -> Mapping[Name, Decimal]:
        try:
            reply = await self._dhan.ask("/marketfeed/ltp", _wish(wanted))
        except (BrokerUnavailable, SignInNeeded) as trouble:
            log.warning("prices_not_known", why=str(trouble))
            return {}
        error = read_error(reply)
        if error is not None and error.code in LACKS_DATA_PLAN:
            self._no_plan_until = monotonic() + ASK_AGAIN
            log.info("no_data_plan")
        return _prices(reply)


def _wish(wanted: list[Name]) -> dict[str, list[int]]:
    wish: dict[str, list[int]] = {}
    for segment, security_id in wanted:
        wish.setdefault(segment.value, []).append(int(security_id))
    return wish


def _prices(reply: Reply) -> dict[Name, Decimal]:
    """What can be read of it; a price that is no price is none."""
    row = as_row(reply.json()) if reply.is_success else None
    found: dict[Name, Decimal] = {}
    for segment, rows in _entries(row.get("data") if row else None):
        if segment in _SEGMENTS:
            for security_id, quote in _entries(rows):
                price: Any = cast("Row", quote).get("last_price") if isinstance(quote, dict) else None
                if isinstance(price, Decimal | int) and not isinstance(price, bool) and price > 0:
                    found[Segment(segment), security_id] = Decimal(price)
    return found


def _entries(row: Any) -> Iterable[tuple[str, Any]]:
    return cast("Row", row).items() if isinstance(row, dict) else ()
