"""Changes that would stay open for ever: of an order that left the book, by a clock set back, at the desk's end."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from core import journal
from core.clock import Moment, SystemClock
from core.db import changes as change_rows
from core.db import orders
from core.db.tables import changes as change_table
from core.domain.change import ChangeKind, ChangeState, Terms
from core.domain.order import OrderState
from core.engine import changer
from core.engine.limiter import Limiter, Window
from core.engine.reconcile import follow_all
from tests.patience import PATIENCE
from tests.unit.engine.changing import CANCELLED, FAR, ask_cancel, ask_change, resting, states
from tests.unit.engine.floor import Floor


@pytest.mark.parametrize("kind", ChangeKind)
async def test_a_change_of_an_order_whose_day_ended_is_settled_although_the_book_lacks_it(
    floor: Floor, kind: ChangeKind
) -> None:
    order = await resting(floor)
    answered = SystemClock().now()
    with floor.database.transaction() as connection:
        change_rows.add(connection, order.id, kind, Terms(price=FAR + 10), wanted_by="x")
        connection.execute(update(change_table).values(state=ChangeState.ANSWERED, answered_at=answered))
        orders.move(connection, order, OrderState.LAPSED, at=floor.clock.now(), actor=journal.DHAN, reason="Over.")
        follow_all(connection, [], Moment(now=floor.clock.now(), wall=SystemClock().now()))
    assert states(floor) == [ChangeState.FAILED]


async def test_a_clock_that_was_set_back_stalls_no_change(floor: Floor) -> None:
    order = await resting(floor)
    ask_cancel(floor, order)
    ahead = SystemClock().now() + timedelta(hours=1)
    with floor.database.transaction() as connection:
        connection.execute(update(change_table).values(due_at=ahead))
    await floor.send_changes()
    assert states(floor) == [ChangeState.ANSWERED]
    with floor.database.transaction() as connection:
        connection.execute(update(change_table).values(answered_at=ahead))
    await floor.follow_book()  # counts the answer as given now
    await floor.follow_book()
    assert (floor.now(order).state, states(floor)) == (CANCELLED, [ChangeState.DONE])


async def test_a_desk_that_is_told_to_stop_does_not_wait_for_room_under_the_limits(floor: Floor) -> None:
    order = await resting(floor)
    ask_change(floor, order, price=Decimal("1010.0"))
    limiter = Limiter([Window(1, 3_600)])
    limiter.remember([1])
    parts = {"broker": floor.broker, "session": floor.session, "clock": floor.clock, "limiter": limiter}
    sending = changer.Changer(database=floor.database, **parts)
    floor.keep_lease()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        await sending.send_due(tasks, floor.epoch)
        await sending.finish(within=0.05)
        await sending.send_due(tasks, floor.epoch)
    assert states(floor) == [ChangeState.WANTED]
