"""Warm connections to Dhan's hosts, a call at a time on each: HTTP/1.1 as h11 speaks it, straight on asyncio.

A fresh TLS handshake costs more than the rest of an order's way, and a general client doubles what is left. No
redirects, no retries, no cookies, no proxies; certificates always checked. A request leaves in one piece.
"""

import asyncio
import select
import sys
import zlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, cast
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import h11

from core.clock import monotonic
from core.tls import trusted

_IDLE_SECONDS = 50  # less than the 60 after which load balancers close: an order on a closed one has no known outcome
_MOST_IDLE = 40
"""More than orders leave at once: a line that finds no place here is closed, and opened again."""
_CONNECT_SECONDS = 3.0
_SILENT_SECONDS = 10.0
_UNPACKED_AT_A_TIME = 1024 * 1024
"""Bytes. A few packed ones become a thousand times as many, and whoever reads them stops where they are too many."""
_ALWAYS = {"User-Agent": "Munshi", "Accept-Encoding": "gzip"}
_AS_IT_IS = "/%:@!$&'()*+,;=~"
_PORTS = {"http": 80, "https": 443}
_Pairs = tuple[tuple[str, str], ...]


class LineFailed(Exception):
    """No reply that can be read. `sent` is False only where no byte of the request can have left."""

    def __init__(self, words: str, *, sent: bool = True) -> None:
        super().__init__(words)
        self.sent = sent


class Origin(NamedTuple):
    host: str
    port: int
    is_safe: bool
    """Whether TLS is spoken there."""


@dataclass(frozen=True)
class Request:
    origin: Origin
    head: h11.Request
    body: bytes


def write_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    content: str = "",
) -> Request:
    """Raises LineFailed for what cannot be put into a request."""
    body = content.encode()
    length = {} if method == "GET" else {"Content-Length": str(len(body))}
    fields = {**_ALWAYS, **(headers or {}), **length}
    try:
        return Request(*_write_head(method, url, tuple((query or {}).items()), tuple(fields.items())), body)
    except (ValueError, h11.LocalProtocolError) as mistake:
        raise LineFailed(f"no request can say this ({type(mistake).__name__})", sent=False) from None


@lru_cache(maxsize=16)
def _write_head(method: str, url: str, query: _Pairs, fields: _Pairs) -> tuple[Origin, h11.Request]:
    """Kept, since the heads of a rush of orders differ in their length at most."""
    address = urlsplit(url)
    headers = (("Host", address.netloc.rpartition("@")[2]), *fields)
    written = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
    return _origin(address), h11.Request(method=method, target=_target(address, query), headers=written)


def _origin(url: SplitResult) -> Origin:
    """Raises ValueError for an address that is none of the web's."""
    if url.scheme not in _PORTS or not url.hostname:
        raise ValueError("no address of the web")
    url.hostname.encode("ascii")
    return Origin(url.hostname, url.port or _PORTS[url.scheme], url.scheme == "https")


def _target(url: SplitResult, query: _Pairs) -> bytes:
    asked = "&".join(filter(None, (url.query, urlencode(query, quote_via=quote))))
    return (quote(url.path or "/", safe=_AS_IT_IS) + (f"?{asked}" if asked else "")).encode("ascii")


