"""What is asked once more when an order is about to leave: is it still fresh, and within the limits?

Its window is the calendar's business and checked apart.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from core import allowance, sources
from core.domain.order import Mode, Order
from core.domain.source import Source
from core.policies import Policies

_A_SHORT_STOP = timedelta(minutes=5)
"""A new sign-in or a restart takes less, and is no reason to ask."""


def why_ask_again(
    connection: Connection, order: Order, policies: Policies, source: Source, now: datetime
) -> str | None:
    """Why a tap is needed before this order may leave, in a sentence; None when nothing has changed.

    None for exits, too: they are held against what is left of their position (closing).
    """
    if order.closes:
        return None
    late = _late(order, policies, now)
    if late is not None:
        return late
    taken_back = sources.why_taken_back(connection, source, order, now)
    if taken_back:
        return taken_back
    broken = allowance.check_order(connection, policies.limits, source, order, now)
    if broken is None or (order.approved_at is not None and not broken.is_hard):
        return None
    return broken.words


def _late(order: Order, policies: Policies, now: datetime) -> str | None:
    """What was to go at once and could not is a stale wish; what was planned for a window is good while it is open."""
    if order.mode is not Mode.IMMEDIATE or order.release_at is None:
        return None
    meant = max(order.release_at, order.approved_at or order.release_at)
    if now - meant <= max(policies.stale, _A_SHORT_STOP):
        return None
    minutes = int((now - meant).total_seconds() // 60)
    return f"It should have gone {minutes} minutes ago and could not: the market may have moved."
