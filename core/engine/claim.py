"""The claim: one transaction checks everything once more and writes the attempt down; only then is it sent.

Whoever holds a claim may send exactly one POST.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core import controls, journal, market_days, notifications
from core.broker.port import OrderRequest
from core.db import alerts, attempts, leases, orders
from core.domain.attempt import AttemptState, correlation_id
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.domain.routing import may_send
from core.domain.sessions import Calendar
from core.engine.release import why_ask_again
from core.failpoints import Point, reach

LOOK_AGAIN = timedelta(seconds=1)
_GONE_WELL = frozenset({OrderState.WORKING, OrderState.PART_FILLED, OrderState.FILLED})
_GONE_WELL_IN_PART = frozenset({OrderState.CANCELLING, OrderState.CANCELLED})


class LeaseLost(Exception):
    """Another desk acts now; this one must stop at once."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to one POST, by this calendar. None of `earlier_names`, of tries before it, may be at the broker."""

    order: Order
    attempt_id: int
    request: OrderRequest
    earlier_names: tuple[str, ...]
    calendar: Calendar


def claim(
    connection: Connection, seen: Order, *, epoch: int, now: datetime, wall: datetime, calendar: Calendar
) -> Claim | None:
    """Claim a due order for sending; None when it may not go now, in which case its row says why. Raises LeaseLost."""
    reach(Point.CLAIMING)
    if not leases.is_held(connection, epoch, wall):
        raise LeaseLost
    order = orders.get(connection, seen.id)
    if order.state is not OrderState.QUEUED or order.version != seen.version or controls.holds(connection):
        return None
    calendar = market_days.in_force(connection, calendar)
    if not (_in_time(connection, order, now) and _window_is_open(connection, order, now, calendar)):
        return None
    if not _is_still_wanted(connection, order, now):
        return None
    if not _earlier_legs_went_well(connection, order, now):
        return None
    return _write_down(connection, order, epoch=epoch, now=now, wall=wall, calendar=calendar)


def _in_time(connection: Connection, order: Order, now: datetime) -> bool:
    if order.expires_at is None or now < order.expires_at:
        return True
    expire(connection, order, now, "Its time window passed before it could go out.")
    return False


def expire(connection: Connection, order: Order, now: datetime, reason: str) -> None:
    """End an order that waited too long, and ring."""
    expired = orders.move(connection, order, OrderState.EXPIRED, at=now, actor=journal.DESK, reason=reason)
    if expired is not None:
        notifications.ring_order(connection, Notice.EXPIRED, expired, at=now, words=reason)


def why_not_now(order: Order, now: datetime, calendar: Calendar) -> str | None:
    """Why the calendar lets the order not go at this moment, in a sentence; None when it does."""
    return may_send(
        segment_class=order.segment_class,
        order_type=order.order_type,
        as_amo=order.as_amo,
        now=now,
        calendar=calendar,
        index_expiry=order.index_expiry,
        into_auction=order.into_auction,
    )


def _window_is_open(connection: Connection, order: Order, now: datetime, calendar: Calendar) -> bool:
    words = why_not_now(order, now, calendar)
    if words is None:
        return True
    if order.reason != words:
        orders.note(connection, order, at=now, actor=journal.DESK, reason=words)
    orders.postpone(connection, order, now + LOOK_AGAIN)
    return False


def _is_still_wanted(connection: Connection, order: Order, now: datetime) -> bool:
    """An order that has grown old, or that the limits no longer let through, asks (again)."""
    words = why_ask_again(connection, order, now)
    if words is None:
        return True
    ask_again(connection, order, words, now)
    return False


def _went_well(leg: Order) -> bool:
    return leg.state in _GONE_WELL or (leg.state in _GONE_WELL_IN_PART and leg.filled_quantity > 0)


def _earlier_legs_went_well(connection: Connection, order: Order, now: datetime) -> bool:
    """Legs go one after another: those before must be at the broker; one that ended badly makes this one ask.

    One that was cancelled before anything of it was filled has ended badly, too.
    """
    if order.position == 1:
        return True
    earlier = [leg for leg in orders.of_alert(connection, order.alert_id) if leg.position < order.position]
    if all(_went_well(leg) for leg in earlier):
        return True
    failed = [leg for leg in earlier if leg.state.is_final and not _went_well(leg)]
    is_open = any(not _went_well(leg) and not leg.state.is_final for leg in earlier)
    approved = order.approved_at
    if failed and not is_open and approved is not None and all(leg.updated_at <= approved for leg in failed):
        return True
    if failed:
        words = f"Leg {failed[0].position} ended {failed[0].state}: this leg goes only if you approve it again."
        ask_again(connection, order, words, now)
    return False


def ask_again(connection: Connection, order: Order, reason: str, now: datetime) -> None:
    """Back to a tap, and ring: the card alone changes without a sound."""
    asked = orders.move(connection, order, OrderState.AWAITING_APPROVAL, at=now, actor=journal.DESK, reason=reason)
    if asked is not None:
        notifications.ring_order(connection, Notice.NEEDS_OPERATOR, asked, at=now, words=reason)


def _write_down(
    connection: Connection, order: Order, *, epoch: int, now: datetime, wall: datetime, calendar: Calendar
) -> Claim | None:
    earlier = attempts.of_orders(connection, [order.id])
    if any(attempt.state in (AttemptState.OPEN, AttemptState.UNKNOWN) for attempt in earlier):
        return None
    again = earlier[-1] if earlier and earlier[-1].state is AttemptState.NOT_SENT else None
    request = order_request(connection, order, again.number if again else len(earlier) + 1)
    sent = f"Sent as {request.correlation_id}."
    claimed = orders.move(connection, order, OrderState.SUBMITTING, at=now, actor=journal.DESK, reason=sent)
    if claimed is None:
        return None
    if again:
        attempt_id = attempts.start_again(connection, again, epoch=epoch, request=asdict(request), at=wall)
    else:
        attempt_id = attempts.start(
            connection,
            order.id,
            len(earlier) + 1,
            name=request.correlation_id,
            epoch=epoch,
            request=asdict(request),
            at=wall,
        )
    names = tuple(attempt.correlation_id for attempt in earlier)
    return Claim(order=claimed, attempt_id=attempt_id, request=request, earlier_names=names, calendar=calendar)


def order_request(connection: Connection, order: Order, number: int) -> OrderRequest:
    """What an attempt at this order says to the broker."""
    return OrderRequest(
        correlation_id=correlation_id(alerts.uid(connection, order.alert_id), order.position, number),
        side=order.side,
        segment=order.segment,
        security_id=order.security_id,
        product=order.product,
        order_type=order.order_type,
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger_price,
        amo_time=order.amo_time if order.as_amo else None,
    )
