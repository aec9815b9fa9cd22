"""What an operator's tap does. The first commit wins; everybody else is told what happened before."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from core import allowance, changes, journal
from core.clock import to_india
from core.db import alerts, approvers, attempts, orders, sources
from core.db.alerts import StoredAlert
from core.domain.alert import Product, Side
from core.domain.attempt import AttemptState
from core.domain.instrument import Segment
from core.domain.limits import Wish, needs_two
from core.domain.order import WAITING, Order, OrderState
from core.domain.sessions import spoken
from core.errors import AskTwice, Refusal, StaleTap
from core.policies import Policies

_EXECUTED = "repeat_executed"


@dataclass(frozen=True, kw_only=True)
class Tap:
    """Who tapped, on which alert's card, at which version of it, and when.

    `leg` is the one leg that it is about, 0 for all of them; `is_sure`: this is the second step.
    """

    alert_id: int
    version: int
    user_id: int
    at: datetime
    leg: int = 0
    is_sure: bool = False

    @property
    def actor(self) -> str:
        return journal.operator(self.user_id)


def approve(connection: Connection, tap: Tap) -> str:
    """Let every leg that waits for a tap go out at its time. Raises StaleTap, AskTwice, Refusal."""
    check_version(connection, tap)
    waiting = [order for order in tapped(connection, tap) if order.state is OrderState.AWAITING_APPROVAL]
    if not waiting:
        raise Refusal(what_happened(connection, tap.alert_id))
    for order in waiting:
        _check_time(order, tap.at)
    if (answer := hold_back(connection, waiting, tap)) is not None:
        return answer
    for order in waiting:
        times = {"approved_at": tap.at, "expires_at": order.window_ends_at or order.expires_at, "remind_at": None}
        orders.move(connection, order, OrderState.QUEUED, at=tap.at, actor=tap.actor, reason="Approved.", **times)
    sources.note_approval(connection, tap.alert_id, to_india(tap.at).date())
    return "Approved"


def hold_back(connection: Connection, waiting: list[Order], tap: Tap) -> str | None:
    """What stands between a yes and these orders: None when nothing does, an answer when a second person is needed.

    Raises Refusal above a hard limit, AskTwice above a soft one until the tap says that it was asked.
    """
    policies, source = Policies.read(connection), sources.of_alert(connection, tap.alert_id)
    soft: list[str] = []
    for order in waiting:
        broken = allowance.check_order(connection, policies.limits, source, order, tap.at)
        if broken is not None and broken.is_hard:
            allowance.refuse_above(connection, order, tap.at)
        if broken is not None and order.state is OrderState.AWAITING_APPROVAL:
            soft.append(f"{order.side} {order.quantity} {order.symbol}: {broken.words}")
    if soft and not tap.is_sure:
        raise AskTwice(" ".join(soft))
    legs = orders.of_alert(connection, tap.alert_id)
    pair = [order for order in waiting if not order.closes and needs_two(policies.two_people, _whole(order, legs))]
    if all(approvers.of(connection, order.id) - {tap.user_id} for order in pair):
        return None
    for order in pair:
        _note(connection, order, tap)
    return "Noted: a second approver has to approve it, too"


def _whole(order: Order, legs: list[Order]) -> Wish:
    """All that the alert wishes of the same thing: a leg of more than one order may hold went into several."""
    wishes = [allowance.wish_of(leg) for leg in legs if _thing(leg) == _thing(order)]
    values = [wish.value for wish in wishes if wish.value is not None]
    whole = sum(values, Decimal(0)) if len(values) == len(wishes) else None
    return replace(allowance.wish_of(order), quantity=sum(wish.quantity for wish in wishes), value=whole)


def _thing(order: Order) -> tuple[Segment, str, Side, Product]:
    return order.segment, order.security_id, order.side, order.product


def _note(connection: Connection, order: Order, tap: Tap) -> None:
    if tap.user_id not in approvers.of(connection, order.id):
        approvers.note(connection, order.id, tap.user_id, tap.at)
        words = f"Approved by {tap.actor}; a second approver is needed."
        orders.note(connection, order, at=tap.at, actor=tap.actor, reason=words)


def cancel(connection: Connection, tap: Tap) -> str:
    """Drop every leg that has not been sent, or the one tapped. Raises StaleTap, Refusal."""
    check_version(connection, tap)
    waiting = [order for order in tapped(connection, tap) if order.state in WAITING]
    if not waiting:
        raise Refusal(what_happened(connection, tap.alert_id))
    for order in waiting:
        orders.move(connection, order, OrderState.DECLINED, at=tap.at, actor=tap.actor, reason="Cancelled by you.")
    return "Cancelled"


def cancel_working(connection: Connection, tap: Tap) -> str:
    """Ask Dhan to cancel every leg that it has. Raises StaleTap, Refusal."""
    check_version(connection, tap)
    working = [order for order in tapped(connection, tap) if order.state in changes.WORKING]
    if not working:
        raise Refusal(what_happened(connection, tap.alert_id))
    return [changes.cancel(connection, order, actor=tap.actor, at=tap.at) for order in working][-1]


def send_again(connection: Connection, tap: Tap) -> str:
    """Send a leg once more that Dhan provably does not have. Raises StaleTap, Refusal.

    One that nobody approved yet, as after a restore, needs the same yes as on its first way.
    """
    asked = [each for each in orders.of_alert(connection, tap.alert_id) if each.state is OrderState.NEEDS_OPERATOR]
    for order in asked:
        last = attempts.last_of(connection, order.id)
        if last is None or last.state is not AttemptState.ABSENT:
            raise Refusal("Dhan may have it: look in Dhan's app first, then drop it here.")
    check_version(connection, tap)
    for order in asked:
        _check_time(order, tap.at)
    if (answer := hold_back(connection, [order for order in asked if order.approved_at is None], tap)) is not None:
        return answer
    return _answer_question(connection, tap, OrderState.QUEUED, "Sent again at your word.", "It is sent again")


def drop(connection: Connection, tap: Tap) -> str:
    """Give up on a leg in doubt; should it appear at Dhan all the same, you are told. Raises StaleTap, Refusal."""
    return _answer_question(connection, tap, OrderState.DROPPED, "Dropped by you.", "Dropped; watched until day end")


def execute_repeat(connection: Connection, tap: Tap) -> str:
    """Execute the oldest identical alert that waits; the tap is its approval (`word_for`). Raises StaleTap, Refusal."""
    check_version(connection, tap)
    for repeat in alerts.waiting_repeats(connection, tap.alert_id):
        if alerts.execute_repeat(connection, repeat):
            told = {
                tap.alert_id: f"The identical alert is taken too, as {repeat}.",
                repeat: f"A copy of alert {tap.alert_id}, taken at your word.",
            }
            for alert_id, words in told.items():
                event = journal.Event(at=tap.at, alert_id=alert_id, actor=tap.actor, kind=_EXECUTED, reason=words)
                journal.append(connection, event)
            return f"Taken too, as {repeat}: its card says what becomes of it"
    raise Refusal("No identical alert waits any more.")


def word_for(connection: Connection, alert: StoredAlert) -> datetime | None:
    """When an operator told the desk to execute this copy of another alert; None where it is no copy."""
    if alert.repeat_of is None:
        return None
    return max((event.at for event in journal.story(connection, alert.id) if event.kind == _EXECUTED), default=None)


def _answer_question(connection: Connection, tap: Tap, to: OrderState, reason: str, answer: str) -> str:
    check_version(connection, tap)
    asked = [order for order in orders.of_alert(connection, tap.alert_id) if order.state is OrderState.NEEDS_OPERATOR]
    if not asked:
        raise Refusal(what_happened(connection, tap.alert_id))
    for order in asked:
        change = {"retry_at": None} | ({"approved_at": tap.at} if to is OrderState.QUEUED else {})
        orders.move(connection, order, to, at=tap.at, actor=tap.actor, reason=reason, **change)
    return answer


def tapped(connection: Connection, tap: Tap) -> list[Order]:
    """The legs that the tap is about."""
    legs = orders.of_alert(connection, tap.alert_id)
    return [order for order in legs if tap.leg in (0, order.position)]


def check_version(connection: Connection, tap: Tap) -> None:
    alert = alerts.get(connection, tap.alert_id)
    if alert is None or alert.card_version != tap.version:
        raise StaleTap(f"This card has changed since. Look at it again.{_latest(connection, tap.alert_id)}")


def _latest(connection: Connection, alert_id: int) -> str:
    """By whom it was changed, and to what: the finger may have been on the card just then."""
    event = journal.latest(connection, alert_id)
    return f" {spoken(event.at)}, {event.actor}: {event.reason}" if event is not None and event.reason else ""


def _check_time(order: Order, at: datetime) -> None:
    if order.release_at is None:
        raise Refusal("The calendar does not know this market's hours for that day: tell them with /calendar open.")
    if order.expires_at is not None and order.expires_at <= at:
        raise Refusal("Too late: its time window has passed.")


def what_happened(connection: Connection, alert_id: int) -> str:
    states = {order.state.value.replace("_", " ") for order in orders.of_alert(connection, alert_id)}
    return f"Nothing waits here any more: {', '.join(sorted(states)) or 'refused'}."
