"""What a card offers besides yes and no: a sooner way, a reminder later, and one order in place of two opposite ones.

Nothing of it happens by itself.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from core import market_days
from core.approvals import Tap, check_version, hold_back, what_happened
from core.broker.port import Refusal as Kind
from core.clock import to_india
from core.db import attempts, orders, sources
from core.domain.limits import is_exit
from core.domain.order import WAITING, Mode, Order, OrderState
from core.domain.sessions import Calendar, spoken
from core.domain.ways import Alternative
from core.errors import Refusal
from core.policies import Policies
from core.replan import decide_again, new_times, ways
from core.reports import AlertReport, Offers

SNOOZE = timedelta(minutes=30)


def find(connection: Connection, report: AlertReport, bundled: Calendar) -> Offers:
    """What the card of this alert may offer at the report's moment."""
    waiting = [order for order in report.orders if order.state in WAITING]
    if not waiting:
        return Offers()
    calendar, policies = market_days.in_force(connection, bundled), Policies.read(connection)
    found = (sooner_way(connection, order, calendar, policies, report.at) for order in waiting)
    pair = _pair(connection, waiting)
    return Offers(
        sooner=next(filter(None, found), None),
        opposite=pair[1] if pair else None,
        may_supersede=pair is not None and _supersedes(*pair),
    )


def sooner_way(
    connection: Connection, order: Order, calendar: Calendar, policies: Policies, now: datetime
) -> Alternative | None:
    """The way by which a waiting order reaches the exchange soonest, when that is before its own time.

    Not into the closing auction where Dhan has called the market closed for this order: it would say so again.
    """
    reaches, is_over = order.reaches_exchange_at, order.expires_at is not None and order.expires_at <= now
    if is_over or order.state not in WAITING or order.mode is Mode.IMMEDIATE or reaches is None or reaches <= now:
        return None
    found = [way for way in ways(decide_again(order, calendar, policies, now)) if way.reaches_exchange_at < reaches]
    if any(way.into_auction for way in found):
        last = attempts.last_of(connection, order.id)
        if last is not None and last.refusal == Kind.MARKET_CLOSED:
            found = [way for way in found if not way.into_auction]
    return min(found, key=lambda way: way.reaches_exchange_at, default=None)


def sooner(connection: Connection, tap: Tap, bundled: Calendar) -> str:
    """Approve the waiting legs for the soonest way that there is. Raises StaleTap, Refusal."""
    check_version(connection, tap)
    calendar, policies = market_days.in_force(connection, bundled), Policies.read(connection)
    legs = [order for order in orders.of_alert(connection, tap.alert_id) if order.state in WAITING]
    found = [(order, way) for order in legs if (way := sooner_way(connection, order, calendar, policies, tap.at))]
    if not found:
        raise Refusal("There is no sooner way any more.")
    if (answer := hold_back(connection, [order for order, _ in found], tap)) is not None:
        return answer
    for order, way in found:
        _go(connection, order, new_times(way, policies, order) | {"expires_at": way.window_ends_at}, tap)
    sources.note_approval(connection, tap.alert_id, to_india(tap.at).date())
    return f"Approved: reaches the exchange {spoken(found[0][1].reaches_exchange_at)}"


def _go(connection: Connection, order: Order, times: dict[str, Any], tap: Tap) -> None:
    change = times | {"approved_at": tap.at, "remind_at": None}
    if order.state is OrderState.QUEUED:
        orders.note(connection, order, at=tap.at, actor=tap.actor, reason="Sooner, at your word.", **change)
    else:
        words = "Approved, to go sooner."
        orders.move(connection, order, OrderState.QUEUED, at=tap.at, actor=tap.actor, reason=words, **change)


def snooze(connection: Connection, tap: Tap) -> str:
    """Ring again in half an hour if it still waits then. Raises StaleTap, Refusal."""
    check_version(connection, tap)
    asked = [
        order for order in orders.of_alert(connection, tap.alert_id) if order.state is OrderState.AWAITING_APPROVAL
    ]
    if not asked:
        raise Refusal(what_happened(connection, tap.alert_id))
    at = tap.at + SNOOZE
    if asked[0].expires_at is not None and asked[0].expires_at <= at:
        raise Refusal(f"It expires {spoken(asked[0].expires_at)}, before a reminder would come.")
    orders.remind(connection, asked[0], at, by=tap.actor, on=tap.at)
    return f"You are reminded {spoken(at)}"


def net(connection: Connection, tap: Tap) -> str:
    """Let one order go in place of two opposite ones, or none when they are equal. Raises StaleTap, Refusal."""
    mine, other = _checked_pair(connection, tap)
    smaller, larger = sorted((mine, other), key=lambda order: order.quantity)
    left = larger.quantity - smaller.quantity
    words = f"Netted with {larger.label} at your word."
    _decline(connection, smaller, tap, words)
    if left == 0:
        _decline(connection, larger, tap, f"Netted with {smaller.label} at your word.")
        return "Netted: nothing goes out"
    reason = f"Netted with {smaller.label} at your word: {left} instead of {larger.quantity}."
    orders.note(connection, larger, at=tap.at, actor=tap.actor, reason=reason, quantity=left)
    return f"Netted: {larger.label} goes as {larger.side} {left} {larger.symbol}"


def supersede(connection: Connection, tap: Tap) -> str:
    """Drop the entry that still waits, since this exit is newer. Raises StaleTap, Refusal."""
    mine, other = _checked_pair(connection, tap)
    if not _supersedes(mine, other):
        raise Refusal("Only an exit can take the place of an entry.")
    _decline(connection, other, tap, f"Superseded by {mine.label} at your word.")
    return f"Dropped: {other.label} {other.side} {other.quantity} {other.symbol}"


def _checked_pair(connection: Connection, tap: Tap) -> tuple[Order, Order]:
    check_version(connection, tap)
    legs = [order for order in orders.of_alert(connection, tap.alert_id) if order.state in WAITING]
    pair = _pair(connection, legs)
    if pair is None:
        raise Refusal("The opposite order does not wait any more.")
    return pair


def _pair(connection: Connection, waiting: list[Order]) -> tuple[Order, Order] | None:
    """The first waiting leg with an older, opposite one that waits too."""
    for order in waiting:
        other = orders.opposite(connection, order, WAITING)
        if other is not None:
            return order, other
    return None


def _supersedes(mine: Order, other: Order) -> bool:
    return is_exit(mine.side, mine.product) and not is_exit(other.side, other.product)


def _decline(connection: Connection, order: Order, tap: Tap, words: str) -> None:
    if orders.move(connection, order, OrderState.DECLINED, at=tap.at, actor=tap.actor, reason=words) is None:
        raise Refusal(f"{order.label} has just changed. Look at it again.")
