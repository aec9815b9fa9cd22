"""The way of an order through the desk, added up from its events: when it was decided, sent, placed, filled, settled.

Times are the desk's: when it learned of something, which for a fill is a moment after it happened.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from sqlalchemy import Connection, select

from core import journal
from core.db import alerts, orders
from core.db.alerts import StoredAlert
from core.db.tables import alerts as alert_rows
from core.db.tables import orders as order_rows
from core.domain.alert import Side
from core.domain.order import Order, OrderState
from core.journal import Event

_AT_A_TIME = 500
_FINAL = frozenset(state.value for state in OrderState if state.is_final)
_AS_QUOTED = Decimal("0.0001")


@dataclass(frozen=True, kw_only=True)
class SeenFill:
    """`price` is that of these shares alone; `average` of all so far. Rupees, None where Dhan named none."""

    at: datetime
    quantity: int
    price: Decimal | None
    average: Decimal | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Track:
    """`alert_price` is what the alert named for the leg, whatever its type; None when it named none."""

    alert: StoredAlert
    order: Order
    alert_price: Decimal | None
    decided_at: datetime | None
    sent_at: datetime | None
    placed_at: datetime | None
    settled_at: datetime | None
    fills: tuple[SeenFill, ...]

    def slippage(self, price: Decimal | None) -> Decimal | None:
        """Rupees a share by which this price is worse than the alert's; negative when it is better."""
        if price is None or self.alert_price is None:
            return None
        return price - self.alert_price if self.order.side is Side.BUY else self.alert_price - price


def received_between(connection: Connection, since: datetime, until: datetime) -> list[Track]:
    """Of the orders whose alert came from `since` until before `until`."""
    query = select(alert_rows.c.id).where(alert_rows.c.received_at >= since, alert_rows.c.received_at < until)
    return list(_of(connection, connection.execute(query.order_by(alert_rows.c.id)).scalars().all()))


def touched_between(connection: Connection, since: datetime, until: datetime) -> list[Track]:
    """Of the orders that something happened to since then, and that were there before `until`."""
    query = select(order_rows.c.alert_id).where(order_rows.c.updated_at >= since, order_rows.c.created_at < until)
    return list(_of(connection, sorted(set(connection.execute(query).scalars()))))


def _of(connection: Connection, alert_ids: Sequence[int]) -> Iterator[Track]:
    for begin in range(0, len(alert_ids), _AT_A_TIME):
        some = alert_ids[begin : begin + _AT_A_TIME]
        events: dict[int, list[Event]] = {}
        for event in journal.stories(connection, some):
            events.setdefault(event.order_id or 0, []).append(event)
        found = orders.of_alerts(connection, some)
        for alert in alerts.some(connection, some):
            for order in found.get(alert.id, []):
                yield _track(alert, order, events.get(order.id, []))


def _track(alert: StoredAlert, order: Order, events: list[Event]) -> Track:
    ends = [event.at for event in events if event.after in _FINAL]
    return Track(
        alert=alert,
        order=order,
        alert_price=_alert_price(alert.body, order),
        decided_at=events[0].at if events else None,
        sent_at=_first(events, OrderState.SUBMITTING),
        placed_at=_first(events, OrderState.WORKING),
        settled_at=ends[-1] if ends and order.state.is_final else None,
        fills=tuple(_fills(order, events)),
    )


def _first(events: Iterable[Event], state: OrderState) -> datetime | None:
    return next((event.at for event in events if event.after == state), None)


def _fills(order: Order, events: list[Event]) -> Iterator[SeenFill]:
    """What each event added. One from before events carried quantities is taken for the whole."""
    before, worth_before = 0, Decimal(0)
    for event in events:
        data = event.data or {}
        if "filled" in data:
            filled, average = int(data["filled"]), data["average"] and Decimal(data["average"])
        elif event.after == OrderState.FILLED and before < order.filled_quantity:
            filled, average = order.filled_quantity, order.average_price
        else:
            continue
        added = filled - before
        worth = average * filled if average is not None else None
        price = None if worth is None or added <= 0 else ((worth - worth_before) / added).quantize(_AS_QUOTED)
        yield SeenFill(at=event.at, quantity=added, price=price, average=average, reason=event.reason)
        before, worth_before = filled, worth if worth is not None else worth_before


def _alert_price(body: str, order: Order) -> Decimal | None:
    """The order's own limit, or else what the alert's text names beside a market order."""
    if order.price is not None:
        return order.price
    try:
        legs = cast("dict[str, Any]", json.loads(body)).get("order_legs", [])
        leg = sorted(legs, key=lambda each: int(each.get("sort_order", 0)))[order.position - 1]
        price = Decimal(str(leg["price"]))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, InvalidOperation):
        return None
    return price if price.is_finite() and price > 0 else None
