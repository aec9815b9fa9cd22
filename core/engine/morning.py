"""The morning report: what became of the after-market orders, once each batch has been at the exchange for a while."""

from datetime import datetime, time, timedelta

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.clock import INDIA, to_india
from core.db import orders
from core.domain.notice import Notice
from core.domain.order import Order, OrderState

REPORT_AT = (time(9, 20), time(9, 50), time(10, 20))
"""Five minutes after the open, OPEN_30 and OPEN_60; the pre-open's are told with the open's."""
MOST_TOLD = 20
_KEY = "morning_report"
_NEVER_MEANT_TO_GO = (OrderState.REFUSED, OrderState.DECLINED, OrderState.AWAITING_APPROVAL, OrderState.QUEUED)


def report_morning(connection: Connection, now: datetime) -> None:
    """Ring about the batches that are due and were not reported; called with the book just read."""
    due = [at for at in _times_of(now) if at <= now]
    stored = controls.fetch(connection, _KEY)
    told = datetime.fromisoformat(stored["until"]) if stored else due[0] - timedelta(days=1) if due else now
    if not due or due[-1] <= told:
        return
    since = max(told, due[-1] - timedelta(days=1))
    controls.put(connection, _KEY, {"until": due[-1].isoformat()}, at=now, actor=journal.DESK)
    batch = [
        order
        for order in orders.after_market_between(connection, since, due[-1])
        if order.state not in _NEVER_MEANT_TO_GO
    ]
    if batch:
        rows = [_row(order) for order in batch[:MOST_TOLD]]
        reached = sorted({order.reaches_exchange_at.isoformat() for order in batch if order.reaches_exchange_at})
        notifications.ring(
            connection, Notice.MORNING, at=now, orders=rows, more=len(batch) - len(rows), reached=reached
        )


def _times_of(now: datetime) -> list[datetime]:
    return [datetime.combine(to_india(now).date(), clock, INDIA) for clock in REPORT_AT]


def _row(order: Order) -> dict[str, object]:
    return {
        "order": order.label,
        "side": order.side,
        "quantity": order.quantity,
        "symbol": order.symbol,
        "state": order.state,
        "filled": order.filled_quantity,
        "average": None if order.average_price is None else str(order.average_price),
        "words": order.reason,
    }
