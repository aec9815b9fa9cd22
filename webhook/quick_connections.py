"""The connections where httptools is there: everywhere but on Windows."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from webhook.connections import Guarded

LARGEST_HEAD = 32 * 1024
_WORDS = b"The headers are too large."
_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_WORDS), _WORDS)
)


class GuardedHttpTools(Guarded, HttpToolsProtocol):
    """It has no limit of its own to what a head may hold."""

    _in_head = False
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD and not self.transport.is_closing():
                self.transport.write(_HEAD_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self.crowd.owes(self)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.crowd.paid(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.crowd.takes(self)
        super().on_response_complete()
