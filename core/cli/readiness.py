"""Asking our own servers whether they are there."""

import asyncio
import http.client
import json
from urllib.parse import urlsplit

from core.clock import monotonic

POLL = 0.05  # seconds
PATIENCE = 2.0  # seconds for one answer


async def wait_for_page(url: str, *, seconds: float, good: frozenset[int]) -> bytes | None:
    """The body of the first answer with a `good` status, or None if there is none in that time."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        answer = await asyncio.to_thread(_get, url)
        if answer and answer[0] in good:
            return answer[1]
        await asyncio.sleep(POLL)
    return None


def reasons(ready: bytes) -> list[str]:
    """Why `/ready` says no, in its own words."""
    return [str(reason) for reason in json.loads(ready).get("reasons", [])]


def _get(url: str) -> tuple[int, bytes] | None:
    """Status and body; None when nobody answers in HTTP. Never through a proxy: these are our own servers."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)
    try:
        connection.request("GET", address.path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
