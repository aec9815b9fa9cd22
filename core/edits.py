"""Other terms for an order that has not been sent: nothing goes to Dhan, and the order waits for a tap again."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core import changes, exits, journal
from core.db import approvers, orders
from core.domain.change import Terms
from core.domain.instrument import Instrument
from core.domain.order import WAITING, Order, OrderState
from core.errors import Refusal

KIND = "edited"
"""What the journal calls it."""


def edit(
    connection: Connection, order: Order, wish: Terms, instrument: Instrument, *, actor: str, at: datetime
) -> tuple[Order, list[str]]:
    """The order with its new terms, and what is to be said of them. Buttons of the card before it are void, and so are
    any approval of it and any answer to what was asked about it.

    Raises Refusal with the first thing that is wrong.
    """
    if order.state not in WAITING:
        raise Refusal("It has been sent meanwhile: use /modify to have it changed at Dhan.")
    remarks = changes.check_terms(connection, order, wish, instrument, at=at)
    remarks += _more_than_is_held(connection, order, wish)
    approvers.forget(connection, order.id)
    journal.append(
        connection,
        journal.Event(
            at=at,
            alert_id=order.alert_id,
            order_id=order.id,
            actor=actor,
            kind=KIND,
            reason="What was answered about it before is void.",
        ),
    )
    reason = " ".join([f"Edited by {actor}: {wish}. It waits for your tap as it is now.", *remarks])
    new: dict[str, Any] = {name: value for name, value in vars(wish).items() if value is not None}
    new |= {"approved_at": None}
    if order.state is OrderState.QUEUED:
        to = OrderState.AWAITING_APPROVAL
        edited = orders.move(connection, order, to, at=at, actor=actor, reason=reason, **new)
    else:
        edited = orders.note(connection, order, at=at, actor=actor, reason=reason, **new)
    if edited is None:
        raise Refusal("It has changed meanwhile: look at its card again.")
    return edited, remarks


def _more_than_is_held(connection: Connection, order: Order, wish: Terms) -> list[str]:
    """Of an exit for more units than its position had when it was asked for."""
    if not order.closes or wish.quantity is None:
        return []
    position = exits.confirmed(connection, order)
    others = (leg for leg in orders.of_alert(connection, order.alert_id) if leg.id != order.id)
    taken = sum(leg.filled_quantity if leg.state.is_final else leg.quantity for leg in others)
    if taken + wish.quantity <= position:
        return []
    return [f"An exit closes at most what is left of its position, {position} when you asked: the rest is not sent."]
