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
ANSWERS_WITHIN, SILENT_FOR = 2.0, 15.0
"""Seconds. Who does not answer is not asked for a while, since everything that is due would wait for it."""
_SEGMENTS = frozenset(segment.value for segment in Segment)


class DhanQuotes:
    """Remembers that there is no plan, or that no answer came, so that either costs one call in a while."""

    def __init__(self, dhan: Dhan) -> None:
        self._dhan = dhan
        self._silent_until = 0.0
        self._next_call = 0.0
        self._turn = asyncio.Lock()
        self._wanted: set[Name] = set()
        self._coming: asyncio.Task[Mapping[Name, Decimal]] | None = None

    @property
    def may_tell(self) -> bool:
        return monotonic() >= self._silent_until

    async def last_price(self, instruments: Iterable[Name]) -> Mapping[Name, Decimal]:
        """All who ask before the next call leaves share it, and go on with it when one of them gives up."""
        mine = set(instruments)
        if not mine or not self.may_tell:
            return {}
        self._wanted |= mine
        if self._coming is None:
            self._coming = asyncio.create_task(self._call_in_turn())
        told = await asyncio.shield(self._coming)
        return {name: told[name] for name in mine if name in told}

    async def _call_in_turn(self) -> Mapping[Name, Decimal]:
        async with self._turn:
            await asyncio.sleep(max(self._next_call - monotonic(), 0))
            wanted, self._wanted, self._coming = self._wanted, set(), None
            if not self.may_tell:
                return {}
            try:
                async with asyncio.timeout(ANSWERS_WITHIN):
                    return await self._ask(sorted(wanted))
            except TimeoutError:
                log.warning("prices_not_known", why="no answer in time")
                self._silent_until = monotonic() + SILENT_FOR
                return {}
            finally:
                self._next_call = monotonic() + BETWEEN_CALLS  # from the answer: one may be longer on its way

    async def _ask(self, wanted: list[Name]) -> Mapping[Name, Decimal]:
        try:
            reply = await self._dhan.ask("/marketfeed/ltp", _wish(wanted))
        except (BrokerUnavailable, SignInNeeded) as trouble:
            log.warning("prices_not_known", why=str(trouble))
            return {}
        error = read_error(reply)
        if error is not None and error.code in LACKS_DATA_PLAN:
            self._silent_until = monotonic() + ASK_AGAIN
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
