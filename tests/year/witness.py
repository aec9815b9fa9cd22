"""The broker of the simulated year: it takes every order, and notes what came outside the hours that it knows.

Its hours share nothing with the desk's calendar: those of shares are the stand-in's, the others are written down here
from the exchanges' lists of 2026. Days whose hours nobody confirmed are outside: the desk must not send on a guess.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time

from core.broker.port import Accepted, BrokerOrder, BrokerState, OrderRequest
from core.clock import INDIA
from core.domain.instrument import SegmentClass
from core.sandbox.dhan import hours

CLOSED_AT_SHORT_NOTICE = date(2026, 6, 11)
"""A Thursday on which the operator closes the shares' markets the evening before."""

_BY_STAND_IN = {
    SegmentClass.CASH: hours.Market.CASH,
    SegmentClass.CASH_WITH_DERIVATIVES: hours.Market.CASH_WITH_DERIVATIVES,
    SegmentClass.EQUITY_DERIVATIVES: hours.Market.DERIVATIVES,
}
_UNCONFIRMED = {
    SegmentClass.CURRENCY: {date(2026, 2, 1), date(2026, 11, 8)},
    SegmentClass.COMMODITY: {date(2026, 1, 15), date(2026, 2, 1), date(2026, 11, 8)},
    SegmentClass.AGRICULTURAL: {date(2026, 1, 15), date(2026, 2, 1), date(2026, 11, 8)},
}
_CURRENCY_RESTS = {date(2026, 2, 19), date(2026, 3, 19), date(2026, 4, 1), date(2026, 8, 26)}
_COMMODITY_RESTS = {date(2026, 1, 26), date(2026, 4, 3), date(2026, 10, 2), date(2026, 12, 25)}
_LONGER_EVENINGS = date(2026, 11, 2)
_MORNING_ONLY = date(2026, 1, 1)
_AUCTION_STARTS, _AUCTION_MOVES = date(2026, 8, 3), date(2026, 12, 7)


@dataclass
class Witness:
    markets: dict[str, SegmentClass]
    book: dict[str, BrokerOrder] = field(default_factory=dict[str, BrokerOrder])
    outside: list[str] = field(default_factory=list[str])
    posts: Counter[str] = field(default_factory=Counter[str])

    def place(self, request: OrderRequest, now: datetime) -> Accepted:
        market = self.markets[request.security_id]
        if not (takes_amo(market, now) if request.amo_time else is_open(market, now) or takes_in_auction(market, now)):
            self.outside.append(f"{now.astimezone(INDIA):%a %d %b %H:%M:%S} {request.amo_time} {market}")
        self.posts[request.correlation_id] += 1
        order_id = str(len(self.book) + 1)
        self.book[order_id] = BrokerOrder(
            order_id=order_id,
            correlation_id=request.correlation_id,
            state=BrokerState.WORKING,
            status="PENDING",
            side=request.side,
            segment=request.segment,
            security_id=request.security_id,
            product=request.product,
            quantity=request.quantity,
            filled_quantity=0,
            average_price=None,
            price=None,
            is_amo=request.amo_time is not None,
        )
        return Accepted(order_id=order_id)


def is_open(market: SegmentClass, now: datetime) -> bool:
    here = now.astimezone(INDIA)
    if market in _BY_STAND_IN:
        return here.date() != CLOSED_AT_SHORT_NOTICE and hours.is_open(now, _BY_STAND_IN[market])
    span = _OTHERS[market](here.date())
    return span is not None and span[0] <= here.time() < span[1]


def takes_in_auction(market: SegmentClass, now: datetime) -> bool:
    """While the closing auction takes market orders, which the operator's *Sooner* may send into it."""
    here = now.astimezone(INDIA)
    if market is not SegmentClass.CASH_WITH_DERIVATIVES or not hours.is_full_day(here.date()):
        return False
    if here.date() == CLOSED_AT_SHORT_NOTICE or here.date() < _AUCTION_STARTS:
        return False
    opens, closes = (time(15, 31), time(15, 36)) if here.date() >= _AUCTION_MOVES else (time(15, 20), time(15, 25))
    return opens <= here.time() < closes


def takes_amo(market: SegmentClass, now: datetime) -> bool:
    """Never while the market trades, nor on a day that nobody knows. The desk's own windows are narrower."""
    here = now.astimezone(INDIA)
    if market in _BY_STAND_IN:
        return here.date() != CLOSED_AT_SHORT_NOTICE and hours.takes_amo(now)
    return here.date() not in _UNCONFIRMED[market] and not is_open(market, now)


def _currency(day: date) -> tuple[time, time] | None:
    rests = day in _CURRENCY_RESTS | _UNCONFIRMED[SegmentClass.CURRENCY] or not hours.is_full_day(day)
    return None if rests else (time(9), time(17))


def _commodity(day: date) -> tuple[time, time] | None:
    """Holidays of the shares leave the evening session, but for the four on which nothing trades."""
    if day.weekday() >= 5 or day in _COMMODITY_RESTS | _UNCONFIRMED[SegmentClass.COMMODITY]:
        return None
    evening_ends = time(23, 55) if day >= _LONGER_EVENINGS else time(23, 30)
    if day == _MORNING_ONLY:
        return time(9), time(17)
    return (time(9) if hours.is_full_day(day) else time(17)), evening_ends


def _agricultural(day: date) -> tuple[time, time] | None:
    """By day only."""
    is_full = hours.is_full_day(day) and _commodity(day) is not None
    return (time(9), time(17)) if is_full else None


_OTHERS = {
    SegmentClass.CURRENCY: _currency,
    SegmentClass.COMMODITY: _commodity,
    SegmentClass.AGRICULTURAL: _agricultural,
}
