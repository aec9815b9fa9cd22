"""A host on the loopback that answers what a test wants, byte for byte."""

import asyncio
import re


class Host:
    """Answers, no request before `asked` are there at once."""

    def __init__(self) -> None:
        self.asked = 1
        self.start = b"HTTP/1.1 200 OK\r\n"
        self.answer = b"Content-Length: 2\r\n\r\n{}"
        self.hangs_up = False
        self.pieces = 0
        self.requests: list[bytes] = []
        self.connections: list[tuple[asyncio.Task[None] | None, asyncio.StreamWriter]] = []
        self._waiting: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append((asyncio.current_task(), writer))
        while request := await self._request(reader):
            self.requests.append(request)
            self._waiting.append(writer)
            if len(self._waiting) >= self.asked:
                for each in self._waiting:
                    each.write(self.start + self.answer)
                    if self.hangs_up:
                        each.close()
                self._waiting.clear()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        """The next one; empty when the other side hung up."""
        request = b""
        while not _is_whole(request):
            try:
                piece = await reader.read(65_536)
            except ConnectionResetError:
                return b""
            if not piece:
                return b""
            self.pieces += 1
            request += piece
        return request

    async def hang_up(self) -> None:
        for task, writer in self.connections:
            writer.close()
            if task:
                await task


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)
