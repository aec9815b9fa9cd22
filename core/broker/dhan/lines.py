"""Warm connections to Dhan's hosts, a call at a time on each: below httpx, on the library that it is made of.

A fresh TLS handshake costs more than the rest of an order's way. No redirects, no retries, no cookies, no proxies;
certificates always checked. httpx builds a request, a response and a pool around each call, for half as much again, and
its pool asks the system about every idle connection, twice a call.
"""

import zlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import httpcore

from core.tls import trusted

_IDLE_SECONDS = 50  # less than the 60 after which load balancers close: an order on a closed one has no known outcome
_MOST_IDLE = 20
_TIMEOUT = {"connect": 3.0, "write": 3.0, "read": 10.0}
_ALWAYS = {"User-Agent": "Munshi", "Accept-Encoding": "gzip"}
_AS_IT_IS = "/%:@!$&'()*+,;=~"

ERRORS = (
    OSError,  # a fault of TLS after the handshake
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)
"""What goes wrong with a call."""
NOTHING_LEFT = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.UnsupportedProtocol)
"""Those before the first byte of the request."""


def write_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    content: str = "",
) -> httpcore.Request:
    """Raises httpcore.UnsupportedProtocol for what cannot be put into a request."""
    body = content.encode()
    length = {} if method == "GET" else {"Content-Length": str(len(body))}
    try:
        address = urlsplit(url)
        fields = {"Host": address.netloc.rpartition("@")[2], **_ALWAYS, **(headers or {}), **length}
        return httpcore.Request(
            method,
            _address(address, query or {}),
            headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in fields.items()],
            content=body,
            extensions={"timeout": _TIMEOUT},
        )
    except ValueError as mistake:
        raise httpcore.UnsupportedProtocol(type(mistake).__name__) from None


def _address(url: SplitResult, query: Mapping[str, str]) -> httpcore.URL:
    """Raises ValueError for one that is none of the web's."""
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("no address of the web")
    asked = "&".join(filter(None, (url.query, urlencode(query, quote_via=quote))))
    target = quote(url.path or "/", safe=_AS_IT_IS) + (f"?{asked}" if asked else "")
    return httpcore.URL(
        scheme=url.scheme, host=url.hostname.encode("ascii"), port=url.port, target=target.encode("ascii")
    )


class Lines:
    """The warmest line of a host is used first. One whose reply was not read to its end is closed."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[httpcore.AsyncHTTPConnection]] = defaultdict(list)

    @asynccontextmanager
    async def reply_to(self, request: httpcore.Request) -> AsyncGenerator[httpcore.Response]:
        """Send it, once; the reply can be read while the block lasts. Raises one of ERRORS."""
        idle = self._idle[str(request.url.origin)]
        line = await _warmest(idle) or httpcore.AsyncHTTPConnection(
            request.url.origin, ssl_context=trusted(), keepalive_expiry=_IDLE_SECONDS
        )
        try:
            response = await line.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        finally:
            if line.is_idle() and not line.is_closed() and len(idle) < _MOST_IDLE:
                idle.append(line)
            else:
                await line.aclose()

    async def close(self) -> None:
        for idle in self._idle.values():
            while idle:
                await idle.pop().aclose()


async def _warmest(idle: list[httpcore.AsyncHTTPConnection]) -> httpcore.AsyncHTTPConnection | None:
    while idle:
        line = idle.pop()
        if not line.has_expired():
            return line
        await line.aclose()
    return None


def header(response: httpcore.Response, name: bytes) -> str:
    """Its value; empty when it is not there."""
    return next((value for known, value in response.headers if known.lower() == name), b"").decode("latin-1")


async def pieces(response: httpcore.Response) -> AsyncGenerator[bytes]:
    """The body, unpacked. Raises one of ERRORS, also for one that is packed in another way than was asked for."""
    packed = header(response, b"content-encoding").lower()
    if packed in ("", "identity"):
        async for piece in response.aiter_stream():
            yield piece
        return
    if packed != "gzip":
        raise httpcore.RemoteProtocolError("the reply is packed in a way that was not asked for")
    unpack, is_empty = zlib.decompressobj(zlib.MAX_WBITS | 16), True
    try:
        async for piece in response.aiter_stream():
            is_empty = False
            yield unpack.decompress(piece)
    except zlib.error:
        raise httpcore.RemoteProtocolError("the reply cannot be unpacked") from None
    if unpack.unused_data or not (unpack.eof or is_empty):
        raise httpcore.RemoteProtocolError("the reply does not end where its packing does")
