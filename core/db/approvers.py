"""Who said yes to an order that waits for a second yes, as long as it is the order that they said yes to."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from core.db.tables import approvals


def of(connection: Connection, order_id: int) -> set[int]:
    """Their user ids."""
    return set(connection.execute(select(approvals.c.user_id).where(approvals.c.order_id == order_id)).scalars())


def note(connection: Connection, order_id: int, user_id: int, at: datetime) -> None:
    connection.execute(insert(approvals).values(order_id=order_id, user_id=user_id, at=at))


def forget(connection: Connection, order_id: int) -> None:
    """It asks anew, perhaps with other terms: nobody has said yes to that."""
    connection.execute(delete(approvals).where(approvals.c.order_id == order_id))
