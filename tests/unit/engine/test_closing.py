"""An exit that waited: at most what is left of its position goes, and what nobody can tell is asked about."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import controls, journal
from core.db import orders
from core.domain.alert import OrderType, Side
from core.domain.order import Order, OrderState
from tests.builders import an_alert, an_order
from tests.unit.engine.exiting import ASKED, ENDED, EXIT, SENT, WAITS, approve, exit_that_waited, net, sales, trade
from tests.unit.engine.floor import Floor


async def test_an_exit_of_a_position_that_is_there_as_it_was_goes_out(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    await floor.send()
    assert floor.now(order).state is SENT
    assert net(floor) == 0


async def test_an_exit_of_what_was_closed_meanwhile_ends_without_being_sent(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    trade(floor, "SELL")
    await floor.send()
    ended = floor.now(order)
    assert ended.state is ENDED
    assert ended.reason == "The position is closed already: nothing was sent."
    assert net(floor) == 0


async def test_an_exit_that_was_held_back_by_kill_is_checked_anew_after_it(floor: Floor) -> None:
    trade(floor)
    with floor.database.transaction() as connection:
        controls.kill(connection, at=floor.clock.now(), actor="operator 42")
    order = exit_that_waited(floor)
    await floor.send()
    assert floor.now(order).state is WAITS
    trade(floor, "SELL")
    with floor.database.transaction() as connection:
        controls.unkill(connection, at=floor.clock.now(), actor="operator 42")
    await floor.send()
    assert floor.now(order).state is ENDED
    assert net(floor) == 0


async def test_of_a_position_that_was_closed_in_part_the_rest_is_exited(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    trade(floor, "SELL", 4)
    await floor.send()
    assert (floor.now(order).state, floor.now(order).quantity) == (SENT, 6)
    assert net(floor) == 0


async def test_a_position_that_grew_is_exited_by_what_was_confirmed(floor: Floor) -> None:
    trade(floor)
    exit_that_waited(floor)
    trade(floor)
    await floor.send()
    assert net(floor) == 10


async def test_a_short_position_is_bought_back_by_what_is_left_of_it(floor: Floor) -> None:
    trade(floor, "SELL")
    order = exit_that_waited(floor, side=Side.BUY)
    trade(floor, "BUY", 7)
    await floor.send()
    assert floor.now(order).quantity == 3
    assert net(floor) == 0


async def test_a_position_that_was_turned_round_is_left_alone(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    trade(floor, "SELL", 15)
    await floor.send()
    assert floor.now(order).state is ENDED
    assert net(floor) == -5


async def test_a_position_in_another_product_is_not_the_one_to_exit(floor: Floor) -> None:
    trade(floor, productType="CNC")
    order = exit_that_waited(floor)
    await floor.send()
    assert floor.now(order).state is ENDED


async def test_an_exit_that_goes_at_once_asks_nobody(floor: Floor) -> None:
    floor.dhan.script("positions", "status", status=503)
    assert (await floor.sent(**EXIT)).state is SENT
    assert len(floor.dhan.http.get("/dhan/sandbox/faults").json()) == 1, "nobody asked for the positions"


@pytest.mark.fault("BR-15")
@pytest.mark.parametrize("call", ["positions", "book"])
async def test_where_nobody_can_tell_the_operator_is_asked_and_his_tap_sends_it(floor: Floor, call: str) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    floor.dhan.script(call, "status", status=503)
    await floor.send()
    asked = floor.now(order)
    assert asked.state is ASKED
    assert asked.reason.startswith("Dhan did not say whether the position is still open")
    approve(floor, order)
    floor.dhan.script(call, "status", status=503)
    await floor.send()
    assert floor.now(order).state is SENT


async def test_a_tap_does_not_send_what_dhan_knows_to_be_closed(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    floor.dhan.script("positions", "status", status=503)
    await floor.send()
    trade(floor, "SELL")
    approve(floor, order)
    await floor.send()
    assert floor.now(order).state is ENDED


async def test_a_tap_that_is_old_itself_is_asked_for_again(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    for _ in range(2):
        floor.dhan.script("positions", "status", status=503)
        await floor.send()
        assert floor.now(order).state is ASKED
        approve(floor, order)
        floor.clock.pass_time(minutes=1)


async def test_a_sign_in_that_died_keeps_the_exit_in_the_queue(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    floor.dhan.end_token()
    await floor.send()
    assert floor.now(order).state is WAITS
    assert not floor.session.is_signed_in
    floor.clock.pass_time(minutes=5)
    assert await floor.sign_in()
    await floor.send()
    assert floor.now(order).state is SENT


async def test_an_exit_beside_an_order_placed_in_dhans_app_asks_until_that_is_gone(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    theirs = floor.dhan.placed(transactionType="SELL", orderType="LIMIT", price=1500, correlationId=None)
    await floor.send()
    asked = floor.now(order)
    assert asked.state is ASKED
    assert f"SELL 10 RELIANCE (order {theirs}) is open at Dhan" in asked.reason
    approve(floor, order)
    await floor.send()
    assert floor.now(order).state is ASKED, "it is still there"
    floor.clock.pass_time(seconds=1)
    assert floor.dhan.http.delete(f"/dhan/v2/orders/{theirs}").is_success
    approve(floor, order)
    await floor.send()
    assert floor.now(order).state is SENT


async def test_an_exit_beside_an_order_of_the_desk_at_dhan_asks(floor: Floor) -> None:
    trade(floor)
    resting = await floor.sent(side=Side.SELL, order_type=OrderType.LIMIT, price=Decimal(1500))
    order = exit_that_waited(floor)
    await floor.send()
    assert floor.now(order).state is ASKED
    assert resting.label in floor.now(order).reason


@pytest.mark.parametrize("state", ["WORKING", "UNKNOWN"])
async def test_a_tap_over_dhans_silence_does_not_send_beside_an_order_that_the_desk_knows(
    floor: Floor, state: str
) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    other = floor.order(side=Side.SELL, state=OrderState[state])
    for _ in range(2):
        floor.dhan.script("positions", "status", status=503)
        await floor.send()
        assert floor.now(order).state is ASKED
        assert f"{other.label} SELL 10 RELIANCE" in floor.now(order).reason
        assert "could turn the position round" in floor.now(order).reason
        approve(floor, order)
    assert sales(floor) == []


async def test_an_exit_beside_an_order_in_doubt_asks(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    other = floor.order(side=Side.SELL, state=OrderState.UNKNOWN)
    await floor.send()
    assert floor.now(order).state is ASKED
    assert f"{other.label} SELL 10 RELIANCE may be at Dhan" in floor.now(order).reason


@pytest.mark.fault("BR-33")
async def test_beside_an_entry_that_cannot_be_read_an_exit_and_its_slices_ask_once(floor: Floor) -> None:
    trade(floor)
    first, second = slices(floor, 8, 2)
    floor.clock.pass_time(minutes=30)
    show_unread_entry(floor)
    await floor.send()
    assert floor.now(first).state is ASKED
    assert floor.now(first).reason.startswith("An entry of Dhan's order book cannot be read")
    approve(floor, first)
    floor.clock.pass_time(minutes=1)
    show_unread_entry(floor)
    await floor.send()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    show_unread_entry(floor)
    await floor.send()
    assert [floor.now(each).state for each in (first, second)] == [OrderState.FILLED, SENT]
    assert net(floor) == 0


async def test_beside_an_entry_that_cannot_be_read_an_open_order_still_hinders_an_exit(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    floor.dhan.placed(transactionType="SELL", orderType="LIMIT", price=1500, correlationId=None)
    show_unread_entry(floor)
    await floor.send()
    assert "is open at Dhan" in floor.now(order).reason


@pytest.mark.parametrize("sold", [10, 4])
async def test_beside_an_entry_that_cannot_be_read_the_position_still_counts(floor: Floor, sold: int) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    show_unread_entry(floor)
    await floor.send()
    approve(floor, order)
    trade(floor, "SELL", sold)
    show_unread_entry(floor)
    await floor.send()
    assert net(floor) == 0


def show_unread_entry(floor: Floor) -> None:
    """The next reading of the book has an entry of the operator's own without a status."""
    theirs = {"orderId": "77", "correlationId": "1106500417-1764000000000", "orderStatus": "", "quantity": 5}
    floor.dhan.script("book", "status", status=200, body=[*floor.dhan.book(), theirs])


