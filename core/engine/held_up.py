"""Saying of an order whose time has come that it is held: its card was drawn before, and went on promising."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from core import controls, journal, notifications
from core.controls import Hold
from core.db import orders
from core.db.tables import orders as rows
from core.domain.notice import Notice
from core.domain.order import Order, OrderState

PATIENCE = timedelta(minutes=1)
"""A hold that is over by then needs no word."""
MOST = 20
_HELD = "Its time has come, and it is held: "


def to_tell(connection: Connection, now: datetime) -> list[tuple[Order, str]]:
    """Queued orders that waited for their time, are due since a minute, and of which it was not told yet, the first of
    them, each with what holds it. Those that came under the hold say so on their first card.
    """
    holds = controls.holds(connection)
    reason = next((words for hold, words in holds.items() if hold is not Hold.STARTING), None)
    if reason is None:
        return []
    due = (
        select(rows.c.id)
        .where(rows.c.state == OrderState.QUEUED, rows.c.release_at <= now - PATIENCE)
        .where(rows.c.release_at > rows.c.created_at, rows.c.reason.not_like(f"{_HELD}%"))
        .order_by(rows.c.release_at, rows.c.id)
        .limit(MOST)
    )
    return [(order, f"{_HELD}{reason}") for order in orders.some(connection, connection.execute(due).scalars())]


def tell(connection: Connection, now: datetime) -> None:
    for order, words in to_tell(connection, now):
        held = orders.note(connection, order, at=now, actor=journal.DESK, reason=words)
        if held is not None:
            notifications.ring_order(connection, Notice.HELD, held, at=now, words=words)
