"""Orders whose day is over while our rows have them open: the trade history says what they had traded."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from core import journal, notifications
from core.broker.port import Broker, BrokerOrder, BrokerState, PastFill
from core.clock import INDIA, Clock, Moment, SystemClock, to_india
from core.db import changes, orders
from core.db.engine import Database
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine import marks
from core.engine.apart import apart
from core.engine.marks import Mark
from core.engine.settle import fail
from core.errors import BrokerUnavailable

log = structlog.get_logger()

HISTORY_READY_FROM = time(7, 0)
ASKED_FROM = time(9, 0)
"""Where the history does not tell by then, the operator is asked: it comes some time after the day."""
AGAIN_AFTER = timedelta(minutes=1)
ONCE_ASKED = timedelta(hours=1)
"""Between two looks at the history, when the operator was asked about all of it."""
FAILS_FOR = timedelta(hours=1)
"""A history that cannot be read for so long tells nothing."""
_OUR_FAULT = (
    "Its day is over, and the desk made a mistake over what became of it; the log says why. "
    "Look at order {order_id} in Dhan's app."
)
_OPEN = (BrokerState.RECEIVED, BrokerState.WORKING, BrokerState.PART_FILLED, BrokerState.OTHER)
_RINGS = {
    OrderState.FILLED: Notice.FILLED,
    OrderState.LAPSED: Notice.LAPSED,
    OrderState.CANCELLED: Notice.CANCELLED,
}


class PastDays:
    """Ends orders whose day ended while nobody looked."""

    def __init__(self, *, database: Database, broker: Broker, clock: Clock) -> None:
        self._database = database
        self._broker = broker
        self._clock = clock
        self._wall = SystemClock()
        self._read_at: datetime | None = None
        self._fails_since: dict[date, datetime] = {}

    async def close(self, left: list[Order]) -> None:
        """Read the trade history for what is `left`, unless it was read just now. Raises SignInNeeded.

        While it cannot be read they wait; today's orders must not.
        """
        if not left or not await self._is_due(left):
            return
        self._read_at = self._clock.now()
        yesterday = to_india(self._read_at).date() - timedelta(days=1)
        for day in sorted({order.broker_day for order in left}):
            over = [order for order in left if order.broker_day == day]
            fills = await self._read(day, yesterday, over)
            moment = Moment(now=self._clock.now(), wall=self._wall.now())
            if fills is None:
                over, fills = await self._database.read(lambda c, over=over: _answered(c, over)), {}
            close = partial(close_past_day, day=day, left=over, fills=fills, moment=moment)
            await self._database.write(close)

    async def _is_due(self, left: list[Order]) -> bool:
        if self._read_at is None:
            return True
        rested = abs(self._clock.now() - self._read_at)
        if rested < AGAIN_AFTER or rested >= ONCE_ASKED:
            return rested >= ONCE_ASKED
        return not await self._database.read(lambda connection: _waits_for_operator(connection, left))

    async def _read(self, day: date, until: date, over: list[Order]) -> Mapping[str, PastFill] | None:
        """None while a history that cannot be read may still be."""
        try:
            fills = await self._broker.past_fills(day, until)
        except BrokerUnavailable as trouble:
            log.warning("past_days_wait", orders=[order.label for order in over], why=str(trouble))
            now = self._clock.now()
            return {} if now - self._fails_since.setdefault(day, now) >= FAILS_FOR else None
        self._fails_since.pop(day, None)
        return fills


def _waits_for_operator(connection: Connection, left: Iterable[Order]) -> bool:
    """Whether he was asked about each, and has answered none."""
    return all(_is_asked(connection, order) and order.state is not OrderState.CANCELLING for order in left)


def _answered(connection: Connection, left: Iterable[Order]) -> list[Order]:
    """Those that he wants closed since he was asked."""
    return [order for order in left if order.state is OrderState.CANCELLING and _is_asked(connection, order)]


def left_behind(connection: Connection, now: datetime, book: Iterable[BrokerOrder]) -> list[Order]:
    """Orders still open in our rows whose day is over; all of ours are valid for one day.

    One that `book`, of this moment, shows as open is not over: its day was no trading day, and it waits for the next.
    """
    india = to_india(now)
    if india.time() < HISTORY_READY_FROM:
        return []
    still_open = {row.order_id for row in book if row.state in _OPEN}
    over = orders.at_broker_from_before(connection, datetime.combine(india, time.min, INDIA))
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
        with apart(connection, "past_day_not_closed", order=order.label) as trial:
            _close(connection, order, fills.get(order.broker_order_id or ""), moment, has_come=has_come)
        if trial.has_failed:
            marks.tell_our_fault(connection, order, _OUR_FAULT.format(order_id=order.broker_order_id), at=moment.now)


def _close(connection: Connection, order: Order, fill: PastFill | None, moment: Moment, *, has_come: bool) -> None:
    filled, average = order.filled_quantity, order.average_price
    if fill is not None and fill.quantity >= filled:
        filled, average = fill.quantity, fill.average_price
    is_asked = _is_asked(connection, order)
    is_told = has_come or fill is not None
    source = "Dhan's trade history shows" if is_told else "Dhan's trade history does not tell, its book showed"
    words = f"Its day is over; {source} {filled} of {order.quantity} filled."
    facts = {"reason": words, "filled_quantity": filled, "average_price": average}
    if filled >= order.quantity:
        _end(connection, order, OrderState.FILLED, facts, moment)
    elif has_come and marks.fetch(connection, order, Mark.SHORT_FILL) is None:
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
        if order.filled_quantity and order.broker_day == day
    }
    return bool(fills) and all(key in fills and filled <= fills[key].quantity for key, filled in seen.items())


def _end(connection: Connection, order: Order, state: OrderState, facts: dict[str, Any], moment: Moment) -> None:
    ended = orders.move(connection, order, state, at=moment.now, actor=journal.DHAN, **facts)
    if ended is not None:
        marks.drop(connection, [ended])
        notifications.ring_order(connection, _RINGS[state], ended, at=moment.now, words=ended.reason)


def _is_asked(connection: Connection, order: Order) -> bool:
    return marks.fetch(connection, order, Mark.PAST_DAY) is not None


def _ask(connection: Connection, order: Order, moment: Moment) -> None:
    """Once. A cancellation from before is over with its day, so one that comes after is the answer."""
    words = (
        f"Its day is over, and Dhan's trade history does not tell whether it traded: look at order "
        f"{order.broker_order_id} in Dhan's app. If it did, the desk tells as soon as the history shows it. If it did "
        "not, tap “Cancel at Dhan…” on its card, which closes it here."
    )
    marks.put(connection, order, Mark.PAST_DAY, {"words": words}, at=moment.now)
    change = changes.open_of(connection, order.id)
    if change is not None:
        fail(connection, change, order, words, moment)
        return
    asked = orders.note(connection, order, at=moment.now, actor=journal.DESK, reason=words)
    notifications.ring_order(connection, Notice.NEEDS_OPERATOR, asked or order, at=moment.now, words=words)
