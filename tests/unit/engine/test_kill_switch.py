"""Dhan's kill switch, wherever it was turned on: orders wait for it, exits too, and the hold says where it is."""

import pytest

from core import controls, journal
from core.broker.dhan.account import DhanAccount
from core.controls import Hold
from core.domain.notice import Notice
from core.domain.order import OrderState
from tests.builders import NOON
from tests.unit.engine.changing import FAR, ask_change, resting, settled
from tests.unit.engine.exiting import EXIT
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import rings


def held(floor: Floor) -> dict[Hold, str]:
    with floor.database.snapshot() as connection:
        return controls.holds(connection)


def told(floor: Floor) -> list[Notice]:
    with floor.database.snapshot() as connection:
        return rings(connection)


def follow(floor: Floor, is_on: bool) -> bool:
    with floor.database.transaction() as connection:
        return controls.follow_kill_switch(connection, is_on, at=floor.clock.now(), actor=journal.operator(42))


def other_hold(floor: Floor) -> None:
    with floor.database.transaction() as connection:
        controls.set_hold(connection, Hold.NO_ACCESS, "No segment.", at=NOON, actor=journal.DHAN)


def test_the_hold_follows_the_switch(floor: Floor) -> None:
    assert follow(floor, True)
    assert not follow(floor, True)
    (words,) = held(floor).values()
    assert "Dhan's kill switch" in words
    assert "/killswitch" in words
    assert follow(floor, False)
    assert held(floor) == {}
    assert not follow(floor, False)


@pytest.mark.parametrize("was_on", [True, False])
def test_a_hold_for_another_reason_is_not_lifted_with_the_switch(floor: Floor, *, was_on: bool) -> None:
    other_hold(floor)
    follow(floor, was_on)
    assert follow(floor, False) == was_on
    assert held(floor) == {Hold.NO_ACCESS: "No segment."}


def test_the_hold_of_the_switch_ends_with_it_where_another_was_set_meanwhile(floor: Floor) -> None:
    follow(floor, True)
    other_hold(floor)
    assert follow(floor, False)
    assert held(floor) == {Hold.NO_ACCESS: "No segment."}


@pytest.mark.parametrize("values", [{}, EXIT])
async def test_an_order_waits_while_the_switch_is_on_and_goes_once_it_is_off(
    floor: Floor, values: dict[str, bool]
) -> None:
    await DhanAccount(floor.broker).stop(True)
    order = floor.order(**values)
    await floor.send()
    assert floor.now(order).state is OrderState.QUEUED
    assert "/killswitch" in floor.now(order).reason
    assert (list(held(floor)), told(floor)) == ([Hold.KILL_SWITCH], [Notice.HELD])
    await DhanAccount(floor.broker).stop(False)
    follow(floor, False)
    floor.clock.pass_time(seconds=1)
    await floor.send()
    assert floor.now(order).state is OrderState.WORKING


async def test_a_change_that_is_refused_for_the_switch_does_not_say_that_its_order_waits(floor: Floor) -> None:
    order = await resting(floor)
    body = {"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Kill switch is on"}
    floor.dhan.script("modify", "status", status=400, body=body)
    ask_change(floor, order, price=FAR - 1)
    after = await settled(floor, order)
    assert (after.state, after.price) == (OrderState.WORKING, FAR)
    assert "kill switch is on: nothing goes out until it is off" in after.reason


async def test_several_that_dhan_refuses_in_different_words_ring_once(floor: Floor) -> None:
    for words in ("Killswitch is active for this client", "Trading is blocked by the kill switch till 3.30"):
        body = {"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": words}
        floor.dhan.script("place", "status", status=400, body=body)
    orders = [floor.order(), floor.order()]
    await floor.send()
    assert [floor.now(order).state for order in orders] == [OrderState.QUEUED] * 2
    assert told(floor) == [Notice.HELD]


async def test_a_later_rejection_holds_what_comes_after_it_and_rings_once(floor: Floor) -> None:
    floor.dhan.script("place", "late_reject", text="RMS:9:Kill Switch is activated by the client", times=2)
    orders = [floor.order(), floor.order()]
    await floor.send()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    assert [floor.now(order).state for order in orders] == [OrderState.REJECTED] * 2
    assert "/killswitch" in floor.now(orders[0]).reason
    assert held(floor) == {Hold.KILL_SWITCH: controls.KILL_SWITCH_IS_ON}
    assert told(floor).count(Notice.HELD) == 1
    assert (await floor.sent()).state is OrderState.QUEUED


async def test_an_old_rejection_holds_nothing_again_once_the_switch_is_off(floor: Floor) -> None:
    floor.dhan.script("place", "late_reject", text="RMS:9:Kill Switch is activated by the client")
    await floor.sent()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    follow(floor, False)
    await floor.follow_book()
    assert held(floor) == {}
