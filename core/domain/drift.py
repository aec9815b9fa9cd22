"""How far the market has moved while an order waited, against the price that it was wished at."""

from dataclasses import dataclass
from decimal import Decimal

from core.domain.money import quoted
from core.domain.order import Mode, Order


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a move is measured from: `price` in rupees; `since` is when, in words, and empty for a limit."""

    price: Decimal
    since: str


def reference(order: Order) -> Reference | None:
    """The price that the operator was last asked at, the chart's in the alert, or the limit; None when there is none.

    A stop's own prices lie away from the market on purpose, so only the alert's price counts for it.
    """
    if order.asked_at_price is not None:
        return Reference(price=order.asked_at_price, since="since you were asked")
    if order.alert_price is not None:
        return Reference(price=order.alert_price, since="since the alert")
    if order.price is not None and order.trigger_price is None:
        return Reference(price=order.price, since="")
    return None


def has_waited(order: Order) -> bool:
    """Whether the market had time to move: what goes at once is judged by its age. Exits are held up by no price."""
    waited = order.mode is Mode.QUEUE or order.approved_at is not None
    return waited and not order.closes and not order.filled_quantity


def moved_too_far(start: Reference, last: Decimal, most: Decimal) -> str | None:
    """In a sentence, a move of more than `most` per cent, up or down; None when it is less."""
    moved = abs(last - start.price) / start.price * 100
    if moved <= most:
        return None
    if not start.since:
        return f"The price is {quoted(last)}, {moved:.1f} % away from the limit of {quoted(start.price)}."
    return f"The price moved {moved:.1f} % {start.since}, from {quoted(start.price)} to {quoted(last)}."
