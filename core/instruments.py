"""Keeping the instrument list fresh: once a day, in the background, the last good one staying in use."""

import asyncio
from datetime import date
from pathlib import Path

import structlog
from sqlalchemy import Connection

from core import controls, journal
from core.broker.dhan.client import CallFailed, DhanClient
from core.broker.dhan.instruments import BadInstrumentFile, InstrumentList
from core.clock import Clock, to_india
from core.db.engine import Database

log = structlog.get_logger()

_KEY = "instruments"


class InstrumentKeeper:
    def __init__(
        self, *, database: Database, client: DhanClient, listed: InstrumentList, url: str, scratch: Path, clock: Clock
    ) -> None:
        self._database = database
        self._client = client
        self._listed = listed
        self._url = url
        self._scratch = scratch
        self._clock = clock

    @property
    def is_there(self) -> bool:
        return self._listed.is_there

    async def refresh_when_old(self) -> None:
        """Fetch today's list unless it is here. A failure is logged and tried again at the next call."""
        today = to_india(self._clock.now()).date()
        if self._listed.is_there and await self._database.read(lambda c: _day_of_list(c) == today.isoformat()):
            return
        try:
            await self._client.download(self._url, self._scratch)
            loaded = await asyncio.to_thread(self._listed.load, self._scratch)
        except (CallFailed, BadInstrumentFile) as trouble:
            log.warning("instruments_not_refreshed", why=str(trouble))
            return
        finally:
            self._scratch.unlink(missing_ok=True)
        await self._database.write(lambda c: self._note(c, today, loaded.rows))
        log.info("instruments_refreshed", rows=loaded.rows, skipped=loaded.skipped)

    def _note(self, connection: Connection, day: date, rows: int) -> None:
        fact = {"day": day.isoformat(), "rows": rows}
        controls.put(connection, _KEY, fact, at=self._clock.now(), actor=journal.DESK)


def _day_of_list(connection: Connection) -> str | None:
    stored = controls.fetch(connection, _KEY)
    return stored["day"] if stored else None
