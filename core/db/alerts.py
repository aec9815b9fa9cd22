"""Alerts in the database."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from core import journal
from core.db import sources
from core.db.statement import Statement
from core.db.tables import alerts
from core.db.tables import sources as source_rows
from core.domain.alert import AlertState
from core.domain.source import Source

FRESH = {"folded": 0, "card_version": 1}
"""What every new alert's row begins with, wherever it comes from."""


@dataclass(frozen=True, kw_only=True)
class StoredAlert:
    """An alert as stored, with its source: its body without the secret, and `reason` when it was refused."""

    id: int
    uid: str
    source_id: int
    state: AlertState
    body: str
    reason: str
    received_at: datetime
    fired_at: datetime | None
    repeat_of: int | None
    folded: int
    card_version: int
    source: Source = field(default_factory=Source)


_NAMES = [each.name for each in fields(StoredAlert) if each.name != "source"]
_STORED = select(*(alerts.c[name] for name in _NAMES), *sources.COLUMNS).join_from(
    alerts, source_rows, source_rows.c.id == alerts.c.source_id
)
_SOME = Statement(_STORED.where(alerts.c.id.in_(bindparam("ids", expanding=True))).order_by(alerts.c.id))
_WAITING_REPEATS = Statement(
    select(alerts.c.id)
    .where(alerts.c.repeat_of == bindparam("first_id"), alerts.c.state == AlertState.REPEAT)
    .order_by(alerts.c.id)
)
_UNDECIDED = Statement(
    _STORED.where(alerts.c.state == AlertState.RECEIVED).order_by(alerts.c.id).limit(bindparam("most"))
)
_DECIDE = Statement(
    update(alerts)
    .where(alerts.c.id == bindparam("alert_id"), alerts.c.state == AlertState.RECEIVED)
    .values(card_version=alerts.c.card_version + 1)
)
_ORIGINS = Statement(
    select(alerts.c.id, alerts.c.uid, *sources.COLUMNS)
    .join_from(alerts, source_rows, source_rows.c.id == alerts.c.source_id)
    .where(alerts.c.id.in_(bindparam("alert_ids", expanding=True)))
)
_COUNT_UNDECIDED = Statement(select(func.count()).select_from(alerts).where(alerts.c.state == AlertState.RECEIVED))


def get(connection: Connection, alert_id: int) -> StoredAlert | None:
    return next(iter(some(connection, [alert_id])), None)


def some(connection: Connection, alert_ids: Iterable[int]) -> list[StoredAlert]:
    return [_stored(row) for row in _SOME.rows(connection, {"ids": list(alert_ids)})]


def undecided(connection: Connection, limit: int) -> list[StoredAlert]:
    """Alerts that the desk has not looked at, oldest first."""
    return [_stored(row) for row in _UNDECIDED.rows(connection, {"most": limit})]


def recent(connection: Connection, limit: int) -> list[StoredAlert]:
    return [_stored(row) for row in connection.execute(_STORED.order_by(alerts.c.id.desc()).limit(limit))]


def _stored(row: Sequence[Any]) -> StoredAlert:
    own = len(_NAMES)
    return StoredAlert(**dict(zip(_NAMES, row[:own], strict=True)), source=sources.source_of(row[own:]))


def waiting_repeats(connection: Connection, first_id: int) -> list[int]:
    """Identical alerts that wait for a tap, oldest first."""
    return [repeat for (repeat,) in _WAITING_REPEATS.rows(connection, {"first_id": first_id})]


def decided(connection: Connection, alert: StoredAlert, state: AlertState, *, at: datetime, reason: str) -> None:
    """The desk has made up its mind about a received alert. Its cards, which are new, are due already."""
    _DECIDE.run(connection, {"alert_id": alert.id, "state": state, "reason": reason, "decided_at": at})
    decision = journal.Event(
        at=at,
        alert_id=alert.id,
        actor=journal.DESK,
        kind="decision",
        before=alert.state,
        after=state,
        reason=reason,
    )
    journal.append_all(connection, [decision])


def execute_repeat(connection: Connection, repeat_id: int) -> bool:
    """Turn a waiting repeat into an alert of its own; False when a tap did that already."""
    turned = connection.execute(
        update(alerts)
        .where(alerts.c.id == repeat_id, alerts.c.state == AlertState.REPEAT)
        .values(state=AlertState.RECEIVED)
    )
    return turned.rowcount == 1


def newest(connection: Connection) -> int:
    """The highest number given so far; 0 before the first alert."""
    return connection.execute(select(func.coalesce(func.max(alerts.c.id), 0))).scalar_one()


def add_own(
    connection: Connection, *, body: str, reason: str, actor: str, at: datetime, number: int | None = None
) -> int:
    """Store what the operator asked for as a decided alert, so that it has a story; under the next number, or this."""
    values: dict[str, Any] = {} if number is None else {"id": number}
    values |= {
        "uid": secrets.token_hex(16),
        "source_id": source_id(connection),
        "state": AlertState.DECIDED,
        "digest": secrets.token_hex(16),
        "body": body,
        "reason": reason,
        "received_at": at,
        "answered_at": at,
        "decided_at": at,
    }
    alert_id: int = connection.execute(insert(alerts).returning(alerts.c.id), FRESH | values).scalar_one()
    journal.append(
        connection,
        journal.Event(
            at=at, alert_id=alert_id, actor=actor, kind="alert", after=AlertState.DECIDED.value, reason=reason
        ),
    )
    return alert_id


def count_undecided(connection: Connection) -> int:
    return _COUNT_UNDECIDED.rows(connection)[0][0]


def origins(connection: Connection, alert_ids: Iterable[int]) -> dict[int, tuple[str, Source]]:
    """What the names of the alerts' orders at the broker are made from, and where the alerts came from."""
    rows = _ORIGINS.rows(connection, {"alert_ids": list(alert_ids)})
    return {row[0]: (row[1], sources.source_of(row[2:])) for row in rows}


def source_id(connection: Connection) -> int:
    """The source of alerts that carry the webhook's secret, and of what the operator asks for in the chat."""
    return sources.default(connection).id
