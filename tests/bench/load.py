"""The load: a small keep-alive HTTP client in a process of its own, cheaper than what it measures.

`python -m tests.bench.load` reads one `Load` as JSON per line of its input and writes one `Result` per line. Every
body differs from all others, so that no two are taken for copies. A request that gets no answer within PATIENCE, or
whose connection breaks, counts as failed.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import cast

import uvloop

PATIENCE = 20.0
PREFER = "Prefer: wait=0\r\n"
_numbers = count(time.time_ns())


@dataclass(frozen=True, kw_only=True)
class Load:
    """`connections` clients in a closed loop for `seconds`; with `once` each makes one request and that is all.

    They ask to be answered right after the commit, unless they are `patient`, as TradingView is.
    """

    port: int
    connections: int
    secret: str = "a-secret-of-the-benchmark"
    seconds: float = 1.0
    once: bool = False
    patient: bool = False


@dataclass(kw_only=True)
class Result:
    """Times in seconds. `statuses` counts the answers by HTTP status, `slowest` is the slowest of each.

    `began` is a monotonic instant; `latencies` are of all answers, sorted.
    """

    began: float = 0.0
    seconds: float = 0.0
    failed: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    @property
    def acks(self) -> int:
        return self.statuses.get("200", 0)

    @property
    def rate(self) -> float:
        return self.acks / self.seconds


def body(secret: str, mark: str) -> str:
    """An alert as TradingView sends Dhan's; `mark` makes it unlike any other."""
    leg = {
        "transactionType": "B",
        "orderType": "MKT",
        "quantity": "1",
        "exchange": "NSE",
        "symbol": "RELIANCE",
        "instrument": "EQ",
        "productType": "C",
        "sort_order": "1",
        "price": "0",
        "meta": {"interval": "5", "bar": mark},
    }
    return json.dumps({"secret": secret, "alertType": "multi_leg_order", "order_legs": [leg]})


class _Requests:
    """Finished bytes with a hole for the number."""

    def __init__(self, load: Load) -> None:
        width = len(str(next(_numbers)))
        before, after = body(load.secret, "@").split("@")
        length = len(before) + width + len(after)
        head = (
            f"POST /webhook HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"{'' if load.patient else PREFER}Content-Length: {length}\r\n\r\n"
        )
        self._before, self._after = (head + before).encode(), after.encode()

    def make(self) -> bytes:
        return b"%b%d%b" % (self._before, next(_numbers), self._after)


class _Client(asyncio.Protocol):
    """One connection. Sends the next request when the answer to the last one is complete."""

    def __init__(self, load: Load, requests: _Requests, result: Result, end: float) -> None:
        self._load, self._requests, self._result, self._end = load, requests, result, end
        self._received = b""
        self._sent_at: float | None = time.monotonic()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass
        if not self._load.once:
            self._sent_at = time.monotonic()
        transport.write(self._requests.make())

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        head, gap, rest = self._received.partition(b"\r\n\r\n")
        if not gap or len(rest) < _content_length(head):
            return
        now = time.monotonic()
        assert self._sent_at is not None
        latency = now - self._sent_at
        status = head[9:12].decode()
        self._result.latencies.append(latency)
        self._result.slowest[status] = max(latency, self._result.slowest.get(status, 0))
        self._result.statuses[status] = self._result.statuses.get(status, 0) + 1
        self._received = b""
        self._sent_at = None
        if self._load.once or now >= self._end:
            self._transport.close()
        else:
            self._sent_at = now
            self._transport.write(self._requests.make())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._sent_at is not None:
            self._result.failed += 1
        if not self.done.done():
            self.done.set_result(None)


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.index(b"content-length:") + len(b"content-length:")
    return int(lowered[at:].split(b"\r\n", 1)[0])


async def run(load: Load) -> Result:
    loop = asyncio.get_running_loop()
    result = Result()
    requests = _Requests(load)
    started = time.monotonic()
    clients = [_Client(load, requests, result, started + load.seconds) for _ in range(load.connections)]
    opened = await asyncio.gather(
        *(loop.create_connection(lambda client=client: client, "127.0.0.1", load.port) for client in clients),
        return_exceptions=True,
    )
    refused = [client for client, outcome in zip(clients, opened, strict=True) if isinstance(outcome, BaseException)]
    result.failed += len(refused)
    waiting = [client.done for client in clients if client not in refused]
    _, late = await asyncio.wait(waiting, timeout=load.seconds + PATIENCE)
    result.failed += len(late)
    result.began, result.seconds = started, time.monotonic() - started
    result.latencies.sort()
    return result


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            print(json.dumps(asdict(runner.run(run(Load(**json.loads(line)))))), flush=True)


if __name__ == "__main__":
    main()
