"""Before an order that waited leaves: has the price moved away from the one that it was wished at?

Asked just before sending, where a price is known; where none is, nothing is held up. Whoever approves it then approves
the price of that moment.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from sqlalchemy import Connection

from core.broker.quotes import Name, Quotes
from core.clock import Moment
from core.db import orders
from core.domain.drift import has_waited, moved_too_far, reference
from core.domain.order import Order, OrderState
from core.engine.claim import ask_again


def may_drift(order: Order) -> bool:
    return has_waited(order) and reference(order) is not None


async def last_prices(quotes: Quotes, waited: Iterable[Order]) -> Mapping[Name, Decimal]:
    """The prices of these, asked for at once."""
    return await quotes.last_price({(order.segment, order.security_id) for order in waited if may_drift(order)})


def why_ask(order: Order, last: Decimal, most: Decimal | None) -> str | None:
    """The move that a tap is needed for, in a sentence. `most` in per cent; None: any move is taken."""
    start = reference(order)
    return None if most is None or start is None else moved_too_far(start, last, most)


def ask_about(connection: Connection, seen: Order, last: Decimal, words: str, moment: Moment) -> None:
    """Put the order back to the operator, with the move; a tap is given to this price."""
    order = orders.get(connection, seen.id)
    if order.state is OrderState.QUEUED and order.version == seen.version:
        ask_again(connection, order, words, moment.now, asked_at_price=last)
