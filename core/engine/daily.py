"""The two messages of every trading day: the readiness card at 08:45 and the summary at 18:00.

What was told last is a row. A card that was missed is told late while it is of use, a summary until the next one;
what comes too late is skipped, which leaves an event with the reason. A clock that is set back repeats nothing.
"""

from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection

from core import controls, day_report, journal, market_days, notifications
from core.clock import Clock, to_india
from core.db.engine import Database
from core.domain.instrument import SegmentClass
from core.domain.notice import Notice
from core.domain.readiness import Line
from core.domain.sessions import Calendar
from core.engine.checkup import Checkup

READINESS_AT, READINESS_ENDS = time(8, 45), time(15, 30)
SUMMARY_AT = time(18, 0)
_A_DAY = timedelta(days=1)
_ON_TIME = timedelta(minutes=5)
_READINESS = "daily.readiness"
_SUMMARY = "daily.summary"


class Daily:
    def __init__(self, *, database: Database, checkup: Checkup, calendar: Calendar, clock: Clock) -> None:
        self._database = database
        self._checkup = checkup
        self._calendar = calendar
        self._clock = clock

    async def tell_readiness_when_due(self) -> None:
        now = self._clock.now()
        if await self._database.read(lambda c: readiness_is_due(c, now)):
            day, india = _latest(now, READINESS_AT), to_india(now)
            may_open = await self._database.read(lambda c: may_trade(c, self._calendar, day))
            useful = may_open and day == india.date() and india.time() < READINESS_ENDS
            lines = await self._checkup.look() if useful else []
            await self._database.write(lambda c: tell_readiness(c, lines, now, may_open=may_open))

    async def tell_day_when_due(self) -> None:
        now = self._clock.now()
        if await self._database.read(lambda c: summary_is_due(c, now)):
            await self._database.write(lambda c: tell_day(c, self._calendar, now))


def may_trade(connection: Connection, bundled: Calendar, day: date) -> bool:
    """A trading day, or one of which nobody knows."""
    return market_days.in_force(connection, bundled).is_trading_day(SegmentClass.CASH, day) is not False


def readiness_is_due(connection: Connection, now: datetime) -> bool:
    return _is_due(connection, _READINESS, _latest(now, READINESS_AT))


def summary_is_due(connection: Connection, now: datetime) -> bool:
    return _is_due(connection, _SUMMARY, _latest(now, SUMMARY_AT))


def tell_readiness(connection: Connection, lines: list[Line], now: datetime, *, may_open: bool) -> None:
    """Ring with these lines, unless it is too late for them, or no trading day."""
    day = _latest(now, READINESS_AT)
    if not _is_due(connection, _READINESS, day) or _is_first(connection, _READINESS, day, now):
        return
    _mark(connection, _READINESS, day, now)
    if lines:
        notifications.ring(connection, Notice.READINESS, at=now, **card(lines, now, late=_is_late(now, READINESS_AT)))
    elif may_open:
        _skip(connection, "readiness card", day, now)


def card(lines: list[Line], now: datetime, *, late: bool = False) -> dict[str, Any]:
    """The facts of a readiness card."""
    rows = [{"light": line.light.value, "words": line.words, "cures": list(line.cures)} for line in lines]
    return {"looked_at": now.isoformat(), "late": late, "lines": rows}


def tell_day(connection: Connection, bundled: Calendar, now: datetime) -> None:
    """Ring with what the latest day brought; days before it are skipped."""
    day = _latest(now, SUMMARY_AT)
    if not _is_due(connection, _SUMMARY, day):
        return
    told = _told(connection, _SUMMARY)
    if _is_first(connection, _SUMMARY, day, now) or told is None:
        return
    _mark(connection, _SUMMARY, day, now)
    missed = (told + _A_DAY * count for count in range(1, min((day - told).days, 30)))
    for each in missed:
        if may_trade(connection, bundled, each):
            _skip(connection, "summary of the day", each, now)
    facts = day_report.report(connection, day)
    if may_trade(connection, bundled, day) or facts["alerts"] or facts["states"]:
        late = day != to_india(now).date() or _is_late(now, SUMMARY_AT)
        notifications.ring(connection, Notice.DAY, at=now, late=late, **facts)


def _latest(now: datetime, at: time) -> date:
    """The day whose time `at` has come last."""
    india = to_india(now)
    return india.date() if india.time() >= at else india.date() - _A_DAY


def _is_late(now: datetime, at: time) -> bool:
    india = to_india(now)
    return india - datetime.combine(india.date(), at, india.tzinfo) > _ON_TIME


def _told(connection: Connection, key: str) -> date | None:
    stored = controls.fetch(connection, key)
    return date.fromisoformat(stored["day"]) if stored else None


def _is_due(connection: Connection, key: str, day: date) -> bool:
    told = _told(connection, key)
    return told is None or told < day


def _is_first(connection: Connection, key: str, day: date, now: datetime) -> bool:
    """A desk that never ran before has nothing to catch up on; it begins with the next time."""
    if _told(connection, key) is not None:
        return False
    _mark(connection, key, day, now)
    return True


def _mark(connection: Connection, key: str, day: date, now: datetime) -> None:
    controls.put(connection, key, {"day": day.isoformat()}, at=now, actor=journal.DESK)


def _skip(connection: Connection, what: str, day: date, now: datetime) -> None:
    why = f"The desk was down at its time, and at {to_india(now):%H:%M} it came too late."
    event = journal.Event(at=now, actor=journal.DESK, kind=f"{what} skipped", reason=why, data={"day": day.isoformat()})
    journal.append(connection, event)
