"""Other prices for an order that waits or rests: what no exchange would take is refused, as it is for a new one."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from core import changes
from core.domain.alert import OrderType, Side
from core.domain.change import Terms
from core.domain.order import OrderState
from core.edits import edit
from core.errors import Refusal
from tests.builders import NOON, an_order
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
        changes.check_terms(connection, a_stop(connection, state, side, limit), Terms(**terms), RELIANCE, at=NOON)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("side", "limit", "beyond"), [(Side.BUY, 1410, "1400.1"), (Side.SELL, 1390, "1399.9")])
def test_one_tick_between_them_is_enough(
    connection: Connection, state: str, side: Side, limit: int, beyond: str
) -> None:
    stop = a_stop(connection, state, side, limit)
    assert changes.check_terms(connection, stop, Terms(price=Decimal(beyond)), RELIANCE, at=NOON) == []


BANDED = replace(RELIANCE, band=(Decimal(1200), Decimal(1500)), listed_on=NOON.date())
OUTSIDE: list[tuple[dict[str, Decimal], str]] = [
    ({"price": Decimal(1600)}, "The limit 1600"),
    ({"trigger_price": Decimal(1100)}, "The trigger 1100"),
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("terms", "named"), OUTSIDE)
def test_a_price_outside_the_fixed_range_of_the_day_is_refused(
    connection: Connection, state: str, terms: dict[str, Decimal], named: str
) -> None:
    stop = a_stop(connection, state, Side.BUY, 1410)
    words = f"{named} lies outside the day's range of RELIANCE, 1200 to 1500: the exchange does not take it"
    with pytest.raises(Refusal, match=words):
        changes.check_terms(connection, stop, Terms(**terms), BANDED, at=NOON)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("terms", "named"), OUTSIDE)
@pytest.mark.parametrize("moves", [{"has_derivatives": True}, {"listed_on": NOON.date() - timedelta(days=1)}])
def test_where_the_range_may_move_it_is_taken_and_remarked_on(
    connection: Connection, state: str, terms: dict[str, Decimal], named: str, moves: dict[str, Any]
) -> None:
    stop = a_stop(connection, state, Side.BUY, 1410)
    [remark] = changes.check_terms(connection, stop, Terms(**terms), replace(BANDED, **moves), at=NOON)
    assert remark.startswith(f"{named} lies outside the ")


@pytest.mark.parametrize("state", STATES)
def test_an_order_for_another_day_is_not_measured_by_the_range_of_this_one(connection: Connection, state: str) -> None:
    tomorrow = {"as_amo": True, "reaches_exchange_at": NOON + timedelta(days=1)}
    limit = {"order_type": OrderType.LIMIT, "price": Decimal(1410)}
    order = an_order(connection, **limit, **tomorrow, **STATES[state])
    [remark] = changes.check_terms(connection, order, Terms(price=Decimal(1600)), BANDED, at=NOON)
    assert "had on Wed 25 Nov" in remark


def test_what_rests_from_an_earlier_day_is_measured_by_the_range_of_this_one(connection: Connection) -> None:
    order = an_order(connection, at=NOON - timedelta(days=1), **STATES["rests"])
    with pytest.raises(Refusal, match="the day's range"):
        changes.check_terms(connection, order, Terms(price=Decimal(1600)), BANDED, at=NOON)


def test_a_price_that_stays_is_not_measured_again(connection: Connection) -> None:
    order = an_order(connection, order_type=OrderType.LIMIT, price=Decimal(1600), **STATES["waits"])
    assert changes.check_terms(connection, order, Terms(quantity=5), BANDED, at=NOON) == []


def test_an_order_that_nobody_knows_the_day_of_is_only_remarked_on(connection: Connection) -> None:
    nobody_knows = {"mode": None, "release_at": None, "reaches_exchange_at": None}
    order = an_order(connection, order_type=OrderType.LIMIT, price=Decimal(1410), **nobody_knows, **STATES["waits"])
    assert changes.check_terms(connection, order, Terms(price=Decimal(1600)), BANDED, at=NOON)


def test_an_edit_says_on_the_card_that_the_exchange_may_refuse_it(connection: Connection) -> None:
    order = an_order(connection, order_type=OrderType.LIMIT, price=Decimal(1410), **STATES["waits"])
    wish = Terms(price=Decimal(1600))
    edited, _ = edit(connection, order, wish, replace(BANDED, has_derivatives=True), actor="operator 42", at=NOON)
    assert edited.reason.endswith(
        "It waits for your tap as it is now. "
        "The limit 1600 lies outside the day's range of RELIANCE, 1200 to 1500: the exchange may refuse it."
    )
