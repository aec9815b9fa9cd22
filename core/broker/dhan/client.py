"""HTTP to Dhan: the product's one user of httpx, and the one place where its errors become ours.

Its transport alone, without the client above it: no redirects, no retries, no cookies, no proxies from the environment,
certificates always checked. It keeps connections warm, since a fresh TLS handshake costs more than the rest of an
order's way.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from core.clock import SystemClock, monotonic
from core.tls import trusted

TOTAL_SECONDS = 15.0
MOST_BYTES = 16 * 1024 * 1024
MOST_FILE_BYTES = 256 * 1024 * 1024
_IDLE_SECONDS = 50  # less than the 60 after which load balancers close: an order on a closed one has no known outcome
_MOST_IDLE = 20
_ONE_WARM = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_IDLE_SECONDS)
_TIMEOUT = httpx.Timeout(connect=3.0, write=3.0, read=10.0, pool=3.0).as_dict()
_ALWAYS = {"User-Agent": "Munshi", "Accept-Encoding": "gzip, deflate"}
_BEFORE_THE_FIRST_BYTE = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)


class CallFailed(Exception):
    """No reply to read. `sent` is False only where no byte of the request can have left."""

    def __init__(self, words: str, *, sent: bool) -> None:
        super().__init__(words)
        self.sent = sent


@dataclass(frozen=True)
class Reply:
    status: int
    text: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body with exact numbers, or None when it is not JSON."""
        try:
            return json.loads(self.text, parse_float=Decimal)
        except (ValueError, RecursionError):
            return None


class DhanClient:
    """Calls Dhan's hosts. Errors name the method and path, never the query or a header, which may hold secrets."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[httpx.AsyncHTTPTransport]] = defaultdict(list)
        self._wall = SystemClock()
        self._their_time: tuple[datetime, float] | None = None

    def clock_skew(self) -> timedelta | None:
        """How far this machine's clock is ahead of Dhan's, counted on from the Date of its last reply; None: unknown.

        A Date has whole seconds, and says nothing of the way back: good to about a second.
        """
        if self._their_time is None:
            return None
        date, tick = self._their_time
        return (self._wall.now() - date) - timedelta(seconds=monotonic() - tick)

    async def close(self) -> None:
        for lines in self._idle.values():
            while lines:
                await lines.pop().aclose()

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """One request, one reply. Raises CallFailed when there is none within the deadline."""
        content = None if body is None else json.dumps(body, default=float)
        kind = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": "application/json"})
        request = _request(method, url, headers={**kind, **(headers or {})}, query=query, content=content)
        with _our_words(request):
            async with asyncio.timeout(TOTAL_SECONDS):
                async with self._sent(request) as response:
                    self._note_date(response.headers.get("Date"))
                    return Reply(response.status_code, await _read(response))
        raise AssertionError("unreachable")

    def _note_date(self, header: str | None) -> None:
        try:
            date = parsedate_to_datetime(header or "")
        except (ValueError, OverflowError):
            return
        if date.tzinfo is not None:
            self._their_time = date, monotonic()

    async def has_reply(self, url: str) -> bool:
        """Whether anything answers there, for its Date; what it says does not matter."""
        try:
            await self.call("GET", url)
        except CallFailed:
            return False
        return True

    async def download(self, url: str, file: Path) -> None:
        """A large body, straight to `file`. Raises CallFailed."""
        request = _request("GET", url)
        with _our_words(request):
            async with self._sent(request) as response:
                if response.status_code != 200:
                    raise CallFailed(f"GET {request.url.path} answered {response.status_code}", sent=True)
                size = 0
                with file.open("wb") as target:
                    async for piece in response.aiter_bytes():
                        size += len(piece)
                        if size > MOST_FILE_BYTES:
                            raise CallFailed(f"GET {request.url.path} has no end", sent=True)
                        target.write(piece)

    @asynccontextmanager
    async def _sent(self, request: httpx.Request) -> AsyncGenerator[httpx.Response]:
        """The reply, while the block lasts.

        Each call has a line to the host for itself, the warmest one first: a pool of connections asks the system about
        each idle one, twice a call. A line on which a call failed is closed.
        """
        idle = self._idle[request.url.netloc.decode()]
        line = idle.pop() if idle else httpx.AsyncHTTPTransport(verify=trusted(), limits=_ONE_WARM, trust_env=False)
        is_good = False
        try:
            response = await line.handle_async_request(request)
            try:
                yield response
                is_good = True
            finally:
                await response.aclose()
        finally:
            if is_good and len(idle) < _MOST_IDLE:
                idle.append(line)
            else:
                await line.aclose()


def _request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    content: str | None = None,
) -> httpx.Request:
    return httpx.Request(
        method,
        url,
        headers={**_ALWAYS, **(headers or {})},
        params=query,
        content=content,
        extensions={"timeout": _TIMEOUT},
    )


async def _read(response: httpx.Response) -> str:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > MOST_BYTES:
            raise CallFailed("the reply is larger than any order book", sent=True)
        pieces.append(piece)
    return b"".join(pieces).decode("utf-8", errors="replace")


class _our_words:  # noqa: N801 - reads as a statement where it is used
    """Maps what httpx raises to CallFailed; everything else passes."""

    def __init__(self, request: httpx.Request) -> None:
        self._what = f"{request.method} {request.url.path}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise CallFailed(f"{self._what}: no complete reply within {TOTAL_SECONDS:.0f} s", sent=True) from None
        if isinstance(error, httpx.HTTPError | httpx.InvalidURL | httpx.StreamError):
            sent = not isinstance(error, _BEFORE_THE_FIRST_BYTE)
            raise CallFailed(f"{self._what}: {type(error).__name__}", sent=sent) from None
