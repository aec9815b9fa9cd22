"""Work that makes orders due and their claims are one commit, or none."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event

from core import controls, failpoints
from core.broker.account import Holding
from core.broker.dhan.account import DhanAccount
from core.broker.dhan.adapter import Dhan
from core.broker.port import Accepted, Broker, OrderRequest
from core.clock import monotonic
from core.db import alerts
from core.domain.alert import Product, Side
from core.domain.attempt import AttemptState, correlation_id
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine.dispatch import AT_ONCE, Dispatcher
from core.engine.limiter import AHEAD, LEFT_LATER, Limiter, Window
from core.engine.rules import Rules
from core.failpoints import Point
from tests.builders import an_order, until
from tests.patience import PATIENCE
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import an_attempt, rings


class Stumble(Exception):
    """A bug in the work."""


def placements(floor: Floor) -> int:
    return floor.dhan.ledger()["placements"]


async def send_with(floor: Floor, work: Callable[[Connection, Rules], Order]) -> Order:
    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        made = await floor.dispatcher.send_with(work, tasks, asyncio.Event(), floor.epoch)
    return floor.now(made)


def due_now(floor: Floor, **values: Any) -> Callable[[Connection, Rules], Order]:
    return lambda connection, _rules: an_order(connection, at=floor.clock.now(), **values)


def due_with_a_rest(
    floor: Floor, limiter: Limiter, seconds: float, **values: Any
) -> Callable[[Connection, Rules], Order]:
    """An order that is claimed, and then has to wait so long."""

    def work(connection: Connection, rules: Rules) -> Order:
        floor.database.after_commit(lambda: limiter.rest(seconds))
        return due_now(floor, **values)(connection, rules)

    return work


async def test_an_order_that_becomes_due_is_claimed_in_the_same_commit_and_sent(floor: Floor) -> None:
    commits: list[Connection] = []
    event.listen(floor.database.engine, "commit", commits.append)
    floor.keep_lease()
    commits.clear()
    before_it_went: list[int] = []
    failpoints.install(lambda point: before_it_went.append(len(commits)) if point is Point.CLAIMED else None)
    async with asyncio.TaskGroup() as tasks:
        order = await floor.dispatcher.send_with(due_now(floor), tasks, asyncio.Event(), floor.epoch)
    assert before_it_went == [1]
    assert floor.now(order).state is OrderState.WORKING
    assert placements(floor) == 1


async def test_work_that_fails_takes_its_claims_with_it_and_gives_its_room_back(floor: Floor) -> None:
    waiting = floor.order()

    def fail(_connection: Connection, _rules: Rules) -> Order:
        raise Stumble

    with pytest.raises(ExceptionGroup) as failed:
        await send_with(floor, fail)
    assert isinstance(failed.value.exceptions[0], Stumble)
    assert (floor.now(waiting).state, placements(floor)) == (OrderState.QUEUED, 0)
    await floor.send()
    assert placements(floor) == 1


async def test_without_room_under_the_limits_it_waits_for_its_turn(floor: Floor) -> None:
    limiter = Limiter([Window(1, 3_600)])
    limiter.remember([1.0])
    dispatcher = floor.another_dispatcher(limiter=limiter)
    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        order = await dispatcher.send_with(due_now(floor), tasks, asyncio.Event(), floor.epoch)
    assert (floor.now(order).state, placements(floor)) == (OrderState.QUEUED, 0)


def opening_in(seconds: float) -> Limiter:
    """It has room for one call, that long from now."""
    limiter = Limiter([Window(1, 10)])
    limiter.remember([10.01 - seconds + LEFT_LATER])
    return limiter


async def test_with_room_in_a_moment_it_is_claimed_and_leaves_by_itself_once_there_is_room(floor: Floor) -> None:
    limiter = opening_in(AHEAD / 2)
    opens = monotonic() + limiter.room_in()
    dispatcher = floor.another_dispatcher(limiter=limiter)
    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        order = await dispatcher.send_with(due_now(floor), tasks, asyncio.Event(), floor.epoch)
        assert floor.now(order).state is not OrderState.QUEUED
    assert (floor.now(order).state, placements(floor)) == (OrderState.WORKING, 1)
    assert monotonic() >= opens


async def test_with_room_later_than_that_it_is_left_in_the_queue(floor: Floor) -> None:
    dispatcher = floor.another_dispatcher(limiter=opening_in(10))
    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        order = await dispatcher.send_with(due_now(floor), tasks, asyncio.Event(), floor.epoch)
    assert floor.now(order).state is OrderState.QUEUED


async def test_no_more_are_claimed_than_there_is_room_for(floor: Floor) -> None:
    dispatcher = floor.another_dispatcher(limiter=Limiter([Window(2, 3_600)]))
    waiting = [floor.order() for _ in range(4)]
    floor.keep_lease()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        await dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)
    assert [floor.now(order).state for order in waiting].count(OrderState.QUEUED) == 2
    assert placements(floor) == 2


async def test_what_is_claimed_together_leaves_in_its_order_with_exits_first(floor: Floor) -> None:
    limiter, left = Limiter([Window(10, 10)]), list[int]()
    dispatcher = floor.another_dispatcher(broker=NotesQuantities(floor.broker, left), limiter=limiter)
    for quantity in range(1, 11):
        floor.order(quantity=quantity, closes=quantity == 10)
    floor.keep_lease()

    def rest(_connection: Connection, _rules: Rules) -> None:
        floor.database.after_commit(lambda: limiter.rest(0.1))

    async with asyncio.TaskGroup() as tasks:
        await dispatcher.send_with(rest, tasks, asyncio.Event(), floor.epoch)
    assert left == [10, 1, 2, 3, 4, 5, 6, 7, 8, 9]


async def test_an_exit_passes_what_waits_for_room(floor: Floor) -> None:
    limiter, left = Limiter([Window(10, 10)]), list[int]()
    dispatcher = floor.another_dispatcher(broker=NotesQuantities(floor.broker, left), limiter=limiter)

    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        await dispatcher.send_with(
            due_with_a_rest(floor, limiter, 0.5, quantity=1), tasks, asyncio.Event(), floor.epoch
        )
        limiter.rest(0)
        await dispatcher.send_with(due_now(floor, quantity=2, closes=True), tasks, asyncio.Event(), floor.epoch)
    assert left == [2, 1]


class NotesQuantities:
    """A broker that takes everything, and notes whose turn it was."""

    def __init__(self, broker: Broker, left: list[int]) -> None:
        self._broker = broker
        self._left = left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    async def place(self, request: OrderRequest) -> Accepted:
        self._left.append(request.quantity)
        return Accepted(order_id=str(len(self._left)))


async def pause(floor: Floor, _dispatcher: Dispatcher) -> None:
    with floor.database.transaction() as connection:
        controls.pause(connection, at=floor.clock.now(), actor="operator 42")


async def sign_out(floor: Floor, _dispatcher: Dispatcher) -> None:
    await floor.session.die("Dhan ended it.", floor.session.serial)


async def tell_to_end(_floor: Floor, dispatcher: Dispatcher) -> None:
    await dispatcher.finish(PATIENCE)


@pytest.mark.parametrize(
    ("meanwhile", "words"),
    [(pause, "operator 42"), (sign_out, "sign-in"), (tell_to_end, "told to end")],
    ids=["paused", "signed out", "told to end"],
)
async def test_a_claim_that_had_to_wait_is_not_sent_where_the_desk_was_stopped_meanwhile(
    floor: Floor, meanwhile: Callable[[Floor, Dispatcher], Awaitable[None]], words: str
) -> None:
    limiter = Limiter([Window(10, 10)])
    dispatcher = floor.another_dispatcher(limiter=limiter)

    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        made = await dispatcher.send_with(due_with_a_rest(floor, limiter, 0.3), tasks, asyncio.Event(), floor.epoch)
        assert floor.now(made).state is OrderState.SUBMITTING
        await meanwhile(floor, dispatcher)
    order, (attempt,) = floor.now(made), floor.attempts(made)
    assert (order.state, placements(floor)) == (OrderState.QUEUED, 0)
    assert words in order.reason
    assert (attempt.state, attempt.posts) == (AttemptState.NOT_SENT, 0)


async def test_a_claim_whose_room_others_took_goes_back_to_the_queue(floor: Floor) -> None:
    limiter = Limiter([Window(10, 10)])
    dispatcher = floor.another_dispatcher(limiter=limiter)

    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        made = await dispatcher.send_with(due_with_a_rest(floor, limiter, 3_600), tasks, asyncio.Event(), floor.epoch)
    order, (attempt,) = floor.now(made), floor.attempts(made)
    assert (order.state, placements(floor)) == (OrderState.QUEUED, 0)
    assert "others needed the room" in order.reason
    assert (attempt.state, attempt.posts) == (AttemptState.NOT_SENT, 0)
    limiter.rest(0)
    assert limiter.room_in() <= 0


async def test_an_order_that_is_not_claimed_after_all_takes_no_room(floor: Floor) -> None:
    dispatcher = floor.another_dispatcher(limiter=Limiter([Window(1, 3_600)]))
    late = floor.order(expires_at=floor.clock.now())
    for _ in range(2):
        floor.keep_lease()
        async with asyncio.TaskGroup() as tasks:
            await dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)
        good = floor.order()
    assert (floor.now(late).state, placements(floor)) == (OrderState.EXPIRED, 1)
    assert floor.now(good).state is OrderState.QUEUED


async def test_a_sale_that_dhan_is_asked_about_first_is_not_claimed_on_the_spot(floor: Floor) -> None:
    order = await send_with(floor, due_now(floor, side=Side.SELL, product=Product.DELIVERY))
    assert (order.state, placements(floor)) == (OrderState.AWAITING_APPROVAL, 0)


class AnswersWhenTold(DhanAccount):
    """Its holdings come once `told` is set."""

    def __init__(self, broker: Dhan, told: asyncio.Event) -> None:
        super().__init__(broker)
        self._told = told

    async def holdings(self) -> list[Holding]:
        await self._told.wait()
        return await super().holdings()


@asynccontextmanager
async def while_dhan_is_asked(floor: Floor, **parts: Any) -> AsyncGenerator[Callable[[asyncio.Event], Awaitable[None]]]:
    """What sends, while Dhan does not say what the account holds."""
    told = asyncio.Event()
    dispatcher = floor.another_dispatcher(account=AnswersWhenTold(floor.broker, told), **parts)
    floor.keep_lease()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        yield lambda wake: dispatcher.send_due(tasks, wake, floor.epoch)
        await dispatcher.finish(0)
        told.set()


async def test_sales_that_dhan_is_asked_about_keep_none_back_that_is_due_behind_them(floor: Floor) -> None:
    sales = [floor.order(side=Side.SELL, product=Product.DELIVERY) for _ in range(4)]
    behind = floor.order()
    async with while_dhan_is_asked(floor, limiter=Limiter([Window(1, 3_600)])) as send:
        for _ in sales:
            await send(asyncio.Event())
        await until(lambda: floor.now(behind).state is OrderState.WORKING)
        assert {floor.now(sale).state for sale in sales} == {OrderState.QUEUED}


async def test_what_is_due_behind_all_that_were_read_is_looked_at_in_a_moment(floor: Floor) -> None:
    """Those that Dhan is asked about take no room yet, so none of them has to wait for it, and none sets the alarm."""
    wake = asyncio.Event()
    for _ in range(4):
        floor.order(side=Side.SELL, product=Product.DELIVERY)
    behind = floor.order()
    async with while_dhan_is_asked(floor, limiter=Limiter([Window(1, 3_600)])) as send:
        await send(wake)
        while floor.now(behind).state is OrderState.QUEUED:
            await wake.wait()
            wake.clear()
            await send(wake)


async def test_an_exit_waits_for_no_exits_that_dhan_is_asked_about(floor: Floor) -> None:
    asked = [floor.order(closes=True, side=Side.SELL, product=Product.DELIVERY) for _ in range(AT_ONCE)]
    floor.clock.pass_time(seconds=60)
    async with while_dhan_is_asked(floor) as send:
        await send(asyncio.Event())
        behind = floor.order(closes=True)
        await send(asyncio.Event())
        await until(lambda: floor.now(behind).state is OrderState.WORKING)
        assert {floor.now(order).state for order in asked} == {OrderState.QUEUED}


async def test_under_a_hold_nothing_is_claimed_on_the_spot(floor: Floor) -> None:
    with floor.database.transaction() as connection:
        controls.pause(connection, at=floor.clock.now(), actor="test")
    order = await send_with(floor, due_now(floor))
    assert (order.state, placements(floor)) == (OrderState.QUEUED, 0)


async def test_an_order_that_brings_out_a_bug_costs_itself_and_no_other(floor: Floor) -> None:
    """Its name is taken by another order's attempt, which no database takes twice."""
    bad, good = floor.order(), floor.order()
    with floor.database.transaction() as connection:
        name = correlation_id(alerts.get(connection, bad.alert_id).uid, bad.position, 1)
        an_attempt(connection, an_order(connection, state=OrderState.REFUSED), AttemptState.NOT_SENT, name=name)
    await floor.send()
    assert (floor.now(good).state, len(floor.dhan.ledger()["orders"])) == (OrderState.WORKING, 1)
    asked = floor.now(bad)
    assert asked.state is OrderState.AWAITING_APPROVAL
    assert "The desk made a mistake over this order and did not send it." in asked.reason
    with floor.database.snapshot() as connection:
        assert rings(connection) == [Notice.NEEDS_OPERATOR]
