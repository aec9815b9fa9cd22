"""Rows as the engine finds and leaves them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from core.approvals import Tap
from core.broker.port import BrokerOrder, BrokerState, Outcome
from core.clock import Moment, SystemClock
from core.db import alerts, attempts, leases, orders
from core.db.attempts import Attempt, Try
from core.db.tables import outbox
from core.domain.attempt import AttemptState
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine.claim import Claim, claim
from core.engine.record import Posted, record_all
from core.engine.rules import Rules
from tests.builders import CALENDAR, NOON, an_order

OPERATOR = 42
NAME = "MUAAAAAAAAAAAAAAAAAA"
WALL = datetime(2026, 11, 25, 6, 30, 0, 500_000, tzinfo=UTC)
MOMENT = Moment(now=NOON, wall=WALL)


def take_lease(connection: Connection, at: datetime = WALL) -> int:
    epoch = leases.acquire(connection, holder="this desk", nudge_port=1, at=at)
    assert epoch is not None
    return epoch


def rules_at(connection: Connection, now: datetime = NOON) -> Rules:
    """What a transaction of the desk keeps to at that moment."""
    return Rules.read(connection, epoch=take_lease(connection), now=now, wall=WALL, calendar=CALENDAR)


def try_claim(connection: Connection, order: Order, now: datetime = NOON) -> Claim | None:
    epoch = take_lease(connection)
    return claim(connection, order, epoch=epoch, now=now, wall=WALL, calendar=CALENDAR)


def claimed(connection: Connection, order: Order | None = None, now: datetime = NOON) -> Claim:
    found = try_claim(connection, order or an_order(connection), now)
    assert found is not None
    return found


def record(connection: Connection, claim: Claim, outcome: Outcome, moment: Moment = MOMENT) -> None:
    """What became of one claim's post."""
    record_all(connection, [Posted(claim=claim, outcome=outcome, moment=moment)])


def again(connection: Connection, order: Order) -> Order:
    """The order as it stands now."""
    return orders.get(connection, order.id)


def an_attempt(
    connection: Connection, order: Order, state: AttemptState, *, number: int = 1, name: str = NAME, at: datetime = WALL
) -> Attempt:
    wanted = Try(order_id=order.id, number=number, name=name, request={})
    (attempt_id,) = attempts.start(connection, [wanted], epoch=1, at=at)
    if state is AttemptState.UNKNOWN:
        attempts.doubt(connection, attempt_id, next_lookup_at=at, words="no answer")
    elif state is not AttemptState.OPEN:
        attempts.settle(connection, attempt_id, state, at=at)
    return attempts.get(connection, attempt_id)


def at_broker(connection: Connection, **values: Any) -> Order:
    """An order that Dhan acknowledged as 52261125, with its accepted attempt."""
    values = {"state": OrderState.WORKING, "broker_order_id": "52261125"} | values
    order = an_order(connection, **values)
    an_attempt(connection, order, AttemptState.ACCEPTED)
    return order


def in_doubt(
    connection: Connection, state: OrderState = OrderState.UNKNOWN, *, name: str = NAME, **values: Any
) -> Order:
    order = an_order(connection, state=state, **values)
    asked = state in (OrderState.NEEDS_OPERATOR, OrderState.DROPPED)
    an_attempt(connection, order, AttemptState.ABSENT if asked else AttemptState.UNKNOWN, name=name, at=_a_while_ago())
    return order


def _a_while_ago() -> datetime:
    return SystemClock().now() - timedelta(seconds=2)


def report(order: Order, state: BrokerState, **changes: Any) -> BrokerOrder:
    """What Dhan's book says about the order."""
    filled = order.quantity if state is BrokerState.FILLED else 0
    healthy = BrokerOrder(
        order_id=order.broker_order_id or "52261125",
        correlation_id=NAME,
        state=state,
        status=state.name,
        side=order.side,
        segment=order.segment,
        security_id=order.security_id,
        product=order.product,
        quantity=order.quantity,
        filled_quantity=filled,
        average_price=Decimal("1412.50") if filled else None,
        price=None,
        is_amo=False,
    )
    return replace(healthy, **changes)


def tap_on(connection: Connection, order: Order, at: datetime = NOON) -> Tap:
    """The operator's tap on the order's card as it stands now."""
    alert = alerts.get(connection, order.alert_id)
    assert alert
    return Tap(alert_id=alert.id, version=alert.card_version, user_id=OPERATOR, at=at)


def later(seconds: float) -> Moment:
    """So much after MOMENT."""
    by = timedelta(seconds=seconds)
    return Moment(now=MOMENT.now + by, wall=MOMENT.wall + by)


def rings(connection: Connection) -> list[Notice]:
    """What rang, in order."""
    return list(connection.execute(select(outbox.c.kind).order_by(outbox.c.id)).scalars())


def last_words(connection: Connection) -> str:
    payload = connection.execute(select(outbox.c.payload).order_by(outbox.c.id.desc()).limit(1)).scalar_one()
    return payload["words"]
