"""Last traded prices (Dhan API v2, Market Quote, LTP): one call a second, and only with the paid data plan."""

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
        self._not_before = 0.0

    @property
    def may_tell(self) -> bool:
        return monotonic() >= self._not_before

    async def last_price(self, instruments: Iterable[Name]) -> Mapping[Name, Decimal]:
        wanted = sorted(set(instruments))[:MOST_INSTRUMENTS]
        if not wanted or not self.may_tell:
            return {}
        self._not_before = monotonic() + BETWEEN_CALLS
        try:
            reply = await self._dhan.ask("/marketfeed/ltp", _wish(wanted))
        except (BrokerUnavailable, SignInNeeded) as trouble:
            log.warning("prices_not_known", why=str(trouble))
            return {}
        error = read_error(reply)
        if error is not None and error.code in LACKS_DATA_PLAN:
            self._not_before = monotonic() + ASK_AGAIN
            log.info("no_data_plan")
        prices = _prices(reply)
        return {name: prices[name] for name in wanted if name in prices}


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
