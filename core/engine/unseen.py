"""Orders that Dhan acknowledged and that get no further: kept from the exchange, or shown nowhere at all.

An acknowledgement means received (Dhan API v2, Orders, Place); what becomes of the order stands in the book soon after.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from core import journal, notifications
from core.clock import Moment, to_india
from core.db import attempts, changes, orders
from core.db.attempts import Attempt
from core.domain.attempt import AttemptState
from core.domain.change import ChangeState
from core.domain.notice import Notice
from core.domain.order import Order, OrderState

SHOWS_WITHIN = timedelta(seconds=30)
"""Of desk time, as what it is counted from: a jump of the clock tells too early, and proves nothing."""
LOOKED_UP_AT_ONCE = 4
"""A book that lacks thousands must keep no order in doubt waiting."""
LOOK_UP_EVERY = 30.0
"""Seconds between two look-ups of the same order."""
_KEPT = (
    "{taken} and says {status}: it has not reached the exchange, and may still be placed or rejected. "
    "Look at it in Dhan's app before you place it again."
)
_NOT_SHOWN = (
    "{taken}, but its book does not show it, and no look-up tells more. Whether it is at the exchange is not "
    "known: look for it in Dhan's app before you place it again."
)
_NOWHERE = (
    "{taken}, but neither its book nor a look-up by our name shows it. It was not sent again: the desk looks for it "
    "once more, then asks you."
)
_CANCEL_AGAIN = " Should it turn up, cancel it again."


def unseen(connection: Connection, now: datetime) -> list[Order]:
    """Orders that a book of this moment has to show past Dhan's own checks, and that none has shown so yet."""
    taken = orders.unconfirmed_since(connection, now - SHOWS_WITHIN)
    return [order for order in taken if _is_in_todays_book(order, now)]


def still_unseen(connection: Connection, late: list[Order]) -> list[Order]:
    """Those of them that the book just followed did not bring further."""
    return [order for order in orders.some(connection, [order.id for order in late]) if _gets_no_further(order)]


def _gets_no_further(order: Order) -> bool:
    return order.state.is_at_broker and not order.confirmed and not order.filled_quantity


def _is_in_todays_book(order: Order, now: datetime) -> bool:
    """An after-market order is in that of its own evening; whether in the night's, too, is not documented."""
    if _should_have_left(order, now):
        return order.broker_day == to_india(now).date()
    return order.release_at is not None and to_india(order.release_at).date() == to_india(now).date()


def _should_have_left(order: Order, now: datetime) -> bool:
    return (order.reaches_exchange_at or order.updated_at) <= now - SHOWS_WITHIN


def accepted(connection: Connection, order: Order) -> Attempt | None:
    """The attempt that Dhan acknowledged; None where a restored backup does not know it."""
    tries = attempts.of_orders(connection, [order.id])
    return next((attempt for attempt in tries if attempt.state is AttemptState.ACCEPTED), None)


def is_kept(order: Order, now: datetime) -> bool:
    """Whether Dhan keeps an order that should be at the exchange, and nobody was told."""
    return _gets_no_further(order) and not _is_told(order) and _should_have_left(order, now)


def _is_told(order: Order) -> bool:
    """Whether the last thing that was said of the order is that it gets no further."""
    return order.reason.startswith(_taken(order))


def tell_kept(connection: Connection, order: Order, status: str, moment: Moment) -> None:
    """Ring about an order that Dhan keeps as `status`."""
    if is_kept(order, moment.now):
        _tell(connection, order, _KEPT.format(taken=_taken(order), status=status), moment)


def tell_not_shown(connection: Connection, order: Order, moment: Moment) -> None:
    """Ring once about an order that the book lacks, and of which nobody could say more."""
    if not _is_told(order):
        _tell(connection, order, _NOT_SHOWN.format(taken=_taken(order)), moment)


def _taken(order: Order) -> str:
    return f"Dhan took it as order {order.broker_order_id}"


def _tell(connection: Connection, order: Order, words: str, moment: Moment) -> None:
    noted = orders.note(connection, order, at=moment.now, actor=journal.DHAN, reason=words)
    if noted is not None:
        notifications.ring_order(connection, Notice.UNSEEN, noted, at=moment.now, words=words)


def doubt(connection: Connection, order: Order, attempt: Attempt, moment: Moment) -> None:
    """Dhan has it neither under its own number nor under our name: nobody knows what became of it."""
    words = _NOWHERE.format(taken=_taken(order))
    if order.state is OrderState.CANCELLING:
        words += _CANCEL_AGAIN
    attempts.doubt(connection, attempt.id, next_lookup_at=moment.wall, words=words)
    if (change := changes.open_of(connection, order.id)) is not None:
        changes.update_from(connection, change, state=ChangeState.FAILED, words="Dhan has the order nowhere.")
    unsure = orders.move(
        connection, order, OrderState.UNKNOWN, at=moment.now, actor=journal.DESK, reason=words, broker_order_id=None
    )
    if unsure is not None:
        notifications.ring_order(connection, Notice.UNKNOWN, unsure, at=moment.now, words=words)
