"""Believing the broker: what stands in its book under our name is what happened."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from sqlalchemy import Connection

from core import controls, journal, notifications, sources
from core.broker.port import BrokerOrder, BrokerState, Refusal
from core.clock import Moment
from core.controls import Hold
from core.db import attempts, orders
from core.domain.alert import AmoTime, OrderType, Validity
from core.domain.attempt import AttemptState
from core.domain.money import quoted
from core.domain.notice import Notice
from core.domain.order import MOVES, Order, OrderState
from core.engine import marks
from core.engine.brakes import stop_in
from core.engine.marks import Mark

FILLS_WITHIN = timedelta(seconds=3)
"""Most market orders are filled by then; only after it one is said to rest."""
PRE_OPEN_LASTS = timedelta(minutes=15)
"""Its orders are matched at one price at the end of entry; what that leaves trades in the session (NSE, pre-open)."""
FILL_SHOWS_WITHIN = timedelta(seconds=30)
"""Of machine time. By then a book that calls an order traded shows all of its fill; after it, that is told."""

_SAYS = "Dhan says "
_STOPS = (OrderType.STOP_LIMIT, OrderType.STOP_MARKET)
_RINGS = {
    OrderState.FILLED: Notice.FILLED,
    OrderState.PART_FILLED: Notice.PART_FILLED,
    OrderState.REJECTED: Notice.REJECTED,
    OrderState.CANCELLED: Notice.CANCELLED,
    OrderState.LAPSED: Notice.LAPSED,
}


def adopt(connection: Connection, order: Order, found: BrokerOrder, moment: Moment) -> None:
    """An order in doubt was found at the broker: take it as ours, unless it is not what we asked for."""
    if not orders.is_as_seen(connection, order):
        return
    if not found.is_what_was_asked(order):
        _conflict(connection, order, found, moment)
        return
    for attempt in attempts.of_orders(connection, [order.id]):
        mine = attempt.correlation_id == found.correlation_id
        if mine or attempt.state in (AttemptState.OPEN, AttemptState.UNKNOWN):
            state = AttemptState.ACCEPTED if mine else AttemptState.NOT_SENT
            attempts.settle(connection, attempt.id, state, at=moment.wall)
    words = f"Found at Dhan as {found.correlation_id}."
    working = orders.move(
        connection,
        order,
        OrderState.WORKING,
        at=moment.now,
        actor=journal.DHAN,
        reason=words,
        broker_order_id=found.order_id,
        retry_at=None,
    )
    if working is None:
        return
    notifications.ring_order(connection, Notice.FOUND, working, at=moment.now, words=words)
    follow(connection, working, found, moment)


def follow(connection: Connection, order: Order, report: BrokerOrder, moment: Moment) -> Order:
    """Bring an order at the broker to where the broker says it is."""
    return follow_together(connection, [(order, report)], moment)[0]


def follow_together(
    connection: Connection, reports: Sequence[tuple[Order, BrokerOrder]], moment: Moment
) -> list[Order]:
    """Bring orders at the broker, as this transaction read them, to where it says they are. Fills only ever grow."""
    now = {order.id: order for order, _ in reports}
    news: list[_News] = []
    for order, seen in reports:
        report = _with_highest_fill(connection, order, seen, moment)
        if report.filled_quantity > max(order.quantity, report.quantity):
            _alarm_overfill(connection, order, report, moment)
        found = _news(order, report)
        if found is None:
            now[order.id] = _await_fill(connection, order, report, moment)
        elif found.to is order.state or found.to in MOVES[order.state]:
            news.append(found)
    now |= {order.id: order for order in _write_down(connection, news, moment)}
    return list(now.values())


@dataclass(frozen=True)
class _News:
    """Where the broker says that an order is now, with what else its row is to say. `rings`: a trader waits for it.

    `refusal`: what it says of the account.
    """

    order: Order
    to: OrderState
    facts: dict[str, Any]
    rings: bool
    refusal: Refusal | None


def _news(order: Order, report: BrokerOrder) -> _News | None:
    """None: the row says it already.

    Fills beyond our quantity and within the broker's prove that a raise of it was taken, here or in Dhan's app.
    """
    filled = report.filled_quantity
    confirmed = order.confirmed or filled > 0 or report.state not in (BrokerState.RECEIVED, BrokerState.OTHER)
    target = _target(report)
    if order.state is OrderState.CANCELLING and target in (OrderState.WORKING, OrderState.PART_FILLED):
        target = OrderState.CANCELLING  # until the cancellation itself is settled
    has_moved = (target, filled) != (order.state, order.filled_quantity)
    if not has_moved and confirmed == order.confirmed:
        return None
    facts = {
        "quantity": report.quantity if order.quantity < filled <= report.quantity else order.quantity,
        "filled_quantity": filled,
        "average_price": report.average_price or order.average_price,
        "confirmed": confirmed,
        "reason": _words(order, report, target),
    }
    return _News(order, target, facts, rings=has_moved and target in _RINGS, refusal=report.refusal)


def _write_down(connection: Connection, news: Sequence[_News], moment: Moment) -> list[Order]:
    """Move the rows, and ring about what a trader waits for."""
    at, actor = moment.now, journal.DHAN
    now: dict[int, Order] = {}
    moves: dict[OrderState, list[_News]] = {}
    for one in news:
        if one.to is one.order.state:
            now[one.order.id] = orders.note(connection, one.order, at=at, actor=actor, **one.facts) or one.order
        else:
            moves.setdefault(one.to, []).append(one)
    for to, some in moves.items():
        moved = orders.move_all(connection, [(one.order, one.facts) for one in some], to, at=at, actor=actor)
        now |= {order.id: order for order in moved}
    told = [(_RINGS[one.to], now[one.order.id], one.facts["reason"]) for one in news if one.rings]
    notifications.ring_orders(connection, told, at=at)
    if any(one.refusal is Refusal.KILL_SWITCH for one in news):
        stop_in(connection, Hold.KILL_SWITCH, controls.KILL_SWITCH_IS_ON, at)
    marks.drop(connection, [order for order in now.values() if order.state.is_final])
    for order in now.values():
        if order.state is OrderState.REJECTED:
            sources.trust_less(connection, order, at=at)
    return list(now.values())


def _with_highest_fill(connection: Connection, order: Order, report: BrokerOrder, moment: Moment) -> BrokerOrder:
    """The report, but a fill that was seen stands, at its price: what changed hands does not come back; books lag."""
    if report.filled_quantity >= order.filled_quantity:
        return report
    words = (
        f"Dhan's book showed {order.filled_quantity} of it filled, and shows {report.filled_quantity} now. The desk "
        f"keeps the {order.filled_quantity}: look at order {report.order_id} in Dhan's app."
    )
    _ring_once(connection, order, Mark.SHRUNK_FILL.of(order), words, moment)
    return replace(report, filled_quantity=order.filled_quantity, average_price=order.average_price)


def _is_short(report: BrokerOrder) -> bool:
    """Whether Dhan calls it traded while its book does not show all of the fill yet."""
    return report.state is BrokerState.FILLED and not report.is_whole


def _await_fill(connection: Connection, order: Order, report: BrokerOrder, moment: Moment) -> Order:
    """The book has no news of it. Where a fill should have come by now, that is told."""
    if _is_short(report):
        return _await_counts(connection, order, report, moment)
    if not _has_come_to_rest(order, report, moment) or marks.fetch(connection, order, Mark.RESTS) is not None:
        return order
    words = _at_rest(report)
    marks.put(connection, order, Mark.RESTS, {"words": words}, at=moment.now)
    return _tell(connection, order, Notice.RESTING, words, moment)


def _await_counts(connection: Connection, order: Order, report: BrokerOrder, moment: Moment) -> Order:
    """The next books should show them. Where they do not, that is told once, and the trade history ends the order."""
    wall, seen = moment.wall.isoformat(), marks.fetch(connection, order, Mark.SHORT_FILL)
    if seen is None:
        marks.put(connection, order, Mark.SHORT_FILL, {"since": wall, "told": None}, at=moment.now)
        return order
    if seen["told"] or moment.wall - datetime.fromisoformat(seen["since"]) < FILL_SHOWS_WITHIN:
        return order
    marks.put(connection, order, Mark.SHORT_FILL, {**seen, "told": wall}, at=moment.now)
    words = (
        f"Dhan calls it {report.status}, but its book still shows {order.filled_quantity} of {report.quantity} filled. "
        f"All of it may be yours: look at order {report.order_id} in Dhan's app. The desk goes on reading the book."
    )
    return _tell(connection, order, Notice.FILL_NOT_SHOWN, words, moment)


def _tell(connection: Connection, order: Order, kind: Notice, words: str, moment: Moment) -> Order:
    """Ring, and let the card say it too."""
    notifications.ring_order(connection, kind, order, at=moment.now, words=words)
    return orders.note(connection, order, at=moment.now, actor=journal.DHAN, reason=words) or order


def _target(report: BrokerOrder) -> OrderState:
    """Under a status that nobody knows the counts decide."""
    match report.state:
        case BrokerState.FILLED | BrokerState.OTHER if report.is_whole:
            return OrderState.FILLED
        case (
            BrokerState.RECEIVED
            | BrokerState.WORKING
            | BrokerState.PART_FILLED
            | BrokerState.FILLED
            | BrokerState.OTHER
        ):
            return OrderState.PART_FILLED if report.filled_quantity else OrderState.WORKING
        case BrokerState.REJECTED:
            return OrderState.REJECTED
        case BrokerState.CANCELLED:
            return OrderState.CANCELLED
        case BrokerState.LAPSED:
            return OrderState.LAPSED
        case _:
            assert_never(report.state)


def _words(order: Order, report: BrokerOrder, target: OrderState) -> str:
    filled = report.filled_quantity
    at = f" at {quoted(report.average_price)}" if report.average_price else ""
    match target:
        case OrderState.FILLED:
            return f"Filled: {filled}{at}."
        case OrderState.PART_FILLED | OrderState.CANCELLING:
            return f"{filled} of {report.quantity} filled{at}."
        case OrderState.REJECTED:
            ours = f"{report.advice} " if report.advice else ""
            return f"Rejected after it was placed. {ours}Dhan said: {report.words.rstrip('.') or 'nothing more'}."
        case OrderState.CANCELLED | OrderState.LAPSED if _was_cut_off(order):
            return _cut_off(report, filled, at)
        case OrderState.CANCELLED:
            return f"Cancelled at the exchange with {filled} of {report.quantity} filled."
        case OrderState.LAPSED:
            return f"Its validity ran out with {filled} of {report.quantity} filled."
        case _ if _is_short(report):
            return f"Dhan calls it {report.status}, but its book shows {filled} of {report.quantity} filled so far."
        case _:
            return _resting(order, report)


def _was_cut_off(order: Order) -> bool:
    """Whether the exchange ended it because it waits for nothing, and not the operator."""
    return order.validity is Validity.IOC and order.state is not OrderState.CANCELLING


def _cut_off(report: BrokerOrder, filled: int, at: str) -> str:
    if not filled:
        return f"Nothing of {report.quantity} could be filled at once, so it was cancelled, since it was IOC."
    return f"Filled {filled} of {report.quantity}{at}, the rest was cancelled at once since it was IOC."


def _resting(order: Order, report: BrokerOrder) -> str:
    trigger = report.trigger_price or order.trigger_price
    if order.order_type in _STOPS and trigger is not None and report.state is BrokerState.WORKING:
        limit = f", as a limit of {quoted(report.price)}" if report.price else ""
        return f"{_SAYS}{report.status}: it is a stop that wakes at {quoted(trigger)}{limit}."
    if not report.price or report.state is BrokerState.RECEIVED or order.order_type is OrderType.MARKET:
        return f"{_SAYS}{report.status}."
    return f"{_SAYS}{report.status}, resting at {quoted(report.price)}."


def _has_come_to_rest(order: Order, report: BrokerOrder, moment: Moment) -> bool:
    """Whether a market order is at the exchange for longer than most take to be filled, and the book spoke of it last.

    What was said of a change since then stays. In the closing auction nothing rests: it matches once, at its end.
    """
    return (
        order.order_type is OrderType.MARKET
        and order.validity is Validity.DAY
        and not order.into_auction
        and order.state in (OrderState.WORKING, OrderState.PART_FILLED)
        and report.state in (BrokerState.WORKING, BrokerState.PART_FILLED)
        and order.reason.startswith((_SAYS, f"{order.filled_quantity} of "))
        and moment.now - max(order.updated_at, _trades_from(order)) >= FILLS_WITHIN
    )


def _trades_from(order: Order) -> datetime:
    reaches = order.reaches_exchange_at or order.updated_at
    meets_pre_open = order.as_amo and order.amo_time is AmoTime.PRE_OPEN
    return reaches + PRE_OPEN_LASTS if meets_pre_open else reaches


def _at_rest(report: BrokerOrder) -> str:
    """Since March 2026 Dhan sends every market order as a limit inside a protecting range: it may rest unfilled."""
    price = f"at {quoted(report.price)}" if report.price else "of its own"
    filled = f"{report.filled_quantity} of {report.quantity} filled" if report.filled_quantity else "Not filled"
    what = "the rest of this one" if report.filled_quantity else "this one"
    return (
        f"{filled}: Dhan protects market orders and keeps {what} as a limit {price}. "
        "It fills when the market comes back to it; give it another price, or cancel it."
    )


def _conflict(connection: Connection, order: Order, found: BrokerOrder, moment: Moment) -> None:
    """Our name on something we did not ask for: stop everything, and let a person look."""
    words = (
        f"Dhan has {found.side or '?'} {found.quantity} of {found.segment} {found.security_id} "
        f"as order {found.order_id} under the name {found.correlation_id}, which is not what was asked for."
    )
    at, actor = moment.now, journal.DHAN
    unsure: Order | None = order
    if order.state is OrderState.SUBMITTING:
        unsure = orders.move(connection, order, OrderState.UNKNOWN, at=at, actor=actor, reason=words)
    if unsure is not None and unsure.state is OrderState.UNKNOWN:
        orders.move(connection, unsure, OrderState.NEEDS_OPERATOR, at=at, actor=actor, reason=words)
    for attempt in attempts.of_orders(connection, [order.id]):
        if attempt.state in (AttemptState.OPEN, AttemptState.UNKNOWN):
            attempts.doubt(connection, attempt.id, next_lookup_at=None, words=words)
    _alarm(connection, order, f"conflict.{order.id}", words, moment)


def _alarm(connection: Connection, order: Order, key: str, words: str, moment: Moment) -> None:
    """Stop everything and ring, once for each thing that is wrong: the operator's answer to it stands."""
    if _ring_once(connection, order, key, words, moment):
        controls.set_hold(connection, Hold.PAUSED, f"Paused by the desk: {words}", at=moment.now, actor=journal.DHAN)


