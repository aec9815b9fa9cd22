"""Every change leaves an event in the transaction that makes it; the state of an order is what its events add up to.

An event of an alert also makes the alert's cards due, so that what the operator sees commits with what happened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from core.db.statement import Statement
from core.db.tables import alerts, cards, events

_ADD = Statement(insert(events))
_TOUCH = Statement(
    update(alerts).where(alerts.c.id == bindparam("of_alert")).values(card_version=alerts.c.card_version + 1)
)
_REDRAW = Statement(
    update(cards)
    .where(cards.c.alert_id == bindparam("of_alert"))
    .values(due_at=func.coalesce(cards.c.due_at, bindparam("now", type_=cards.c.due_at.type)), failures=0)
)

DESK = "desk"
WEB = "web"
DHAN = "dhan"
COMMAND_LINE = "command line"
_OPERATOR = "operator "


def operator(user_id: int) -> str:
    """How an operator is named in events."""
    return f"{_OPERATOR}{user_id}"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of the story: who did what to which order, when and why."""

    id: int = 0
    at: datetime
    alert_id: int | None = None
    order_id: int | None = None
    actor: str
    kind: str
    before: str | None = None
    after: str | None = None
    reason: str = ""
    data: Mapping[str, Any] | None = None

    @property
    def is_operators(self) -> bool:
        return self.actor.startswith(_OPERATOR)


def append(connection: Connection, event: Event) -> None:
    """Add the event, and make the cards of its alert due."""
    _ADD.run(connection, _row(event))
    if event.alert_id is not None:
        touch_cards(connection, event.alert_id, event.at)


def append_all(connection: Connection, batch: Sequence[Event]) -> None:
    """Add events of alerts that have no cards yet, in one statement."""
    _ADD.run_each(connection, [_row(event) for event in batch])


def append_together(connection: Connection, batch: Sequence[Event], at: datetime) -> None:
    """Add events of one moment, and make the cards of their alerts due."""
    append_all(connection, batch)
    touched = {event.alert_id: None for event in batch if event.alert_id is not None}
    _TOUCH.run_each(connection, [{"of_alert": alert_id} for alert_id in touched])
    _REDRAW.run_each(connection, [{"of_alert": alert_id, "now": at} for alert_id in touched])


def touch_cards(connection: Connection, alert_id: int, at: datetime) -> None:
    """The alert's cards no longer show the truth: a new version is due, and buttons of older ones are void."""
    _TOUCH.run(connection, {"of_alert": alert_id})
    redraw_cards(connection, alert_id, at)


def redraw_cards(connection: Connection, alert_id: int, at: datetime) -> None:
    """Show the alert's cards as they now are; buttons that are good stay good.

    A card that waits already keeps its place, or a busy one would never be shown.
    """
    _REDRAW.run(connection, {"of_alert": alert_id, "now": at})


def story(connection: Connection, alert_id: int) -> list[Event]:
    """All events of an alert and its orders, oldest first."""
    rows = connection.execute(select(events).where(events.c.alert_id == alert_id).order_by(events.c.id))
    return [Event(**row) for row in rows.mappings()]


def latest(connection: Connection, alert_id: int) -> Event | None:
    """What happened last to an alert or its orders."""
    newest = select(events).where(events.c.alert_id == alert_id).order_by(events.c.id.desc()).limit(1)
    row = connection.execute(newest).mappings().first()
    return Event(**row) if row else None


def stories(connection: Connection, alert_ids: Sequence[int]) -> list[Event]:
    """All events of these alerts and their orders, oldest first."""
    rows = connection.execute(select(events).where(events.c.alert_id.in_(alert_ids)).order_by(events.c.id))
    return [Event(**row) for row in rows.mappings()]


def _row(event: Event) -> dict[str, Any]:
    return {
        "at": event.at,
        "alert_id": event.alert_id,
        "order_id": event.order_id,
        "actor": event.actor,
        "kind": event.kind,
        "before": event.before,
        "after": event.after,
        "reason": event.reason,
        "data": event.data,
    }
