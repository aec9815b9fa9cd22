"""The paper account: what it holds, what its money is tied up in, and what the broker's risk check says to an order.

Plain rules instead of an exchange's margin tables: delivery is paid in full and frees its money when sold, everything
else ties up a fifth of its value. Charges are not modelled.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from core.sandbox.dhan.order import Order, Product, Side, Trade

OPENING_BALANCE = Decimal(1_000_000)
_MARGIN = Decimal("0.2")
_NOTHING = Decimal(0)
_DELIVERED = {Product.CNC, Product.MTF}


@dataclass(kw_only=True)
class Position:
    """Bought and sold of one security in one product; values in rupees.

    One per day, except for carry-forward derivatives, which run on: there `day` is that of the last trade.
    """

    segment: str
    security_id: str
    product: Product
    day: date
    bought: int = 0
    bought_for: Decimal = _NOTHING
    sold: int = 0
    sold_for: Decimal = _NOTHING

    @property
    def net(self) -> int:
        return self.bought - self.sold

    @property
    def buy_average(self) -> Decimal:
        return self.bought_for / self.bought if self.bought else _NOTHING

    @property
    def sell_average(self) -> Decimal:
        return self.sold_for / self.sold if self.sold else _NOTHING

    @property
    def realised(self) -> Decimal:
        return min(self.bought, self.sold) * (self.sell_average - self.buy_average)

    @property
    def tied_up(self) -> Decimal:
        average = self.buy_average if self.net > 0 else self.sell_average
        return abs(self.net) * average * _MARGIN

    def cash(self, today: date) -> Decimal:
        """What this position adds to the spendable money; mostly negative."""
        if self.product in _DELIVERED:
            return self.sold_for - self.bought_for
        runs = self.product is Product.MARGIN or self.day == today
        return self.realised - (self.tied_up if runs else _NOTHING)

    def add(self, trade: Trade, side: Side) -> None:
        self.day = trade.day
        if side is Side.BUY:
            self.bought += trade.quantity
            self.bought_for += trade.quantity * trade.price
        else:
            self.sold += trade.quantity
            self.sold_for += trade.quantity * trade.price


class Account:
    """Rebuilt from the ledger at start, then kept in step with every trade."""

    def __init__(self) -> None:
        self._positions: dict[tuple[date | None, str, str, Product], Position] = {}

    def add(self, trade: Trade, order: Order) -> None:
        day = None if order.product is Product.MARGIN else trade.day
        key = (day, order.segment, order.security_id, order.product)
        position = self._positions.setdefault(
            key,
            Position(segment=order.segment, security_id=order.security_id, product=order.product, day=trade.day),
        )
        position.add(trade, order.side)

    def positions(self, today: date) -> list[Position]:
        """Today's, and derivatives carried forward from earlier days."""
        return [
            position
            for position in self._positions.values()
            if position.day == today or (position.product is Product.MARGIN and position.net)
        ]

    def holdings(self, today: date) -> list[Position]:
        """Shares bought for delivery before today and still there, one total per security."""
        totals: dict[tuple[str, str], Position] = {}
        for position in self._positions.values():
            if position.product in _DELIVERED and position.day < today:
                key = (position.segment, position.security_id)
                total = totals.setdefault(
                    key, Position(segment=key[0], security_id=key[1], product=Product.CNC, day=today)
                )
                total.bought += position.bought
                total.bought_for += position.bought_for
                total.sold += position.sold
        return [total for total in totals.values() if total.net > 0]

    def cash(self, today: date) -> Decimal:
        """Money that no position ties up; rupees."""
        return OPENING_BALANCE + sum((position.cash(today) for position in self._positions.values()), _NOTHING)

    def needs(self, order: Order, price: Decimal, today: date) -> Decimal:
        """Money that the unfilled part of the order ties up; closing a position needs none."""
        if order.product in _DELIVERED:
            return order.remaining * price if order.side is Side.BUY else _NOTHING
        net = self._net(order, today)
        closable = max(-net if order.side is Side.BUY else net, 0)
        return max(order.remaining - closable, 0) * price * _MARGIN

    def sellable(self, order: Order, waiting: Iterable[Order]) -> int:
        """Shares of the order's security that no other waiting sale has spoken for."""
        held = sum(
            position.net
            for position in self._positions.values()
            if position.product in _DELIVERED and _same_security(position, order)
        )
        promised = sum(
            other.remaining
            for other in waiting
            if other.side is Side.SELL and other.product in _DELIVERED and _same_security(other, order)
        )
        return held - promised

    def _net(self, order: Order, today: date) -> int:
        day = None if order.product is Product.MARGIN else today
        position = self._positions.get((day, order.segment, order.security_id, order.product))
        return position.net if position else 0


def _same_security(one: Position | Order, other: Order) -> bool:
    return (one.segment, one.security_id) == (other.segment, other.security_id)