def _ring_once(connection: Connection, order: Order, key: str, words: str, moment: Moment) -> bool:
    """Ring that something is wrong; False when that was told before."""
    if controls.fetch(connection, key) is not None:
        return False
    controls.put(connection, key, {"words": words}, at=moment.now, actor=journal.DHAN)
    notifications.ring_order(connection, Notice.CONFLICT, order, at=moment.now, words=words)
    return True


def _alarm_overfill(connection: Connection, order: Order, report: BrokerOrder, moment: Moment) -> None:
    words = (
        f"Dhan filled {report.filled_quantity} of an order for {order.quantity}: "
        f"look at order {report.order_id} in Dhan's app."
    )
    _alarm(connection, order, f"overfill.{order.id}", words, moment)


def alarm_twins(connection: Connection, order: Order, twins: list[str], moment: Moment) -> None:
    """Dhan has several orders for this one."""
    words = f"Dhan has {len(twins)} orders for this one: {', '.join(twins)}. Look at them in Dhan's app."
    _alarm(connection, order, f"twins.{order.id}", words, moment)


def alarm_late_fill(connection: Connection, order: Order, filled: int, moment: Moment) -> None:
    """Dhan has filled more of an order than it had when it ended here."""
    words = (
        f"Dhan has filled {filled} of this order, which had ended here: {order.state}, {order.filled_quantity} filled. "
        "The position is yours. Look at it in Dhan's app."
    )
    _alarm(connection, order, f"late_fill.{order.id}.{filled}", words, moment)


def alarm_ghost(connection: Connection, order: Order, found: list[str], moment: Moment) -> None:
    """An order that ended here before it reached the broker, or that waits here, is there all the same."""
    state = order.state.replace("_", " ")
    words = f"Dhan has {', '.join(found)} for this order, which is {state} here. Look at it in Dhan's app."
    _alarm(connection, order, f"ghost.{order.id}", words, moment)
