"""Cancelling and changing orders at the operator's word: what may be asked for, written down for the desk to send.

Nothing here is sent. An order that has not left yet is simply declined; one that Dhan has is asked back from Dhan.
"""

from dataclasses import replace
from datetime import date, datetime
from typing import assert_never

from sqlalchemy import Connection

from core import allowance, controls, journal, notifications
from core.clock import to_india
from core.controls import Hold
from core.db import changes, orders
from core.db.changes import Change
from core.domain.alert import OrderType
from core.domain.change import MOST_MODIFICATIONS, ChangeKind, ChangeState, Terms
from core.domain.instrument import Instrument
from core.domain.notice import Notice
from core.domain.order import WAITING, Order, OrderState
from core.domain.protection import lies_beyond
from core.errors import Refusal
from core.tickets import outside_band

WORKING = (OrderState.WORKING, OrderState.PART_FILLED)
CANCELLABLE = (*WAITING, *WORKING)

WANTED = "Asking Dhan to cancel what is not filled."
ASKED = "Asked Dhan to cancel what is not filled; its book will say how that went."
WAITS = (
    "Not cancelled yet: the desk is not signed in at Dhan, and asks for it once it is. Until then the order can still "
    "fill; Dhan's app can cancel it now."
)
"""What an order says of its cancellation: wished for, gone out, and kept from going out."""
GIVEN_UP = (
    "Not changed: the desk is not signed in at Dhan. By the time it is, the price may be another, so ask again then; "
    "Dhan's app can change it now."
)
ENDED_BEFORE = "The order ended before."


def cancel(connection: Connection, order: Order, *, actor: str, at: datetime) -> str:
    """End this order. Raises Refusal with what stands in the way."""
    if order.state in WAITING:
        done = orders.move(connection, order, OrderState.DECLINED, at=at, actor=actor, reason="Cancelled by you.")
        return _sure(done, "Cancelled before it was sent")
    if order.state is OrderState.CANCELLING:
        raise Refusal("It is being cancelled already; Dhan's book will say how that went.")
    if order.state not in WORKING or order.broker_order_id is None:
        raise Refusal(_why_not(order))
    if (running := changes.open_of(connection, order.id)) is not None:
        changes.update_from(connection, running, state=ChangeState.FAILED, words="Overtaken by a cancellation.")
    is_signed_out = Hold.SIGNED_OUT in controls.holds(connection)
    words = WAITS if is_signed_out else WANTED
    moved = orders.move(connection, order, OrderState.CANCELLING, at=at, actor=actor, reason=words)
    changes.add(connection, order.id, ChangeKind.CANCEL, Terms(), wanted_by=actor)
    if is_signed_out:
        _ring_that_it_waits(connection, moved, at)
        return _sure(moved, "Not cancelled yet: it waits for the sign-in at Dhan, and can still fill until then")
    return _sure(moved, "Cancellation asked for: its card says what becomes of it")


def cancellations_held_up(connection: Connection) -> list[Order]:
    """Orders whose cancellation cannot go out for want of a sign-in, and that do not say so."""
    wanted = _held_up(connection, ChangeKind.CANCEL)
    cancelled = orders.some(connection, [change.order_id for change in wanted]) if wanted else []
    return [order for order in cancelled if order.state is OrderState.CANCELLING and order.reason != WAITS]


def terms_held_up(connection: Connection) -> list[Change]:
    """Changes of terms that cannot go out for want of a sign-in."""
    return _held_up(connection, ChangeKind.MODIFY)


def _held_up(connection: Connection, kind: ChangeKind) -> list[Change]:
    if Hold.SIGNED_OUT not in controls.holds(connection):
        return []
    return [change for change in changes.in_states(connection, [ChangeState.WANTED]) if change.kind is kind]


def give_up_terms(connection: Connection, *, at: datetime) -> None:
    """End what `terms_held_up` tells, with a ring: a sign-in can be hours away, and a price is right for a moment."""
    for change in terms_held_up(connection):
        order = orders.get(connection, change.order_id)
        words = GIVEN_UP if order.state.is_at_broker else ENDED_BEFORE
        is_given_up = changes.update_from(connection, change, state=ChangeState.FAILED, words=words)
        if not is_given_up or not order.state.is_at_broker:
            continue
        kept = orders.note(connection, order, at=at, actor=journal.DESK, reason=GIVEN_UP)
        if kept is not None:
            notifications.ring_order(connection, Notice.NOT_CHANGED, kept, at=at, words=GIVEN_UP)


def say_that_it_waits(connection: Connection, order: Order, *, at: datetime) -> None:
    """On the order's card, and with a ring."""
    _ring_that_it_waits(connection, orders.note(connection, order, at=at, actor=journal.DESK, reason=WAITS), at)


def say_that_it_left(connection: Connection, order: Order, *, at: datetime) -> None:
    """Once the call to cancel it goes out."""
    if order.reason in (WANTED, WAITS):
        orders.note(connection, order, at=at, actor=journal.DESK, reason=ASKED)


def _ring_that_it_waits(connection: Connection, order: Order | None, at: datetime) -> None:
    if order is not None:
        notifications.ring_order(connection, Notice.NOT_CHANGED, order, at=at, words=WAITS)


