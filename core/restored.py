"""What a database put back from a backup cannot know: the tries that were made after the backup.

Their names are derived from alert, leg and number, so they can be looked for at Dhan all the same.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from core import controls, journal
from core.db import alerts, orders
from core.db.tables import alerts as alert_rows
from core.domain.attempt import correlation_id
from core.domain.order import OrderState

KEY = "restored"
_MOST_FORGOTTEN = 4
"""Tries of one order that may have been made since a backup: each but the last was proven absent or refused."""
_MAY_HAVE_GONE = [state for state in OrderState if not state.is_final] + [OrderState.DROPPED]


def mark(connection: Connection, *, ends: datetime | None, at: datetime) -> None:
    """Note that the database was put back; what is in it now may have gone on without it. `ends`: its last entry."""
    last = connection.execute(select(func.max(alert_rows.c.id))).scalar() or 0
    fact = {"through_alert": last, "ends": ends.isoformat() if ends else None}
    controls.put(connection, KEY, fact, at=at, actor=journal.COMMAND_LINE)


def through_alert(connection: Connection) -> int:
    """The last alert that the backup had; 0 where nothing was ever restored."""
    return through(controls.fetch(connection, KEY))


def through(fact: Mapping[str, Any] | None) -> int:
    """The same from the stored fact."""
    return int(fact["through_alert"]) if fact else 0


def names_to_look_for(uid: str, position: int, number: int) -> list[str]:
    """Names that tries of a leg may have had since the backup; `number` is the one that is about to be made."""
    return [correlation_id(uid, position, each) for each in range(1, number + _MOST_FORGOTTEN)]


def owners(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Of names that no attempt here has, those of tries made since the backup, with their orders."""
    through, wanted = through_alert(connection), set(names)
    if not through:
        return {}
    waiting = [order for order in orders.in_states(connection, _MAY_HAVE_GONE) if order.alert_id <= through]
    origins = alerts.origins(connection, {order.alert_id for order in waiting})
    found: dict[str, int] = {}
    for order in waiting:
        possible = names_to_look_for(origins[order.alert_id][0], order.position, _MOST_FORGOTTEN)
        found |= dict.fromkeys(wanted.intersection(possible), order.id)
    return found
