"""What an operator's tap does. The first commit wins; everybody else is told what happened before."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core import allowance, changes, journal
from core.clock import to_india
from core.db import alerts, attempts, orders, sources
from core.domain.attempt import AttemptState
from core.domain.order import Order, OrderState
from core.errors import Refusal, StaleTap

_WAITING = (OrderState.AWAITING_APPROVAL, OrderState.QUEUED)


@dataclass(frozen=True, kw_only=True)
class Tap:
    """Who tapped, on which alert's card, at which version of it, and when."""

    alert_id: int
    version: int
    user_id: int
    at: datetime

    @property
    def actor(self) -> str:
        return journal.operator(self.user_id)


def approve(connection: Connection, tap: Tap) -> str:
    """Let every leg that waits for a tap go out at its time. Raises StaleTap, Refusal."""
    check_version(connection, tap)
    waiting = [order for order in orders.of_alert(connection, tap.alert_id) if order.state is _WAITING[0]]
    if not waiting:
        raise Refusal(what_happened(connection, tap.alert_id))
    for order in waiting:
        _check_time(order, tap.at)
        allowance.refuse_above(connection, order, tap.at)
    for order in waiting:
        times = {"approved_at": tap.at, "expires_at": order.window_ends_at or order.expires_at, "remind_at": None}
        orders.move(connection, order, OrderState.QUEUED, at=tap.at, actor=tap.actor, reason="Approved.", **times)
    sources.note_approval(connection, tap.alert_id, to_india(tap.at).date())
    return "Approved"


def cancel(connection: Connection, tap: Tap) -> str:
    """Drop every leg that has not been sent. Raises StaleTap, Refusal."""
    check_version(connection, tap)
    waiting = [order for order in orders.of_alert(connection, tap.alert_id) if order.state in _WAITING]
    if not waiting:
        raise Refusal(what_happened(connection, tap.alert_id))
    for order in waiting:
        orders.move(connection, order, OrderState.DECLINED, at=tap.at, actor=tap.actor, reason="Cancelled by you.")
    return "Cancelled"


def cancel_working(connection: Connection, tap: Tap) -> str:
    """Ask Dhan to cancel every leg that it has. Raises StaleTap, Refusal."""
    check_version(connection, tap)
    working = [order for order in orders.of_alert(connection, tap.alert_id) if order.state in changes.WORKING]
    if not working:
        raise Refusal(what_happened(connection, tap.alert_id))
    for order in working:
        changes.cancel(connection, order, actor=tap.actor, at=tap.at)
    return "Asking Dhan to cancel it"


def send_again(connection: Connection, tap: Tap) -> str:
    """Send a leg once more that Dhan provably does not have. Raises StaleTap, Refusal."""
    for order in orders.of_alert(connection, tap.alert_id):
        last = attempts.last_of(connection, order.id)
        if order.state is OrderState.NEEDS_OPERATOR and (last is None or last.state is not AttemptState.ABSENT):
            raise Refusal("Dhan may have it: look in Dhan's app first, then drop it here.")
    return _answer_question(connection, tap, OrderState.QUEUED, "Sent again at your word.", "It is sent again")


def drop(connection: Connection, tap: Tap) -> str:
    """Give up on a leg in doubt; should it appear at Dhan all the same, you are told. Raises StaleTap, Refusal."""
    return _answer_question(connection, tap, OrderState.DROPPED, "Dropped by you.", "Dropped; watched until day end")


def execute_repeat(connection: Connection, tap: Tap) -> str:
    """Execute the oldest identical alert that waits. Raises StaleTap, Refusal."""
    check_version(connection, tap)
    for repeat in alerts.waiting_repeats(connection, tap.alert_id):
        if alerts.execute_repeat(connection, repeat):
            journal.append(
                connection,
                journal.Event(
                    at=tap.at,
                    alert_id=tap.alert_id,
                    actor=tap.actor,
                    kind="repeat_executed",
                    reason=f"The identical alert is executed too, as {repeat}.",
                ),
            )
            return f"It goes out too, as {repeat}"
    raise Refusal("No identical alert waits any more.")


def _answer_question(connection: Connection, tap: Tap, to: OrderState, reason: str, answer: str) -> str:
    check_version(connection, tap)
    asked = [order for order in orders.of_alert(connection, tap.alert_id) if order.state is OrderState.NEEDS_OPERATOR]
    if not asked:
        raise Refusal(what_happened(connection, tap.alert_id))
    for order in asked:
        change = {"retry_at": None} | ({"approved_at": tap.at} if to is OrderState.QUEUED else {})
        orders.move(connection, order, to, at=tap.at, actor=tap.actor, reason=reason, **change)
    return answer


def check_version(connection: Connection, tap: Tap) -> None:
    alert = alerts.get(connection, tap.alert_id)
    if alert is None or alert.card_version != tap.version:
        raise StaleTap("This card has changed since. Look at it again.")


def _check_time(order: Order, at: datetime) -> None:
    if order.release_at is None:
        raise Refusal("The calendar does not know this market's hours for that day: tell them with /calendar open.")
    if order.expires_at is not None and order.expires_at <= at:
        raise Refusal("Too late: its time window has passed.")


def what_happened(connection: Connection, alert_id: int) -> str:
    states = {order.state.value.replace("_", " ") for order in orders.of_alert(connection, alert_id)}
    return f"Nothing waits here any more: {', '.join(sorted(states)) or 'refused'}."
