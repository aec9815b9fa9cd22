"""Shares taken for delivery that are still there: a sale takes the oldest ones, first in, first out."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from core.sandbox.dhan.order import Side, Trade


@dataclass(frozen=True, kw_only=True)
class Holding:
    """`average` is what each of the shares cost that are held; rupees."""

    segment: str
    security_id: str
    quantity: int
    average: Decimal


def hold(segment: str, security_id: str, trades: Iterable[tuple[Side, Trade]]) -> Holding | None:
    """What is left of these trades of one security, in their order; None where nothing is."""
    purchases = deque[tuple[int, Decimal]]()
    for side, trade in trades:
        if side is Side.BUY:
            purchases.append((trade.quantity, trade.price))
        else:
            _take(trade.quantity, purchases)
    quantity = sum(bought for bought, _ in purchases)
    if not quantity:
        return None
    average = sum((bought * price for bought, price in purchases), Decimal(0)) / quantity
    return Holding(segment=segment, security_id=security_id, quantity=quantity, average=average)


def _take(quantity: int, purchases: deque[tuple[int, Decimal]]) -> None:
    while quantity and purchases:
        oldest, price = purchases.popleft()
        if oldest > quantity:
            purchases.appendleft((oldest - quantity, price))
        quantity -= min(oldest, quantity)
