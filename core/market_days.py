"""The calendar that decisions use: the bundled years, with the days that the operator told otherwise.

A change is asked for, confirmed by a tap, and then re-plans what waits; so does its end.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from types import MappingProxyType

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.clock import to_india
from core.db import alerts, overrides
from core.db.overrides import Change, Override
from core.domain.instrument import SegmentClass
from core.domain.notice import Notice
from core.domain.preflight import REMIND_AT
from core.domain.sessions import Calendar, Closed, Day, Trading, Unknown, spoken_day
from core.errors import Refusal
from core.replan import replan

WARN_BEFORE_THE_END = (5, 15, 45)
"""Days before the last day that the calendar knows."""
_MORNING_ENDS = time(9, 15)


_latest: dict[int, tuple[tuple[object, ...], Calendar]] = {}
"""The calendar as last put together, by the bundled one below it: it is asked for before every order."""


def in_force(connection: Connection, bundled: Calendar) -> Calendar:
    """The bundled calendar as changed by the operator. One small query while nothing changes."""
    state = overrides.state(connection)
    if state.count == 0:
        return bundled
    key = (connection.engine.url, state)
    known = _latest.get(id(bundled))
    if known is None or known[0] != key:
        fresh = changed(bundled, [override.change for override in overrides.in_force(connection)])
        known = _latest[id(bundled)] = key, fresh
    return known[1]


def changed(calendar: Calendar, changes: Iterable[Change]) -> Calendar:
    """The calendar with these days told otherwise; it covers what it then knows without a gap."""
    told = {
        (each, change.day): _day(change, calendar.usual_hours(each, change.day))
        for change in changes
        for each in change.market.classes
    }
    days = {**calendar.days, **told}
    until = calendar.covered_until
    while (SegmentClass.CASH, until + timedelta(days=1)) in days:
        until += timedelta(days=1)
    return replace(calendar, days=MappingProxyType(days), covered_until=until)


def _day(change: Change, usual: Trading | None) -> Day:
    if not change.is_open:
        return Closed(f"Closed by the operator ({change.reason})")
    if usual is None:
        return Unknown(f"The usual hours of {spoken_day(change.day)} {change.day.year} are not known.")
    return usual.at_special_hours(change.sessions) if change.sessions else usual


def ask(connection: Connection, changes: Sequence[Change], *, by: str, at: datetime) -> str:
    """Keep changes until a tap confirms them; returns the name that the tap must carry."""
    batch = secrets.token_urlsafe(9)
    overrides.ask(connection, batch, changes, by=by, at=at)
    return batch


def confirm(connection: Connection, batch: str, bundled: Calendar, *, by: str, at: datetime) -> list[str]:
    """Put changes in force and re-plan what waits; returns what changed and what moved. Raises Refusal."""
    found = overrides.confirm(connection, batch, at=at)
    if not found:
        raise Refusal("Nothing of this waits any more: it was confirmed before, or too much time has passed.")
    return _changed(connection, bundled, [in_words(each.change) for each in found], by=by, at=at)


def withdraw(connection: Connection, override_id: int, bundled: Calendar, *, by: str, at: datetime) -> list[str]:
    """Let the calendar's own word count again; returns what changed and what moved. Raises Refusal."""
    found = overrides.withdraw(connection, override_id, at=at)
    if found is None:
        raise Refusal(f"There is no change {override_id} in force; /calendar lists them.")
    return _changed(connection, bundled, [_ended(found)], by=by, at=at)


def expire(connection: Connection, bundled: Calendar, now: datetime) -> None:
    """Changes whose time is over end by themselves, and say so when something moved."""
    over = overrides.expire(connection, now)
    if not over:
        return
    told, *moved = _changed(connection, bundled, [_ended(each) for each in over], by=journal.DESK, at=now)
    if moved:
        notifications.ring(connection, Notice.CALENDAR, at=now, words=" ".join([told, *moved]))


def _changed(connection: Connection, bundled: Calendar, what: list[str], *, by: str, at: datetime) -> list[str]:
    words = " ".join(what)
    journal.append(connection, journal.Event(at=at, actor=by, kind="calendar changed", reason=words))
    return [words, *replan(connection, in_force(connection, bundled), at)]


def _ended(override: Override) -> str:
    return f"No longer in force: {in_words(override.change)}"


def in_words(change: Change) -> str:
    """Such as "Tue 1 Dec 2026, equity: closed (election)."."""
    hours = ", ".join(f"{span.opens:%H:%M}–{span.closes:%H:%M}" for span in change.sessions) or "the usual hours"
    what = f"open {hours}" if change.is_open else "closed"
    return f"{spoken_day(change.day)} {change.day.year}, {change.market}: {what} ({change.reason})."


def end_is_near(connection: Connection, calendar: Calendar, now: datetime) -> bool:
    """Whether the operator has not been warned yet, of a calendar that ends so soon.

    Said in the morning; in the last days as soon as the desk runs after it. Nobody is warned before the first alert.
    """
    stage = _stage(calendar, now)
    if stage is None or not _is_time_to_warn(stage, to_india(now).time()):
        return False
    told = controls.fetch(connection, _warned_key(calendar))
    return told["days"] > stage if told is not None else bool(alerts.recent(connection, 1))


def warn_of_the_end(connection: Connection, calendar: Calendar, now: datetime) -> None:
    """Ring 45, 15 and 5 days before the calendar ends, once each: from then on everything is asked about."""
    end = f"{spoken_day(calendar.covered_until)} {calendar.covered_until.year}"
    words = (
        f"The calendar ends on {end}. From then on no order goes by itself: each is held and asked about. "
        "Install a version with the next year's list, or tell single days with /calendar open."
    )
    controls.put(connection, _warned_key(calendar), {"days": _stage(calendar, now)}, at=now, actor=journal.DESK)
    notifications.ring(connection, Notice.CALENDAR, at=now, words=words)


def _is_time_to_warn(stage: int, clock: time) -> bool:
    return clock >= REMIND_AT and (clock < _MORNING_ENDS or stage == WARN_BEFORE_THE_END[0])


def _stage(calendar: Calendar, now: datetime) -> int | None:
    left = (calendar.covered_until - to_india(now).date()).days
    return next((days for days in WARN_BEFORE_THE_END if left <= days), None)


def _warned_key(calendar: Calendar) -> str:
    return f"calendar_end.{calendar.covered_until}"