async def test_slices_go_on_by_what_those_before_them_left(floor: Floor) -> None:
    trade(floor, quantity=20)
    made = slices(floor, 8, 8, 4)
    await floor.send()
    for _ in range(2):
        floor.clock.pass_time(minutes=1)
        await floor.follow_book()
        await floor.send()
    assert [floor.now(each).quantity for each in made] == [8, 8, 4]
    assert net(floor) == 0


async def test_slices_of_what_was_closed_meanwhile_all_end(floor: Floor) -> None:
    trade(floor, quantity=20)
    made = slices(floor, 8, 8, 4)
    await floor.send()
    floor.clock.pass_time(minutes=1)
    await floor.follow_book()
    trade(floor, "SELL", 12)
    await floor.send()
    assert [floor.now(each).state for each in made] == [OrderState.FILLED, ENDED, ENDED]
    assert net(floor) == 0


async def test_a_slice_that_rests_at_dhan_counts_as_gone(floor: Floor) -> None:
    trade(floor)
    first, second = slices(floor, 8, 2, order_type=OrderType.LIMIT, price=Decimal(1500))
    await floor.send()
    floor.clock.pass_time(minutes=1)
    await floor.follow_book()
    trade(floor, "SELL", 1)
    await floor.send()
    assert (floor.now(first).state, floor.now(second).quantity) == (SENT, 1)


