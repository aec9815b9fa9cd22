"""From a leg and its instrument to what is sent: product, prices on the grid, units, and one order or several.

Whatever is changed on the way is said in a remark; what no exchange would take is refused here, before it is sent.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from core.domain.alert import InstrumentKind, Leg, OrderType, Product, Side
from core.domain.instrument import Instrument
from core.domain.protection import lies_beyond, on_tick, protected_limit, trigger_on_tick
from core.domain.sessions import spoken_day
from core.errors import Refusal

MOST_SLICES = 25
_MAY_REFUSE = "the exchange may refuse it."
_REFUSES_UNLESS = "it goes, and the exchange refuses it unless the range has moved by then."
_FORETOLD = re.compile(
    rf"The (?:trigger|limit) \S+ lies outside the [^:]+: (?:{re.escape(_MAY_REFUSE)}|{re.escape(_REFUSES_UNLESS)}) ?"
)
"""A remark of `outside_band`."""


class EquityProduct(StrEnum):
    """CNC: shares are taken for delivery whatever the alert says. AS_SENT: as the alert says."""

    CNC = "cnc"
    AS_SENT = "as_sent"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """One order as it will be sent: units and rupees."""

    order_type: OrderType
    product: Product
    quantity: int
    price: Decimal | None
    trigger_price: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Written:
    """The tickets of one leg, in the order in which they go out, and what the operator is told about them."""

    tickets: tuple[Ticket, ...]
    remarks: tuple[str, ...]


def write_tickets(leg: Leg, instrument: Instrument, equity_product: EquityProduct, reaches_on: date | None) -> Written:
    """`reaches_on` is the day on which the exchange gets it, in India; None where nobody knows.

    Raises Refusal with the first thing that no exchange would take.
    """
    if leg.segment not in (None, instrument.segment):
        raise Refusal(
            f"{instrument.symbol} is of {instrument.segment}, and the alert's exchange names {leg.segment}: "
            f"write {instrument.exchange} if it is meant."
        )
    remarks: list[str] = []
    leg, protected = _priced(leg, instrument, reaches_on)
    remarks += protected
    product = _product(leg, equity_product)
    if product is not leg.product:
        remarks.append(f"{instrument.symbol} is taken for delivery, not as the alert says: see /policy equity_product.")
    remarks += outside_band(instrument, reaches_on, limit=leg.price, trigger=leg.trigger_price)
    whole = Ticket(
        order_type=leg.order_type,
        product=product,
        quantity=leg.quantity * instrument.units_per_alert_quantity,
        price=leg.price,
        trigger_price=leg.trigger_price,
    )
    tickets = tuple(slice_order(whole, instrument))
    if instrument.units_per_alert_quantity > 1:
        lots = f"{leg.quantity} lot{'' if leg.quantity == 1 else 's'}"
        remarks.append(f"{lots} × {instrument.lot} = {whole.quantity} units of {instrument.symbol}.")
    if len(tickets) > 1:
        most = instrument.most_units
        remarks.append(f"{whole.quantity} {instrument.symbol} go as {len(tickets)} orders of at most {most} units.")
    return Written(tickets=tickets, remarks=tuple(remarks))


def why_not_lots(leg: Leg, instrument: Instrument) -> str:
    """Why the quantity may have been meant in units, as a sentence; empty where nothing speaks for it."""
    lot = instrument.units_per_alert_quantity
    if lot == 1 or leg.quantity % lot:
        return ""
    return f"Did you mean {leg.quantity // lot}? Quantities of derivatives are lots, not units."


def _product(leg: Leg, equity_product: EquityProduct) -> Product:
    if leg.kind is not InstrumentKind.EQUITY:
        return leg.product
    if equity_product is EquityProduct.CNC:
        return Product.DELIVERY
    if leg.product is Product.CARRY_FORWARD:
        raise Refusal("Shares go intraday (I), for delivery (C) or margin funded (MTF): M is for futures and options.")
    return leg.product


def _priced(leg: Leg, instrument: Instrument, reaches_on: date | None) -> tuple[Leg, list[str]]:
    """The leg with prices that the exchange takes."""
    tick, remarks = instrument.tick, list[str]()
    price = None if leg.price is None else on_tick(leg.price, tick, leg.side)
    trigger = None if leg.trigger_price is None else trigger_on_tick(leg.trigger_price, tick)
    for name, asked, taken in (("limit", leg.price, price), ("trigger", leg.trigger_price, trigger)):
        if asked != taken and taken is not None:
            remarks.append(f"The {name} {asked} is off the tick of {_said(tick)}: {_said(taken)} is used.")
    if leg.order_type is OrderType.STOP_MARKET and trigger is not None:
        price = _protecting_limit(leg, trigger, instrument, reaches_on)
        remarks.append(
            f"Sent as a stop with the limit {_said(price)}: a stop without one has been seen to lose its trigger."
        )
        leg = replace(leg, order_type=OrderType.STOP_LIMIT)
    if trigger is not None and price is not None and not lies_beyond(price, trigger, leg.side):
        beyond = "above" if leg.side is Side.BUY else "below"
        raise Refusal(
            f"The limit {_said(price)} of this stop must lie at least one tick {beyond} its trigger {_said(trigger)}."
        )
    return replace(leg, price=price, trigger_price=trigger), remarks


def _protecting_limit(leg: Leg, trigger: Decimal, instrument: Instrument, reaches_on: date | None) -> Decimal:
    """The limit for a stop at the market, within the day's range where that is known."""
    tick, side, band = instrument.tick, leg.side, instrument.band_on(reaches_on)
    limit = protected_limit(trigger, tick, side, leg.kind)
    if band is not None:
        end = on_tick(band[1] if side is Side.BUY else band[0], tick, side)
        if lies_beyond(end, trigger, side):
            return end if lies_beyond(limit, end, side) else limit
    if lies_beyond(limit, trigger, side) and (band is None or not instrument.has_fixed_band):
        return limit
    does, beyond = ("buys", "above") if side is Side.BUY else ("sells", "below")
    span = "" if band is None else f": the day's range of {instrument.symbol} is {_said(band[0])} to {_said(band[1])}"
    raise Refusal(
        f"A stop that {does} at {_said(trigger)} has no room for its limit, at least one tick {beyond}{span}."
    )


