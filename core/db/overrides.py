"""Days that the operator told otherwise than the calendar: asked for, then confirmed by a tap, withdrawn in the end."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from core.db.statement import Statement
from core.db.tables import calendar_overrides as overrides
from core.domain.instrument import Market
from core.domain.sessions import Span

ASKED_FOR = timedelta(hours=1)
"""How long a change that nobody confirmed can still be confirmed."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one market does on one day: closed, open at `sessions`, or, with none, open at its usual hours.

    `expires_at`: from then on the calendar's own word counts again.
    """

    market: Market
    day: date
    is_open: bool
    sessions: tuple[Span, ...] = ()
    reason: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Override:
    """A change as stored. `batch` names the changes that one tap confirms."""

    id: int
    batch: str
    change: Change
    set_by: str
    set_at: datetime


_IN_FORCE = (overrides.c.confirmed_at.is_not(None), overrides.c.withdrawn_at.is_(None))
_STATE = Statement(select(func.count(), func.sum(overrides.c.id), func.max(overrides.c.confirmed_at)).where(*_IN_FORCE))
_OVER = Statement(
    select(overrides.c.id)
    .where(overrides.c.expires_at <= bindparam("now", type_=overrides.c.expires_at.type), *_IN_FORCE)
    .limit(1)
)
_COLUMNS = [overrides.c[name] for name in ("id", "batch", "set_by", "set_at")]
_CHANGE = [overrides.c[name] for name in ("market", "day", "hours", "reason", "expires_at")]


def ask(connection: Connection, batch: str, changes: Sequence[Change], *, by: str, at: datetime) -> None:
    """Store changes that wait for a tap."""
    rows = [
        {"batch": batch, "set_by": by, "set_at": at, "hours": _hours(change)}
        | {field.name: getattr(change, field.name) for field in fields(change) if field.name in _KEPT}
        for change in changes
    ]
    connection.execute(insert(overrides), rows)


_KEPT = {"market", "day", "reason", "expires_at"}


def confirm(connection: Connection, batch: str, *, at: datetime) -> list[Override]:
    """Put the batch in force, as far as it still waits and is in time; the newest word on a day replaces others."""
    waiting = (overrides.c.batch == batch, overrides.c.confirmed_at.is_(None), overrides.c.withdrawn_at.is_(None))
    in_time = (overrides.c.set_at > at - ASKED_FOR, overrides.c.expires_at > at)
    found = _read(connection, *waiting, *in_time)
    days = {(override.change.market, override.change.day) for override in found}
    before = [each.id for each in in_force(connection) if (each.change.market, each.change.day) in days]
    _withdraw(connection, at, overrides.c.id.in_(before))
    ids = [override.id for override in found]
    connection.execute(update(overrides).where(overrides.c.id.in_(ids)).values(confirmed_at=at))
    return found


def withdraw(connection: Connection, override_id: int, *, at: datetime) -> Override | None:
    """Take one back; None when there is none of that number in force."""
    found = _read(connection, overrides.c.id == override_id, *_IN_FORCE)
    _withdraw(connection, at, overrides.c.id.in_([override.id for override in found]))
    return found[0] if found else None


def expire(connection: Connection, now: datetime) -> list[Override]:
    """Withdraw those whose time is over; returns them."""
    over = _read(connection, overrides.c.expires_at <= now, *_IN_FORCE)
    _withdraw(connection, now, overrides.c.id.in_([override.id for override in over]))
    return over


def in_force(connection: Connection) -> list[Override]:
    """Oldest first."""
    return _read(connection, *_IN_FORCE)


@dataclass(frozen=True)
class State:
    """Differs whenever what is in force differs."""

    count: int
    ids: int | None
    newest: datetime | None


def state(connection: Connection) -> State:
    return State(*_STATE.rows(connection)[0])


def are_over(connection: Connection, now: datetime) -> bool:
    return bool(_OVER.rows(connection, {"now": now}))


def _withdraw(connection: Connection, at: datetime, *which: Any) -> None:
    still = overrides.c.withdrawn_at.is_(None)
    connection.execute(update(overrides).where(*which, still).values(withdrawn_at=at))


def _read(connection: Connection, *which: Any) -> list[Override]:
    query = select(*_COLUMNS, *_CHANGE).where(*which).order_by(overrides.c.id)
    return [_override(**row) for row in connection.execute(query).mappings()]


def _override(**row: Any) -> Override:
    own = {column.name: row.pop(column.name) for column in _COLUMNS}
    hours: list[list[str]] | None = row.pop("hours")["open"]
    sessions = tuple(Span(time.fromisoformat(opens), time.fromisoformat(closes)) for opens, closes in hours or ())
    return Override(**own, change=Change(**row, is_open=hours is not None, sessions=sessions))


def _hours(change: Change) -> dict[str, Any]:
    """Such as {"open": [["18:15", "19:15"]]}; an empty list for the usual hours, null for closed."""
    sessions = [[span.opens.isoformat("minutes"), span.closes.isoformat("minutes")] for span in change.sessions]
    return {"open": sessions if change.is_open else None}
