"""How soon a command in the chat is answered while alerts arrive, measured by the stand-in's own feed."""

import asyncio
import json
import time
from collections.abc import Generator
from datetime import UTC, datetime
from itertools import count
from math import ceil

import httpx

from tests.bench.ground import Ground
from tests.bench.product import SECRET, TRADING, Munshi
from tests.bench.table import Measured

ALERTS_A_SECOND = 64
COMMANDS = 60
BETWEEN = 0.3  # a person asks no faster; Telegram bears some 20 messages a second in a chat
PATIENCE = 10.0


def commands(ground: Ground) -> Generator[Measured]:
    munshi = ground.munshi()
    with munshi.broker(), munshi.web(), munshi.sandbox(), munshi.desk("tests.bench.desk", "console", "paced"):
        taken = sorted(asyncio.run(_ask_while_alerts_arrive(munshi)))
    p50, p99 = taken[len(taken) // 2], taken[ceil(len(taken) * 0.99) - 1]
    note = f"p50 {p50 * 1000:.0f} ms, {len(taken)} commands while {ALERTS_A_SECOND} alerts/s arrive"
    yield Measured(target="command-p99", values=[p99 * 1000], note=note)


async def _ask_while_alerts_arrive(munshi: Munshi) -> list[float]:
    async with asyncio.timeout(COMMANDS * PATIENCE), httpx.AsyncClient(trust_env=False) as http:
        heard: asyncio.Queue[float] = asyncio.Queue()
        listening = asyncio.create_task(_listen(http, munshi, heard))
        await heard.get()
        firing = asyncio.create_task(_fire(http, munshi))
        taken = [await _ask(http, munshi, heard) for _ in range(COMMANDS)]
        firing.cancel()
        listening.cancel()
        return taken


async def _listen(http: httpx.AsyncClient, munshi: Munshi, heard: asyncio.Queue[float]) -> None:
    """When the chat page hears of each answer, as the app of a person who waits for it; and once when it listens."""
    url = f"http://127.0.0.1:{munshi.sandbox_port}/chat/events"
    async with http.stream("GET", url, timeout=None) as page:
        heard.put_nowait(time.monotonic())
        kind = ""
        async for line in page.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data" and kind == "message" and "no real money" in value:
                heard.put_nowait(time.monotonic())


async def _ask(http: httpx.AsyncClient, munshi: Munshi, heard: asyncio.Queue[float]) -> float:
    """Seconds from the message until its first answer is on the page."""
    began = time.monotonic()
    await http.post(f"http://127.0.0.1:{munshi.sandbox_port}/telegram/sandbox/updates", json={"text": "/mode"})
    taken = await heard.get() - began
    await asyncio.sleep(BETWEEN)
    return taken


async def _fire(http: httpx.AsyncClient, munshi: Munshi) -> None:
    leg = {"transactionType": "B", "orderType": "MKT", "quantity": "1", "exchange": "NSE", "symbol": "RELIANCE"}
    leg |= {"instrument": "EQ", "productType": "C", "price": "0", "amoTime": "OPEN_30"}
    fired = TRADING.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    async with asyncio.TaskGroup() as tasks:
        for serial in count(1):
            body = {"secret": SECRET, "alertType": "multi_leg_order", "order_legs": [leg]}
            body |= {"meta": {"timenow": fired, "serial": serial, "at": datetime.now(UTC).isoformat()}}
            url, text = f"http://127.0.0.1:{munshi.port}/webhook", json.dumps(body)
            tasks.create_task(
                http.post(url, content=text, headers={"Content-Type": "application/json", "Prefer": "wait=0"})
            )
            await asyncio.sleep(1 / ALERTS_A_SECOND)
