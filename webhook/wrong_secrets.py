"""Alerts turned away for their secret, told in the chat once a day: TradingView shows nobody what it was answered."""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from core import notifications
from core.clock import Clock
from core.db.engine import Database
from core.domain.notice import Notice
from core.errors import Unavailable

log = structlog.get_logger()

LOOK_EVERY = 1.0
ONE_DAY = timedelta(days=1)
_WORDS = (
    "An alert came with a wrong secret or without one, as TradingView's own words do, or at an address that no source "
    "has, and was turned away. If it is yours, correct it in TradingView: /alert writes the message, and "
    "`munshi secret` prints the secret. Others that come so within a day are not told."
)


class WrongSecrets:
    """Anybody can bring one about: so they cost at most one write a second, and ring at most once a day."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._came = False

    def note(self) -> None:
        self._came = True

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if not self._came:
                continue
            self._came = False  # before the write: another may come meanwhile
            try:
                await self._database.write(self._tell)
            except Unavailable as trouble:
                self._came = True
                log.warning("wrong_secret_not_told", why=str(trouble))

    def _tell(self, connection: Connection) -> None:
        now = self._clock.now()
        if not notifications.rang_lately(connection, Notice.TURNED_AWAY, now, within=ONE_DAY):
            notifications.ring(connection, Notice.TURNED_AWAY, at=now, words=_WORDS)
