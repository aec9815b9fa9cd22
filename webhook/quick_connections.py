"""The connections where httptools is there: everywhere but on Windows."""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from webhook.connections import Guarded

LARGEST_HEAD = 32 * 1024
"""Bytes, of a head and of whatever else is no body."""
_WORDS = b"The headers are too large."
_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_WORDS), _WORDS)
)


class InOnePiece(asyncio.Transport):
    """Sends together what one turn of the loop writes: an answer's head and body are one system call, not two."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._pieces:
            self._loop.call_soon(self.flush)
        self._pieces.append(bytes(data))

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        self._pieces.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def flush(self) -> None:
        """Send what was written, not waiting for the end of the turn."""
        if self._pieces and not self._transport.is_closing():
            self._transport.write(b"".join(self._pieces))
        self._pieces.clear()


class GuardedHttpTools(Guarded, HttpToolsProtocol):
    """It has no limit of its own to what a head may hold, nor to what stands between and after the pieces of a body."""

    _in_head = False
    _beside_body = 0
    """Bytes of this request since the last ones of a body: a head, a chunk's extension, trailers."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.answers = InOnePiece(cast("asyncio.Transport", transport))
        super().connection_made(self.answers)

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > LARGEST_HEAD and not self.transport.is_closing():
            if self._in_head:
                self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head = True
        self.crowd.owes(self)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A trailer is dropped: it would stand among the headers, also among those that a proxy vouches for."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._beside_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside_body = 0
        self.crowd.paid(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.crowd.takes(self)
        self.answers.flush()
        super().on_response_complete()
