"""Keeping the instrument list fresh: once a day, in the background, the last good one staying in use.

Dhan makes the file early in the morning, at no published hour, so a day's list is fetched from 08:00 in India on.
"""

import asyncio
from datetime import date, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from core import controls, journal, notifications
from core.broker.dhan.client import CallFailed, DhanClient, NotServed
from core.broker.dhan.instruments import BadInstrumentFile, InstrumentList
from core.clock import Clock, monotonic, to_india
from core.db.driver import sqlite_driver
from core.db.engine import Database
from core.domain.notice import Notice

log = structlog.get_logger()

NEW_FROM = timedelta(hours=8)
AT_LEISURE, AT_LEISURE_AT_MOST = 600.0, 4 * 3600.0
SOON, SOON_AT_MOST = 2.0, 60.0
MOST_DOUBLINGS = 10
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
        self._failing: tuple[date, bool] | None = None
        """The list of which day, and whether by an outage."""

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
        if self._is_resting(day, is_there=is_there):
            return
        stored = await self._database.read(_day_of_list) if is_there else None
        if stored == day.isoformat():
            return
        try:
            await self._client.download(self._url, self._scratch)
            loaded = await asyncio.to_thread(self._listed.load, self._scratch, day)
        except (CallFailed, BadInstrumentFile, OSError, sqlite_driver().Error) as trouble:
            is_outage = isinstance(trouble, CallFailed) and not isinstance(trouble, NotServed)
            await self._failed(day, stored, str(trouble), is_outage=is_outage)
            return
        finally:
            self._scratch.unlink(missing_ok=True)
        self._failing = None
        await self._database.write(lambda c: self._note(c, day, loaded.rows))
        log.info("instruments_refreshed", rows=loaded.rows, skipped=loaded.skipped)

    def _is_resting(self, day: date, *, is_there: bool) -> bool:
        if self._failing is None or self._failing[0] != day:
            return False
        is_urgent = not is_there or self._failing[1]
        return monotonic() - self._failed_at < rest_after(self._failures, is_urgent=is_urgent)

    async def _failed(self, day: date, stored: str | None, why: str, *, is_outage: bool) -> None:
        failing = day, is_outage
        self._failures = self._failures + 1 if self._failing == failing else 1
        self._failing = failing
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


def rest_after(failures: int, *, is_urgent: bool) -> float:
    """Seconds from the last of so many failures to the next try for a day's list.

    Few while there is none, or Dhan cannot be reached; else more and more: the file is large, and one that was refused
    seldom changes.
    """
    first, most = (SOON, SOON_AT_MOST) if is_urgent else (AT_LEISURE, AT_LEISURE_AT_MOST)
    return min(first * 2 ** min(failures - 1, MOST_DOUBLINGS), most)


def _day_of_list(connection: Connection) -> str | None:
    stored = controls.fetch(connection, _KEY)
    return stored["day"] if stored else None