def outside_band(
    instrument: Instrument, reaches_on: date | None, *, limit: Decimal | None, trigger: Decimal | None
) -> list[str]:
    """What is to be said of prices outside the day's range; `reaches_on` is the day on which the exchange gets them.

    Raises Refusal where no exchange would take one.
    """
    if instrument.band is None:
        return []
    low, high = instrument.band
    symbol, day, span = instrument.symbol, instrument.listed_on, f"{_said(low)} to {_said(high)}"
    remarks: list[str] = []
    for name, price in (("trigger", trigger), ("limit", limit)):
        if price is None or low <= price <= high:
            continue
        words = f"The {name} {_said(price)} lies outside the"
        if instrument.band_on(reaches_on) is None:
            had = f"{words} range that {symbol} had {f'on {spoken_day(day)}' if day else 'last'}, {span}"
            remarks.append(f"{had}: {_REFUSES_UNLESS}")
        elif instrument.has_fixed_band:
            raise Refusal(f"{words} day's range of {symbol}, {span}: the exchange does not take it. Use one inside it.")
        else:
            remarks.append(f"{words} day's range of {symbol}, {span}: {_MAY_REFUSE}")
    return remarks


def once_answered(remarks: str) -> str:
    """What is left to say once the exchange has nothing more to refuse: all but what `outside_band` foretold."""
    return _FORETOLD.sub("", remarks).rstrip()


def _said(price: Decimal) -> str:
    """Without zeros that say nothing."""
    return f"{price.normalize():f}"


def slice_order(whole: Ticket, instrument: Instrument) -> Iterator[Ticket]:
    """Below the freeze quantity one order, above it several that the exchange takes. Raises Refusal for dozens."""
    most = instrument.most_units or whole.quantity
    count = -(-whole.quantity // most)
    if count > MOST_SLICES:
        raise Refusal(
            f"{whole.quantity} {instrument.symbol} would take {count} orders, since one may have at most {most}: "
            "is the quantity in lots?"
        )
    yield from slices(whole, instrument)


def slices(whole: Ticket, instrument: Instrument) -> Iterator[Ticket]:
    """The same, however many they are."""
    most = instrument.most_units or whole.quantity
    for start in range(0, whole.quantity, most):
        yield replace(whole, quantity=min(most, whole.quantity - start))
