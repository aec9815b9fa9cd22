"""What ends by itself: waiting orders whose time is up. Due times are rows, so a restart or a jump loses none."""

from datetime import datetime

from sqlalchemy import Connection

from core.db import orders
from core.domain.order import OrderState
from core.engine.claim import expire

_UNANSWERED = "Nobody approved it in time, and no answer is never a yes."
_LATE = "Its time window passed before it could go out."


def expire_overdue(connection: Connection, now: datetime) -> int:
    """End every waiting order whose window has passed; returns how many."""
    overdue = orders.overdue(connection, now)
    for order in overdue:
        expire(connection, order, now, _UNANSWERED if order.state is OrderState.AWAITING_APPROVAL else _LATE)
    return len(overdue)
