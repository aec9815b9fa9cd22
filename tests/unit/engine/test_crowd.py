"""Orders that Dhan's limits keep back for long are told once; short waits, and room for exits, are no news."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from core.db.tables import outbox
from core.domain.alert import Side
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.engine.limiter import Limiter, Window
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import rings

ONE_AN_HOUR = Window(2, 3_600, reserve=1)
A_MINUTE_OLD_CALLS = (60.0,)


def full(window: Window) -> Limiter:
    """One whose last order call but the reserve was made a minute ago."""
    limiter = Limiter([window])
    limiter.remember(A_MINUTE_OLD_CALLS)
    return limiter


async def send(floor: Floor, limiter: Limiter) -> None:
    dispatcher = floor.another_dispatcher(limiter=limiter)
    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        await dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)


def told(floor: Floor) -> list[Notice]:
    with floor.database.snapshot() as connection:
        return rings(connection)


def words(floor: Floor) -> str:
    with floor.database.snapshot() as connection:
        return connection.execute(select(outbox.c.payload)).scalars().one()["words"]


@pytest.mark.parametrize("order", [{}, {"side": Side.SELL, "quantity": 1_000}])
async def test_an_order_that_has_to_wait_for_the_next_hour_is_told_once(floor: Floor, order: dict[str, Any]) -> None:
    waiting, limiter = floor.order(**order), full(ONE_AN_HOUR)
    await send(floor, limiter)
    await send(floor, limiter)
    assert floor.now(waiting).state is OrderState.QUEUED
    assert told(floor) == [Notice.CROWDED]
    assert "Exits and cancellations have room of their own" in words(floor)


async def test_an_exit_that_has_to_wait_is_not_told_that_exits_go(floor: Floor) -> None:
    floor.order(closes=True)
    await send(floor, full(Window(1, 3_600)))
    assert "by itself from" in words(floor)
    assert "Exits" not in words(floor)


async def test_a_wait_within_the_minute_is_no_news(floor: Floor) -> None:
    floor.order()
    await send(floor, full(Window(2, 90, reserve=1)))
    assert told(floor) == []


async def test_an_exit_goes_by_what_is_kept_for_it(floor: Floor) -> None:
    leaving = floor.order(closes=True)
    await send(floor, full(ONE_AN_HOUR))
    assert floor.now(leaving).state is OrderState.WORKING
    assert told(floor) == []
