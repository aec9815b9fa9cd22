"""The ways an order can go from a moment on, each with its times and the words for its button."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.domain.alert import AmoTime, OrderType, Validity
from core.domain.order import Mode
from core.domain.sessions import Unknown, spoken, spoken_day, spoken_time
from core.domain.windows import SESSION_MARGIN, AmoWindow, MarketTime, Window, at, auction_window

AFTER_OPEN = {
    AmoTime.PRE_OPEN: timedelta(0),
    AmoTime.OPEN: timedelta(0),
    AmoTime.OPEN_30: timedelta(minutes=30),
    AmoTime.OPEN_60: timedelta(minutes=60),
}
"""How long after the open Dhan hands an after-market order on (Dhan API v2, Orders, `amoTime`). PRE_OPEN means the
pre-open session; where a market has none, such an order is there at the open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One way for the order to go; the times are aware UTC and mean what they mean in a Decision.

    `into_auction` needs the operator's word; `may_send` must be told of it.
    """

    mode: Mode
    as_amo: bool
    release_at: datetime
    window_ends_at: datetime
    reaches_exchange_at: datetime
    label: str
    into_auction: bool = False


def as_regular(moment: MarketTime, session: Window) -> Alternative:
    return _way(
        moment,
        session,
        now_is=Mode.IMMEDIATE,
        reaches=max(session.opens, moment.now),
        label=f"At the open, {spoken(session.opens)}",
    )


def as_amo(
    moment: MarketTime, window: AmoWindow, order_type: OrderType, amo_time: AmoTime, validity: Validity
) -> Alternative | Unknown | None:
    """None when the order would wait at the broker although it waits for nothing, or could only meet an auction that
    does not take it; Unknown when it would come too late.
    """
    if validity is Validity.IOC:
        return None
    opens = at(window.day, window.hours.sessions[0].opens)
    reaches = opens + AFTER_OPEN[amo_time]
    pre_open = window.hours.pre_open
    if amo_time is AmoTime.PRE_OPEN and pre_open is not None:
        if order_type not in pre_open.entry:
            return None
        reaches = at(window.day, pre_open.span.opens)
    elif not any(at(window.day, s.opens) <= reaches < at(window.day, s.closes) for s in window.hours.sessions):
        return Unknown(f"The session of {spoken_day(window.day)} is over before {amo_time} comes.")
    label = f"After-market, {spoken(window.opens)}, to reach the exchange {spoken(reaches)}"
    return _way(moment, window, now_is=Mode.AMO, reaches=reaches, label=label)


def as_auction(moment: MarketTime, order_type: OrderType, validity: Validity) -> Alternative | None:
    """No auction takes what shall be filled at once: it matches at its end."""
    window = None if validity is Validity.IOC else auction_window(moment, order_type)
    if window is None:
        return None
    return _way(
        moment,
        window,
        now_is=Mode.IMMEDIATE,
        reaches=max(window.opens, moment.now),
        label=f"Into the closing auction, until {spoken_time(window.closes + SESSION_MARGIN)}",
        into_auction=True,
    )


def _way(
    moment: MarketTime, window: Window, *, now_is: Mode, reaches: datetime, label: str, into_auction: bool = False
) -> Alternative:
    return Alternative(
        mode=now_is if window.opens <= moment.now else Mode.QUEUE,
        as_amo=now_is is Mode.AMO,
        release_at=max(window.opens, moment.now).astimezone(UTC),
        window_ends_at=window.closes.astimezone(UTC),
        reaches_exchange_at=reaches.astimezone(UTC),
        label=label,
        into_auction=into_auction,
    )
