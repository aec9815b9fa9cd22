"""Hints that came from outside: an order changed. Nobody signs them, so they only make the desk read the book."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from core.db.statement import Statement
from core.db.tables import hints

KEPT = 1_000
_LATEST = Statement(select(func.coalesce(func.max(hints.c.id), 0)))


def add(connection: Connection, *, broker_order_id: str, status: str, at: datetime) -> None:
    """Store one, and let go of those long read."""
    values = {"broker_order_id": broker_order_id, "status": status, "received_at": at}
    number = connection.execute(insert(hints).values(values).returning(hints.c.id)).scalar_one()
    connection.execute(delete(hints).where(hints.c.id <= number - KEPT))


def latest(connection: Connection) -> int:
    """The number of the newest one; 0 before the first."""
    return _LATEST.rows(connection)[0][0]
