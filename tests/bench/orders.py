"""How soon an alert's order is read by the broker, against calling the broker directly with the same order.

The direct calls go to a second stand-in of the same make, through a long-lived httpx client.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager
from itertools import count
from statistics import median
from typing import Any

import httpx
from pyotp.totp import TOTP

from core.clock import PaperClock
from core.settings import PaperAccount
from tests.bench.ground import Ground
from tests.bench.product import Munshi
from tests.bench.table import Measured

A_ROUND = 20
AT_ONCE = 64
QUEUED, TEN_A_SECOND = 100, 10
PATIENCE = 30.0

ORDER = {
    "dhanClientId": PaperAccount.CLIENT_ID,
    "transactionType": "BUY",
    "exchangeSegment": "NSE_EQ",
    "productType": "CNC",
    "orderType": "MARKET",
    "validity": "DAY",
    "securityId": "2885",
    "quantity": 1,
    "disclosedQuantity": 0,
    "price": 0,
    "triggerPrice": 0,
    "afterMarketOrder": False,
}


class Broker:
    """A stand-in as the benchmark sees it: placed at directly, and asked when placements came."""

    def __init__(self, munshi: Munshi, http: httpx.AsyncClient) -> None:
        self._munshi, self._http = munshi, http
        self._names = count(1)

    async def sign_in(self) -> None:
        clock = PaperClock(self._munshi.data_dir / "clock.json")
        query = {
            "dhanClientId": PaperAccount.CLIENT_ID,
            "pin": PaperAccount.PIN,
            "totp": TOTP(PaperAccount.TOTP_SECRET).at(clock.now()),
        }
        reply = await self._http.post("/dhan-login/app/generateAccessToken", params=query)
        self._http.headers["access-token"] = reply.json()["accessToken"]

    async def lift_limits(self) -> None:
        await self.set_limits({})

    async def set_limits(self, allowed: dict[str, int]) -> None:
        (await self._http.post("/dhan/sandbox/limits", json=allowed)).raise_for_status()

    async def refusals(self) -> int:
        """Placements that did not become orders."""
        ledger = (await self._http.get("/dhan/sandbox/orders")).json()
        return ledger["placements"] - len(ledger["orders"])

    async def place(self) -> float:
        """Seconds that one order takes."""
        order: dict[str, Any] = ORDER | {"correlationId": f"direct-{next(self._names)}"}
        started = time.monotonic()
        reply = await self._http.post("/dhan/v2/orders", json=order)
        taken = time.monotonic() - started
        reply.raise_for_status()
        return taken

    async def placements(self, at_least: int, patience: float = PATIENCE, *, every: float = 0.02) -> list[float]:
        """When each was read, once so many were. Looks `every` so many seconds, each time for some two milliseconds of
        the machine that is measured.
        """
        times = await self._placements_after(0)
        async with asyncio.timeout(patience):
            while len(times) < at_least:
                await asyncio.sleep(every)
                times += await self._placements_after(len(times))
        return times

    async def _placements_after(self, known: int) -> list[float]:
        return (await self._http.get("/bench/placements", params={"after": known})).json()


@asynccontextmanager
async def calls_to(munshi: Munshi) -> AsyncGenerator[Broker]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{munshi.broker_port}", trust_env=False) as http:
        yield Broker(munshi, http)


def one_by_one(ground: Ground) -> Generator[Measured]:
    yield _measure(ground, "order", _one_by_one, "tests.bench.desk")


def with_console(ground: Ground) -> Generator[Measured]:
    yield _measure(ground, "order-console", _one_by_one, "tests.bench.desk", "console")


def all_at_once(ground: Ground) -> Generator[Measured]:
    yield _measure(ground, "orders-64", _all_at_once, "tests.bench.desk")


def drain(ground: Ground) -> Generator[Measured]:
    """A queue that waited, at Dhan's own limit of ten order calls a second; the wall clock counts, so one round."""
    munshi = ground.munshi()
    with munshi.broker(), munshi.web():
        ground.load(munshi.port, QUEUED, once=True)
        with munshi.desk("tests.bench.desk", "paced"):
            took, refused = asyncio.run(_watch_drain(munshi))
    theory = QUEUED / TEN_A_SECOND - 1
    yield Measured(target="drain", values=[took / theory], note=f"{QUEUED} orders: {took:.2f} s against {theory:.2f} s")
    yield Measured(target="drain-429", values=[refused])


async def _watch_drain(munshi: Munshi) -> tuple[float, int]:
    """Seconds from the first order to the last, and how many were refused. The limit is Dhan's own."""
    async with calls_to(munshi) as broker:
        times = await broker.placements(QUEUED)
        return times[-1] - times[0], await broker.refusals()


def _measure(ground: Ground, target: str, ways: Any, *desk: str) -> Measured:
    munshi, beside = ground.munshi(), ground.munshi()
    with ExitStack() as processes:
        for process in (munshi.broker(), beside.broker(), munshi.web(), munshi.sandbox()):
            processes.enter_context(process)
        processes.enter_context(munshi.desk(*desk))
        direct, ours = asyncio.run(_in_turns(ground, munshi, beside, ways))
    ratios = [our / its for its, our in zip(direct, ours, strict=True)]
    note = f"{median(ours) * 1000:.2f} ms against {median(direct) * 1000:.2f} ms"
    return Measured(target=target, values=ratios, note=note)


async def _in_turns(ground: Ground, munshi: Munshi, beside: Munshi, ways: Any) -> tuple[list[float], list[float]]:
    directly, through_us = ways
    async with calls_to(beside) as direct, calls_to(munshi) as watched:
        await direct.lift_limits()
        await watched.lift_limits()
        await direct.sign_in()
        await directly(direct)
        await through_us(ground, munshi, watched)
        its: list[float] = []
        ours: list[float] = []
        for _ in range(ground.rounds):
            its.append(await directly(direct))
            ours.append(await through_us(ground, munshi, watched))
    return its, ours


async def _directly_each(broker: Broker) -> float:
    return median([await broker.place() for _ in range(A_ROUND)])


async def _through_us_each(ground: Ground, munshi: Munshi, broker: Broker) -> float:
    before = len(await broker.placements(0))
    taken: list[float] = []
    for number in range(1, A_ROUND + 1):
        alert = await asyncio.to_thread(ground.load, munshi.port, 1, once=True, patient=True)
        times = await broker.placements(before + number)
        taken.append(times[-1] - alert.began)
    return median(taken)


async def _directly_in_a_row(broker: Broker) -> float:
    started = time.monotonic()
    for _ in range(AT_ONCE):
        await broker.place()
    return time.monotonic() - started


async def _through_us_together(ground: Ground, munshi: Munshi, broker: Broker) -> float:
    before = len(await broker.placements(0))
    alerts = await asyncio.to_thread(ground.load, munshi.port, AT_ONCE, once=True, patient=True)
    times = await broker.placements(before + AT_ONCE)
    return times[-1] - alerts.began


_one_by_one = (_directly_each, _through_us_each)
_all_at_once = (_directly_in_a_row, _through_us_together)
