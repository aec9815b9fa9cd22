"""Many orders due at one moment: in their order, never faster than allowed, and none after its window."""

import asyncio
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from core.broker.port import Accepted, BrokerOrder, OrderRequest, PastFill
from core.clock import monotonic
from core.db import orders
from core.domain.notice import Notice
from core.domain.order import Mode, OrderState
from core.engine.limiter import Limiter, Window
from core.engine.timers import expire_overdue
from tests.builders import an_order
from tests.integration.paper_dhan import HandClock, india
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import rings

EVENING = india("2026-11-25 17:00")
PACE = (Window(50, 0.1), Window(250, 0.5))
_JITTER = 0.05  # seconds between being let through and leaving, on a busy machine


@dataclass
class TakesAll:
    """A broker that takes every order, each `seconds` after the one before by the desk's clock."""

    clock: HandClock
    seconds: float = 0
    names: list[int] = field(default_factory=list[int])
    at: list[float] = field(default_factory=list[float])

    async def place(self, request: OrderRequest) -> Accepted:
        self.names.append(request.quantity)
        self.at.append(monotonic())
        self.clock.pass_time(seconds=self.seconds)
        return Accepted(order_id=str(len(self.at)))

    async def find(self, correlation_id: str) -> BrokerOrder | None:
        raise AssertionError(f"nobody has to look for {correlation_id}")

    async def book(self) -> list[BrokerOrder]:
        return []

    async def past_fills(self, since: date, until: date) -> dict[str, PastFill]:
        raise AssertionError(f"nobody asks for {since} to {until}")

    async def check_session(self) -> None:
        return None


async def send_all(floor: Floor, broker: TakesAll, many: int, **values: Any) -> None:
    """Let orders be due together, numbered by their quantity, and send until none is left."""
    floor.clock.instant = EVENING
    facts = {"at": EVENING, "mode": Mode.QUEUE, "as_amo": True, "expires_at": india("2026-11-26 08:59")} | values
    with floor.database.transaction() as connection:
        for number in range(many):
            an_order(connection, quantity=number + 1, **facts)
    dispatcher = floor.another_dispatcher(broker=broker, limiter=Limiter(PACE))
    wake = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        while any(order.state is OrderState.QUEUED for order in in_queue(floor)):
            floor.keep_lease()
            await dispatcher.send_due(tasks, wake, floor.epoch)
            await asyncio.sleep(0.004)


def in_queue(floor: Floor) -> list[Any]:
    with floor.database.snapshot() as connection:
        return orders.due(connection, floor.clock.now(), 1)


@pytest.mark.fault("SC-06")
async def test_500_orders_due_at_once_go_in_their_order_and_within_the_limits(floor: Floor) -> None:
    broker = TakesAll(floor.clock)
    await send_all(floor, broker, 500)
    assert broker.names == list(range(1, 501))
    for window in PACE:
        later = broker.at[window.calls :]
        assert all(b - a >= window.seconds - _JITTER for a, b in zip(broker.at, later, strict=False))


@pytest.mark.fault("SC-06")
async def test_what_the_limits_do_not_let_out_in_time_expires_and_rings(floor: Floor) -> None:
    broker = TakesAll(floor.clock, seconds=1)
    await send_all(floor, broker, 60, expires_at=EVENING + timedelta(seconds=40))
    assert 35 <= len(broker.names) <= 40
    with floor.database.transaction() as connection:
        expire_overdue(connection, floor.clock.now())  # those that were claimed and did not leave
        assert rings(connection) == [Notice.EXPIRED] * (60 - len(broker.names))
