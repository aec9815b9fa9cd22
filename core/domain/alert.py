"""What an alert asks for, in our own words: one or more legs, each a wish for one order."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_LIMIT = "STOP_LIMIT"
    STOP_MARKET = "STOP_MARKET"


class Product(StrEnum):
    DELIVERY = "DELIVERY"
    INTRADAY = "INTRADAY"
    CARRY_FORWARD = "CARRY_FORWARD"
    MARGIN_FUNDED = "MARGIN_FUNDED"


class Exchange(StrEnum):
    NSE = "NSE"
    BSE = "BSE"
    MCX = "MCX"


class Segment(StrEnum):
    """An exchange's market; the values are Dhan's (Dhan API v2, Annexure, Exchange Segment)."""

    NSE_EQ = "NSE_EQ"
    NSE_FNO = "NSE_FNO"
    NSE_CURRENCY = "NSE_CURRENCY"
    BSE_EQ = "BSE_EQ"
    BSE_FNO = "BSE_FNO"
    BSE_CURRENCY = "BSE_CURRENCY"
    MCX_COMM = "MCX_COMM"

    @property
    def exchange(self) -> Exchange:
        return Exchange(self.value.partition("_")[0])

    @property
    def is_of_shares(self) -> bool:
        return self in (Segment.NSE_EQ, Segment.BSE_EQ)


class InstrumentKind(StrEnum):
    EQUITY = "EQUITY"
    FUTURE = "FUTURE"
    OPTION = "OPTION"


class OptionType(StrEnum):
    CALL = "CE"
    PUT = "PE"


class Validity(StrEnum):
    """How long the exchange keeps what is not filled: for the day, or not at all (Dhan API v2, Orders, `validity`)."""

    DAY = "DAY"
    IOC = "IOC"


class AmoTime(StrEnum):
    """When an after-market order goes to the exchange (Dhan API v2, Orders, `amoTime`)."""

    PRE_OPEN = "PRE_OPEN"
    OPEN = "OPEN"
    OPEN_30 = "OPEN_30"
    OPEN_60 = "OPEN_60"


@dataclass(frozen=True, kw_only=True)
class OptionContract:
    option_type: OptionType
    strike: Decimal
    expiry: date


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One order wished for. `quantity` counts shares for equity and lots for derivatives, as Dhan's alerts do.

    `price` is None for market orders, `trigger_price` is set for stop orders only; both in rupees. `alert_price` is the
    chart's when the alert fired, where the alert says so. `segment` is set where the alert's exchange names one, such
    as NFO, and the instrument must be of it.
    """

    position: int
    side: Side
    order_type: OrderType
    quantity: int
    exchange: Exchange
    symbol: str
    kind: InstrumentKind
    product: Product
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    option: OptionContract | None = None
    amo_time: AmoTime = AmoTime.OPEN_30
    validity: Validity = Validity.DAY
    alert_price: Decimal | None = None
    segment: Segment | None = None

    @property
    def nearest(self) -> "Leg | None":
        """Of a continuous future such as NIFTY2! the one of the nearest contract, NIFTY1!; None for all else."""
        if self.kind is not InstrumentKind.FUTURE or not self.symbol.endswith("!"):
            return None
        return replace(self, symbol=f"{self.symbol[:-2]}1!")


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A well-formed alert. `fired_at` is TradingView's `timenow` (aware, UTC), when the alert carried one.

    `remarks` are sentences about what was tolerated or cannot be honoured; they are shown, never swallowed.
    """

    legs: tuple[Leg, ...]
    fired_at: datetime | None = None
    interval: str | None = None
    remarks: tuple[str, ...] = field(default=())


class AlertState(StrEnum):
    """received → decided; a repeat waits for a tap that turns it into a received alert; refused never had orders."""

    RECEIVED = "received"
    DECIDED = "decided"
    REPEAT = "repeat"
    REFUSED = "refused"
