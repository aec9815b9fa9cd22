"""A long queue against a broker that takes five hundred orders a second: the pace is the limit's, not the desk's.

The theoretical time is that of an even pace. A sender that needs no time of its own could have the first second's worth
out at once, and be a second earlier, which the note tells, too. The broker's ledger lies in memory where the machine
has files there: Dhan syncs nothing to the desk's disk.
"""

import asyncio
import secrets
from collections.abc import Generator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import insert

from core.db.alerts import source_id
from core.db.engine import Database
from core.db.tables import alerts, orders
from core.domain.alert import AlertState, AmoTime, Exchange, OrderType, Product, Side
from core.domain.instrument import Segment
from core.domain.order import Mode, OrderState
from tests.bench.ground import Ground
from tests.bench.orders import calls_to
from tests.bench.product import TRADING, Munshi
from tests.bench.table import Measured

DUE, A_SECOND = 10_000, 500
PATIENCE = 180.0
IN_MEMORY = Path("/dev/shm")


def drain_fast(ground: Ground) -> Generator[Measured]:
    """The queue is there before the desk starts; the wall clock counts, so one round."""
    munshi = ground.munshi()
    fill_queue(munshi, DUE)
    with TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as ledger, munshi.broker(ledger):
        asyncio.run(_limit(munshi))
        with munshi.desk("tests.bench.desk", f"a-second={A_SECOND}"):
            took, refused = asyncio.run(_watch(munshi))
    theory = (DUE - 1) / A_SECOND
    note = f"{DUE} orders: {took:.2f} s against {theory:.2f} s at an even pace, {theory - 1:.2f} s after a first burst"
    yield Measured(target="drain-500", values=[took / theory], note=note)
    yield Measured(target="drain-500-429", values=[refused])


def fill_queue(munshi: Munshi, count: int) -> None:
    """Rows as the desk's decisions leave them, due now: one share each of what the paper account can pay for."""
    with closing(Database(f"sqlite:///{munshi.database}")) as database, database.transaction() as connection:
        source = source_id(connection)
        ids = range(1, count + 1)
        connection.execute(insert(alerts), [_alert(number, source) for number in ids])
        connection.execute(insert(orders), [_order(number) for number in ids])


def _alert(number: int, source: int) -> dict[str, Any]:
    return {
        "id": number,
        "uid": secrets.token_hex(16),
        "source_id": source,
        "state": AlertState.DECIDED,
        "digest": secrets.token_hex(16),
        "body": "{}",
        "reason": "",
        "received_at": TRADING,
        "answered_at": TRADING,
        "decided_at": TRADING,
        "folded": 0,
        "card_version": 1,
    }


def _order(number: int) -> dict[str, Any]:
    return {
        "alert_id": number,
        "position": 1,
        "state": OrderState.QUEUED,
        "version": 1,
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "product": Product.DELIVERY,
        "exchange": Exchange.NSE,
        "symbol": "IDFCFIRSTB",
        "quantity": 1,
        "segment": Segment.NSE_EQ,
        "security_id": "11184",
        "tick": Decimal("0.01"),
        "has_derivatives": True,
        "mode": Mode.IMMEDIATE,
        "as_amo": False,
        "into_auction": False,
        "amo_time": AmoTime.OPEN_30,
        "release_at": TRADING,
        "reaches_exchange_at": TRADING,
        "expires_at": TRADING + timedelta(hours=4),
        "reason": "",
        "confirmed": False,
        "filled_quantity": 0,
        "created_at": TRADING,
        "updated_at": TRADING,
    }


async def _limit(munshi: Munshi) -> None:
    async with calls_to(munshi) as broker:
        await broker.set_limits({"second": A_SECOND})


async def _watch(munshi: Munshi) -> tuple[float, int]:
    async with calls_to(munshi) as broker:
        times = await broker.placements(DUE, PATIENCE, every=0.5)
        return times[-1] - times[0], await broker.refusals()
