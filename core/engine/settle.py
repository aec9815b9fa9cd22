"""What became of a change, by the order book: done, overtaken, not taken. The answer to its call proves nothing."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Connection

from core import journal, notifications
from core.broker.port import BrokerOrder
from core.clock import Moment
from core.db import changes, orders
from core.db.changes import Change
from core.domain.alert import OrderType
from core.domain.change import ChangeKind, ChangeState, Terms, Verdict
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine import marks
from core.engine.apart import apart

SHOWS_WITHIN = timedelta(seconds=10)
MOST_CANCELS = 4
_OUR_FAULT = (
    "The desk made a mistake over what Dhan's book says of the change that was asked for, and cannot tell what became "
    "of it; the log says why. Look at the order in Dhan's app."
)
Number = TypeVar("Number", int, Decimal)


def settle_changes(connection: Connection, by_id: dict[str, BrokerOrder], *, read_at: datetime, moment: Moment) -> None:
    """Decide answered changes by a book that was asked for after their answers came, at `read_at` (machine time)."""
    for change in changes.in_states(connection, [ChangeState.ANSWERED]):
        with apart(connection, "change_not_settled", change=change.id) as trial:
            _settle(connection, change, by_id, read_at, moment)
        if trial.has_failed:
            marks.tell_our_fault(connection, orders.get(connection, change.order_id), _OUR_FAULT, at=moment.now)


def _settle(
    connection: Connection, change: Change, by_id: dict[str, BrokerOrder], read_at: datetime, moment: Moment
) -> None:
    order = orders.get(connection, change.order_id)
    report = by_id.get(order.broker_order_id or "")
    if change.answered_at is None or _was_set_back(connection, change, moment) or change.answered_at > read_at:
        return
    if not order.state.is_at_broker:
        _overtaken(connection, change, order, report)
    elif report is None:
        return  # the day's end takes it out of the book, and then the trade history ends the order
    elif change.kind is ChangeKind.CANCEL:
        _settle_cancel(connection, change, order, moment)
    else:
        _settle_terms(connection, change, order, report, moment)


def _was_set_back(connection: Connection, change: Change, moment: Moment) -> bool:
    """Whether the machine's clock was set back behind the answer, which then counts as given now."""
    if change.answered_at is None or change.answered_at <= moment.wall:
        return False
    return changes.update_from(connection, change, state=change.state, answered_at=moment.wall)


def _overtaken(connection: Connection, change: Change, order: Order, report: BrokerOrder | None) -> None:
    """The order has ended: as a cancellation wanted, on its new terms, or before these could matter."""
    is_cancel = change.kind is ChangeKind.CANCEL
    wanted = order.state is OrderState.CANCELLED if is_cancel else report is not None and shows(report, change.terms)
    state = ChangeState.DONE if wanted else ChangeState.FAILED
    changes.update_from(connection, change, state=state, words=f"The order ended: {order.state}.")


def _settle_cancel(connection: Connection, change: Change, order: Order, moment: Moment) -> None:
    if change.verdict is Verdict.REFUSED:
        fail(connection, change, order, change.words, moment)
    elif change.verdict is Verdict.UNKNOWN and change.posts < MOST_CANCELS:
        # Dhan still has it open, and asking twice for the same end does no harm.
        changes.update_from(connection, change, state=ChangeState.WANTED, due_at=moment.wall)
    elif _is_late(change, moment):
        fail(connection, change, order, f"Dhan still shows it open. {change.words}", moment)


def _settle_terms(connection: Connection, change: Change, order: Order, report: BrokerOrder, moment: Moment) -> None:
    if shows(report, change.terms):
        _take_over(connection, change, order, moment)
    elif change.verdict is Verdict.REFUSED or _is_late(change, moment):
        fail(connection, change, order, f"Dhan still shows the old terms. {change.words}", moment)


