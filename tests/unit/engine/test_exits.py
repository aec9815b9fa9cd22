"""Exits: opposite side, whole size, same product; confirmed by name, never twice, and past the queue of entries."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from core import journal
from core.broker.account import Position
from core.broker.dhan.account import DhanAccount
from core.broker.dhan.instruments import InstrumentList
from core.db import alerts, orders
from core.domain.alert import Product, Side
from core.domain.order import Mode, Order, OrderState
from core.errors import Refusal
from core.exits import Exit, ExitPlan, plan_exits, write_exits
from tests.builders import CALENDAR, NOON, an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.floor import Floor

SATURDAY = india("2026-11-28 14:00")
RELIANCE = Position(
    symbol="RELIANCE",
    segment="NSE_EQ",
    security_id="2885",
    product=Product.INTRADAY,
    product_name="INTRADAY",
    net=10,
    average=Decimal(1412),
    realised=Decimal(0),
    unrealised=Decimal(0),
)


def plan(listed: InstrumentList, *positions: Position, symbol: str | None = None) -> ExitPlan:
    return plan_exits(positions or (RELIANCE,), listed.named, symbol)


def exits_of(connection: Connection, plan: ExitPlan, at: Any = NOON) -> list[Order]:
    numbers = write_exits(connection, plan.exits, actor="operator 42", read_at=at, now=at, calendar=CALENDAR)
    return [order for number in numbers for order in orders.of_alert(connection, number)]


@pytest.mark.parametrize(("net", "side"), [(10, Side.SELL), (-10, Side.BUY)])
def test_an_exit_is_the_other_side_of_the_whole_position_in_its_product(
    connection: Connection, listed: InstrumentList, net: int, side: Side
) -> None:
    [order] = exits_of(connection, plan(listed, replace(RELIANCE, net=net)))
    assert (order.side, order.quantity, order.product) == (side, 10, Product.INTRADAY)
    assert (order.state, order.closes, order.mode) == (OrderState.QUEUED, True, Mode.IMMEDIATE)
    assert order.approved_at == NOON


def test_an_exit_has_a_card_and_says_who_asked(connection: Connection, listed: InstrumentList) -> None:
    [order] = exits_of(connection, plan(listed))
    stored = alerts.get(connection, order.alert_id)
    assert stored
    assert stored.reason == "Exit of 10 RELIANCE, asked for by operator 42."


def test_each_position_gets_an_alert_of_its_own_so_that_none_waits_for_another(
    connection: Connection, listed: InstrumentList
) -> None:
    other = replace(RELIANCE, symbol="IRCON", security_id="4986")
    first, second = exits_of(connection, plan(listed, RELIANCE, other))
    assert first.alert_id != second.alert_id


def test_only_what_is_open_is_exited_and_only_the_one_that_was_named(listed: InstrumentList) -> None:
    other = replace(RELIANCE, symbol="IRCON", security_id="4986")
    closed = replace(RELIANCE, net=0)
    assert [exit_.instrument.symbol for exit_ in plan(listed, RELIANCE, other, closed).exits] == ["RELIANCE", "IRCON"]
    assert [exit_.instrument.symbol for exit_ in plan(listed, RELIANCE, other, symbol="IRCON").exits] == ["IRCON"]


@pytest.mark.parametrize(
    "changes", [{"product": None, "product_name": "MTF"}, {"security_id": "1"}, {"segment": "NSE_COMM"}]
)
def test_what_cannot_be_exited_from_here_is_named_with_the_reason(
    listed: InstrumentList, changes: dict[str, Any]
) -> None:
    made = plan(listed, replace(RELIANCE, **changes))
    assert made.exits == ()
    assert made.left[0].startswith("RELIANCE, 10, ")


def test_an_exit_beside_an_open_order_of_the_same_side_is_refused(
    connection: Connection, listed: InstrumentList
) -> None:
    an_order(connection, side=Side.SELL, state=OrderState.WORKING)
    with pytest.raises(Refusal, match="turn the position round"):
        exits_of(connection, plan(listed))
    assert len(orders.recent(connection, 9)) == 1


def test_a_second_exit_of_the_same_position_is_refused(connection: Connection, listed: InstrumentList) -> None:
    exits_of(connection, plan(listed))
    with pytest.raises(Refusal, match="turn the position round"):
        exits_of(connection, plan(listed))


def test_an_exit_beside_an_order_that_filled_since_the_position_was_read_is_refused(
    connection: Connection, listed: InstrumentList
) -> None:
    an_order(connection, side=Side.SELL, state=OrderState.FILLED, at=NOON - timedelta(seconds=1))
    target = an_order(connection, side=Side.SELL, state=OrderState.WORKING)
    orders.move(connection, target, OrderState.FILLED, at=NOON, actor=journal.DHAN, reason="Filled.")
    with pytest.raises(Refusal, match=rf"{target.label} RELIANCE has just ended \(filled\)"):
        exits_of(connection, plan(listed))
    assert exits_of(connection, plan(listed), NOON + timedelta(microseconds=1))


def test_shares_held_in_two_products_are_exited_in_both(connection: Connection, listed: InstrumentList) -> None:
    made = exits_of(connection, plan(listed, RELIANCE, replace(RELIANCE, product=Product.DELIVERY, net=3)))
    assert [(order.quantity, order.product) for order in made] == [(10, Product.INTRADAY), (3, Product.DELIVERY)]


def test_an_exit_above_the_freeze_quantity_goes_in_slices(connection: Connection, listed: InstrumentList) -> None:
    huge = Exit(instrument=replace(listed.named(*key(listed)), freezes_at=7), product=Product.INTRADAY, net=15)
    made = exits_of(connection, ExitPlan(exits=(huge,), left=()))
    assert [order.quantity for order in made] == [6, 6, 3]


def key(listed: InstrumentList) -> Any:
    found = plan(listed).exits[0].instrument
    return found.segment, found.security_id


def test_on_a_closed_day_an_exit_waits_for_the_open_without_being_asked_about(
    connection: Connection, listed: InstrumentList
) -> None:
    [order] = exits_of(connection, plan(listed), SATURDAY)
    assert (order.state, order.release_at) == (OrderState.QUEUED, india("2026-11-30 09:15"))


def test_a_day_that_the_calendar_does_not_know_is_said(connection: Connection, listed: InstrumentList) -> None:
    with pytest.raises(Refusal, match="Close it in Dhan's app"):
        exits_of(connection, plan(listed), india("2027-03-01 11:00"))


async def test_an_exit_closes_the_position_at_dhan(floor: Floor, listed: InstrumentList) -> None:
    await floor.sent()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    account = DhanAccount(floor.broker)
    made = plan_exits(await account.positions(), listed.named)
    with floor.database.transaction() as connection:
        [order] = exits_of(connection, made, floor.clock.now())
    await floor.send()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    assert floor.now(order).state is OrderState.FILLED
    assert [position.net for position in await account.positions()] == [0]


async def test_exits_pass_a_queue_of_entries(floor: Floor) -> None:
    floor.dhan.http.post("/dhan/sandbox/limits", json={})
    for _ in range(20):
        floor.order()
    exit_ = floor.order(side=Side.SELL, closes=True)
    await floor.send()
    assert floor.now(exit_).state is OrderState.WORKING
