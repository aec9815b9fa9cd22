"""Listening for order updates. Each one only makes the desk read the book sooner; losing them costs a poll."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from core.broker.port import Broker
from core.clock import monotonic
from core.errors import BrokerUnavailable, SignInNeeded
from core.logins import Session

log = structlog.get_logger()

SIGNED_OUT_WAIT = 1.0
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
STEADY = 30.0
AT_ONCE = 2.0


class Updates(Protocol):
    async def follow(self, heard: Callable[[], None]) -> int:
        """Call `heard` for whatever comes, until the connection ends. Raises SignInNeeded, BrokerUnavailable."""
        ...


class Listener:
    """Keeps one connection. `heard` is called after every (re)connection too, for what was missed before it."""

    def __init__(self, *, updates: Updates, broker: Broker, session: Session, heard: Callable[[], None]) -> None:
        self._updates = updates
        self._broker = broker
        self._session = session
        self._heard = heard

    async def run(self) -> None:
        """Until cancelled."""
        wait = FIRST_WAIT
        while True:
            if not self._session.is_signed_in:
                await asyncio.sleep(SIGNED_OUT_WAIT)
                continue
            began = monotonic()
            await self._follow_once(began)
            wait = FIRST_WAIT if monotonic() - began > STEADY else min(wait * 2, LONGEST_WAIT)
            await asyncio.sleep(wait)

    async def _follow_once(self, began: float) -> None:
        serial = self._session.serial
        try:
            updates = await self._updates.follow(self._heard)
            if not updates and monotonic() - began < AT_ONCE:
                await self._broker.check_session()  # thrown out at once: that is how a dead token looks there
            log.info("order_updates_ended", updates=updates)
        except SignInNeeded as trouble:
            await self._session.die(str(trouble), serial)
        except BrokerUnavailable as trouble:
            log.warning("order_updates_unavailable", why=str(trouble))
