"""Keeping orders at the broker in step with its book. The book is the truth; our rows follow it."""

from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection

from core import journal, notifications
from core.broker.port import Broker, BrokerOrder, PastFill
from core.clock import Clock, SystemClock, to_india
from core.db import attempts, changes, orders
from core.db.engine import Database
from core.domain.notice import Notice
from core.domain.order import AT_BROKER, Order, OrderState
from core.engine.adopt import adopt, alarm_twins, follow
from core.engine.morning import report_morning
from core.engine.record import Moment
from core.engine.settle import SHOWS_WITHIN, adopt_terms, settle_changes

HISTORY_READY_FROM = time(7, 0)
_GIVEN_UP = (OrderState.NEEDS_OPERATOR, OrderState.DROPPED)
_WATCH_GIVEN_UP_FOR = timedelta(days=2)


class Reconciler:
    def __init__(self, *, database: Database, broker: Broker, clock: Clock) -> None:
        self._database = database
        self._broker = broker
        self._clock = clock
        self._wall = SystemClock()

    async def follow_book(self) -> None:
        """Read the book once and bring our orders in step. Raises BrokerUnavailable, SignInNeeded."""
        read_at = self._wall.now()
        book = await self._broker.book()
        moment = Moment(now=self._clock.now(), wall=self._wall.now())
        await self._database.write(lambda connection: self._apply(connection, book, moment, read_at))
        left = await self._database.read(lambda connection: left_behind(connection, moment.now))
        if left:
            await self._close_past_days(left)

    @staticmethod
    def _apply(connection: Connection, book: list[BrokerOrder], moment: Moment, read_at: datetime) -> None:
        follow_all(connection, book, moment, read_at)
        report_morning(connection, moment.now)

    async def _close_past_days(self, left: list[Order]) -> None:
        """Orders whose day ended while nobody looked: the trade history says what they had traded."""
        days = [broker_day(order) for order in left]
        fills = await self._broker.past_fills(min(days), max(days))
        moment = Moment(now=self._clock.now(), wall=self._wall.now())
        await self._database.write(lambda connection: close_past_days(connection, left, fills, moment))


def follow_all(
    connection: Connection, book: list[BrokerOrder], moment: Moment, read_at: datetime | None = None
) -> None:
    """Apply the book to every order that may be in it: those at the broker, and those that we gave up too soon.

    `read_at` is the machine's time at which the book was asked for; what happened later it need not show.
    """
    touched = changes.touched_since(connection, moment.wall - SHOWS_WITHIN)
    by_id = {row.order_id: row for row in book}
    by_name = {row.correlation_id: row for row in book if row.correlation_id}
    watched = orders.in_states(connection, AT_BROKER)
    watched += orders.changed_since(connection, _GIVEN_UP, moment.now - _WATCH_GIVEN_UP_FOR)
    names = {
        attempt.order_id: attempt.correlation_id
        for attempt in attempts.of_orders(connection, [order.id for order in watched])
    }
    for order in watched:
        twins = [row.order_id for row in book if row.correlation_id and row.correlation_id == names.get(order.id)]
        if len(twins) > 1:
            alarm_twins(connection, order, twins, moment)
        report = _report(order, names.get(order.id), by_id, by_name)
        if report is None:
            continue
        if order.state in AT_BROKER:
            followed = follow(connection, order, report, moment)
            if order.id not in touched and followed.state in AT_BROKER:
                adopt_terms(connection, followed, report, moment)
        else:
            adopt(connection, order, report, moment)
    if touched:
        settle_changes(connection, by_id, read_at=read_at or moment.wall, moment=moment)


def broker_day(order: Order) -> date:
    """The India date of the book that the order is in."""
    return to_india(order.reaches_exchange_at or order.updated_at).date()


def left_behind(connection: Connection, now: datetime) -> list[Order]:
    """Orders still open in our rows whose day is over; all of ours are valid for one day."""
    india = to_india(now)
    if india.time() < HISTORY_READY_FROM:
        return []
    return [order for order in orders.in_states(connection, AT_BROKER) if broker_day(order) < india.date()]


def close_past_days(connection: Connection, left: list[Order], fills: dict[str, PastFill], moment: Moment) -> None:
    """What did not trade by the end of its day has lapsed."""
    for order in left:
        fill = fills.get(order.broker_order_id or "")
        filled = max(order.filled_quantity, fill.quantity if fill else 0)
        average = fill.average_price if fill else order.average_price
        filled_whole = filled == order.quantity
        words = f"Its day is over; Dhan's trade history shows {filled} of {order.quantity} filled."
        closed = orders.move(
            connection,
            order,
            OrderState.FILLED if filled_whole else OrderState.LAPSED,
            at=moment.now,
            actor=journal.DHAN,
            reason=words,
            filled_quantity=filled,
            average_price=average,
        )
        if closed is not None:
            kind = Notice.FILLED if filled_whole else Notice.LAPSED
            notifications.ring_order(connection, kind, closed, at=moment.now, words=words)


def _report(
    order: Order, name: str | None, by_id: dict[str, BrokerOrder], by_name: dict[str, BrokerOrder]
) -> BrokerOrder | None:
    if order.broker_order_id is not None:
        return by_id.get(order.broker_order_id)
    return by_name.get(name) if name else None
