"""Answers that break off: what a client sees when the line dies instead of the broker answering.

ASGI has no word for hanging up. `HangUpProtocol` is uvicorn's own HTTP protocol, which also puts a `hang_up` function
for the request's connection into the request's state; run the stand-in with `uvicorn.Config(http=HangUpProtocol)`.
"""

import asyncio
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol


class HangUpProtocol(AutoHTTPProtocol):
    def __init__(self, *, app_state: dict[str, Any], **rest: Any) -> None:
        self._transport: asyncio.BaseTransport | None = None
        super().__init__(app_state=app_state | {"hang_up": self._hang_up}, **rest)  # pyright: ignore[reportCallIssue]
        self.timeout_keep_alive = 75  # seconds, as web servers wait; uvicorn's 5 end a connection as it is taken again

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        super().connection_made(transport)

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()


class HangUp(Response):
    """No byte of an answer: the connection closes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        await _hang_up(scope, receive)


class Silence(Response):
    """Nothing, until the client gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        await _client_gone(receive)


class HalfReply(Response):
    """The headers promise the whole of `reply`, half of it comes, then the connection closes."""

    def __init__(self, reply: Response) -> None:
        super().__init__(status_code=reply.status_code)
        self._reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(self._reply.body)
        await _start(self._reply, send)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await _hang_up(scope, receive)


class Drip(Response):
    """All of `reply`, a byte at a time, over `seconds`."""

    def __init__(self, reply: Response, seconds: float) -> None:
        super().__init__(status_code=reply.status_code)
        self._reply = reply
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        body = bytes(self._reply.body)
        await _start(self._reply, send)
        for place in range(len(body)):
            await asyncio.sleep(self._seconds / len(body))
            await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _start(reply: Response, send: Send) -> None:
    await send({"type": "http.response.start", "status": reply.status_code, "headers": reply.raw_headers})


async def _hang_up(scope: Scope, receive: Receive) -> None:
    scope["state"]["hang_up"]()
    await _client_gone(receive)


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
