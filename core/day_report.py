"""What a day brought, for the summary at its end: facts that the console puts into words."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from core import pnl
from core.clock import INDIA
from core.db import orders
from core.db.tables import alerts
from core.domain.alert import AlertState
from core.domain.order import AT_BROKER, WAITING, Order, OrderState

_FAILED = (OrderState.REFUSED, OrderState.REJECTED, OrderState.LAPSED, OrderState.EXPIRED)
_DOUBTFUL = (OrderState.UNKNOWN, OrderState.NEEDS_OPERATOR)
_CANCELLED = (OrderState.CANCELLED, OrderState.DECLINED, OrderState.DROPPED)


def bounds(day: date, until: date | None = None) -> tuple[datetime, datetime]:
    """When that day, or the span of days through `until`, begins and ends in India."""
    begins = datetime.combine(day, time(0), INDIA)
    return begins, datetime.combine(until or day, time(0), INDIA) + timedelta(days=1)


def report(connection: Connection, day: date) -> Mapping[str, Any]:
    begins, ends = bounds(day)
    came = select(func.count()).where(alerts.c.received_at >= begins, alerts.c.received_at < ends)
    refused = came.where(alerts.c.state == AlertState.REFUSED)
    touched = [order for order in orders.changed_since(connection, begins) if order.updated_at < ends]
    point = next(iter(pnl.points(connection, begins, ends)[-1:]), None)
    return {
        "day": day.isoformat(),
        "alerts": connection.execute(came).scalar_one(),
        "refused": connection.execute(refused).scalar_one(),
        "states": dict(Counter(order.state.value for order in touched)),
        "filled": _rows(order for order in touched if order.filled_quantity or order.state is OrderState.FILLED),
        "failed": _rows(order for order in touched if order.state in _FAILED and not order.filled_quantity),
        "cancelled": _rows(order for order in touched if order.state in _CANCELLED and not order.filled_quantity),
        "doubtful": _rows(orders.in_states(connection, _DOUBTFUL)),
        "at_dhan": _rows(order for order in orders.in_states(connection, AT_BROKER) if not order.filled_quantity),
        "waiting": orders.count(connection, *WAITING),
        "pnl": None
        if point is None
        else {"at": point.at.isoformat(), "total": str(point.total), "open": point.open_positions},
    }


def _rows(found: Iterable[Order]) -> list[dict[str, Any]]:
    return [
        {
            "order": order.label,
            "side": order.side.value,
            "quantity": order.quantity,
            "symbol": order.symbol,
            "filled": order.filled_quantity,
            "average": None if order.average_price is None else str(order.average_price),
            "state": order.state.value,
            "words": order.reason,
        }
        for order in found
    ]
