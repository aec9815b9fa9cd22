"""Waiting for what the desk makes of an alert, so that the answer can say it. A courtesy: under load nobody waits."""

import asyncio
import contextlib

from core.clock import Clock, monotonic
from core.db.engine import Database
from core.errors import Unavailable
from core.reports import AlertReport, alert_reports

LOOK_EVERY = 0.01
RESTS = 4
"""Times as long as a look took it rests, so that looking leaves the machine to the desk that decides."""
MOST_WAITING = 32


class Outcomes:
    """One reader looks for all who wait."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._waiting: dict[int, list[asyncio.Future[AlertReport]]] = {}
        self._reports: dict[int, AlertReport] = {}
        self._someone = asyncio.Event()

    async def wait_for(self, alert_id: int, seconds: float) -> AlertReport | None:
        """The alert's report once it is settled, or as it stands after `seconds`; None when too many wait already."""
        if seconds <= 0 or len(self._waiting) >= MOST_WAITING:
            return None
        future: asyncio.Future[AlertReport] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(alert_id, []).append(future)
        self._someone.set()
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return self._reports.get(alert_id)
        finally:
            self._forget(alert_id, future)

    async def look(self) -> None:
        """Look for those who wait, until cancelled."""
        took = 0.0
        while True:
            await self._someone.wait()
            await asyncio.sleep(max(LOOK_EVERY, RESTS * took))
            began = monotonic()
            with contextlib.suppress(Unavailable):  # those who wait are answered from what is known
                self._reports = await self._read()
            for alert_id, report in self._reports.items():
                if report.is_settled:
                    self._settle(alert_id, report)
            took = monotonic() - began

    async def _read(self) -> dict[int, AlertReport]:
        wanted = list(self._waiting)
        return await self._database.read(lambda connection: alert_reports(connection, wanted, self._clock.now()))

    def _settle(self, alert_id: int, report: AlertReport) -> None:
        for future in self._waiting.get(alert_id, []):
            if not future.done():
                future.set_result(report)

    def _forget(self, alert_id: int, future: asyncio.Future[AlertReport]) -> None:
        futures = self._waiting[alert_id]
        futures.remove(future)
        if not futures:
            del self._waiting[alert_id]
        if not self._waiting:
            self._someone.clear()
