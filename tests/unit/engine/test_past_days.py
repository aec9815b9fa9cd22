"""How often the trade history is read for orders whose day is over, and when the operator is asked for lack of it."""

from collections.abc import Mapping
from datetime import date
from typing import cast

import pytest
from sqlalchemy import text

from core.broker.port import Broker, BrokerOrder, PastFill, Said
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine.reconcile import Reconciler
from core.errors import BrokerUnavailable
from tests.integration.paper_dhan import india
from tests.unit.engine.changing import ask_cancel, resting, told
from tests.unit.engine.floor import Floor


class History:
    """Dhan with its book, and a trade history that lacks the order or cannot be read."""

    def __init__(self, floor: Floor, *, is_readable: bool = True) -> None:
        self._broker = floor.broker
        self._is_readable = is_readable
        self.readings = 0

    async def book(self, known: Mapping[str, Said]) -> list[BrokerOrder]:
        return await self._broker.book(known)

    async def past_fills(self, since: date, until: date) -> dict[str, PastFill]:  # noqa: ARG002 - whichever days
        self.readings += 1
        if not self._is_readable:
            raise BrokerUnavailable("502")
        return {}


async def the_next_morning(floor: Floor, history: History) -> tuple[Reconciler, Order]:
    """At ten, with an order that nobody watched since it rested."""
    order = await resting(floor)
    floor.clock.instant = india("2026-11-26 10:00")
    await floor.sign_in()
    return Reconciler(database=floor.database, broker=cast("Broker", history), clock=floor.clock), order


async def follow_for(floor: Floor, reconciler: Reconciler, *, minutes: int) -> None:
    for _ in range(minutes):
        await reconciler.follow_book()
        floor.clock.pass_time(minutes=1)


async def test_the_history_is_read_once_an_hour_when_the_operator_was_asked(floor: Floor) -> None:
    history = History(floor)
    reconciler, order = await the_next_morning(floor, history)
    await follow_for(floor, reconciler, minutes=60)
    assert history.readings == 1
    assert told(floor) == [Notice.NEEDS_OPERATOR]
    await follow_for(floor, reconciler, minutes=1)
    assert history.readings == 2
    ask_cancel(floor, floor.now(order))
    await follow_for(floor, reconciler, minutes=1)
    assert (floor.now(order).state, history.readings) == (OrderState.CANCELLED, 3)


async def test_a_history_that_cannot_be_read_is_asked_for_an_hour_before_the_operator_is(floor: Floor) -> None:
    history = History(floor, is_readable=False)
    reconciler, order = await the_next_morning(floor, history)
    await follow_for(floor, reconciler, minutes=60)
    assert (floor.now(order).state, history.readings, told(floor)) == (OrderState.WORKING, 60, [])
    await follow_for(floor, reconciler, minutes=9)
    assert (history.readings, told(floor)) == (61, [Notice.NEEDS_OPERATOR])


async def test_what_the_operator_was_asked_about_is_closed_at_his_word_beside_a_history_that_cannot_be_read(
    floor: Floor,
) -> None:
    reconciler, order = await the_next_morning(floor, History(floor))
    await follow_for(floor, reconciler, minutes=1)
    ask_cancel(floor, floor.now(order))
    cannot_be_read = cast("Broker", History(floor, is_readable=False))
    await Reconciler(database=floor.database, broker=cannot_be_read, clock=floor.clock).follow_book()
    assert floor.now(order).state is OrderState.CANCELLED


async def test_what_is_closed_at_the_operators_word_claims_nothing_of_a_history_that_nobody_read(floor: Floor) -> None:
    reconciler, order = await the_next_morning(floor, History(floor, is_readable=False))
    await follow_for(floor, reconciler, minutes=62)
    ask_cancel(floor, floor.now(order))
    await follow_for(floor, reconciler, minutes=2)
    closed = floor.now(order)
    assert closed.state is OrderState.CANCELLED
    assert closed.reason.endswith("Dhan's trade history does not tell, its book showed 0 of 10 filled.")


@pytest.mark.sqlite("the bug is a trigger in its words")
async def test_an_order_whose_end_brings_out_a_bug_costs_no_other_and_rings_once(floor: Floor) -> None:
    odd, history = await resting(floor), History(floor)
    with floor.database.transaction() as connection:
        connection.execute(
            text(
                f"CREATE TRIGGER a_bug BEFORE UPDATE ON orders WHEN OLD.id = {odd.id} AND NEW.state = 'cancelled' "
                "BEGIN SELECT RAISE(ABORT, 'a bug of ours'); END"
            )
        )
    reconciler, other = await the_next_morning(floor, history)
    await follow_for(floor, reconciler, minutes=1)
    for order in (odd, other):
        ask_cancel(floor, floor.now(order))
    await follow_for(floor, reconciler, minutes=3)
    assert [floor.now(order).state for order in (odd, other)] == [OrderState.CANCELLING, OrderState.CANCELLED]
    assert told(floor) == [*[Notice.NEEDS_OPERATOR] * 2, Notice.NEEDS_OPERATOR, Notice.CANCELLED]
