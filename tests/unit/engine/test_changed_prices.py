"""Other prices for an order that waits or rests: what no exchange would take is refused, as it is for a new one."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from core import changes
from core.domain.alert import OrderType, Side
from core.domain.change import Terms
from core.domain.order import OrderState
from core.errors import Refusal
from tests.builders import an_order
from tests.unit.engine.changing import RELIANCE

STATES = {
    "waits": {"state": OrderState.AWAITING_APPROVAL},
    "rests": {"state": OrderState.WORKING, "broker_order_id": "5226112500001"},
}


def a_stop(connection: Connection, state: str, side: Side, limit: int) -> Any:
    prices = {"price": Decimal(limit), "trigger_price": Decimal(1400)}
    return an_order(connection, order_type=OrderType.STOP_LIMIT, side=side, **prices, **STATES[state])


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("side", "limit", "terms"),
    [
        (Side.BUY, 1410, {"price": Decimal(1400)}),
        (Side.BUY, 1410, {"price": Decimal(1399)}),
        (Side.BUY, 1410, {"trigger_price": Decimal(1410)}),
        (Side.SELL, 1390, {"price": Decimal(1400)}),
        (Side.SELL, 1390, {"price": Decimal(1401)}),
        (Side.SELL, 1390, {"trigger_price": Decimal(1390)}),
    ],
)
def test_a_stop_keeps_its_limit_beyond_its_trigger(
    connection: Connection, state: str, side: Side, limit: int, terms: dict[str, Decimal]
) -> None:
    with pytest.raises(Refusal, match="at least one tick beyond the trigger"):
        changes.check_terms(connection, a_stop(connection, state, side, limit), Terms(**terms), RELIANCE)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("side", "limit", "beyond"), [(Side.BUY, 1410, "1400.1"), (Side.SELL, 1390, "1399.9")])
def test_one_tick_between_them_is_enough(
    connection: Connection, state: str, side: Side, limit: int, beyond: str
) -> None:
    stop = a_stop(connection, state, side, limit)
    assert changes.check_terms(connection, stop, Terms(price=Decimal(beyond)), RELIANCE)