def check_terms(
    connection: Connection, order: Order, terms: Terms, instrument: Instrument, *, at: datetime
) -> list[str]:
    """What is to be said of terms that Dhan and the exchange can take. Raises Refusal with the first thing wrong."""
    if order.state not in WAITING and (order.state not in WORKING or order.broker_order_id is None):
        raise Refusal(_why_not(order))
    if order.state in WORKING and (held := controls.holds(connection)):
        raise Refusal(f"Nothing is changed at Dhan for now: {next(iter(held.values()))}")
    if changes.open_of(connection, order.id) is not None:
        raise Refusal("A change to it is under way: wait until Dhan's book shows it.")
    if changes.count_modifications(connection, order.id) >= MOST_MODIFICATIONS:
        raise Refusal(f"Dhan takes {MOST_MODIFICATIONS} changes of one order, and they are used up: cancel it instead.")
    if terms.is_empty or terms == _terms_of(order, terms):
        raise Refusal(f"That changes nothing: name another {_changeable(order)}.")
    _check_quantity(order, terms, instrument)
    _check_prices(order, terms, instrument)
    remarks = outside_band(instrument, _reaches_on(order, at), limit=terms.price, trigger=terms.trigger_price)
    _check_limits(connection, order, terms)
    return remarks


def modify(connection: Connection, order: Order, terms: Terms, *, actor: str, at: datetime) -> str:
    """Write the change down for the desk to send; the terms were checked. Raises Refusal when the order moved on."""
    noted = orders.note(connection, order, at=at, actor=actor, reason=f"Asking Dhan to change it: {terms}.")
    changes.add(connection, order.id, ChangeKind.MODIFY, terms, wanted_by=actor)
    return _sure(noted, f"Change asked for: {terms}. Its card says what becomes of it")


def _sure(moved: Order | None, answer: str) -> str:
    if moved is None:
        raise Refusal("It has changed meanwhile: look at its card again.")
    return answer


def _why_not(order: Order) -> str:
    match order.state:
        case OrderState.SUBMITTING | OrderState.UNKNOWN | OrderState.NEEDS_OPERATOR:
            return "Nobody knows yet whether Dhan has it: its card says what happens next."
        case OrderState.CANCELLING:
            return "It is being cancelled."
        case _:
            return f"Nothing is open of it any more: {order.state.replace('_', ' ')}."


def _changeable(order: Order) -> str:
    """In words, what such an order has that could be another."""
    match order.order_type:
        case OrderType.MARKET:
            return "quantity" if order.state in WAITING else "quantity or price"
        case OrderType.LIMIT:
            return "price or quantity"
        case OrderType.STOP_MARKET:
            return "trigger or quantity"
        case OrderType.STOP_LIMIT:
            return "price, trigger or quantity"
        case _:
            assert_never(order.order_type)


def _terms_of(order: Order, like: Terms) -> Terms:
    """The order's own values where `like` names some."""
    return Terms(
        quantity=None if like.quantity is None else order.quantity,
        price=None if like.price is None else order.price,
        trigger_price=None if like.trigger_price is None else order.trigger_price,
    )


def _check_quantity(order: Order, terms: Terms, instrument: Instrument) -> None:
    if terms.quantity is None:
        return
    if terms.quantity <= order.filled_quantity:
        raise Refusal(f"{order.filled_quantity} are filled already: the new total must be more, or cancel the rest.")
    if terms.quantity % instrument.units_per_alert_quantity:
        raise Refusal(f"{instrument.symbol} comes in lots of {instrument.lot}: {terms.quantity} is no multiple of it.")
    if instrument.most_units is not None and terms.quantity > instrument.most_units:
        raise Refusal(f"One order of {instrument.symbol} may have at most {instrument.most_units} units.")


def _check_limits(connection: Connection, order: Order, terms: Terms) -> None:
    """More than it was must keep the hard limits, as a new order would; less is always let through."""
    changed = replace(order, quantity=terms.quantity or order.quantity, price=terms.price or order.price)
    if changed.quantity > order.quantity or (changed.price or 0) > (order.price or 0):
        allowance.refuse_above(connection, changed, order.release_at or order.created_at)


def _reaches_on(order: Order, at: datetime) -> date | None:
    """The day, in India, on which the exchange gets what is changed at that moment; None where nobody knows."""
    planned = order.reaches_exchange_at
    if planned is None and order.state in WAITING:
        return None
    return to_india(max(planned or at, at)).date()


def _check_prices(order: Order, terms: Terms, instrument: Instrument) -> None:
    for name, price in {"limit": terms.price, "trigger": terms.trigger_price}.items():
        if price is not None and (price <= 0 or price % instrument.tick):
            raise Refusal(f"The {name} {price} is off the tick of {instrument.tick.normalize():f}.")
    is_market, waits = order.order_type is OrderType.MARKET, order.state in WAITING
    if is_market and waits and terms.price is not None:
        raise Refusal("It goes at the market and has no price: cancel it, and fire a limit order.")
    if is_market and not waits and terms.price is None:
        raise Refusal("Dhan keeps a market order as a limit: give its limit price, too (price=…).")
    stop = order.order_type in (OrderType.STOP_LIMIT, OrderType.STOP_MARKET)
    if terms.trigger_price is not None and not stop:
        raise Refusal("It is no stop order: it has no trigger.")
    price, trigger = terms.price or order.price, terms.trigger_price or order.trigger_price
    if stop and price is not None and trigger is not None and not lies_beyond(price, trigger, order.side):
        raise Refusal("The limit must lie at least one tick beyond the trigger: above it for a buy, below for a sell.")
