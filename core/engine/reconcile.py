"""Keeping orders at the broker in step with its book. The book is the truth; our rows follow it."""

import structlog
from sqlalchemy import Connection

from core.broker.port import Broker, BrokerOrder
from core.clock import Clock, SystemClock
from core.db import attempts, orders
from core.db.engine import Database
from core.domain.order import AT_BROKER, Order, OrderState
from core.engine.adopt import adopt, follow
from core.engine.record import Moment

log = structlog.get_logger()

_WATCHED = AT_BROKER | {OrderState.NEEDS_OPERATOR, OrderState.DROPPED}


class Reconciler:
    def __init__(self, *, database: Database, broker: Broker, clock: Clock) -> None:
        self._database = database
        self._broker = broker
        self._clock = clock
        self._wall = SystemClock()

    async def has_work(self) -> bool:
        """Whether any order's truth lies at the broker."""
        return bool(await self._database.read(lambda connection: orders.in_states(connection, AT_BROKER)))

    async def follow_book(self) -> None:
        """Read the book once and bring our orders in step. Raises BrokerUnavailable, SignInNeeded."""
        book = await self._broker.book()
        moment = Moment(now=self._clock.now(), wall=self._wall.now())
        await self._database.write(lambda connection: follow_all(connection, book, moment))


def follow_all(connection: Connection, book: list[BrokerOrder], moment: Moment) -> None:
    """Apply the book to every order that may be in it: those at the broker, and those that we gave up too soon."""
    by_id = {row.order_id: row for row in book}
    by_name = {row.correlation_id: row for row in book if row.correlation_id}
    watched = orders.in_states(connection, _WATCHED)
    names = {
        attempt.order_id: attempt.correlation_id
        for attempt in attempts.of_orders(connection, [order.id for order in watched])
    }
    for order in watched:
        report = _report(order, names.get(order.id), by_id, by_name)
        if report is None:
            continue
        if order.state in AT_BROKER:
            follow(connection, order, report, moment)
        else:
            adopt(connection, order, report, moment)


def _report(
    order: Order, name: str | None, by_id: dict[str, BrokerOrder], by_name: dict[str, BrokerOrder]
) -> BrokerOrder | None:
    if order.broker_order_id is not None:
        return by_id.get(order.broker_order_id)
    return by_name.get(name) if name else None
