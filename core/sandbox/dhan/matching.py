"""What the exchange does with one order at one instant. Pure: the same order at the same instant moves the same way."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from core.clock import to_india
from core.sandbox.dhan.hours import Auction, closing_auction, session
from core.sandbox.dhan.instruments import listed_on
from core.sandbox.dhan.order import Order, OrderType, Side, Status, Validity
from core.sandbox.dhan.prices import STEP_SECONDS
from core.sandbox.dhan.security import Security

CHECKED_AFTER = timedelta(milliseconds=100)
MATCHED_AFTER = timedelta(milliseconds=200)
NEXT_PIECE_AFTER = timedelta(milliseconds=400)
_PIECE = 2000
_MOST_PIECES = 4


@dataclass(frozen=True)
class Step:
    """The order afterwards, when to look at it next, and how much was traded just now at which price."""

    order: Order
    due: datetime | None = None
    traded: int = 0
    price: Decimal = Decimal(0)


def first_step(order: Order) -> datetime | None:
    """When an open order, as it stands in the ledger, has to be looked at next."""
    if order.stuck:
        return None
    match order.status:
        case Status.TRANSIT:
            return order.updated_at + CHECKED_AFTER
        case Status.PENDING if order.exchange_order_id is None:
            return order.release_at
        case Status.PART_TRADED:
            return order.updated_at + NEXT_PIECE_AFTER
        case _:
            return order.updated_at + MATCHED_AFTER


def arrive(order: Order, at: datetime) -> Step:
    """At the exchange: its own checks, and a market order has become a limit inside a protection range, if not for the
    auction, which has one price.
    """
    security = security_of(order)
    if order.price % security.tick or order.trigger_price % security.tick:
        return Step(reject(order, at, "16283", "EXCH:16283:The order price is not multiple of tick size."))
    if order.quantity >= security.freezes_at:
        return Step(reject(order, at, "16197", "EXCH:16197:Quantity is above the freeze limit."))
    if security.band and not security.has_derivatives and order.price:
        low, high = security.band
        if not low <= order.price <= high:
            return Step(reject(order, at, "16284", "EXCH:16284:The price is beyond the day's price range."))
    if security.segment == "D" and order.quantity % security.lot:
        return Step(reject(order, at, "16328", "EXCH:16328:Quantity is not a multiple of the regular lot."))
    if order.order_type is OrderType.MARKET and _auction_of(order, security) is None:
        order = replace(order, order_type=OrderType.LIMIT, price=protected_price(order, security, at))
    number = f"11{order.book_day:%y%m%d}{order.order_id[-8:]}"
    return Step(
        replace(order, exchange_order_id=number, exchange_time=at, updated_at=at),
        at + MATCHED_AFTER,
    )


def match(order: Order, at: datetime) -> Step:
    security = security_of(order)
    auction = _auction_of(order, security)
    if auction is not None:
        return _match_in(auction, order, security, at)
    hours = session(order.book_day, security.market)
    if hours is None or at >= hours.closes:
        return Step(replace(order, status=Status.EXPIRED, updated_at=at))
    if at < hours.opens:
        return Step(order, hours.opens)
    price = security.price_at(at)
    if order.order_type is OrderType.STOP_LOSS and not order.triggered and _reaches_trigger(order, price):
        order = replace(order, triggered=True, updated_at=at)
    if _is_marketable(order, price):
        return _fill(order, price, at)
    if order.validity is Validity.IOC:
        return Step(replace(order, status=Status.EXPIRED, updated_at=at))
    return Step(order, min(_next_price_change(at), hours.closes))


def _auction_of(order: Order, security: Security) -> Auction | None:
    """The closing auction that the order was entered into; None for one of the session's."""
    auction = closing_auction(order.book_day, security.market)
    return auction if auction is not None and order.release_at >= auction.opens else None


def _match_in(auction: Auction, order: Order, security: Security, at: datetime) -> Step:
    """Once, at one price, and all of it: what that leaves is over."""
    if at < auction.matches:
        return Step(order, auction.matches)
    price = security.price_at(auction.matches)
    matches = order.order_type is OrderType.MARKET or _is_marketable(order, price)
    if at > auction.matches or not matches:
        return Step(replace(order, status=Status.EXPIRED, updated_at=at))
    return _fill(order, price, at, piece=order.remaining)


def reject(order: Order, at: datetime, code: str, text: str) -> Order:
    return replace(order, status=Status.REJECTED, oms_code=code, oms_text=text, updated_at=at)


def security_of(order: Order) -> Security:
    return listed_on(to_india(order.entered_at).date())[(order.segment, order.security_id)]


def protected_price(order: Order, security: Security, at: datetime) -> Decimal:
    """Since 21 Mar 2026 Dhan sends MARKET as a limit this far through the market; its exact ranges are unpublished."""
    last = security.price_at(at)
    hundred, five_hundred = Decimal(100), Decimal(500)
    share = Decimal("0.02") if last < hundred else Decimal("0.01") if last <= five_hundred else Decimal("0.005")
    if order.side is Side.BUY:
        return (last * (1 + share) / security.tick).quantize(Decimal(1), ROUND_CEILING) * security.tick
    return max((last * (1 - share) / security.tick).quantize(Decimal(1), ROUND_FLOOR), Decimal(1)) * security.tick


def _fill(order: Order, price: Decimal, at: datetime, piece: int | None = None) -> Step:
    """One piece: large orders take several, so that partial fills are seen; what waits for nothing gets the first."""
    if piece is None:
        piece = min(order.remaining, max(_PIECE, -(-order.quantity // _MOST_PIECES)))
    left = order.remaining - piece
    open_status = Status.EXPIRED if order.validity is Validity.IOC else Status.PART_TRADED
    filled = replace(
        order,
        status=open_status if left else Status.TRADED,
        filled=order.filled + piece,
        traded_value=order.traded_value + piece * price,
        blocked=(order.blocked * left / order.remaining).quantize(Decimal("0.01")),
        exchange_time=at,
        updated_at=at,
    )
    return Step(filled, at + NEXT_PIECE_AFTER, piece, price)


def _reaches_trigger(order: Order, price: Decimal) -> bool:
    return price >= order.trigger_price if order.side is Side.BUY else price <= order.trigger_price


def _is_marketable(order: Order, price: Decimal) -> bool:
    if order.order_type is OrderType.STOP_LOSS and not order.triggered:
        return False
    return price <= order.price if order.side is Side.BUY else price >= order.price


def _next_price_change(at: datetime) -> datetime:
    return at + timedelta(seconds=STEP_SECONDS - at.timestamp() % STEP_SECONDS)
