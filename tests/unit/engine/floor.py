"""The desk's sending side on real HTTP: session, broker and dispatcher in front of a stand-in."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.broker.dhan.account import DhanAccount
from core.broker.dhan.adapter import Dhan
from core.broker.dhan.client import DhanClient
from core.clock import SystemClock
from core.db import attempts, leases, orders
from core.db.attempts import Attempt
from core.db.engine import Database
from core.domain.order import Order
from core.engine.brakes import heed_address
from core.engine.changer import Changer
from core.engine.dispatch import Dispatcher
from core.engine.limiter import Limiter, Window
from core.engine.reconcile import Reconciler
from core.engine.resolve import Resolver
from core.logins import Session
from core.settings import Settings, load
from tests.builders import CALENDAR, an_order
from tests.integration.paper_dhan import HandClock, PaperDhan


@dataclass
class Floor:
    database: Database
    dhan: PaperDhan
    client: DhanClient
    session: Session
    broker: Dhan
    dispatcher: Dispatcher
    changer: Changer
    limiter: Limiter
    epoch: int

    @property
    def clock(self) -> HandClock:
        return self.dhan.clock

    def order(self, **values: Any) -> Order:
        with self.database.transaction() as connection:
            return an_order(connection, at=self.clock.now(), **values)

    def now(self, order: Order) -> Order:
        with self.database.snapshot() as connection:
            return orders.get(connection, order.id)

    def attempts(self, order: Order) -> list[Attempt]:
        with self.database.snapshot() as connection:
            return attempts.of_orders(connection, [order.id])

    async def sign_in(self) -> bool:
        """Keep the session; the test's own client uses its token too, since Dhan allows one."""
        kept = await self.session.keep()
        if kept:
            self.dhan.http.headers["access-token"] = self.session.token()
        return kept

    def another_dispatcher(self, **parts: Any) -> Dispatcher:
        """One that sends for this desk, with these parts in place of the usual ones."""
        usual = {
            "database": self.database,
            "broker": self.broker,
            "account": DhanAccount(self.broker),
            "session": self.session,
            "calendar": CALENDAR,
            "clock": self.clock,
            "limiter": Limiter([Window(1_000, 1)]),
        }
        return Dispatcher(**usual | parts)

    async def send(self) -> None:
        """Send what is due now, to its end, once the limits let it."""
        await self.limiter.wait_for_room()
        self.limiter.give_back()
        self.keep_lease()
        async with asyncio.TaskGroup() as tasks:
            await self.dispatcher.send_due(tasks, asyncio.Event(), self.epoch)

    async def send_changes(self) -> None:
        """Send the changes that are due now, to their end."""
        self.keep_lease()
        async with asyncio.TaskGroup() as tasks:
            await self.changer.send_due(tasks, self.epoch)

    async def sent(self, **values: Any) -> Order:
        order = self.order(**values)
        await self.send()
        return self.now(order)

    async def follow_book(self) -> list[Order]:
        return await Reconciler(database=self.database, broker=self.broker, clock=self.clock).follow_book()

    async def look_up(self) -> None:
        await self.resolver().look_up_due()

    def resolver(self, **parts: Any) -> Resolver:
        """With these parts in place of the usual ones."""
        usual = {"database": self.database, "broker": self.broker, "session": self.session, "clock": self.clock}
        return Resolver(**usual | parts)

    def keep_lease(self) -> None:
        at = SystemClock().now()
        with self.database.transaction() as connection:
            assert leases.acquire(connection, holder="this desk", nudge_port=1, at=at) == self.epoch


def settings_for(dhan: PaperDhan, folder: Path, **more: Any) -> Settings:
    urls = {
        "dhan_api_url": f"{dhan.http.base_url}/dhan/v2",
        "dhan_auth_url": f"{dhan.http.base_url}/dhan-login",
    }
    fresh = _fresh().model_copy(update={"munshi_data_dir": folder, **urls})
    return load(**fresh.model_dump(exclude_unset=True) | more) if more else fresh


@cache
def _fresh() -> Settings:
    """Read once: reading them takes as long as the rest of a test."""
    with TemporaryDirectory() as folder:
        return load(munshi_data_dir=Path(folder))


@asynccontextmanager
async def opened(database: Database, dhan: PaperDhan, folder: Path) -> AsyncGenerator[Floor]:
    client = DhanClient()
    settings = settings_for(dhan, folder)
    session = Session(database, client, settings, dhan.clock)
    broker = Dhan(
        client,
        url=settings.dhan_api,
        client_id=settings.client_id,
        token=session.token,
        address_refused=heed_address(database, dhan.clock),
    )
    limiter = Limiter([Window(1_000, 1)])
    dispatcher = Dispatcher(
        database=database,
        broker=broker,
        account=DhanAccount(broker),
        session=session,
        calendar=CALENDAR,
        clock=dhan.clock,
        limiter=limiter,
    )
    changer = Changer(database=database, broker=broker, session=session, clock=dhan.clock, limiter=limiter)
    with database.transaction() as connection:
        at = SystemClock().now()
        epoch = leases.acquire(connection, holder="this desk", nudge_port=1, at=at)
    assert epoch is not None
    yield Floor(database, dhan, client, session, broker, dispatcher, changer, limiter, epoch)
    await client.close()
