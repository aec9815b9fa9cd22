"""How often Dhan's order book is read. Everything is in seconds."""

from datetime import datetime, timedelta

from core.domain.order import Order

FRESH = timedelta(minutes=1)
WHEN_FRESH, WHEN_RESTING, WHEN_IDLE = 0.4, 2.0, 30.0
_RESTS, LONGEST_REST = 5, 5.0


def patience(order: Order, now: datetime) -> float:
    """How old the book may be for this order: fills come soon after it reached the exchange, and none before."""
    reached = max(order.reaches_exchange_at or order.updated_at, order.updated_at)
    if reached > now:
        return WHEN_IDLE
    return WHEN_FRESH if now - reached < FRESH else WHEN_RESTING


def rest_after(took: float) -> float:
    """How long to look away after a book: following a long one must not keep new orders waiting.

    Never for long: what became of an order waits as well.
    """
    return min(_RESTS * took, LONGEST_REST)
