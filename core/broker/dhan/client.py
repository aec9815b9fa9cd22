"""HTTP to Dhan: one request, one reply, and the one place where a line's errors become ours."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from core.broker.dhan.json_list import entries
from core.broker.dhan.lines import LineFailed, Lines, Response, pieces, write_request
from core.clock import SystemClock, monotonic

TOTAL_SECONDS = 15.0
DOWNLOAD_SECONDS = 300.0
MOST_BYTES = 16 * 1024 * 1024
LONG = 64 * 1024
"""Characters that are read in a millisecond or two."""
ENTRIES_AT_A_TIME = 100
MOST_FILE_BYTES = 256 * 1024 * 1024


class CallFailed(Exception):
    """No reply to read. `sent` is False only where no byte of the request can have left."""

    def __init__(self, words: str, *, sent: bool) -> None:
        super().__init__(words)
        self.sent = sent


class NotServed(CallFailed):
    """The host answered, and the same call soon again would not change the answer."""


@dataclass(frozen=True)
class Reply:
    status: int
    text: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body with exact numbers, or None when it is not JSON. Read once, and not to be changed."""
        return self._body

    @cached_property
    def _body(self) -> Any:
        try:
            return json.loads(self.text, parse_float=Decimal)
        except (ValueError, RecursionError):
            return None

    async def read_by_and_by(self) -> None:
        """A long list, so that orders may go out meanwhile; `json` has it then."""
        found: list[Any] = []
        try:
            for entry in entries(self.text):
                found.append(entry)
                if len(found) % ENTRIES_AT_A_TIME == 0:
                    await asyncio.sleep(0)
        except (ValueError, RecursionError):
            return  # no list, or a damaged one: `json` says which
        vars(self)["_body"] = found


class DhanClient:
    """Calls Dhan's hosts. Errors name the method and path, never the query or a header, which may hold secrets."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._wall = SystemClock()
        self._noted = ""
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
        await self._lines.close()

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
        content = "" if body is None else json.dumps(body, default=float)
        kind = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": "application/json"})
        with _our_words(method, url, TOTAL_SECONDS):
            request = write_request(method, url, headers={**kind, **(headers or {})}, query=query, content=content)
            async with asyncio.timeout(TOTAL_SECONDS), self._lines.reply_to(request) as response:
                self._note_date(response.header(b"date"))
                reply = Reply(response.status, await _read(response))
        if len(reply.text) > LONG:
            await reply.read_by_and_by()
        return reply

    def _note_date(self, written: str) -> None:
        if written != self._noted:  # as soon as its second begins
            self._noted = written
            try:
                date = parsedate_to_datetime(written)
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
        """A large body, straight to `file`. Raises CallFailed; NotServed where the host does not give it, or not
        within its deadline: over a slow line each try would take as long, beside the orders.
        """
        with _our_words("GET", url, DOWNLOAD_SECONDS, late=NotServed):
            request = write_request("GET", url)
            async with asyncio.timeout(DOWNLOAD_SECONDS), self._lines.reply_to(request) as response:
                if response.status != 200:
                    failure = NotServed if 300 <= response.status < 500 else CallFailed
                    raise failure(f"GET {_path(url)} answered {response.status}", sent=True)
                size = 0
                with file.open("wb") as target:
                    async for piece in pieces(response):
                        size += len(piece)
                        if size > MOST_FILE_BYTES:
                            raise NotServed(f"GET {_path(url)} has no end", sent=True)
                        target.write(piece)


def _path(url: str) -> str:
    """Without the query, whatever the rest looks like, and without the slash that makes it a command in Telegram."""
    return url.partition("?")[0].partition("://")[2].partition("/")[2]


async def _read(response: Response) -> str:
    body: list[bytes] = []
    size = 0
    async for piece in pieces(response):
        size += len(piece)
        if size > MOST_BYTES:
            raise CallFailed("the reply is larger than any order book", sent=True)
        body.append(piece)
    return b"".join(body).decode("utf-8", errors="replace")


class _our_words:  # noqa: N801 - reads as a statement where it is used
    """Maps what a line raises to CallFailed, and the deadline's end to `late`; everything else passes."""

    def __init__(self, method: str, url: str, seconds: float, *, late: type[CallFailed] = CallFailed) -> None:
        self._method = method
        self._url = url
        self._seconds = seconds
        self._late = late

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        what = f"{self._method} {_path(self._url)}"
        if isinstance(error, TimeoutError):
            raise self._late(f"{what}: no complete reply within {self._seconds:.0f} s", sent=True) from None
        if isinstance(error, LineFailed):
            raise CallFailed(f"{what}: {error}", sent=error.sent) from None
