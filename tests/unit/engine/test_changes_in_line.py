"""A change that ends while it waits for room under Dhan's limits: that is told once, and nothing more comes of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from core import changes, controls, journal
from core.domain.change import ChangeState
from core.domain.notice import Notice
from core.domain.order import Order
from core.engine.changer import Changer
from core.engine.limiter import Limiter, Window
from tests.builders import until
from tests.unit.engine.changing import CANCELLING, FAR, ask_cancel, ask_change, resting, states, told
from tests.unit.engine.floor import Floor


@asynccontextmanager
async def in_line(floor: Floor) -> AsyncGenerator[Order]:
    """An order whose new price waits for room; at the end there is room, and its turn comes."""
    order = await resting(floor)
    ask_change(floor, order, price=FAR + 10)
    limiter = Limiter([Window(2, 1)])
    changer = Changer(
        database=floor.database, broker=floor.broker, session=floor.session, clock=floor.clock, limiter=limiter
    )
    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        async with limiter.turn():
            await changer.send_due(tasks, floor.epoch)
            await until(lambda: limiter.room_in() > 0)
            yield floor.now(order)
        limiter.give_back()


async def test_new_terms_that_were_given_up_ring_no_second_time(floor: Floor) -> None:
    async with in_line(floor) as order:
        await floor.session.die("Invalid Token", floor.session.serial)
        with floor.database.transaction() as connection:
            changes.give_up_terms(connection, at=floor.clock.now())
    assert (floor.now(order).reason, states(floor)) == (changes.GIVEN_UP, [ChangeState.FAILED])
    assert told(floor).count(Notice.NOT_CHANGED) == 1


async def test_new_terms_that_a_cancellation_overtook_do_not_undo_it_under_a_hold(floor: Floor) -> None:
    async with in_line(floor) as order:
        ask_cancel(floor, order)
        with floor.database.transaction() as connection:
            controls.pause(connection, at=floor.clock.now(), actor=journal.operator(42))
    assert (floor.now(order).state, states(floor)) == (CANCELLING, [ChangeState.FAILED, ChangeState.WANTED])
    assert told(floor) == []
