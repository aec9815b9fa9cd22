"""Connections that owe us bytes: for how long, how many, and whose turn it is to go.

Uvicorn waits for ever for a request that never ends, so a few hundred senders who say nothing would keep everybody out.
Here a request must have arrived a few seconds after its first byte, a connection must begin one in that time, and when
there are too many connections one goes for the newcomer: who has been idle after an answer for the longest, and where
nobody is, who has owed us bytes for the longest. Who sends at once is served.
"""

import asyncio
from typing import Any

import structlog

log = structlog.get_logger()

ARRIVE_WITHIN = 5.0
"""Seconds for a whole request, and for a connection to begin one. TradingView gives up after 3."""
TAKE_WITHIN = 10.0
"""Seconds for a sender to take an answer, and to begin another request after it."""
MOST_CONNECTIONS = 8_192
_FILES_BESIDE_THEM = 100


class Crowd:
    """The connections of one server, by when their time runs out; the first in each line goes first."""

    def __init__(
        self, *, arrive_within: float = ARRIVE_WITHIN, take_within: float = TAKE_WITHIN, most: int | None = None
    ) -> None:
        self.most = most or most_connections()
        self._arrive_within = arrive_within
        self._take_within = take_within
        self._owing: dict[Any, float] = {}
        self._taking: dict[Any, float] = {}
        self._watched = False
        self.sent_away = 0

    def enter(self, connection: Any) -> None:
        """A new connection, which is to send a request; where there are too many, another one goes for it."""
        self.owes(connection)
        if len(connection.connections) > self.most:
            self._send_away(next(iter(self._taking or self._owing)))
        if not self._watched:
            self._watched = True
            self._look_again(connection.loop)

    def owes(self, connection: Any) -> None:
        """A request began, or must begin."""
        self._owing.pop(connection, None)
        self._taking.pop(connection, None)
        self._owing[connection] = connection.loop.time() + self._arrive_within

    def paid(self, connection: Any) -> None:
        """The whole request is here: now it is we who owe an answer."""
        self._owing.pop(connection, None)

    def takes(self, connection: Any) -> None:
        """An answer was written, or waits to be taken."""
        self._taking.pop(connection, None)
        self._taking[connection] = connection.loop.time() + self._take_within

    def has_taken(self, connection: Any) -> None:
        """What waited has left, and there is more to come."""
        self._taking.pop(connection, None)

    def leave(self, connection: Any) -> None:
        self._owing.pop(connection, None)
        self._taking.pop(connection, None)

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(self._arrive_within / 10, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now, before = loop.time(), self.sent_away
        for line in (self._owing, self._taking):
            while line and (first := next(iter(line.items())))[1] <= now:
                self._send_away(first[0])
        if self.sent_away > before:
            log.info("silent_connections_closed", count=self.sent_away - before)
        self._look_again(loop)

    def _send_away(self, connection: Any) -> None:
        self.leave(connection)
        self.sent_away += 1
        connection.transport.abort()


def most_connections() -> int:
    """As many as this process may have files open, after asking the system for more."""
    try:
        import resource  # noqa: PLC0415 - Windows has none, and no such limit
    except ImportError:
        return MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _FILES_BESIDE_THEM
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft - _FILES_BESIDE_THEM)
