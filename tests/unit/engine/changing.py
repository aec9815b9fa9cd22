"""Asking for changes of orders that rest at the stand-in, and waiting for what becomes of them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update

from core import changes
from core.db import changes as change_rows
from core.db.tables import changes as change_table
from core.domain.alert import Exchange, InstrumentKind, OrderType
from core.domain.change import ChangeState, Terms
from core.domain.instrument import Instrument, Segment
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import rings

RELIANCE = Instrument(
    security_id="2885",
    segment=Segment.NSE_EQ,
    exchange=Exchange.NSE,
    kind=InstrumentKind.EQUITY,
    symbol="RELIANCE",
    name="Reliance",
    lot=1,
    tick=Decimal("0.10"),
)
FAR = Decimal("1000.0")
WORKING, CANCELLING, CANCELLED = OrderState.WORKING, OrderState.CANCELLING, OrderState.CANCELLED
IN_TRANSIT = {"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Order is in Transit state"}
REFUSED = {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "Bad values"}


async def resting(floor: Floor, **values: Any) -> Order:
    """A limit far below the market, at the exchange."""
    order = await floor.sent(**({"order_type": OrderType.LIMIT, "price": FAR} | values))
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    return floor.now(order)


def ask_cancel(floor: Floor, order: Order) -> str:
    with floor.database.transaction() as connection:
        return changes.cancel(connection, order, actor="operator 42", at=floor.clock.now())


def ask_change(floor: Floor, order: Order, instrument: Instrument = RELIANCE, **terms: Any) -> str:
    with floor.database.transaction() as connection:
        wish, at = Terms(**terms), floor.clock.now()
        changes.check_terms(connection, order, wish, instrument, at=at)
        return changes.modify(connection, order, wish, actor="operator 42", at=at)


def states(floor: Floor) -> list[ChangeState]:
    with floor.database.snapshot() as connection:
        return list(connection.execute(select(change_table.c.state).order_by(change_table.c.id)).scalars())


def told(floor: Floor) -> list[Notice]:
    with floor.database.snapshot() as connection:
        return rings(connection)


def hurry(floor: Floor, seconds: float = 20) -> None:
    """As if the last call had been so long ago, and the next were due."""
    with floor.database.transaction() as connection:
        for change in change_rows.in_states(connection, change_rows.OPEN):
            values: dict[str, Any] = {"due_at": None}
            if change.answered_at:
                values["answered_at"] = change.answered_at - timedelta(seconds=seconds)
            connection.execute(update(change_table).where(change_table.c.id == change.id).values(values))


async def settled(floor: Floor, order: Order) -> Order:
    """After the desk sent what was wanted and read the book."""
    await floor.send_changes()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    return floor.now(order)
