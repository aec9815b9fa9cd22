"""Orders whose day is over while our rows have them open: the trade history says what they had traded."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.broker.port import BrokerOrder, BrokerState, PastFill
from core.clock import INDIA, Moment, to_india
from core.db import changes, orders
from core.domain.notice import Notice
from core.domain.order import AT_BROKER, Order, OrderState
from core.engine.adopt import short_fill
from core.engine.settle import fail
from core.engine.unseen import broker_day

HISTORY_READY_FROM = time(7, 0)
ASKED_FROM = time(9, 0)
"""Where the history does not tell by then, the operator is asked: it comes some time after the day."""
_OPEN = (BrokerState.RECEIVED, BrokerState.WORKING, BrokerState.PART_FILLED, BrokerState.OTHER)
_RINGS = {
    OrderState.FILLED: Notice.FILLED,
    OrderState.LAPSED: Notice.LAPSED,
    OrderState.CANCELLED: Notice.CANCELLED,
}


def left_behind(connection: Connection, now: datetime, book: Iterable[BrokerOrder]) -> list[Order]:
    """Orders still open in our rows whose day is over; all of ours are valid for one day.

    One that `book`, of this moment, shows as open is not over: its day was no trading day, and it waits for the next.
    """
    india = to_india(now)
    if india.time() < HISTORY_READY_FROM:
        return []
    still_open = {row.order_id for row in book if row.state in _OPEN}
    at_broker = orders.in_states(connection, AT_BROKER)
    over = [order for order in at_broker if broker_day(order) < india.date()]
    return [order for order in over if order.broker_order_id not in still_open]


def close_past_day(
    connection: Connection, *, day: date, left: Iterable[Order], fills: Mapping[str, PastFill], moment: Moment
) -> None:
    """End what is `left` of that day by the history from it until yesterday, as far as that is evidence.

    A fill in it is. That there was none takes a history that has come, and is not short; an order that Dhan called
    traded is never said to have lapsed. Without evidence it stays, and the operator is asked.
    """
    has_come = _has_come(connection, day, fills)
    for order in left:
        fill = fills.get(order.broker_order_id or "")
        filled, average = order.filled_quantity, order.average_price
        if fill is not None and fill.quantity >= filled:
            filled, average = fill.quantity, fill.average_price
        is_asked = controls.fetch(connection, _asked(order)) is not None
        words = f"Its day is over; Dhan's trade history shows {filled} of {order.quantity} filled."
        facts = {"reason": words, "filled_quantity": filled, "average_price": average}
        if filled >= order.quantity:
            _end(connection, order, OrderState.FILLED, facts, moment)
        elif has_come and controls.fetch(connection, short_fill(order)) is None:
            _end(connection, order, OrderState.LAPSED, facts, moment)
        elif is_asked and order.state is OrderState.CANCELLING:
            facts["reason"] = f"Closed here at your word. {words}"
            _end(connection, order, OrderState.CANCELLED, facts, moment)
        elif not is_asked and to_india(moment.now).time() >= ASKED_FROM:
            _ask(connection, order, moment)


def _has_come(connection: Connection, day: date, fills: Mapping[str, PastFill]) -> bool:
    """Whether the history has trades of that day or later, and among them all that the book showed of the day here."""
    since = orders.changed_since(connection, datetime.combine(day, time.min, INDIA))
    seen = {
        order.broker_order_id or "": order.filled_quantity
        for order in since
        if order.filled_quantity and broker_day(order) == day
    }
    return bool(fills) and all(key in fills and filled <= fills[key].quantity for key, filled in seen.items())


def _end(connection: Connection, order: Order, state: OrderState, facts: dict[str, Any], moment: Moment) -> None:
    ended = orders.move(connection, order, state, at=moment.now, actor=journal.DHAN, **facts)
    if ended is not None:
        notifications.ring_order(connection, _RINGS[state], ended, at=moment.now, words=ended.reason)


def _asked(order: Order) -> str:
    """The key of the note that the operator was asked what became of it."""
    return f"past_day.{order.id}"


def _ask(connection: Connection, order: Order, moment: Moment) -> None:
    """Once. A cancellation from before is over with its day, so one that comes after is the answer."""
    words = (
        f"Its day is over, and Dhan's trade history does not tell whether it traded: look at order "
        f"{order.broker_order_id} in Dhan's app. If it did, the desk tells as soon as the history shows it. If it did "
        "not, tap “Cancel at Dhan…” on its card, which closes it here."
    )
    controls.put(connection, _asked(order), {"words": words}, at=moment.now, actor=journal.DESK)
    change = changes.open_of(connection, order.id)
    if change is not None:
        fail(connection, change, order, words, moment)
        return
    asked = orders.note(connection, order, at=moment.now, actor=journal.DESK, reason=words)
    notifications.ring_order(connection, Notice.NEEDS_OPERATOR, asked or order, at=moment.now, words=words)
