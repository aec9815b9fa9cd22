"""An exit that waited, while Dhan is slow or shows half of its book: it goes, or asks, and turns nothing round."""

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.broker.account import Position
from core.broker.dhan.account import DhanAccount
from core.broker.port import NOTHING_KNOWN, BrokerOrder, IncompleteBook, Said
from core.domain.alert import OrderType, Product
from tests.builders import an_alert
from tests.unit.engine.exiting import EXIT, SENT, approve, exit_that_waited, net, trade
from tests.unit.engine.floor import Floor


class SlowAccount(DhanAccount):
    """Never answers about holdings, and about positions only once it was asked for holdings, too."""

    def __init__(self, floor: Floor) -> None:
        super().__init__(floor.broker)
        self._is_asked = asyncio.Event()

    async def positions(self) -> list[Position]:
        await self._is_asked.wait()
        return await super().positions()

    async def holdings(self) -> list[Any]:
        self._is_asked.set()
        await asyncio.Event().wait()
        return []


class HalfBook:
    """The broker, but somebody else's entry cannot be read, nor can those of the orders in `hidden`."""

    def __init__(self, floor: Floor) -> None:
        self._broker = floor.broker
        self.hidden: set[str | None] = set()

    async def book(self, known: Mapping[str, Said] = NOTHING_KNOWN) -> list[BrokerOrder]:
        rows = await self._broker.book(known)
        raise IncompleteBook([row for row in rows if row.order_id not in self.hidden], ["X"])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)


def confirmed_exit(floor: Floor, units: int) -> int:
    """The alert of an exit of so many units."""
    with floor.database.transaction() as connection:
        return an_alert(connection, state="decided", body=json.dumps({"exit": {"net": units}})).id


async def send(floor: Floor, **parts: Any) -> None:
    floor.keep_lease()
    dispatcher = floor.another_dispatcher(**parts)
    async with asyncio.TaskGroup() as tasks:
        await dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)


async def test_positions_and_holdings_are_asked_for_at_once(floor: Floor) -> None:
    trade(floor, productType="CNC")
    order = exit_that_waited(floor, alert_id=confirmed_exit(floor, 10), product=Product.DELIVERY)
    await send(floor, account=SlowAccount(floor))
    assert floor.now(order).state is SENT


async def test_a_slice_whose_entry_cannot_be_read_may_still_fill(floor: Floor) -> None:
    trade(floor)
    alert, at, far = confirmed_exit(floor, 10), floor.clock.now(), Decimal("3000.0")
    resting = floor.order(**EXIT, alert_id=alert, quantity=6, approved_at=at, order_type=OrderType.LIMIT, price=far)
    behind = floor.order(**EXIT, alert_id=alert, quantity=4, approved_at=at)
    floor.clock.pass_time(minutes=5)
    half = HalfBook(floor)
    await send(floor, broker=half)
    approve(floor, floor.now(resting))
    await send(floor, broker=half)
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    trade(floor, "SELL", 4)
    half.hidden = {floor.now(resting).broker_order_id}
    floor.clock.pass_time(seconds=3)
    await send(floor, broker=half)
    assert floor.now(behind).state is not SENT
    assert net(floor) == 6
