"""A book with an entry that cannot be read: the others are followed, and what it lacks proves nothing."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.broker.port import IncompleteBook
from core.clock import SystemClock
from core.db.tables import attempts
from core.domain.alert import OrderType
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine.reconcile import Reconciler
from tests.integration.paper_dhan import india
from tests.unit.engine.changing import FAR, resting, told
from tests.unit.engine.floor import Floor

THEIRS = {"orderId": "77", "correlationId": "1106500417-1764000000000", "orderStatus": "", "quantity": 5}
"""An entry of the operator's own, without a status."""


def show(floor: Floor, *rows: Any, times: int = 1) -> None:
    floor.dhan.script("book", "status", status=200, body=list(rows), times=times)


async def follow(floor: Floor) -> IncompleteBook:
    with pytest.raises(IncompleteBook) as incomplete:
        await floor.follow_book()
    return incomplete.value


async def test_our_order_is_followed_beside_an_entry_that_cannot_be_read(floor: Floor) -> None:
    order = await floor.sent()
    floor.clock.pass_time(seconds=1)
    show(floor, *floor.dhan.book(), THEIRS, None)
    await follow(floor)
    assert floor.now(order).state is OrderState.FILLED
    assert told(floor) == [Notice.FILLED]


@pytest.mark.fault("BR-33")
async def test_an_order_that_an_incomplete_book_lacks_is_not_missing(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=200, body={"orderId": "52260000000000", "orderStatus": "TRANSIT"})
    order = await floor.sent()
    floor.clock.pass_time(minutes=5)
    show(floor, THEIRS)
    await follow(floor)
    assert (floor.now(order).state, told(floor)) == (OrderState.WORKING, [])


async def test_an_order_in_transit_rings_from_an_incomplete_book_too(floor: Floor) -> None:
    floor.dhan.script("place", "stuck")
    await floor.sent()
    floor.clock.pass_time(seconds=31)
    show(floor, *floor.dhan.book(), THEIRS)
    await follow(floor)
    assert told(floor) == [Notice.UNSEEN]


@pytest.mark.fault("BR-15", "BR-33")
@pytest.mark.parametrize(("name", "absences"), [("NA", 0), (THEIRS["correlationId"], 1)])
async def test_an_entry_that_may_be_ours_lets_a_look_up_call_nothing_absent(
    floor: Floor, name: str, absences: int
) -> None:
    lost, found = await doubtful(floor, "drop_before"), await doubtful(floor, "drop_after")
    show(floor, *floor.dhan.book(), THEIRS | {"correlationId": name})
    floor.dhan.script("lookup", "index_lag", times=2)
    await look_up(floor)
    assert floor.now(found).state is OrderState.WORKING
    assert (floor.now(lost).state, floor.attempts(lost)[0].absences) == (OrderState.UNKNOWN, absences)


async def doubtful(floor: Floor, fault: str) -> Order:
    floor.dhan.script("place", fault)
    return await floor.sent(order_type=OrderType.LIMIT, price=FAR)


async def look_up(floor: Floor) -> None:
    """Whatever is in doubt, as if it had been sent ten minutes ago."""
    now = SystemClock().now()
    with floor.database.transaction() as connection:
        connection.execute(update(attempts).values(claimed_at=now - timedelta(minutes=10), next_lookup_at=now))
    await floor.look_up()


async def test_yesterdays_order_is_not_closed_by_an_incomplete_book(floor: Floor) -> None:
    order = await resting(floor)
    await floor.sent()
    floor.clock.pass_time(seconds=3)
    await floor.follow_book()
    floor.clock.instant = india("2026-11-26 08:00")
    await floor.sign_in()
    show(floor, THEIRS)
    await follow(floor)
    assert floor.now(order).state is OrderState.WORKING
    await floor.follow_book()
    assert floor.now(order).state is OrderState.LAPSED


@pytest.mark.parametrize(
    ("rows", "may_hide_ours"),
    [
        (["healthy", THEIRS], False),
        (["healthy", THEIRS | {"correlationId": "MUABCDEFGHIJKLMNOPQR"}], True),
        (["healthy", THEIRS | {"correlationId": "NA"}], True),
        (["healthy", THEIRS, None], True),
        ([THEIRS], True),
    ],
    ids=["theirs", "named like ours", "without a name", "no object", "nothing readable"],
)
async def test_an_entry_that_names_somebody_else_hides_no_order_of_ours(
    floor: Floor, rows: list[Any], may_hide_ours: bool
) -> None:
    floor.dhan.placed(correlationId="app", orderType="LIMIT", price=1000)
    [healthy] = floor.dhan.book()
    show(floor, *(healthy if row == "healthy" else row for row in rows))
    assert (await follow(floor)).may_hide_ours is may_hide_ours


async def test_an_entry_of_somebody_else_hides_nothing_where_the_others_say_the_same_as_before(floor: Floor) -> None:
    await floor.sent()
    floor.clock.pass_time(seconds=2)
    reconciler = Reconciler(database=floor.database, broker=floor.broker, clock=floor.clock)
    for _ in range(2):
        show(floor, *floor.dhan.book(), THEIRS)
        with pytest.raises(IncompleteBook) as incomplete:
            await reconciler.follow_book()
        assert not incomplete.value.may_hide_ours


@pytest.mark.fault("BR-06")
async def test_an_entry_of_somebody_else_keeps_no_order_from_its_next_try(floor: Floor) -> None:
    too_many = {"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"}
    healthy = await resting(floor)
    floor.dhan.script("place", "status", status=429, body=too_many)
    order = await floor.sent()
    show(floor, *floor.dhan.book(), THEIRS)
    floor.clock.pass_time(seconds=2)
    await floor.send()
    assert (floor.now(healthy).state, floor.now(order).state) == (OrderState.WORKING, OrderState.WORKING)
