"""What the desk asks of a broker, and the four things that can become of an order sent to one.

The classes follow what may be done next: an accepted order is watched, a refused one is not there, one that was
provably not sent may be sent again, and of an unknown one nothing may be assumed: it is looked up, then asked about.
"""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from core.domain.address import Addresses, Slot
from core.domain.alert import AmoTime, OrderType, Product, Side, Validity
from core.domain.attempt import is_like_ours
from core.domain.instrument import Segment
from core.domain.order import Order
from core.errors import BrokerUnavailable


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """One order for the broker: quantity in units, prices in rupees, `amo_time` set for an after-market order."""

    correlation_id: str
    side: Side
    segment: Segment
    security_id: str
    product: Product
    order_type: OrderType
    quantity: int
    price: Decimal | None
    trigger_price: Decimal | None
    amo_time: AmoTime | None
    validity: Validity = Validity.DAY


@dataclass(frozen=True, kw_only=True)
class ChangeRequest:
    """What an order shall be from now on: `quantity` is the new total in units, prices in rupees."""

    order_id: str
    order_type: OrderType
    quantity: int
    price: Decimal | None
    trigger_price: Decimal | None
    validity: Validity = Validity.DAY


class Refusal(StrEnum):
    """Why the broker said no, as far as it changes what happens next."""

    FINAL = "final"
    RATE_LIMITED = "rate_limited"
    SIGNED_OUT = "signed_out"
    INVALID_IP = "invalid_ip"
    NO_ACCESS = "no_access"
    KILL_SWITCH = "kill_switch"
    MARKET_CLOSED = "market_closed"
    MARKET_OFFLINE = "market_offline"
    IN_TRANSIT = "in_transit"

    @property
    def is_final(self) -> bool:
        """Whether it is about this order alone, which is not sent again by itself."""
        return self in (Refusal.FINAL, Refusal.MARKET_CLOSED, Refusal.IN_TRANSIT)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The broker has it. It may still be rejected later."""

    order_id: str


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A well-formed no. `words` are the broker's own, `advice` says in ours what it means and what to do."""

    refusal: Refusal
    code: str
    words: str
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class NotSent:
    """It failed before the first byte left."""

    words: str


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """The broker may or may not have it. `words` is the evidence, without secrets.

    `refusal` is what it says of the account, and so of every order, though it proves nothing of this one.
    """

    words: str
    refusal: Refusal | None = None


Outcome = Accepted | Refused | NotSent | Unknown


class BrokerState(StrEnum):
    """A broker's order status in our words. RECEIVED: not past the broker's own checks. OTHER: unknown, no ending."""

    RECEIVED = "received"
    WORKING = "working"
    PART_FILLED = "part_filled"
    FILLED = "filled"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    OTHER = "other"


CAME_TO_NOTHING = (BrokerState.REJECTED, BrokerState.CANCELLED, BrokerState.LAPSED)
"""Without a fill."""
ENDED = (BrokerState.FILLED, *CAME_TO_NOTHING)

Said = tuple[BrokerState, int]
"""What the broker says of an order in short: its state, and how much is filled."""
NOTHING_KNOWN: Mapping[str, Said] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class BrokerOrder:
    """An order as the broker reports it. Type and price may differ from what was sent: market orders are protected.

    `words` are the broker's own about it, `advice` ours about a rejection; `refusal` is what that says of the account.
    """

    order_id: str
    correlation_id: str
    state: BrokerState
    status: str
    side: Side | None
    segment: str
    security_id: str
    product: Product | None
    quantity: int
    filled_quantity: int
    average_price: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None = None
    symbol: str = ""
    is_amo: bool
    words: str = field(default="")
    advice: str = field(default="")
    refusal: Refusal | None = None

    @property
    def said(self) -> Said:
        return self.state, self.filled_quantity

    @property
    def is_whole(self) -> bool:
        """Whether all of it is filled, by its counts; its state may be ahead of them, or behind."""
        return 0 < self.quantity <= self.filled_quantity

    @property
    def remaining(self) -> int:
        """Units that may still trade."""
        return 0 if self.state in ENDED else self.quantity - self.filled_quantity

    @property
    def stands(self) -> bool:
        """Whether it has traded or still may."""
        return self.filled_quantity > 0 or self.state not in CAME_TO_NOTHING

    def is_what_was_asked(self, order: Order) -> bool:
        """Whether this is that order. Type and price may differ: Dhan turns market orders into protected limits."""
        return (
            self.side is order.side
            and self.segment == order.segment
            and self.security_id == order.security_id
            and self.product is order.product
            and self.quantity == order.quantity
        )


