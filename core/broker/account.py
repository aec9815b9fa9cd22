"""What the desk asks of a broker about the account: money, positions, holdings, fills, and its own emergency stop."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from core.domain.alert import Product, Side


@dataclass(frozen=True, kw_only=True)
class Funds:
    """Rupees. `available` is what can be traded with now."""

    available: Decimal
    opening: Decimal
    used: Decimal
    collateral: Decimal
    receivable: Decimal
    withdrawable: Decimal


@dataclass(frozen=True, kw_only=True)
class Position:
    """Today's, and derivatives carried from earlier days. `net` in units, negative when short, 0 when closed.

    `product` is None for one of the broker's that we do not trade in; `product_name` is the broker's word.
    """

    symbol: str
    segment: str
    security_id: str
    product: Product | None
    product_name: str
    net: int
    average: Decimal
    realised: Decimal
    unrealised: Decimal

    def goes_by(self, name: str) -> bool:
        """Whether it is meant by RELIANCE, or by BSE:RELIANCE where it is of that exchange; in capitals."""
        exchange, symbol = self.segment.partition("_")[0], self.symbol.upper()
        return name in (symbol, f"{exchange}:{symbol}")


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Shares owned. `sellable` are those that are free to be sold; `average` in rupees."""

    symbol: str
    security_id: str
    isin: str
    total: int
    sellable: int
    average: Decimal


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One trade of today. `at` is the broker's India time as it was written."""

    order_id: str
    symbol: str
    segment: str
    side: Side | None
    quantity: int
    price: Decimal
    at: str


class Account(Protocol):
    """All raise BrokerUnavailable when there is no good answer, and SignInNeeded when the session is dead."""

    async def funds(self) -> Funds: ...

    async def positions(self) -> list[Position]: ...

    async def holdings(self) -> list[Holding]: ...

    async def fills(self) -> list[Fill]:
        """Today's, oldest first."""
        ...

    async def may_sell_holdings(self) -> bool:
        """Whether the account's shares can be sold without consent at the depository (DDPI)."""
        ...

    async def approved_for_sale(self, isin: str) -> int:
        """Shares of that ISIN that the owner consented to sell, by T-PIN."""
        ...

    async def is_stopped(self) -> bool:
        """Whether the broker's own kill switch is on."""
        ...

    async def stop(self, on: bool) -> str:
        """Turn the kill switch on or off; the broker's words about it. Raises Refusal when the broker says no."""
        ...
