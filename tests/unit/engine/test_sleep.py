"""A machine that sleeps between an order's claim and its call: what was right at the claim need not be any more."""

import time
from datetime import timedelta

import pytest

from core import failpoints
from core.clock import Moment, SystemClock
from core.db import leases
from core.db.leases import LASTS
from core.domain.attempt import AttemptState
from core.domain.order import OrderState
from core.engine.resolve import doubt_unfinished
from core.engine.rules import LeaseLost
from core.failpoints import Point
from tests.integration.paper_dhan import india
from tests.unit.engine.floor import Floor


def placements(floor: Floor) -> int:
    return floor.dhan.ledger()["placements"]


async def test_an_order_whose_window_closed_while_the_machine_slept_is_not_sent(floor: Floor) -> None:
    def sleep_till_evening(point: Point) -> None:
        if point is Point.CLAIMED:
            floor.clock.instant = india("2026-11-25 16:00")

    failpoints.install(sleep_till_evening)
    order = floor.order(expires_at=india("2026-11-25 18:00"))
    await floor.send()
    waiting = floor.now(order)
    assert (waiting.state, placements(floor)) == (OrderState.QUEUED, 0)
    assert waiting.reason.startswith("Not sent yet: ")
    assert floor.attempts(order)[0].state is AttemptState.NOT_SENT


async def test_an_order_that_expired_while_the_machine_slept_is_not_sent(floor: Floor) -> None:
    def sleep(point: Point) -> None:
        if point is Point.CLAIMED:
            floor.clock.pass_time(minutes=10)

    failpoints.install(sleep)
    order = floor.order(expires_at=floor.clock.now() + timedelta(minutes=5))
    await floor.send()
    assert placements(floor) == 0
    floor.clock.pass_time(minutes=1)
    await floor.send()
    assert (floor.now(order).state, placements(floor)) == (OrderState.EXPIRED, 0)


async def test_a_desk_that_claims_with_the_rest_of_a_lease_sends_nothing_once_another_may_have_it(floor: Floor) -> None:
    def stand_still(point: Point) -> None:
        if point is Point.CLAIMED:
            with floor.database.transaction() as connection:
                at = SystemClock().now() + leases.GOOD_FOR
                assert leases.acquire(connection, holder="another", nudge_port=1, at=at) is None

    with floor.database.transaction() as connection:
        nearly_over = SystemClock().now() - LASTS + timedelta(seconds=0.2)
        assert leases.renew(connection, holder="this desk", epoch=floor.epoch, at=nearly_over)
    failpoints.install(stand_still)
    floor.order()
    await floor.send()
    assert placements(floor) == 1


async def test_a_desk_that_slept_through_its_lease_sends_nothing(floor: Floor) -> None:
    def sleep_through_it(point: Point) -> None:
        if point is Point.CLAIMED:
            time.sleep(LASTS.total_seconds() + 0.1)
            with floor.database.transaction() as connection:
                moment = Moment(now=floor.clock.now(), wall=SystemClock().now())
                assert leases.acquire(connection, holder="another", nudge_port=1, at=moment.wall) == floor.epoch + 1
                doubt_unfinished(connection, moment)

    failpoints.install(sleep_through_it)
    order = floor.order()
    with pytest.raises(ExceptionGroup) as ended:
        await floor.send()
    assert ended.group_contains(LeaseLost)
    assert floor.now(order).state is OrderState.UNKNOWN
    assert placements(floor) == 0