class IncompleteBook(BrokerUnavailable):
    """A book with entries that cannot be read: no evidence of what it lacks. `orders` are those that can.

    `unread` are the correlation ids of the others, empty where even that is missing; `left_out`: how many more could be
    read and say what is known.
    """

    def __init__(self, orders: list[BrokerOrder], unread: list[str], left_out: int = 0) -> None:
        super().__init__("Dhan's order book has an entry that cannot be read")
        self.orders = orders
        self.unread = unread
        self.left_out = left_out

    @property
    def may_hide_ours(self) -> bool:
        """Whether one of those entries may be an order of this desk. Of a book without a readable entry any may."""
        has_readable = bool(self.orders or self.left_out)
        return not has_readable or any(not name or is_like_ours(name) for name in self.unread)


def named(book: Iterable[BrokerOrder], *names: str) -> BrokerOrder | None:
    """The order of one of these correlation ids: of several the one that stands, if any does."""
    rows = [row for row in book if row.correlation_id in names]
    return next((row for row in rows if row.stands), rows[0] if rows else None)


async def in_book(reading: Awaitable[list[BrokerOrder]], names: Sequence[str]) -> BrokerOrder | None:
    """The order of one of our names in the book that is being read.

    Raises as the reading does, but not over entries that cannot be read and are provably of somebody else.
    """
    try:
        return named(await reading, *names)
    except IncompleteBook as incomplete:
        found = named(incomplete.orders, *names)
        if found is None and incomplete.may_hide_ours:
            raise
        return found


@dataclass(frozen=True, kw_only=True)
class PastFill:
    """What an order of an earlier day had traded: units, and their average price in rupees.

    Of what it was, `side` and `product` are None, and the rest empty, where the broker does not say in our words.
    """

    quantity: int
    average_price: Decimal
    side: Side | None = None
    segment: str = ""
    security_id: str = ""
    product: Product | None = None


class Broker(Protocol):
    """Reads raise BrokerUnavailable when they prove nothing, and SignInNeeded when the session is dead."""

    async def place(self, request: OrderRequest) -> Outcome:
        """Send exactly one POST. Never raises for what the network or the broker does."""
        ...

    async def modify(self, request: ChangeRequest) -> Outcome:
        """Ask once for other terms. Accepted means received: the book says whether it happened. Never raises."""
        ...

    async def cancel(self, order_id: str) -> Outcome:
        """Ask once for the order's end. Accepted means received: a fill may have won the race. Never raises."""
        ...

    async def find(self, correlation_id: str) -> BrokerOrder | None:
        """The order of that name, of several one that stands, or None when the broker says that there is none.

        The book has the others, too.
        """
        ...

    async def book(self, known: Mapping[str, Said] = NOTHING_KNOWN) -> list[BrokerOrder]:
        """The orders of the broker's day, ours or not, but those of which it still says what is `known` by their id.

        Raises IncompleteBook with those that can be read.
        """
        ...

    async def past_fills(self, since: date, until: date) -> dict[str, PastFill]:
        """Fills of those days, both included, by order id: the book itself knows today only."""
        ...

    async def check_session(self) -> None:
        """Raise SignInNeeded when the broker no longer takes our token."""
        ...

    async def addresses(self) -> Addresses:
        """The static addresses that the broker takes orders from, and the one it sees."""
        ...

    async def register_address(self, address: str, slot: Slot, *, is_change: bool) -> None:
        """Register it, for at least seven days. Raises Refusal with the broker's words, and as reads do."""
        ...
