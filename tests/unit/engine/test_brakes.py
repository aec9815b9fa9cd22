"""An answer that speaks of the whole account is heeded at once, whichever call it answers and whatever it proves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from core import controls, journal
from core.addresses import AddressBook
from core.broker.dhan.account import DhanAccount
from core.broker.port import Refusal, Refused
from core.controls import Hold
from core.db import changes
from core.domain.address import Slot
from core.domain.change import ChangeState
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine.brakes import heed_address
from core.errors import BrokerUnavailable
from core.errors import Refusal as NotDone
from tests.builders import NOON, until
from tests.unit.engine.changing import FAR, ask_cancel, ask_change, hurry, resting, settled, states
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import NAME, rings

INVALID_IP = {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "Invalid IP"}
NO_SEGMENT = {"errorType": "Order_Error", "errorCode": "DH-903", "errorMessage": "Segment not enabled"}
KILL_SWITCH = {
    "errorType": "Order_Error",
    "errorCode": "DH-906",
    "errorMessage": "Trading is blocked for the day by the kill switch",
}
DEAD_TOKEN = {"errorType": "Invalid_Authentication", "errorCode": "807", "errorMessage": "Access token expired"}
TOO_MANY = {"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"}


def holds(floor: Floor) -> list[Hold]:
    with floor.database.snapshot() as connection:
        return list(controls.holds(connection))


def told(floor: Floor) -> list[Notice]:
    with floor.database.snapshot() as connection:
        return rings(connection)


def refuse(floor: Floor, call: str, body: Any, status: int = 400, **more: Any) -> None:
    floor.dhan.script(call, "status", status=status, body=body, **more)


async def send_change(floor: Floor, call: str, order: Order) -> None:
    if call == "cancel":
        ask_cancel(floor, order)
    else:
        ask_change(floor, order, price=FAR - 1)
    await floor.send_changes()


@pytest.mark.parametrize(
    ("body", "hold"),
    [(INVALID_IP, Hold.INVALID_IP), (NO_SEGMENT, Hold.NO_ACCESS), (KILL_SWITCH, Hold.KILL_SWITCH)],
)
async def test_a_no_to_the_whole_account_holds_every_order_and_rings_once(
    floor: Floor, body: dict[str, str], hold: Hold
) -> None:
    refuse(floor, "place", body, times=2)
    orders = [floor.order(), floor.order()]
    await floor.send()
    assert [floor.now(order).state for order in orders] == [OrderState.QUEUED] * 2
    assert holds(floor) == [hold]
    assert told(floor) == [Notice.HELD]


@pytest.mark.parametrize("body", [INVALID_IP, NO_SEGMENT, KILL_SWITCH])
async def test_the_operator_can_let_orders_out_again_after_setting_the_account_right(
    floor: Floor, body: dict[str, str]
) -> None:
    refuse(floor, "place", body)
    order = await floor.sent()
    with floor.database.transaction() as connection:
        controls.resume(connection, at=floor.clock.now(), actor=journal.operator(42))
    floor.clock.pass_time(seconds=1)
    await floor.send()
    assert floor.now(order).state is OrderState.WORKING


@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_that_proves_nothing_of_its_order_still_stops_those_behind_it(
    floor: Floor, status: int
) -> None:
    refuse(floor, "place", INVALID_IP, status=status)
    doubtful = await floor.sent()
    behind = await floor.sent()
    assert (doubtful.state, behind.state) == (OrderState.UNKNOWN, OrderState.QUEUED)
    assert holds(floor) == [Hold.INVALID_IP]


async def test_nothing_leaves_while_dhan_is_asked_whether_it_has_the_refused_order_all_the_same(floor: Floor) -> None:
    refuse(floor, "place", INVALID_IP)
    floor.dhan.script("lookup", "delay", seconds=0.3)
    order = floor.order()
    sending = asyncio.create_task(floor.send())
    await until(lambda: holds(floor) == [Hold.INVALID_IP])
    assert floor.now(order).state is not OrderState.QUEUED
    await sending
    assert floor.now(order).state is OrderState.QUEUED


@pytest.mark.parametrize("call", ["cancel", "modify"])
async def test_a_change_that_is_refused_for_the_address_stops_orders_as_well(floor: Floor, call: str) -> None:
    order = await resting(floor)
    refuse(floor, call, INVALID_IP)
    await send_change(floor, call, order)
    assert holds(floor) == [Hold.INVALID_IP]
    assert (await floor.sent()).state is OrderState.QUEUED


READS: dict[str, tuple[str, Callable[[Floor], Awaitable[Any]]]] = {
    "book": ("book", lambda floor: floor.broker.book()),
    "look-up": ("lookup", lambda floor: floor.broker.find(NAME)),
    "trade history": ("trades", lambda floor: floor.broker.past_fills(NOON.date(), NOON.date())),
    "profile": ("profile", lambda floor: floor.broker.check_session()),
    "addresses": ("ip", lambda floor: floor.broker.addresses()),
    "funds": ("funds", lambda floor: DhanAccount(floor.broker).funds()),
    "positions": ("positions", lambda floor: DhanAccount(floor.broker).positions()),
    "kill switch": ("kill_switch", lambda floor: DhanAccount(floor.broker).stop(True)),
}


@pytest.mark.parametrize("status", [400, 401, 200])
@pytest.mark.parametrize("read", READS)
async def test_a_call_that_is_no_order_and_is_refused_for_the_address_stops_orders_as_well(
    floor: Floor, read: str, status: int
) -> None:
    call, ask = READS[read]
    for code in ("DH-905", "DH-911"):
        refuse(floor, call, INVALID_IP | {"errorCode": code}, status=status)
        with pytest.raises((BrokerUnavailable, NotDone)):
            await ask(floor)
    assert (holds(floor), told(floor)) == ([Hold.INVALID_IP], [Notice.HELD])
    assert floor.session.is_signed_in
    assert (await floor.sent()).state is OrderState.QUEUED


async def test_a_hold_that_an_address_check_set_stands_and_ends_with_its_reason(floor: Floor) -> None:
    book = AddressBook(floor.database, floor.broker, floor.clock)
    floor.dhan.arrange_addresses(primary="203.0.113.9", detected="203.0.113.24")
    await book.check()
    for _ in range(2):
        refuse(floor, "book", INVALID_IP)
        with pytest.raises(BrokerUnavailable):
            await floor.broker.book()
        await book.check()
    assert told(floor) == [Notice.HELD]
    floor.dhan.arrange_addresses(primary="203.0.113.24", detected="203.0.113.24")
    await book.check()
    assert holds(floor) == []


async def test_a_cancellation_that_is_refused_under_it_leaves_it_so(floor: Floor) -> None:
    order = await resting(floor)
    book = AddressBook(floor.database, floor.broker, floor.clock)
    floor.dhan.arrange_addresses(primary="203.0.113.9", detected="203.0.113.24")
    await book.check()
    refuse(floor, "cancel", INVALID_IP)
    await send_change(floor, "cancel", order)
    assert told(floor) == [Notice.HELD]
    floor.dhan.arrange_addresses(primary="203.0.113.24", detected="203.0.113.24")
    await book.check()
    assert holds(floor) == []


async def test_an_answer_that_comes_while_a_check_sets_the_hold_does_not_take_it_over(floor: Floor) -> None:
    def check(connection: Connection) -> None:
        controls.set_hold(connection, Hold.INVALID_IP, "Not registered.", at=NOON, actor=journal.DESK)

    refused = Refused(refusal=Refusal.INVALID_IP, code="DH-905", words="Invalid IP")
    heed = heed_address(floor.database, floor.clock)
    await asyncio.gather(floor.database.write(lambda _: None), floor.database.write(check), heed(refused))
    with floor.database.snapshot() as connection:
        assert controls.set_by(connection, Hold.INVALID_IP) == journal.DESK


async def test_an_address_that_cannot_be_registered_is_not_the_one_that_orders_come_from(floor: Floor) -> None:
    refuse(floor, "set_ip", [{"message": "Invalid IP", "status": "ERROR"}], status=200)
    with pytest.raises(NotDone, match="Invalid IP"):
        await floor.broker.register_address("203.0.113.9", Slot.SECONDARY, is_change=False)
    assert holds(floor) == []


async def test_a_dead_token_in_an_answer_that_counts_as_success_ends_the_session(floor: Floor) -> None:
    refuse(floor, "place", DEAD_TOKEN, status=200)
    assert (await floor.sent()).state is OrderState.UNKNOWN
    assert not floor.session.is_signed_in


@pytest.mark.fault("BR-06")
async def test_an_order_that_came_too_fast_lets_every_call_rest(floor: Floor) -> None:
    refuse(floor, "place", TOO_MANY, status=429)
    assert (await floor.sent()).state is OrderState.QUEUED
    assert floor.limiter.room_in(urgent=True) > 0


@pytest.mark.parametrize("call", ["cancel", "modify"])
async def test_a_change_that_came_too_fast_lets_every_call_rest(floor: Floor, call: str) -> None:
    order = await resting(floor)
    refuse(floor, call, TOO_MANY, status=429)
    await send_change(floor, call, order)
    assert floor.limiter.room_in(urgent=True) > 0.5


@pytest.mark.fault("BR-07", "TK-01")
async def test_a_dead_token_in_the_answer_to_a_cancellation_ends_the_session_and_it_goes_under_the_next(
    floor: Floor,
) -> None:
    order = await resting(floor)
    floor.dhan.end_token()
    await send_change(floor, "cancel", order)
    assert not floor.session.is_signed_in
    assert holds(floor) == [Hold.SIGNED_OUT]
    hurry(floor)
    await floor.send_changes()
    assert states(floor) == [ChangeState.WANTED]
    floor.clock.pass_time(minutes=3)
    assert await floor.sign_in()
    await settled(floor, order)
    assert states(floor) == [ChangeState.DONE]


async def test_a_cancellation_outlasts_a_minute_in_which_dhan_asks_for_fewer_calls(floor: Floor) -> None:
    order = await resting(floor)
    refuse(floor, "cancel", TOO_MANY, status=429, times=7)
    ask_cancel(floor, order)
    waited = 0.0
    for _ in range(7):
        await floor.send_changes()
        waited += due_in(floor)
        hurry(floor)
        floor.limiter.rest(0)
    assert waited > 60
    assert (await settled(floor, order)).state is OrderState.CANCELLED


def due_in(floor: Floor) -> float:
    """Seconds from the last call for the change to the next one."""
    with floor.database.snapshot() as connection:
        [change] = changes.in_states(connection, [ChangeState.WANTED])
    assert change.due_at is not None
    assert change.sent_at is not None
    return (change.due_at - change.sent_at).total_seconds()