class _Line(asyncio.Protocol):
    """One connection, and how far the talk on it is."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT)
        self._heard: asyncio.Future[None] | None = None
        self._is_open = self._is_idle = True
        self._idle_since = monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._is_idle:  # nobody asked for it, and the next reply would begin with it
            self.close()
            return
        self._http.receive_data(data)
        self._wake()

    def eof_received(self) -> None:
        if self._is_open:
            self._is_open = False
            self._http.receive_data(b"")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._is_open = False
        self._wake()

    def close(self) -> None:
        """At once: what has not left must not leave later."""
        self._is_open = False
        self._transport.abort()

    def is_usable(self) -> bool:
        """Whether another request may go: the host has kept still, and not for too long."""
        if not self._is_open or monotonic() - self._idle_since >= _IDLE_SECONDS:
            return False
        socket = self._transport.get_extra_info("socket")  # gone before TLS says that the connection is
        return socket is not None and socket.fileno() >= 0 and not _is_readable(socket.fileno())

    def send(self, request: Request) -> None:
        self._is_idle = False
        pieces = [self._http.send(request.head)]
        if request.body:
            pieces.append(self._http.send(h11.Data(data=request.body)))
        pieces.append(self._http.send(h11.EndOfMessage()))
        self._transport.write(b"".join(piece for piece in pieces if piece))

    async def reply(self) -> h11.Response:
        """Its head. Raises LineFailed."""
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Response):
                return event

    async def body(self) -> AsyncGenerator[bytes]:
        """As it comes. Raises LineFailed when it does not come to its end."""
        while not isinstance(event := await self._next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield event.data

    def rest(self) -> bool:
        """Wait for another request; False when it can take none."""
        is_done = self._http.our_state is self._http.their_state is h11.DONE
        if not self._is_open or not is_done or self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        self._is_idle, self._idle_since = True, monotonic()
        return True

    async def _next_event(self) -> h11.Event:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                words = "what came is no reply" if self._is_open else "the connection ended before the reply did"
                raise LineFailed(words) from None
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                raise LineFailed("the host wants to speak another protocol")
            await self._hear()

    async def _hear(self) -> None:
        """Until more has come."""
        if not self._is_open:
            raise LineFailed("the connection broke before the reply was complete")
        loop = asyncio.get_running_loop()
        self._heard = loop.create_future()
        too_long = loop.call_later(_SILENT_SECONDS, self._give_up)
        try:
            await self._heard
        finally:
            too_long.cancel()

    def _wake(self) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(None)

    def _give_up(self) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_exception(LineFailed(f"nothing came for {_SILENT_SECONDS:.0f} s"))


class Response:
    """`body` can be read while the line is held."""

    def __init__(self, head: h11.Response, body: AsyncGenerator[bytes]) -> None:
        self._head = head
        self.status = head.status_code
        self.body = body

    def header(self, name: bytes) -> str:
        """Its value by the name in small letters; empty when it is not there."""
        return next((value for known, value in self._head.headers if known == name), b"").decode("latin-1")


class Lines:
    """The warmest line of a host is used first. One whose reply was not read to its end is closed."""

    def __init__(self) -> None:
        self._idle: defaultdict[Origin, list[_Line]] = defaultdict(list)
        self._are_kept = True

    @asynccontextmanager
    async def reply_to(self, request: Request) -> AsyncGenerator[Response]:
        """Send it, once; the reply can be read while the block lasts. Raises LineFailed."""
        idle = self._idle[request.origin]
        line = _warmest(idle) or await _connect(request.origin)
        try:
            line.send(request)
            yield Response(await line.reply(), line.body())
        finally:
            if self._are_kept and len(idle) < _MOST_IDLE and line.rest():
                idle.append(line)
            else:
                line.close()

    async def close(self) -> None:
        """Keep no line any more, nor one that is in use until its call has ended."""
        self._are_kept = False
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        await asyncio.sleep(0)  # for the loop to let go of them


def _warmest(idle: list[_Line]) -> _Line | None:
    while idle:
        line = idle.pop()
        if line.is_usable():
            return line
        line.close()
    return None


async def _connect(origin: Origin) -> _Line:
    loop, safety = asyncio.get_running_loop(), trusted() if origin.is_safe else None
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, line = await loop.create_connection(
                _Line, origin.host, origin.port, ssl=safety, happy_eyeballs_delay=0.25
            )
    except (OSError, UnicodeError) as trouble:
        raise LineFailed(f"no connection ({type(trouble).__name__})", sent=False) from None
    return line


def _is_readable(socket: int) -> bool:
    """Whether something came that the loop has not read yet: a good-bye, of a host that is idle."""
    if sys.platform == "win32":
        return bool(select.select([socket], [], [], 0)[0])
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


async def pieces(response: Response) -> AsyncGenerator[bytes]:
    """The body, unpacked. Raises LineFailed, also for one that is packed in another way than was asked for."""
    packed = response.header(b"content-encoding").lower()
    if packed in ("", "identity"):
        async for piece in response.body:
            yield piece
        return
    if packed != "gzip":
        raise LineFailed("the reply is packed in a way that was not asked for")
    unpack, is_empty = zlib.decompressobj(zlib.MAX_WBITS | 16), True
    try:
        async for piece in response.body:
            is_empty, packed_still = False, piece
            while packed_still:
                yield unpack.decompress(packed_still, _UNPACKED_AT_A_TIME)
                packed_still = unpack.unconsumed_tail
            if unpack.unused_data:
                break
    except zlib.error:
        raise LineFailed("the reply cannot be unpacked") from None
    if unpack.unused_data or not (unpack.eof or is_empty):
        raise LineFailed("the reply does not end where its packing does")
