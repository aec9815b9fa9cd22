"""Telling the desk that there is something new: a datagram to the port in its lease. A hint: rows are the truth."""

import asyncio
import socket

import structlog

from core.clock import SystemClock
from core.db import leases
from core.db.engine import Database
from core.errors import Unavailable

log = structlog.get_logger()

LOOK_EVERY = 1.0
LOOK_FOR_DESK_EVERY = 0.2


class Nudger:
    """Knows where the desk listens, as of the last look at its lease."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wall = SystemClock()
        self._port: int | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    @property
    def desk_is_there(self) -> bool:
        """Whether a desk held the lease at the last look."""
        return self._port is not None

    def nudge(self) -> None:
        if self._port is not None:
            try:
                self._socket.sendto(b"!", ("127.0.0.1", self._port))
            except OSError as trouble:
                log.debug("nudge_lost", why=str(trouble))

    async def look(self) -> None:
        """Look at the lease now. Raises Unavailable."""
        lease = await self._database.read(leases.current)
        self._port = lease.nudge_port if lease and lease.expires_at > self._wall.now() else None

    async def watch_lease(self) -> None:
        """Look at the lease until cancelled."""
        while True:
            try:
                await self.look()
            except Unavailable as trouble:
                log.warning("lease_not_read", why=str(trouble))
            await asyncio.sleep(LOOK_EVERY if self.desk_is_there else LOOK_FOR_DESK_EVERY)

    def close(self) -> None:
        self._socket.close()


async def woken(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, at most so long; True when it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
