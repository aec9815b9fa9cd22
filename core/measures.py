"""What monitors draw curves of, read from the rows at one moment. No names, no amounts, no secrets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Executable, func, select

from core.db.tables import alerts, attempts, events, orders
from core.domain.attempt import AttemptState
from core.domain.order import Mode, OrderState
from core.reports import DeskReport, desk_report

LATEST = 300
"""How many of the latest alerts and attempts speak for how long things take."""


class Stage(StrEnum):
    """A stretch of an alert's way. COMMIT is measured where it is made; the others are between times in rows.

    DECISION: from receipt until the desk decided. RELEASE: from when an order was due until its POST began. BROKER:
    until Dhan had answered. FILL: from then until it was filled, for orders sent in the session.
    Attempts are kept in the machine's time, so RELEASE and FILL mean little while the paper clock is moved.
    """

    COMMIT = "commit"
    DECISION = "decision"
    RELEASE = "release"
    BROKER = "broker"
    FILL = "fill"


@dataclass(frozen=True, kw_only=True)
class Measures:
    """`undecided_since`: when the oldest alert that waits for the desk came. Seconds are sorted."""

    desk: DeskReport
    alerts: int
    orders: Mapping[OrderState, int]
    outcomes: Mapping[AttemptState, int]
    undecided_since: datetime | None
    seconds: Mapping[Stage, Sequence[float]]


def measures(connection: Connection, wall: datetime) -> Measures:
    """`wall` is the machine's time, which heartbeats are kept in."""
    return Measures(
        desk=desk_report(connection, wall),
        alerts=connection.execute(select(func.max(alerts.c.id))).scalar() or 0,
        orders=_counted(connection, orders.c.state, OrderState),
        outcomes=_counted(connection, attempts.c.state, AttemptState),
        undecided_since=connection.execute(_OLDEST_UNDECIDED).scalar(),
        seconds={stage: _seconds(connection, query) for stage, query in _STAGES.items()},
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of them does not exceed."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _counted(connection: Connection, column: Any, states: Iterable[Any]) -> dict[Any, int]:
    found = {row[0]: row[1] for row in connection.execute(select(column, func.count()).group_by(column))}
    return {state: found.get(state, 0) for state in states}


def _seconds(connection: Connection, query: Executable) -> list[float]:
    """Of rows (begun, ended) where both are known. A clock that was set back gives no negative time."""
    spans = [tuple(row) for row in connection.execute(query) if None not in tuple(row)]
    return sorted(max(0.0, (row[-1] - max(row[:-1])).total_seconds()) for row in spans)


_OLDEST_UNDECIDED = select(alerts.c.received_at).where(alerts.c.state == "received").order_by(alerts.c.id).limit(1)
_DECIDED = select(alerts.c.received_at, alerts.c.decided_at).order_by(alerts.c.id.desc()).limit(LATEST)
_SENT = attempts.join(orders, orders.c.id == attempts.c.order_id)
_RELEASED = (
    select(orders.c.created_at, func.coalesce(orders.c.approved_at, orders.c.created_at), orders.c.release_at)
    .add_columns(attempts.c.claimed_at)
    .select_from(_SENT)
    .order_by(attempts.c.id.desc())
    .limit(LATEST)
)
_ANSWERED = (
    select(attempts.c.claimed_at, attempts.c.settled_at)
    .where(attempts.c.state.in_([AttemptState.ACCEPTED, AttemptState.REFUSED]), attempts.c.lookups == 0)
    .order_by(attempts.c.id.desc())
    .limit(LATEST)
)
_FILLED_AT = (
    select(func.min(events.c.at))
    .where(
        events.c.alert_id == orders.c.alert_id,
        events.c.order_id == orders.c.id,
        events.c.after == OrderState.FILLED.value,
    )
    .scalar_subquery()
)
_FILLED = (
    select(attempts.c.settled_at, _FILLED_AT)
    .select_from(_SENT)
    .where(orders.c.mode == Mode.IMMEDIATE, orders.c.state == OrderState.FILLED)
    .order_by(attempts.c.id.desc())
    .limit(LATEST)
)
_STAGES: Mapping[Stage, Executable] = {
    Stage.DECISION: _DECIDED,
    Stage.RELEASE: _RELEASED,
    Stage.BROKER: _ANSWERED,
    Stage.FILL: _FILLED,
}