async def test_a_slice_that_fills_while_dhan_is_asked_ends_none_behind_it(floor: Floor) -> None:
    trade(floor, quantity=20)
    first, *behind = slices(floor, 10, 5, 5)
    floor.clock.pass_time(minutes=30)
    await floor.send()
    floor.clock.pass_time(milliseconds=150)
    await floor.follow_book()
    floor.dhan.script("positions", "status", status=200, body=floor.dhan.http.get("/dhan/v2/positions").json())
    floor.dhan.script("book", "status", status=200, body=floor.dhan.book())
    floor.clock.pass_time(seconds=1)
    await floor.send()
    assert floor.now(behind[0]).state is WAITS
    for _ in range(2):
        floor.clock.pass_time(seconds=5)
        await floor.follow_book()
        await floor.send()
    assert [floor.now(each).quantity for each in (first, *behind)] == [10, 5, 5]
    assert net(floor) == 0


def slices(floor: Floor, *quantities: int, **first: Any) -> list[Order]:
    """One exit in so many orders; `first` is how the first of them differs."""
    with floor.database.transaction() as connection:
        alert = an_alert(connection, state="decided").id
    return [
        floor.order(**EXIT, alert_id=alert, quantity=quantity, **({} if place else first))
        for place, quantity in enumerate(quantities)
    ]


async def test_many_exits_that_waited_ask_dhan_once(floor: Floor) -> None:
    waited = [exit_that_waited(floor), exit_that_waited(floor, symbol="IRCON", security_id="4986")]
    floor.dhan.script("positions", "status", status=503)
    await floor.send()
    assert [floor.now(order).state for order in waited] == [ASKED, ASKED]


async def test_an_order_that_moved_while_dhan_was_asked_makes_it_look_again(floor: Floor) -> None:
    trade(floor)
    order = exit_that_waited(floor)
    other = floor.order(side=Side.SELL, state=OrderState.SUBMITTING)
    await floor.send()
    assert floor.now(order).state is WAITS, "nobody knows what becomes of the other one"
    with floor.database.transaction() as connection:
        orders.move(connection, other, OrderState.REJECTED, at=floor.clock.now(), actor=journal.DHAN, reason="No.")
    floor.clock.pass_time(seconds=5)
    await floor.send()
    assert floor.now(order).state is SENT


async def test_a_clock_that_was_set_back_does_not_keep_an_exit_for_ever(floor: Floor) -> None:
    trade(floor)
    with floor.database.transaction() as connection:
        ahead = floor.clock.now() + timedelta(hours=2)
        an_order(connection, at=ahead, side=Side.SELL, state=OrderState.REJECTED)
    order = exit_that_waited(floor)
    await floor.send()
    assert floor.now(order).state is SENT
