"""What a day's trades make of one security in one product, on top of what was carried into the day."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from core.sandbox.dhan.order import Product, Side, Trade

MARGIN = Decimal("0.2")
NOTHING = Decimal(0)
DELIVERED = {Product.CNC, Product.MTF}


@dataclass(kw_only=True)
class Position:
    """Quantities in units, values in rupees, as Dhan API v2, Portfolio, has them.

    `carried` came into the day at `carried_at` each, negative when short; only derivatives for carry-forward do.
    `average` is what an open unit cost, `realised` the day's own profit, `banked` that of the days before.
    `traded_on` is a day on which the security is listed.
    """

    segment: str
    security_id: str
    product: Product
    day: date
    traded_on: date
    carried: int = 0
    carried_at: Decimal = NOTHING
    bought: int = 0
    bought_for: Decimal = NOTHING
    sold: int = 0
    sold_for: Decimal = NOTHING
    average: Decimal = NOTHING
    realised: Decimal = NOTHING
    banked: Decimal = NOTHING

    @property
    def net(self) -> int:
        return self.carried + self.bought - self.sold

    @property
    def carried_long(self) -> int:
        return max(self.carried, 0)

    @property
    def carried_short(self) -> int:
        return max(-self.carried, 0)

    @property
    def buy_average(self) -> Decimal:
        return _mean(self.carried_long * self.carried_at + self.bought_for, self.carried_long + self.bought)

    @property
    def sell_average(self) -> Decimal:
        return _mean(self.carried_short * self.carried_at + self.sold_for, self.carried_short + self.sold)

    def cash(self, today: date) -> Decimal:
        """What this position adds to the spendable money; mostly negative."""
        if self.product in DELIVERED:
            return self.sold_for - self.bought_for
        runs = self.product is Product.MARGIN or self.day == today
        tied_up = abs(self.net) * self.average * MARGIN if runs else NOTHING
        return self.banked + self.realised - tied_up

    def add(self, trade: Trade, side: Side) -> None:
        """What it closes is realised; what it opens goes into the average of what stays open."""
        net, value = self.net, trade.quantity * trade.price
        if side is Side.BUY:
            closes = min(trade.quantity, max(-net, 0))
            self.realised += closes * (self.average - trade.price)
            self.bought += trade.quantity
            self.bought_for += value
        else:
            closes = min(trade.quantity, max(net, 0))
            self.realised += closes * (trade.price - self.average)
            self.sold += trade.quantity
            self.sold_for += value
        stays, opens = abs(net) - closes, trade.quantity - closes
        self.average = _mean(stays * self.average + opens * trade.price, stays + opens)
        self.traded_on = trade.day

    def carry_into(self, day: date) -> "Position":
        """How the position stands before its first trade of another day."""
        return replace(
            self,
            day=day,
            carried=self.net,
            carried_at=self.average,
            bought=0,
            bought_for=NOTHING,
            sold=0,
            sold_for=NOTHING,
            realised=NOTHING,
            banked=self.banked + self.realised,
        )


def _mean(value: Decimal, quantity: int) -> Decimal:
    return value / quantity if quantity else NOTHING
