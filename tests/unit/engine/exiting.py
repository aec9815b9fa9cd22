"""Positions that are traded by hand in Dhan's app, and exits of them that waited."""

from typing import Any

from core.db import orders
from core.domain.alert import Side
from core.domain.order import Order, OrderState
from tests.unit.engine.floor import Floor

EXIT: dict[str, Any] = {"side": Side.SELL, "closes": True}
ASKED, ENDED, SENT, WAITS = (
    OrderState.AWAITING_APPROVAL,
    OrderState.EXPIRED,
    OrderState.WORKING,
    OrderState.QUEUED,
)


def trade(floor: Floor, side: str = "BUY", quantity: int = 10, **more: Any) -> None:
    """By hand, in Dhan's app; at once."""
    floor.dhan.placed(transactionType=side, quantity=quantity, correlationId=None, **more)
    floor.clock.pass_time(seconds=1)
    floor.dhan.book()


def exit_that_waited(floor: Floor, **values: Any) -> Order:
    """Confirmed while the desk was stopped, and due now, minutes later."""
    order = floor.order(**(EXIT | {"approved_at": floor.clock.now()} | values))
    floor.clock.pass_time(minutes=30)
    return order


def approve(floor: Floor, order: Order) -> None:
    with floor.database.transaction() as connection:
        now, asked = floor.clock.now(), orders.get(connection, order.id)
        orders.move(connection, asked, WAITS, at=now, actor="operator 42", reason="", approved_at=now)


def sales(floor: Floor) -> list[int]:
    """What was sent for the desk; purchases and sales by hand have no name of ours."""
    floor.clock.pass_time(seconds=1)
    return [row["quantity"] for row in floor.dhan.book() if row["correlationId"].startswith("MU")]


def net(floor: Floor) -> int:
    floor.clock.pass_time(seconds=1)
    floor.dhan.book()
    return sum(row["netQty"] for row in floor.dhan.http.get("/dhan/v2/positions").json())
