"""What a desk says that is back: how long it was down, and what became of the orders that were under way.

It is told once their standing is known, or after a while in any case; until then it is a row, so that a desk which
falls again tells it the next time.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.clock import Moment
from core.controls import Hold
from core.db import alerts, orders
from core.domain.notice import Notice
from core.domain.order import Order, OrderState

PATIENCE = timedelta(seconds=20)
_KEY = "briefing"
_UNSURE = (OrderState.UNKNOWN, OrderState.SUBMITTING)


def begin(connection: Connection, moment: Moment, *, down_since: datetime | None) -> None:
    """After a start: note what is under way. `down_since` is machine time. Nothing under way is told at once."""
    known: Mapping[str, Any] = controls.fetch(connection, _KEY) or {}
    doubtful = [order.id for order in orders.in_states(connection, _UNSURE)]
    due = [order.id for order in orders.due(connection, moment.now, limit=500)]
    undecided = [alert.id for alert in alerts.undecided(connection, 500)]
    note = {
        "since": known.get("since") or (down_since or moment.wall).isoformat(),
        "started": moment.wall.isoformat(),
        "doubtful": sorted({*known.get("doubtful", ()), *doubtful}),
        "queued": sorted({*known.get("queued", ()), *due} - set(doubtful)),
        "undecided": sorted({*known.get("undecided", ()), *undecided}),
    }
    controls.put(connection, _KEY, note, at=moment.now, actor=journal.DESK)
    if not (note["doubtful"] or note["queued"] or note["undecided"]):
        _tell(connection, note, moment)


def tell_when_known(connection: Connection, moment: Moment) -> None:
    note = controls.fetch(connection, _KEY)
    if note is not None and (_is_known(connection, note) or _is_patient_no_more(note, moment)):
        _tell(connection, note, moment)


def waits(connection: Connection) -> bool:
    return controls.fetch(connection, _KEY) is not None


def _is_known(connection: Connection, note: Mapping[str, Any]) -> bool:
    """The book was read, and nothing is in doubt any more."""
    unsure = any(order.state in _UNSURE for order in orders.some(connection, note["doubtful"]))
    return not unsure and Hold.STARTING not in controls.holds(connection)


def _is_patient_no_more(note: Mapping[str, Any], moment: Moment) -> bool:
    return abs(moment.wall - datetime.fromisoformat(note["started"])) >= PATIENCE


def _tell(connection: Connection, note: Mapping[str, Any], moment: Moment) -> None:
    controls.drop(connection, _KEY)
    since, started = datetime.fromisoformat(note["since"]), datetime.fromisoformat(note["started"])
    flight = _in_flight(connection, note)
    if not flight and notifications.rang_lately(connection, Notice.DESK_STARTED, moment.now):
        return
    words = f"Down {_length(started - since)}; {_flight_words(flight)}."
    notifications.ring(connection, Notice.DESK_STARTED, at=moment.now, words=words)


def _in_flight(connection: Connection, note: Mapping[str, Any]) -> list[tuple[int, str]]:
    """Of each order or undecided alert: its alert, and what became of it."""
    decided = orders.of_alerts(connection, note["undecided"])
    return [
        *((order.alert_id, _after_doubt(order)) for order in orders.some(connection, note["doubtful"])),
        *((order.alert_id, _after_waiting(order)) for order in orders.some(connection, note["queued"])),
        *((alert, "decided since" if alert in decided else "not decided yet") for alert in note["undecided"]),
    ]


def _flight_words(flight: list[tuple[int, str]]) -> str:
    if not flight:
        return "nothing was in flight"
    alerts_in_flight = {alert for alert, _ in flight}
    outcomes = ", ".join(f"{count} {words}" for words, count in Counter(words for _, words in flight).items())
    numbers = ", ".join(str(alert) for alert in sorted(alerts_in_flight)[:10])
    many = len(alerts_in_flight)
    return f"{many} alert{'s' * (many > 1)} in flight ({numbers}{', …' * (many > 10)}): {outcomes}"


def _after_doubt(order: Order) -> str:
    match order.state:
        case OrderState.UNKNOWN | OrderState.SUBMITTING:
            return "still in doubt, being looked up"
        case OrderState.NEEDS_OPERATOR:
            return "not found at Dhan, needs you"
        case OrderState.QUEUED:
            return "not sent, still queued"
        case OrderState.REJECTED:
            return "rejected by Dhan"
        case _:
            return "found at Dhan"


def _after_waiting(order: Order) -> str:
    match order.state:
        case OrderState.QUEUED:
            return "not sent, still queued"
        case OrderState.AWAITING_APPROVAL:
            return "not sent, asks you again"
        case OrderState.EXPIRED:
            return "not sent, expired"
        case OrderState.DECLINED:
            return "cancelled before it was sent"
        case _:
            return "sent since"


def _length(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
