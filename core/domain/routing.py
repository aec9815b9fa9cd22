"""Now, after-market, or wait: what the market's clock says about an order."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.domain.alert import AmoTime, OrderType, Validity
from core.domain.instrument import Instrument
from core.domain.order import Mode, Order
from core.domain.sessions import INDIA, Auction, Calendar, Trading, Unknown, spoken, spoken_time
from core.domain.ways import Alternative, as_amo, as_auction, as_regular
from core.domain.windows import (
    SESSION_MARGIN,
    AmoWindow,
    Expired,
    MarketTime,
    Traded,
    Window,
    amo_window,
    auction_window,
    look,
    regular_window,
)

PRE_OPEN_TAKES_NO_STOPS = "The pre-open takes no stop orders"
SESSION_IS_OVER = "The session is over"
AUCTION_IS_OVER = "The closing auction that it was sent into is over."
IOC_NEEDS_A_SESSION = "An IOC order goes at once or not at all, and only while the market is open."


class ReleasePolicy(StrEnum):
    """What an order waits for that can go nowhere now: the next after-market window, or the next open."""

    AMO = "amo"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of an order, as far as the clock decides it.

    `mode` None: the calendar does not know; hold and ask. `release_at` (aware UTC) is when the order may leave,
    `window_ends_at` the first moment at which leaving makes no sense any more, `reaches_exchange_at` when the exchange
    is to see it. `reason` is one sentence; `alternatives` are what the card may offer instead.
    """

    mode: Mode | None
    as_amo: bool
    release_at: datetime | None
    window_ends_at: datetime | None
    reaches_exchange_at: datetime | None
    reason: str
    alternatives: tuple[Alternative, ...]


def route(
    traded: Traded,
    *,
    order_type: OrderType,
    amo_time: AmoTime,
    now: datetime,
    calendar: Calendar,
    policy: ReleasePolicy,
    validity: Validity = Validity.DAY,
) -> Decision:
    """Decide how an order goes out. Pure, and total over aware instants.

    What the session or the after-market window takes, goes now. What waits on the morning of a session waits for that
    session, and all else for what `policy` says; an IOC order can only wait for a session.
    """
    moment = look(now, traded, calendar)
    session = regular_window(moment)
    regular = session if isinstance(session, Unknown) else as_regular(moment, session)
    if isinstance(regular, Alternative) and regular.mode is Mode.IMMEDIATE:
        closes = regular.window_ends_at + SESSION_MARGIN
        return _decide(regular, f"The market is open until {spoken_time(closes.astimezone(INDIA))}.", ())
    evening = amo_window(moment)
    amo = evening if isinstance(evening, Unknown) else as_amo(moment, evening, order_type, amo_time, validity)
    prefers_amo = _prefers_amo(moment, session, evening, policy) and not isinstance(amo, Expired)
    chosen = amo or regular if prefers_amo else regular
    others = tuple(
        way
        for way in (as_auction(moment, order_type, validity), regular, amo)
        if isinstance(way, Alternative) and way is not chosen
    )
    if isinstance(chosen, Unknown):
        return _hold(chosen.reason, others)
    if validity is Validity.IOC:
        return _decide(chosen, f"{IOC_NEEDS_A_SESSION} {_why(chosen, _what_is_now(moment))}", others)
    waits_because = PRE_OPEN_TAKES_NO_STOPS if amo is None else _what_is_now(moment)
    return _decide(chosen, _why(chosen, waits_because), others)


def why_expired(instrument: Instrument, calendar: Calendar, now: datetime) -> str | None:
    """Why a contract can be traded no more, in a sentence; None while a session is left, and for a share."""
    left = regular_window(look(now, instrument, calendar))
    return left.reason if isinstance(left, Expired) else None


