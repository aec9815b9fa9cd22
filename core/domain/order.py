"""The life of an order: its states and the one table of legal moves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from core.domain.alert import AmoTime, Exchange, OrderType, Product, Side, Validity
from core.domain.instrument import Segment, SegmentClass, segment_class
from core.domain.sessions import INDIA


class OrderState(StrEnum):
    REFUSED = "refused"
    AWAITING_APPROVAL = "awaiting_approval"
    QUEUED = "queued"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    NEEDS_OPERATOR = "needs_operator"
    WORKING = "working"
    PART_FILLED = "part_filled"
    CANCELLING = "cancelling"
    DECLINED = "declined"
    EXPIRED = "expired"
    DROPPED = "dropped"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    LAPSED = "lapsed"

    @property
    def is_final(self) -> bool:
        """Nothing more is expected. A dropped order may still be found at the broker, with an alarm."""
        return self is OrderState.DROPPED or not MOVES[self]

    @property
    def is_at_broker(self) -> bool:
        return self in AT_BROKER


class Mode(StrEnum):
    """How an order reaches the exchange: the webhook's `placement_mode`."""

    IMMEDIATE = "immediate"
    AMO = "amo"
    QUEUE = "queue"


_S = OrderState
_BROKER_ENDINGS = frozenset({_S.FILLED, _S.CANCELLED, _S.REJECTED, _S.LAPSED})
WAITING = frozenset({_S.AWAITING_APPROVAL, _S.QUEUED})
"""What has not been sent, and still may be."""
AT_BROKER = frozenset({_S.WORKING, _S.PART_FILLED, _S.CANCELLING})
IN_DOUBT = frozenset({_S.UNKNOWN, _S.NEEDS_OPERATOR, _S.DROPPED})
"""What may be at the broker although nobody has seen it there."""
_FOUND_AT_BROKER = frozenset({_S.WORKING, _S.PART_FILLED}) | _BROKER_ENDINGS

MOVES: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType(
    {
        _S.REFUSED: frozenset(),
        _S.AWAITING_APPROVAL: frozenset({_S.QUEUED, _S.DECLINED, _S.EXPIRED, _S.UNKNOWN}),
        _S.QUEUED: frozenset({_S.SUBMITTING, _S.AWAITING_APPROVAL, _S.DECLINED, _S.EXPIRED, _S.UNKNOWN}),
        _S.SUBMITTING: frozenset({_S.WORKING, _S.REJECTED, _S.QUEUED, _S.UNKNOWN}),
        _S.UNKNOWN: frozenset({_S.NEEDS_OPERATOR}) | _FOUND_AT_BROKER,
        _S.NEEDS_OPERATOR: frozenset({_S.QUEUED, _S.DROPPED, _S.WORKING}),
        _S.WORKING: frozenset({_S.PART_FILLED, _S.CANCELLING, _S.UNKNOWN}) | _BROKER_ENDINGS,
        _S.PART_FILLED: frozenset({_S.CANCELLING}) | _BROKER_ENDINGS,
        _S.CANCELLING: frozenset({_S.WORKING, _S.PART_FILLED, _S.UNKNOWN}) | _BROKER_ENDINGS,
        _S.DECLINED: frozenset(),
        _S.EXPIRED: frozenset(),
        _S.DROPPED: frozenset({_S.WORKING}),
        _S.FILLED: frozenset(),
        _S.CANCELLED: frozenset(),
        _S.REJECTED: frozenset(),
        _S.LAPSED: frozenset(),
    }
)


def why_queued(position: int, reason: str) -> str:
    """What keeps a leg of its alert in the queue: its own `reason`, and the leg before it."""
    return reason if position == 1 else f"It goes once leg {position - 1} is at Dhan. {reason}"


class IllegalMove(Exception):
    """A bug of ours: the table forbids this move."""

    def __init__(self, before: OrderState, after: OrderState) -> None:
        super().__init__(f"an order cannot go from {before} to {after}")


def check_move(before: OrderState, after: OrderState) -> None:
    """Raise IllegalMove unless the table allows it."""
    if after not in MOVES[before]:
        raise IllegalMove(before, after)


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order as stored. Quantities in units, money in rupees, times aware in UTC.

    `confirmed`: it stood in the broker's book past the broker's own checks, which come after its acknowledgement.
    `closes`: it takes a position back at the operator's word, so entry rules do not hold it up.
    `release_at` is when it may go out, `reaches_exchange_at` when the exchange sees it, `expires_at` when waiting ends:
    for the answer, and once approved for the window. `into_auction`: the operator sent it into the closing auction.
    `expiry` is a contract's last day, and `index_expiry` the same of an index contract. `alert_price` is the chart's
    when the alert fired, where it said so; `asked_at_price` the one that the operator was last asked at, because it had
    moved.
    """

    id: int
    alert_id: int
    position: int
    state: OrderState
    version: int
    side: Side
    order_type: OrderType
    product: Product
    exchange: Exchange
    symbol: str
    quantity: int
    price: Decimal | None
    trigger_price: Decimal | None
    segment: Segment
    security_id: str
    tick: Decimal
    has_derivatives: bool
    mode: Mode | None
    as_amo: bool
    amo_time: AmoTime
    release_at: datetime | None
    reaches_exchange_at: datetime | None
    expires_at: datetime | None
    retry_at: datetime | None
    validity: Validity = Validity.DAY
    expiry: date | None = None
    index_expiry: date | None = None
    into_auction: bool = False
    window_ends_at: datetime | None = None
    remind_at: datetime | None = None
    approved_at: datetime | None = None
    closes: bool = False
    alert_price: Decimal | None = None
    asked_at_price: Decimal | None = None
    reason: str
    broker_order_id: str | None
    confirmed: bool
    filled_quantity: int
    average_price: Decimal | None
    created_at: datetime
    updated_at: datetime

    @property
    def label(self) -> str:
        """The short id people say: alert and leg, like 41.2."""
        return f"{self.alert_id}.{self.position}"

    @property
    def broker_day(self) -> date:
        """The India date of the broker's book that it is in."""
        return (self.reaches_exchange_at or self.updated_at).astimezone(INDIA).date()

    @property
    def segment_class(self) -> SegmentClass:
        return segment_class(self.segment, self.symbol, has_derivatives=self.has_derivatives)