def _take_over(connection: Connection, change: Change, order: Order, moment: Moment) -> Order | None:
    """The terms that were asked for here, once the book shows them."""
    changes.update_from(connection, change, state=ChangeState.DONE)
    words, facts = f"Changed at Dhan: {change.terms}.", _facts(order, change.terms)
    noted = orders.note(connection, order, at=moment.now, actor=journal.DHAN, reason=words, **facts)
    if noted is not None:
        said = f"By its order book: {change.terms}."
        notifications.ring_order(connection, Notice.CHANGED, noted, at=moment.now, words=said)
    return noted


def _is_late(change: Change, moment: Moment) -> bool:
    return change.answered_at is not None and moment.wall - change.answered_at > SHOWS_WITHIN


def shows(report: BrokerOrder, terms: Terms) -> bool:
    """Whether the book shows these terms."""
    return (
        terms.quantity in (None, report.quantity)
        and terms.price in (None, report.price)
        and terms.trigger_price in (None, report.trigger_price)
    )


def _facts(order: Order, terms: Terms) -> dict[str, Any]:
    named = {"quantity": terms.quantity, "price": terms.price, "trigger_price": terms.trigger_price}
    facts: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    return facts | ({"order_type": OrderType.LIMIT} if order.order_type is OrderType.MARKET and terms.price else {})


def fail(connection: Connection, change: Change, order: Order, words: str, moment: Moment) -> None:
    """The change did not happen: the order stays as it is, and that rings. One that has moved on is left alone."""
    if not changes.update_from(connection, change, state=ChangeState.FAILED, words=words):
        return
    kept = give_back(connection, order, words, moment)
    if kept is not None:
        what = "Not cancelled" if change.kind is ChangeKind.CANCEL else "Not changed"
        notifications.ring_order(connection, Notice.NOT_CHANGED, kept, at=moment.now, words=f"{what}. {words}")


def give_back(connection: Connection, order: Order, words: str, moment: Moment) -> Order | None:
    """The order as it was before the change was asked for."""
    at, actor = moment.now, journal.DHAN
    if order.state is OrderState.CANCELLING:
        back = OrderState.PART_FILLED if order.filled_quantity else OrderState.WORKING
        return orders.move(connection, order, back, at=at, actor=actor, reason=f"Not cancelled. {words}")
    return orders.note(connection, order, at=at, actor=actor, reason=f"Not changed. {words}")


def adopt_terms(connection: Connection, order: Order, report: BrokerOrder, moment: Moment) -> Order:
    """Our row follows the book, and says so: somebody changed the order in Dhan's app, or what was given up as not
    changed, or overtaken, has happened all the same.
    """
    seen = Terms(
        quantity=_other(report.quantity, order.quantity),
        price=_other(report.price, order.price),
        trigger_price=_other(report.trigger_price, order.trigger_price),
    )
    rests_as_limit = order.order_type is OrderType.MARKET and bool(report.price)  # at a price of Dhan's, or at ours
    is_older = (seen.quantity or order.quantity) < max(report.filled_quantity, order.filled_quantity)
    if is_older or (seen.is_empty and not rests_as_limit):
        return order
    late = changes.given_up(connection, order.id)
    if late is not None and shows(report, late.terms) and _names_all(late.terms, seen):
        return _take_over(connection, late, order, moment) or order
    if seen.is_empty:
        return order
    words = f"Changed outside this desk: {seen}."
    facts = _facts(order, seen)
    return orders.note(connection, order, at=moment.now, actor=journal.DHAN, reason=words, **facts) or order


def _names_all(terms: Terms, seen: Terms) -> bool:
    """Whether no number that was seen to be another is beside these terms."""
    return all(value is None or getattr(terms, name) is not None for name, value in vars(seen).items())


def _other(seen: Number | None, ours: Number | None) -> Number | None:
    """What the book shows in place of a number that the order has; None for one that no order can have."""
    return seen if ours is not None and seen is not None and seen > 0 and seen != ours else None
