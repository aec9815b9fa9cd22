"""Keeping the instrument list fresh: once a day, in the background, the last good one staying in use.

Dhan makes the file early in the morning, at no published hour, so a day's list is fetched from 08:00 in India on.
"""

import asyncio
from datetime import date, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from core import controls, journal, notifications
from core.broker.dhan.client import CallFailed, DhanClient
from core.broker.dhan.instruments import BadInstrumentFile, InstrumentList
from core.clock import Clock, monotonic, to_india
from core.db.driver import sqlite_driver
from core.db.engine import Database
from core.domain.notice import Notice

log = structlog.get_logger()

NEW_FROM = timedelta(hours=8)
AT_LEISURE, SOON_AT_MOST = 600.0, 60.0
_KEY, _TOLD, _TOLD_DAMAGE = "instruments", "instruments_trouble", "instruments_damage"


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
        self._failed_at = 0.0
        self._failures = 0

    @property
    def is_there(self) -> bool:
        return self._listed.is_there

    async def refresh_when_old(self) -> None:
        """Fetch the day's list unless it is here. A failure leaves the old one in use; it is told once a day, and so is
        a list that is damaged.
        """
        now = to_india(self._clock.now())
        day = (now - NEW_FROM).date()
        is_there, damage = self._listed.is_there, self._listed.damage
        if damage:
            words = (
                f"Dhan's instrument list is damaged on this machine ({damage}), so alerts wait. It is fetched anew now."
            )
            await self._database.write(lambda c: self._tell_once(c, _TOLD_DAMAGE, day, words))
        if self._failures and monotonic() - self._failed_at < self._rest(is_there):
            return
        stored = await self._database.read(_day_of_list) if is_there else None
        if stored == day.isoformat():
            return
        try:
            await self._client.download(self._url, self._scratch)
            loaded = await asyncio.to_thread(self._listed.load, self._scratch, day)
        except (CallFailed, BadInstrumentFile, OSError, sqlite_driver().Error) as trouble:
            await self._failed(day, stored, str(trouble))
            return
        finally:
            self._scratch.unlink(missing_ok=True)
        self._failures = 0
        await self._database.write(lambda c: self._note(c, day, loaded.rows))
        log.info("instruments_refreshed", rows=loaded.rows, skipped=loaded.skipped)

    def _rest(self, is_there: bool) -> float:
        """Seconds from a failure to the next try: few while there is no list, else more, for the file is large."""
        return AT_LEISURE if is_there else min(2.0**self._failures, SOON_AT_MOST)

    async def _failed(self, day: date, stored: str | None, why: str) -> None:
        self._failures += 1
        self._failed_at = monotonic()
        log.warning("instruments_not_refreshed", why=why)
        stays = f"The one of {stored} stays in use" if stored else "There is none, so alerts wait"
        words = f"Dhan's instrument list of {day} cannot be used: {why}. {stays}; it is tried again by itself."
        await self._database.write(lambda c: self._tell_once(c, _TOLD, day, words))

    def _tell_once(self, connection: Connection, key: str, day: date, words: str) -> None:
        told = controls.fetch(connection, key)
        if told is not None and told["day"] == day.isoformat():
            return
        controls.put(connection, key, {"day": day.isoformat()}, at=self._clock.now(), actor=journal.DESK)
        notifications.ring(connection, Notice.INSTRUMENTS, at=self._clock.now(), words=words)

    def _note(self, connection: Connection, day: date, rows: int) -> None:
        fact = {"day": day.isoformat(), "rows": rows}
        controls.put(connection, _KEY, fact, at=self._clock.now(), actor=journal.DESK)


def _day_of_list(connection: Connection) -> str | None:
    stored = controls.fetch(connection, _KEY)
    return stored["day"] if stored else None
