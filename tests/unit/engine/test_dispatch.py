"""Sending what is due, over real HTTP: one POST per claim, and never a second one without looking first."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from core import approvals, controls, failpoints, journal
from core.controls import Hold
from core.db.tables import attempts
from core.domain.alert import Product, Side
from core.domain.attempt import AttemptState
from core.domain.notice import Notice
from core.domain.order import Mode, OrderState
from core.engine.dispatch import AT_ONCE
from core.failpoints import Point
from tests.builders import until
from tests.integration.paper_dhan import india
from tests.patience import PATIENCE
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import an_attempt, rings, tap_on

RATE_LIMITED = {"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"}
MARKET_CLOSED = "Market is Closed! Want to place an offline order?"
ASKED = OrderState.AWAITING_APPROVAL
BAD_INPUT = {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "Bad values"}


class PulledPlug(Exception):
    """The process ends here."""


def holds(floor: Floor) -> list[Hold]:
    with floor.database.snapshot() as connection:
        return list(controls.holds(connection))


def told(floor: Floor) -> list[Notice]:
    with floor.database.snapshot() as connection:
        return rings(connection)


def placements(floor: Floor) -> int:
    return floor.dhan.ledger()["placements"]


async def test_a_due_order_is_placed_once_under_its_name(floor: Floor) -> None:
    order = await floor.sent()
    [attempt] = floor.attempts(order)
    [at_dhan] = floor.dhan.book()
    assert (order.state, attempt.state) == (OrderState.WORKING, AttemptState.ACCEPTED)
    assert at_dhan["correlationId"] == attempt.correlation_id
    await floor.send()
    assert placements(floor) == 1


async def test_the_attempt_is_committed_before_anything_is_sent(floor: Floor) -> None:
    seen: list[tuple[list[AttemptState], int]] = []

    def look(point: Point) -> None:
        if point is Point.CLAIMED:
            with floor.database.snapshot() as connection:
                seen.append((list(connection.execute(select(attempts.c.state)).scalars()), placements(floor)))

    failpoints.install(look)
    await floor.sent()
    assert seen == [([AttemptState.OPEN], 0)]


@pytest.mark.parametrize(("point", "sent"), [(Point.CLAIMED, 0), (Point.POSTED, 1)])
async def test_a_crash_around_the_post_leaves_an_open_attempt_that_is_never_sent_again(
    floor: Floor, point: Point, sent: int
) -> None:
    def pull_the_plug(reached: Point) -> None:
        if reached is point:
            raise PulledPlug

    failpoints.install(pull_the_plug)
    order = floor.order()
    with pytest.raises(ExceptionGroup):
        await floor.send()
    failpoints.install(lambda _point: None)
    await floor.send()
    assert floor.now(order).state is OrderState.SUBMITTING
    assert floor.attempts(order)[0].state is AttemptState.OPEN
    assert placements(floor) == sent


async def test_orders_are_claimed_by_their_release_and_then_by_their_age(floor: Floor) -> None:
    now = floor.clock.now()
    releases = [now, now - timedelta(minutes=1), now - timedelta(minutes=1), now - timedelta(minutes=2)]
    sent = [floor.order(release_at=release).id for release in releases]
    await floor.send()
    with floor.database.snapshot() as connection:
        claimed = list(connection.execute(select(attempts.c.order_id).order_by(attempts.c.id)).scalars())
    assert claimed == [sent[3], sent[1], sent[2], sent[0]]


async def test_never_more_are_under_way_than_there_are_places(floor: Floor) -> None:
    floor.dhan.script("place", "delay", seconds=2, times=AT_ONCE)
    await send_more_than_there_are_places(floor)
    assert placements(floor) == AT_ONCE
    await floor.send()
    assert len(floor.dhan.book()) == AT_ONCE + 4


async def test_a_refused_order_keeps_its_place_until_dhan_was_asked_whether_it_has_it(floor: Floor) -> None:
    """A fault that refuses everything is noticed before many more have met it."""
    floor.dhan.script("place", "status", status=400, body=BAD_INPUT, times=AT_ONCE)
    floor.dhan.script("lookup", "delay", seconds=1, times=AT_ONCE)
    await send_more_than_there_are_places(floor)
    assert placements(floor) == AT_ONCE


async def send_more_than_there_are_places(floor: Floor) -> None:
    """Four more are due; the desk looks again once Dhan has all that had a place."""
    floor.dhan.http.post("/dhan/sandbox/limits", json={})
    for _ in range(AT_ONCE + 4):
        floor.order()
    async with asyncio.TaskGroup() as tasks:
        await floor.dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)
        await until(lambda: placements(floor) == AT_ONCE)
        await floor.dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)


async def test_an_order_that_is_asked_about_instead_of_sent_leaves_its_place(floor: Floor) -> None:
    for _ in range(AT_ONCE):
        floor.order(side=Side.SELL, product=Product.DELIVERY)
    await floor.send()
    bought = floor.order()
    await floor.send()
    assert (floor.now(bought).state, placements(floor)) == (OrderState.WORKING, 1)


async def test_when_told_to_finish_nothing_more_is_claimed(floor: Floor) -> None:
    await floor.dispatcher.finish(within=1)
    assert (await floor.sent()).state is OrderState.QUEUED
    assert placements(floor) == 0


async def test_finishing_waits_for_what_is_under_way(floor: Floor) -> None:
    floor.dhan.script("place", "delay", seconds=0.1)
    order = floor.order()
    async with asyncio.TaskGroup() as tasks:
        await floor.dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)
        await floor.dispatcher.finish(within=5)
        assert floor.now(order).state is OrderState.WORKING


async def test_what_does_not_end_in_time_is_left_to_the_next_start(floor: Floor) -> None:
    floor.dhan.script("place", "hang")
    order = floor.order()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        await floor.dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)
        await until(lambda: floor.now(order).state is OrderState.SUBMITTING)
        await floor.dispatcher.finish(within=0.1)
    assert floor.now(order).state is OrderState.SUBMITTING
    assert floor.attempts(order)[0].state is AttemptState.OPEN


@pytest.mark.parametrize("hold", [Hold.PAUSED, Hold.STARTING, Hold.NOT_LIVE])
async def test_under_a_hold_nothing_is_sent(floor: Floor, hold: Hold) -> None:
    with floor.database.transaction() as connection:
        controls.set_hold(connection, hold, "Because.", at=floor.clock.now(), actor=journal.DESK)
    assert (await floor.sent()).state is OrderState.QUEUED
    assert placements(floor) == 0


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "no_id"])
async def test_after_an_unclear_answer_nothing_is_sent_again(floor: Floor, fault: str) -> None:
    floor.dhan.script("place", fault)
    order = await floor.sent()
    assert order.state is OrderState.UNKNOWN
    floor.clock.pass_time(minutes=1)
    await floor.send()
    assert placements(floor) == 1
    assert told(floor) == [Notice.UNKNOWN]


async def test_before_a_second_post_a_look_up_finds_the_first(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=429, body=RATE_LIMITED, recorded=True)
    floor.dhan.script("lookup", "index_lag")
    order = await floor.sent()
    assert order.state is OrderState.QUEUED
    floor.clock.pass_time(seconds=1)
    await floor.send()
    assert floor.now(order).state in (OrderState.WORKING, OrderState.FILLED)
    assert placements(floor) == 1


async def test_a_refused_try_that_is_not_there_is_sent_again_under_the_same_name(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=429, body=RATE_LIMITED)
    order = await floor.sent()
    floor.clock.pass_time(seconds=1)
    await floor.send()
    [attempt] = floor.attempts(order)
    assert (floor.now(order).state, attempt.posts) == (OrderState.WORKING, 2)
    assert [row["correlationId"] for row in floor.dhan.book()] == [attempt.correlation_id]


async def test_no_second_post_while_the_look_up_before_it_fails(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=429, body=RATE_LIMITED)
    order = await floor.sent()
    floor.dhan.script("lookup", "status", status=503)
    floor.clock.pass_time(seconds=1)
    await floor.send()
    seen = floor.now(order)
    assert (seen.state, placements(floor)) == (OrderState.QUEUED, 1)
    floor.clock.pass_time(seconds=7)
    await floor.send()
    assert floor.now(order) == seen, "a look-up that failed is not repeated every second"
    floor.clock.pass_time(seconds=1)
    await floor.send()
    assert (floor.now(order).state, placements(floor)) == (OrderState.WORKING, 2)


async def test_a_kill_during_the_look_up_before_a_second_post_stops_it(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=429, body=RATE_LIMITED)
    order = await floor.sent()
    floor.dhan.script("lookup", "delay", seconds=0.3)
    floor.clock.pass_time(seconds=1)

    def kill(point: Point) -> None:
        if point is Point.CLAIMED:
            asyncio.get_running_loop().call_later(0.1, kill_now)

    def kill_now() -> None:
        with floor.database.transaction() as connection:
            controls.kill(connection, at=floor.clock.now(), actor="operator 42")

    failpoints.install(kill)
    await floor.send()
    assert (floor.now(order).state, placements(floor)) == (OrderState.QUEUED, 1)
    assert "Stopped by" in floor.now(order).reason


async def test_a_second_attempt_is_not_sent_when_the_first_is_there_after_all(floor: Floor) -> None:
    order = floor.order()
    with floor.database.transaction() as connection:
        an_attempt(connection, order, AttemptState.ABSENT, name="MUFIRST")
    floor.dhan.placed(correlationId="MUFIRST")
    await floor.send()
    first, second = floor.attempts(order)
    assert floor.now(order).state is OrderState.WORKING
    assert (first.state, second.state) == (AttemptState.ACCEPTED, AttemptState.NOT_SENT)
    assert placements(floor) == 1


async def test_a_refusal_that_the_look_up_contradicts_is_no_refusal(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=400, body=BAD_INPUT, recorded=True)
    order = await floor.sent()
    assert order.state is OrderState.WORKING
    assert order.broker_order_id == floor.dhan.book()[0]["orderId"]
    assert told(floor) == [Notice.FOUND]


async def test_a_name_that_dhan_refuses_as_used_is_the_order_it_has(floor: Floor) -> None:
    floor.dhan.http.post("/dhan/sandbox/duplicates", json={"refuse": True})
    floor.dhan.script("place", "status", status=429, body=RATE_LIMITED, recorded=True)
    floor.dhan.script("lookup", "index_lag", times=2)
    order = await floor.sent()
    floor.clock.pass_time(seconds=1)
    await floor.send()
    assert floor.now(order).state in (OrderState.WORKING, OrderState.FILLED)
    assert len(floor.dhan.book()) == 1


@pytest.mark.fault("BR-08", "BR-15")
async def test_a_refusal_that_no_look_up_confirms_is_no_clear_answer(floor: Floor) -> None:
    floor.dhan.script("lookup", "status", status=503)
    order = await floor.sent(quantity=10, security_id="1")
    assert order.state is OrderState.UNKNOWN
    assert order.reason.startswith("No clear answer: ")


@pytest.mark.fault("BR-09", "BR-15")
async def test_an_order_that_dhan_refused_and_filled_is_found_once_look_ups_answer(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=400, body=BAD_INPUT, recorded=True)
    floor.dhan.script("lookup", "status", status=503)
    order = await floor.sent()
    floor.clock.pass_time(seconds=3)
    await floor.follow_book()
    assert floor.now(order).state is OrderState.FILLED
    assert holds(floor) == []


@pytest.mark.fault("BR-06", "BR-16")
async def test_an_order_that_dhan_put_off_and_filled_is_not_sent_again_where_the_look_up_lags(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=429, body=RATE_LIMITED, recorded=True)
    floor.dhan.script("lookup", "index_lag", times=9)
    order = await floor.sent()
    floor.clock.pass_time(seconds=3)
    await floor.send()
    assert floor.now(order).state in (OrderState.WORKING, OrderState.FILLED)
    assert len(floor.dhan.book()) == 1


@pytest.mark.fault("BR-06", "BR-16")
async def test_an_order_that_waits_for_its_next_try_is_taken_from_the_book_when_it_shows_there(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=429, body=RATE_LIMITED, recorded=True)
    floor.dhan.script("lookup", "index_lag", times=9)
    order = await floor.sent()
    await floor.follow_book()
    found = floor.now(order)
    assert found.state in (OrderState.WORKING, OrderState.FILLED)
    assert found.broker_order_id == floor.dhan.book()[0]["orderId"]
    assert Notice.FOUND in told(floor)


async def test_a_closed_market_at_dhan_offers_to_go_after_market(floor: Floor) -> None:
    floor.dhan.script(
        "place",
        "status",
        status=400,
        body={"errorCode": "DH-906", "errorMessage": "Market is Closed! Want to place an offline order?"},
    )
    order = await floor.sent()
    assert (order.state, order.as_amo, order.release_at) == (ASKED, True, india("2026-11-25 17:00"))
    assert "Approve it to go after-market instead, and to reach the exchange Thu 26 Nov 09:45." in order.reason


async def test_what_goes_after_market_in_place_of_a_refused_order_is_a_try_of_its_own(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=400, body={"errorCode": "DH-906", "errorMessage": MARKET_CLOSED})
    order = await floor.sent()
    with floor.database.transaction() as connection:
        approvals.approve(connection, tap_on(connection, order, at=floor.clock.now()))
    floor.clock.instant = india("2026-11-25 17:00")
    await floor.send()
    sent = floor.now(order)
    assert (sent.state, [row["afterMarketOrder"] for row in floor.dhan.book()]) == (OrderState.WORKING, [True])
    assert [attempt.number for attempt in floor.attempts(order)] == [1, 2]


@pytest.mark.fault("CK-02", "SC-04")
async def test_while_the_machines_clock_is_in_doubt_a_due_order_stays_where_it_is(floor: Floor) -> None:
    order, is_sure = floor.order(), [False]
    dispatcher = floor.another_dispatcher(clock_is_sure=lambda: is_sure[0])
    for expected in (OrderState.QUEUED, OrderState.WORKING):
        async with asyncio.TaskGroup() as tasks:
            await dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)
        assert floor.now(order).state is expected
        is_sure[0] = True
    assert placements(floor) == 1


async def test_a_dead_sign_in_costs_no_order_and_it_goes_out_once_after_a_new_one(floor: Floor) -> None:
    floor.clock.pass_time(minutes=3)
    floor.dhan.sign_in()  # elsewhere, which kills the desk's token
    order = await floor.sent()
    assert order.state is OrderState.QUEUED
    assert (floor.session.is_signed_in, holds(floor)) == (False, [Hold.SIGNED_OUT])
    await floor.send()
    assert placements(floor) == 1
    floor.clock.pass_time(minutes=3)
    assert await floor.sign_in()
    await floor.send()
    assert (floor.now(order).state, holds(floor)) == (OrderState.WORKING, [])
    assert len(floor.dhan.book()) == 1


async def test_without_a_sign_in_nothing_is_claimed(floor: Floor) -> None:
    await floor.session.die("Invalid Token", floor.session.serial)
    with floor.database.transaction() as connection:
        controls.lift_hold(connection, Hold.SIGNED_OUT, at=floor.clock.now(), actor=journal.DESK)
    order = await floor.sent()
    assert (order.state, floor.attempts(order)) == (OrderState.QUEUED, [])


async def test_an_after_market_order_is_sent_as_one(floor: Floor) -> None:
    floor.clock.instant = india("2026-11-25 19:00")
    await floor.sign_in()
    await floor.sent(as_amo=True, mode=Mode.AMO, expires_at=india("2026-11-26 08:59"))
    assert floor.dhan.book()[0]["afterMarketOrder"] is True


async def test_whoever_waits_is_woken_when_an_order_was_sent(floor: Floor) -> None:
    wake = asyncio.Event()
    floor.order()
    async with asyncio.TaskGroup() as tasks:
        await floor.dispatcher.send_due(tasks, wake, floor.epoch)
    assert wake.is_set()
