"""An exit that waited for another day: shares are holdings by then, and an intraday position is no more."""

import json
from datetime import datetime, timedelta

import pytest

from core import journal
from core.db import orders
from core.domain.alert import Product
from core.domain.order import Order, OrderState
from tests.builders import an_alert
from tests.integration.paper_dhan import india
from tests.unit.engine.exiting import ASKED, ENDED, EXIT, SENT, WAITS, approve, exit_that_waited, net, trade
from tests.unit.engine.floor import Floor

TOO_MANY = {"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"}


async def test_delivery_shares_that_became_holdings_overnight_are_still_exited(floor: Floor) -> None:
    trade(floor, productType="CNC")
    order = await next_day(floor)
    await floor.send()
    assert floor.now(order).state is SENT
    assert net(floor) == -10


async def test_holdings_sold_in_the_morning_are_not_sold_twice(floor: Floor) -> None:
    trade(floor, quantity=20, productType="CNC")
    order = await next_day(floor)
    trade(floor, "SELL", productType="CNC")
    await floor.send()
    assert floor.now(order).state is ENDED
    assert net(floor) == -10


@pytest.mark.fault("BR-06")
@pytest.mark.parametrize("sold", [4, 6])
async def test_an_overnight_exit_that_is_tried_again_is_reduced_once(floor: Floor, sold: int) -> None:
    trade(floor, productType="CNC")
    order = await next_day(floor)
    trade(floor, "SELL", sold, productType="CNC")
    floor.dhan.script("place", "status", status=429, body=TOO_MANY)
    await floor.send()
    assert floor.now(order).state is WAITS
    floor.clock.pass_time(seconds=5)
    await floor.send()
    assert (floor.now(order).state, floor.now(order).quantity) == (SENT, 10 - sold)
    assert net(floor) == -10


async def test_of_an_overnight_exit_what_its_slices_sold_the_day_before_is_gone(floor: Floor) -> None:
    trade(floor, productType="CNC")
    alert = confirmed(floor, 10)
    first, second = (
        floor.order(**EXIT, alert_id=alert, product=Product.DELIVERY, quantity=quantity) for quantity in (6, 4)
    )
    await floor.send()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    assert floor.now(first).state is OrderState.FILLED
    put_off(floor, second, to=india("2026-11-26 12:00"))
    floor.clock.instant = india("2026-11-26 12:00")
    assert await floor.sign_in()
    trade(floor, "SELL", 1, productType="CNC")
    await floor.send()
    assert (floor.now(second).state, floor.now(second).quantity) == (SENT, 3)


@pytest.mark.parametrize("sold", [10, 4])
async def test_what_was_sold_by_hand_before_the_night_is_not_taken_from_older_shares(floor: Floor, sold: int) -> None:
    await older_shares(floor)
    trade(floor, productType="CNC")
    order = exit_of(floor, due="2026-11-27")
    trade(floor, "SELL", sold, productType="CNC")
    await wake(floor, "2026-11-27 12:00")
    await floor.send()
    if sold == 10:
        assert floor.now(order).state is ENDED
        assert floor.now(order).reason == "The position is closed already: nothing was sent."
    else:
        assert (floor.now(order).state, floor.now(order).quantity) == (SENT, 6)
    assert net(floor) == sold - 10


@pytest.mark.fault("BR-15")
@pytest.mark.parametrize("history", ["silent", "empty", "without sides"])
async def test_where_the_history_does_not_tell_what_was_left_the_exit_asks_once(floor: Floor, history: str) -> None:
    trade(floor, productType="CNC")
    order = await next_day(floor)
    tell_little(floor, history)
    await floor.send()
    asked = floor.now(order)
    assert asked.state is ASKED
    assert asked.reason.startswith("Dhan's trade history does not tell what was left of the position")
    approve(floor, order)
    tell_little(floor, history)
    await floor.send()
    assert floor.now(order).state is SENT
    assert net(floor) == -10


@pytest.mark.fault("BR-15")
async def test_a_history_that_tells_after_the_tap_all_the_same_is_believed(floor: Floor) -> None:
    await older_shares(floor)
    trade(floor, productType="CNC")
    order = exit_of(floor, due="2026-11-27")
    trade(floor, "SELL", productType="CNC")
    await wake(floor, "2026-11-27 12:00")
    tell_little(floor, "silent")
    await floor.send()
    assert floor.now(order).state is ASKED
    approve(floor, order)
    await floor.send()
    assert (floor.now(order).state, net(floor)) == (ENDED, 0)


async def test_an_exit_of_today_asks_for_no_history(floor: Floor) -> None:
    trade(floor, productType="CNC")
    order = exit_that_waited(floor, product=Product.DELIVERY)
    floor.dhan.script("trades", "status", status=503)
    await floor.send()
    assert floor.now(order).state is SENT


def tell_little(floor: Floor, history: str) -> None:
    """The trade history as it may come in its stead."""
    if history == "silent":
        floor.dhan.script("trades", "status", status=503)
        return
    row = {"orderId": "1", "exchangeSegment": "NSE_EQ", "securityId": "2885", "tradedQuantity": 10, "tradedPrice": 7}
    if history == "without sides":
        floor.dhan.script("trades", "status", status=200, body=[row])
    floor.dhan.script("trades", "status", status=200, body=[])


async def older_shares(floor: Floor) -> None:
    """Ten of them, bought the day before."""
    trade(floor, productType="CNC")
    await wake(floor, "2026-11-26 12:00")


def exit_of(floor: Floor, *, due: str) -> Order:
    """Of the ten shares bought today, which waits for that day."""
    alert, ends = confirmed(floor, 10), india(f"{due} 15:00")
    return floor.order(**EXIT, alert_id=alert, product=Product.DELIVERY, expires_at=ends)


async def wake(floor: Floor, at: str) -> None:
    floor.clock.instant = india(at)
    assert await floor.sign_in()


async def next_day(floor: Floor) -> Order:
    """The exit of ten shares, asked for after the close and due the next morning, when they are holdings."""
    order = exit_of(floor, due="2026-11-26")
    await wake(floor, "2026-11-26 12:00")
    return order


def confirmed(floor: Floor, net: int) -> int:
    """The alert of an exit of so many units."""
    with floor.database.transaction() as connection:
        return an_alert(connection, state="decided", body=json.dumps({"exit": {"net": net}})).id


def put_off(floor: Floor, order: Order, *, to: datetime) -> None:
    times = {"release_at": to, "reaches_exchange_at": to, "expires_at": to + timedelta(hours=3)}
    with floor.database.transaction() as connection:
        orders.note(connection, order, at=floor.clock.now(), actor=journal.DESK, reason="Put off.", **times)


async def test_an_intraday_exit_that_was_put_off_to_another_day_is_not_sent(floor: Floor) -> None:
    tomorrow = india("2026-11-26 12:00")
    order = floor.order(**EXIT, release_at=tomorrow, reaches_exchange_at=tomorrow, expires_at=india("2026-11-26 15:00"))
    floor.clock.instant = tomorrow
    assert await floor.sign_in()
    trade(floor)
    await floor.send()
    assert floor.now(order).state is ENDED
    assert "squared it off" in floor.now(order).reason
    assert net(floor) == 10
