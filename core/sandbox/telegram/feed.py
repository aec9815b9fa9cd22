"""News for the chat page: who is looking at the chat hears of each change as it happens."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any


@dataclass(frozen=True)
class News:
    """`kind` is message, edit, delete, answer, delivered, commands …; `data` is what the page needs to show it."""

    chat_id: int | None
    kind: str
    data: Any


class Reader:
    """One open page's news since it began to read."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[News | None] = asyncio.Queue()

    async def drain(self, tick: float) -> AsyncIterator[News | None]:
        """Each piece of news; None every `tick` seconds of silence. Ends when the feed is closed."""
        while True:
            try:
                async with asyncio.timeout(tick):
                    news = await self.queue.get()
            except TimeoutError:
                yield None
                continue
            if news is None:
                return
            yield news


class Feed:
    def __init__(self) -> None:
        self._readers: set[Reader] = set()
        self._changes = count()
        self._since = secrets.token_hex(4)
        self.state = self._since
        """Differs whenever anything in the chat differs, also from those before a new start."""

    def publish(self, chat_id: int | None, kind: str, data: Any) -> None:
        self.state = f"{self._since}-{next(self._changes)}"
        for reader in self._readers:
            reader.queue.put_nowait(News(chat_id, kind, data))

    def close(self) -> None:
        """End every reading, so that the server can stop at once."""
        for reader in self._readers:
            reader.queue.put_nowait(None)

    @contextmanager
    def reading(self) -> Generator[Reader]:
        """A reader that misses nothing from here on."""
        reader = Reader()
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
