"""A tradable instrument, as far as the desk needs to know it before sending an order."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from core.domain.alert import Exchange, InstrumentKind, OptionType, Segment


class SegmentClass(StrEnum):
    """Instruments that share session hours."""

    CASH_WITH_DERIVATIVES = "cash_with_derivatives"
    CASH = "cash"
    EQUITY_DERIVATIVES = "equity_derivatives"
    CURRENCY = "currency"
    COMMODITY = "commodity"
    AGRICULTURAL = "agricultural"


class Market(StrEnum):
    """Segment classes that share their holidays."""

    EQUITY = "equity"
    CURRENCY = "currency"
    COMMODITY = "commodity"

    @property
    def classes(self) -> tuple[SegmentClass, ...]:
        match self:
            case Market.EQUITY:
                return (SegmentClass.CASH, SegmentClass.CASH_WITH_DERIVATIVES, SegmentClass.EQUITY_DERIVATIVES)
            case Market.CURRENCY:
                return (SegmentClass.CURRENCY,)
            case Market.COMMODITY:
                return (SegmentClass.COMMODITY, SegmentClass.AGRICULTURAL)


_AGRICULTURAL = frozenset(
    (
        *("BLACKPEPPER", "CARDAMOM", "CASTORSEED", "COTTON", "COTTONCNDY", "COTTONOIL", "CPO"),
        *("ISABGOL", "KAPAS", "MENTHAOIL", "RBDPMOLEIN", "RUBBER"),
    )
)
"""What grows, as MCX names it in its contracts' symbols; COTTONCNDY-30Jan2026-FUT is one."""


def segment_class(segment: Segment, symbol: str, *, has_derivatives: bool) -> SegmentClass:
    """Which hours count: shares with derivatives keep other hours than the rest since 3 August 2026, and agricultural
    contracts stop in the afternoon. `symbol` is Dhan's."""
    match segment:
        case Segment.NSE_EQ | Segment.BSE_EQ:
            return SegmentClass.CASH_WITH_DERIVATIVES if has_derivatives else SegmentClass.CASH
        case Segment.NSE_FNO | Segment.BSE_FNO:
            return SegmentClass.EQUITY_DERIVATIVES
        case Segment.NSE_CURRENCY | Segment.BSE_CURRENCY:
            return SegmentClass.CURRENCY
        case Segment.MCX_COMM:
            return SegmentClass.AGRICULTURAL if _commodity(symbol) in _AGRICULTURAL else SegmentClass.COMMODITY


def spoken_name(segment: str, symbol: str) -> str:
    """The symbol, with its exchange before it where that is not the NSE: `BSE:RELIANCE`. `segment` may be one that is
    not ours.
    """
    exchange = segment.partition("_")[0]
    return symbol if exchange in ("", "NSE") else f"{exchange}:{symbol}"


def _commodity(symbol: str) -> str:
    """Such as CPO in CPO-30Jan2026-FUT, and in CPO1!."""
    return re.split(r"[^A-Z]", symbol.upper(), maxsplit=1)[0]


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """`security_id` is unique only within its segment. `lot` is in units, `tick` in rupees.

    `freezes_at`: the exchange freezes an order of that many units. `band` is the lowest and highest price of the day
    `listed_on`, which is that of the list that it comes from; None where nobody knows.
    """

    security_id: str
    segment: Segment
    exchange: Exchange
    kind: InstrumentKind
    symbol: str
    name: str
    lot: int
    tick: Decimal
    has_derivatives: bool = False
    underlying: str | None = None
    expiry: date | None = None
    strike: Decimal | None = None
    option_type: OptionType | None = None
    isin: str = ""
    freezes_at: int | None = None
    band: tuple[Decimal, Decimal] | None = None
    is_of_index: bool = False
    listed_on: date | None = None

    @property
    def index_expiry(self) -> date | None:
        """The last day of an index contract, whose session may end before the others'."""
        return self.expiry if self.is_of_index else None

    @property
    def segment_class(self) -> SegmentClass:
        return segment_class(self.segment, self.symbol, has_derivatives=self.has_derivatives)

    @property
    def has_fixed_band(self) -> bool:
        """Shares without derivatives keep the day's band; elsewhere the exchange moves it with the market."""
        return self.segment_class is SegmentClass.CASH

    def band_on(self, day: date | None) -> tuple[Decimal, Decimal] | None:
        """The band where it is known to be that day's; which one another day will have, nobody knows before."""
        return self.band if day is not None and day == self.listed_on else None

    @property
    def units_per_alert_quantity(self) -> int:
        """Shares count as they are, derivatives come in lots; on MCX the broker itself counts lots (lot unit 1 in its
        file of 2026), and goes on to, whatever the list says."""
        return 1 if self.kind is InstrumentKind.EQUITY or self.segment is Segment.MCX_COMM else self.lot

    @property
    def why_lots_in_doubt(self) -> str:
        """Why a person should look at the quantity, as a sentence; empty where the list says what is known of lots."""
        if self.segment is not Segment.MCX_COMM or self.lot == 1:
            return ""
        return (
            f"Dhan's list has {self.lot:,} units in a lot of {self.symbol}, but on MCX an order counts lots: "
            "so its quantity is sent, and not the units."
        )

    @property
    def most_units(self) -> int | None:
        """The most units that one order may have, in whole lots; None when the list does not say."""
        step = self.units_per_alert_quantity
        return None if self.freezes_at is None else max((self.freezes_at - 1) // step * step, step)