def after_market(order: Order, calendar: Calendar, now: datetime) -> Alternative | Unknown | None:
    """How a stored order could go as an after-market order from this moment on; None when it cannot."""
    moment = look(now, order, calendar)
    window = amo_window(moment)
    if isinstance(window, Unknown):
        return window
    return as_amo(moment, window, order.order_type, order.amo_time, order.validity)


def same_way_again(order: Order, calendar: Calendar, now: datetime) -> Alternative | Unknown:
    """When a stored order goes from this moment on, if it stays what it is: after-market, regular, or for the auction
    that the operator sent it into, and for no other session.
    """
    way = after_market(order, calendar, now) if order.as_amo else None
    if way is not None:
        return way
    moment = look(now, order, calendar)
    if order.into_auction:
        return as_auction(moment, order.order_type, order.validity) or Unknown(AUCTION_IS_OVER)
    session = regular_window(moment)
    return session if isinstance(session, Unknown) else as_regular(moment, session)


def may_send(
    traded: Traded,
    *,
    order_type: OrderType,
    as_amo: bool,
    now: datetime,
    calendar: Calendar,
    into_auction: bool = False,
    validity: Validity = Validity.DAY,
) -> str | None:
    """None when an order may leave at `now`, else why it may not, in a sentence. To be asked again inside the claim.

    `into_auction`: the operator has sent this order into the closing auction.
    """
    moment = look(now, traded, calendar)
    if validity is Validity.IOC and (into_auction or as_amo):
        return IOC_NEEDS_A_SESSION
    if into_auction:
        window, name = auction_window(moment, order_type), "closing auction"
    elif as_amo:
        window, name = amo_window(moment), "after-market window"
    else:
        window, name = regular_window(moment), "market"
    match window:
        case None:
            return "The closing auction does not take this order now."
        case Unknown():
            return window.reason
        case Window() if window.opens <= moment.now:
            return None
        case Window():
            return f"The {name} is closed until {spoken(window.opens)}."


def _prefers_amo(
    moment: MarketTime, session: Window | Unknown, evening: AmoWindow | Unknown, policy: ReleasePolicy
) -> bool:
    """What is open now comes first, then a session still to come today, then the policy."""
    if isinstance(evening, AmoWindow) and evening.opens <= moment.now:
        return True
    if isinstance(session, Window) and session.opens.date() == moment.now.date():
        return False
    return policy is ReleasePolicy.AMO


def _decide(way: Alternative, reason: str, alternatives: tuple[Alternative, ...]) -> Decision:
    return Decision(
        mode=way.mode,
        as_amo=way.as_amo,
        release_at=way.release_at,
        window_ends_at=way.window_ends_at,
        reaches_exchange_at=way.reaches_exchange_at,
        reason=reason,
        alternatives=alternatives,
    )


def _hold(reason: str, alternatives: tuple[Alternative, ...]) -> Decision:
    return Decision(
        mode=None,
        as_amo=False,
        release_at=None,
        window_ends_at=None,
        reaches_exchange_at=None,
        reason=reason,
        alternatives=alternatives,
    )


def _why(way: Alternative, waits_because: str) -> str:
    if way.mode is Mode.AMO:
        return f"After hours: the after-market order reaches the exchange {spoken(way.reaches_exchange_at)}."
    opens = "the next after-market window opens" if way.as_amo else "it waits for the open,"
    return f"{waits_because}: {opens} {spoken(way.release_at)}."


def _what_is_now(moment: MarketTime) -> str:
    today, clock = moment.today, moment.now.time()
    if not isinstance(today, Trading):
        return today.reason
    if clock < today.sessions[0].opens:
        return "Before the open"
    auction = today.closing_auction
    if auction and auction.span.opens <= clock < auction.span.closes:
        return auction_runs(auction)
    return SESSION_IS_OVER if clock > today.sessions[-1].opens else "Between two sessions"


def auction_runs(auction: Auction) -> str:
    """What a reason says while it runs; SESSION_IS_OVER afterwards."""
    return f"Closing auction until {spoken_time(auction.span.closes)}"
