"""One thing that can be traded, and what it costs at an instant."""

import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from core.clock import to_india
from core.sandbox.dhan.hours import Market
from core.sandbox.dhan.prices import to_tick, walk

_SEGMENT_NAMES = {"E": "EQ", "D": "FNO", "C": "CURRENCY", "M": "COMM"}
_AGRICULTURAL = {"MENTHAOIL"}
_MARKETS = {"D": Market.DERIVATIVES, "C": Market.CURRENCY, "M": Market.COMMODITY}


@dataclass(frozen=True, kw_only=True)
class Security:
    """One row of the file. `price` is the base of its walk, for derivatives that of the underlying; rupees."""

    exchange: str
    segment: str
    id: str
    kind: str
    symbol: str
    display: str
    company: str = ""
    series: str = ""
    exchange_type: str
    lot: int
    tick: Decimal
    price: Decimal
    underlying: str
    has_derivatives: bool = False
    expiry: date | None = None
    expiry_flag: str = "NA"
    expiry_code: int = 0
    strike: Decimal | None = None
    option_type: str | None = None

    @property
    def exchange_segment(self) -> str:
        """Dhan API v2, Annexure, Exchange Segment."""
        if self.segment == "I":
            return "IDX_I"
        return f"{self.exchange}_{_SEGMENT_NAMES[self.segment]}"

    @property
    def isin(self) -> str:
        """A made-up code of the right shape; derivatives have none."""
        return f"INE{int(self.id) % 10**6:06d}A01" if self.segment == "E" else "NA"

    @property
    def band(self) -> tuple[Decimal, Decimal] | None:
        """The day's price band of a share; derivatives have none here. Fixed only for shares without derivatives."""
        if self.segment != "E":
            return None
        return to_tick(self.price * Decimal("0.8"), self.tick), to_tick(self.price * Decimal("1.2"), self.tick)

    @property
    def freezes_at(self) -> int:
        """Units at which the exchange freezes an order: one more than a whole number of lots."""
        return self.lot * 27 + 1 if self.segment == "D" else 500_001

    @property
    def market(self) -> Market:
        if self.underlying in _AGRICULTURAL:
            return Market.AGRICULTURAL
        if self.segment in _MARKETS:
            return _MARKETS[self.segment]
        return Market.CASH_WITH_DERIVATIVES if self.has_derivatives else Market.CASH

    def price_at(self, instant: datetime) -> Decimal:
        """The last traded price at that instant, on the tick grid; rupees."""
        spot = float(self.price) * walk(self.underlying, instant)
        if self.expiry is None:
            return to_tick(Decimal(spot), self.tick)
        days = max((self.expiry - to_india(instant).date()).days, 0)
        if self.strike is None:
            return to_tick(Decimal(spot * (1 + 0.0002 * days)), self.tick)
        return to_tick(Decimal(self._premium(spot, days)), self.tick)

    def _premium(self, spot: float, days: int) -> float:
        strike = float(self.strike or 0)
        inside = spot - strike if self.option_type == "CE" else strike - spot
        spread = spot * 0.009 * math.sqrt(days + 0.3)
        return max(inside, 0) + 0.4 * spread * math.exp(-abs(spot - strike) / spread)
