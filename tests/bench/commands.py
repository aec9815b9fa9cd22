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
        firing = asyncio.create_task(_fire(http, munshi))
        taken = [await _ask(http, munshi) for _ in range(COMMANDS)]
        firing.cancel()
        return taken


async def _ask(http: httpx.AsyncClient, munshi: Munshi) -> float:
    """Seconds from the message until its first answer stands in the chat."""
    url, chat = f"http://127.0.0.1:{munshi.sandbox_port}/telegram/sandbox", {"chat_id": 42, "latest": 40}
    began = time.monotonic()
    sent = (await http.post(f"{url}/updates", json={"text": "/mode"})).json()["message"]["message_id"]
    while True:
        listed = (await http.get(f"{url}/messages", params=chat)).json()["messages"]
        now = time.monotonic()
        if any("no real money" in m["text"] for m in listed if m["message_id"] > sent):
            break
        await asyncio.sleep(0.002)
    await asyncio.sleep(BETWEEN)
    return now - began


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
