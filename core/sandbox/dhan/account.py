"""The paper account: what it holds, what its money is tied up in, and what the broker's risk check says to an order.

Plain rules instead of an exchange's margin tables: delivery is paid in full and frees its money when sold, everything
else ties up a fifth of its value. Charges are not modelled.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from core.sandbox.dhan.holding import Holding, hold
from core.sandbox.dhan.order import Order, Product, Side, Trade
from core.sandbox.dhan.position import DELIVERED, MARGIN, NOTHING, Position

OPENING_BALANCE = Decimal(1_000_000)


class Account:
    """Rebuilt from the ledger at start, then kept in step with every trade."""

    def __init__(self) -> None:
        self._positions: dict[tuple[date | None, str, str, Product], Position] = {}
        self._delivered = defaultdict[tuple[str, str], list[tuple[Side, Trade]]](list)

    def add(self, trade: Trade, order: Order) -> None:
        day = None if order.product is Product.MARGIN else trade.day
        key = (day, order.segment, order.security_id, order.product)
        position = self._positions.get(key) or _start(order, trade.day)
        if position.day != trade.day:
            position = position.carry_into(trade.day)
        position.add(trade, order.side)
        self._positions[key] = position
        if order.product in DELIVERED:
            self._delivered[order.segment, order.security_id].append((order.side, trade))

    def positions(self, today: date) -> list[Position]:
        """Today's, and derivatives carried forward from earlier days."""
        return [
            position if position.day == today else position.carry_into(today)
            for position in self._positions.values()
            if position.day == today or (position.product is Product.MARGIN and position.net)
        ]

    def holdings(self, today: date) -> list[Holding]:
        """Shares bought for delivery before today and still there, one per security."""
        held = (
            hold(*security, ((side, trade) for side, trade in trades if trade.day < today))
            for security, trades in self._delivered.items()
        )
        return [holding for holding in held if holding is not None]

    def cash(self, today: date) -> Decimal:
        """Money that no position ties up; rupees."""
        return OPENING_BALANCE + sum((position.cash(today) for position in self._positions.values()), NOTHING)

    def needs(self, order: Order, price: Decimal, today: date) -> Decimal:
        """Money that the unfilled part of the order ties up; closing a position needs none."""
        if order.product in DELIVERED:
            return order.remaining * price if order.side is Side.BUY else NOTHING
        net = self._net(order, today)
        closable = max(-net if order.side is Side.BUY else net, 0)
        return max(order.remaining - closable, 0) * price * MARGIN

    def sellable(self, order: Order, waiting: Iterable[Order]) -> int:
        """Shares of the order's security that no other waiting sale has spoken for."""
        held = sum(
            position.net
            for position in self._positions.values()
            if position.product in DELIVERED and _same_security(position, order)
        )
        promised = sum(
            other.remaining
            for other in waiting
            if other.side is Side.SELL and other.product in DELIVERED and _same_security(other, order)
        )
        return held - promised

    def _net(self, order: Order, today: date) -> int:
        day = None if order.product is Product.MARGIN else today
        position = self._positions.get((day, order.segment, order.security_id, order.product))
        return position.net if position else 0


def _start(order: Order, day: date) -> Position:
    return Position(segment=order.segment, security_id=order.security_id, product=order.product, day=day, traded_on=day)


def _same_security(one: Position | Order, other: Order) -> bool:
    return (one.segment, one.security_id) == (other.segment, other.security_id)
