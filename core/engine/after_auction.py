"""When the closing auction takes an order no more: what waits says so, and its card offers the auction no longer."""

from datetime import date, datetime

from sqlalchemy import Connection, select

from core import journal
from core.db import orders
from core.db.tables import orders as rows
from core.domain.instrument import SegmentClass
from core.domain.order import Mode, Order, OrderState
from core.domain.routing import SESSION_IS_OVER, auction_runs
from core.domain.sessions import Auction, Calendar
from core.domain.windows import at, last_auction

_MARKET = SegmentClass.CASH_WITH_DERIVATIVES
_OVER = "The closing auction is over."


def to_tell(connection: Connection, calendar: Calendar, now: datetime) -> list[tuple[Order, str]]:
    """Orders that were last told of while that auction ran, each with the reason that is true from now on.

    One that was told after it is not found again. A question keeps its own reason where that names no auction.
    """
    found = last_auction(_MARKET, calendar, now)
    if found is None:
        return []
    day, auction = found
    began, ended = at(day, auction.span.opens), at(day, auction.span.closes)
    waits = rows.c.state.in_([OrderState.QUEUED, OrderState.AWAITING_APPROVAL]) & (rows.c.mode == Mode.QUEUE)
    ids = select(rows.c.id).where(waits, rows.c.updated_at >= began, rows.c.updated_at < ended)
    concerned = orders.some(connection, connection.execute(ids).scalars())
    named = [(order, _reason(order, auction)) for order in concerned if order.segment_class is _MARKET]
    return [
        (order, reason)
        for order, reason in named
        if order.updated_at < _taken_until(order, day, auction) <= now
        and not order.into_auction
        and reason != order.reason
    ]


def _taken_until(order: Order, day: date, auction: Auction) -> datetime:
    """Until when the auction takes such an order; of one that it never takes, the auction's end."""
    return at(day, auction.entry.get(order.order_type, auction.span).closes)


def _reason(order: Order, auction: Auction) -> str:
    if auction_runs(auction) in order.reason:
        return order.reason.replace(auction_runs(auction), SESSION_IS_OVER)
    return f"{order.reason} {_OVER}".strip() if order.state is OrderState.QUEUED else order.reason


def tell(connection: Connection, calendar: Calendar, now: datetime) -> None:
    for order, reason in to_tell(connection, calendar, now):
        orders.note(connection, order, at=now, actor=journal.DESK, reason=reason)
