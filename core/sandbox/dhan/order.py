"""An order as the stand-in keeps it, and a trade that filled some of it."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from core.sandbox.dhan.hours import AmoTime


class Status(StrEnum):
    """Dhan API v2, Annexure, Order Status."""

    TRANSIT = "TRANSIT"
    PENDING = "PENDING"
    PART_TRADED = "PART_TRADED"
    TRADED = "TRADED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"

    @property
    def is_open(self) -> bool:
        return self in _OPEN


_OPEN = {Status.TRANSIT, Status.PENDING, Status.PART_TRADED}


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_MARKET = "STOP_LOSS_MARKET"


class Product(StrEnum):
    CNC = "CNC"
    INTRADAY = "INTRADAY"
    MARGIN = "MARGIN"
    MTF = "MTF"


class Validity(StrEnum):
    DAY = "DAY"
    IOC = "IOC"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What the client asked for. Prices in rupees, quantity in units."""

    correlation_id: str
    side: Side
    segment: str
    product: Product
    order_type: OrderType
    validity: Validity
    security_id: str
    quantity: int
    disclosed: int
    price: Decimal
    trigger_price: Decimal
    amo_time: AmoTime | None


@dataclass(frozen=True, kw_only=True)
class Order(Ticket):
    """A ticket that was taken in, and all that became of it.

    `book_day` is the trading day it belongs to, `release_at` the instant it goes to the exchange, `blocked` the money
    (rupees) set aside for its unfilled part. `doom` is a scripted later rejection; a `stuck` order never leaves
    TRANSIT.
    """

    order_id: str
    entered_at: datetime
    release_at: datetime
    book_day: date
    status: Status
    updated_at: datetime
    exchange_order_id: str | None = None
    exchange_time: datetime | None = None
    triggered: bool = False
    blocked: Decimal = Decimal(0)
    filled: int = 0
    traded_value: Decimal = Decimal(0)
    modifications: int = 0
    oms_code: str = "0"
    oms_text: str = "CONFIRMED"
    doom: str | None = None
    stuck: bool = False

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        return (self.traded_value / self.filled).quantize(Decimal("0.01")) if self.filled else Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Trade:
    trade_id: str
    order_id: str
    day: date
    at: datetime
    quantity: int
    price: Decimal
