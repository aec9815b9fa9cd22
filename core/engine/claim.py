"""The claim: one transaction checks everything once more and writes the attempt down; only then is it sent.

Whoever holds a claim may send exactly one POST.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from core import controls, journal, notifications, restored
from core.broker.port import OrderRequest
from core.db import alerts, attempts, orders
from core.db.attempts import Attempt, Try
from core.domain.attempt import AttemptState, correlation_id
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.domain.routing import may_send
from core.domain.sessions import Calendar
from core.domain.source import Source
from core.engine.apart import apart
from core.engine.release import why_ask_again
from core.engine.rules import Rules
from core.failpoints import Point, reach

Origins = Mapping[int, tuple[str, Source]]
"""Of each alert its uid and its source."""

LOOK_AGAIN = timedelta(seconds=10)
"""What cannot go yet makes room for what can: the desk reads a few due orders at a time, and several times a second."""
_OUR_FAULT = (
    "The desk made a mistake over this order and did not send it. "
    "Approve it to let the desk try again, or do by hand what it asked for; the log says why."
)
_LATE = "Its time window passed before it could go out"
_GONE_WELL = frozenset({OrderState.WORKING, OrderState.PART_FILLED, OrderState.FILLED})
_GONE_WELL_IN_PART = frozenset({OrderState.CANCELLING, OrderState.CANCELLED})


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to one POST, by this calendar.

    None of `earlier_names` may be at the broker: of tries before it, and of those that a restored backup cannot know.
    """

    order: Order
    attempt_id: int
    request: OrderRequest
    earlier_names: tuple[str, ...]
    calendar: Calendar


def claim(
    connection: Connection, seen: Order, *, epoch: int, now: datetime, wall: datetime, calendar: Calendar
) -> Claim | None:
    """Claim a due order that was seen earlier; None when it has changed or may not go. Raises LeaseLost."""
    rules = Rules.read(connection, epoch=epoch, now=now, wall=wall, calendar=calendar)
    order = orders.get(connection, seen.id)
    if order.state is not OrderState.QUEUED or order.version != seen.version:
        return None
    return next(iter(claim_apart(connection, [order], rules)), None)


def claim_all(connection: Connection, due: Sequence[Order], rules: Rules) -> list[Claim]:
    """Claim orders for sending that were read as due in this transaction.

    One that may not go now is left out, and its row says why.
    """
    if rules.holds or not due:
        return []
    reach(Point.CLAIMING)
    origins = alerts.origins(connection, {order.alert_id for order in due})
    limits = [rules.policies.limits, *(source.limits for _, source in origins.values())]
    counts = any(each.look_at_the_day for each in limits)  # each order towards the next one's limits
    together = 1 if counts else len(due)
    claims: list[Claim] = []
    for first in range(0, len(due), together):
        some = due[first : first + together]
        free = [order for order in some if _may_go(connection, order, origins[order.alert_id][1], rules)]
        claims += _write_down(connection, free, origins, rules)
    return claims


def claim_apart(connection: Connection, due: Sequence[Order], rules: Rules) -> list[Claim]:
    """The same where `claim_all` has met a bug of ours: it costs the order that brings it out, and no other."""
    claims: list[Claim] = []
    for order in due:
        with apart(connection, "order_not_claimed", order=order.label) as trial:
            claims += claim_all(connection, [order], rules)
        if trial.has_failed:
            ask_again(connection, order, _OUR_FAULT, rules.now)
    return claims


def _may_go(connection: Connection, order: Order, source: Source, rules: Rules) -> bool:
    return (
        _in_time(connection, order, rules.now)
        and _window_is_open(connection, order, rules.now, rules.calendar)
        and _is_still_wanted(connection, order, source, rules)
        and _earlier_legs_went_well(connection, order, rules.now)
    )


def _in_time(connection: Connection, order: Order, now: datetime) -> bool:
    if order.expires_at is None or now < order.expires_at:
        return True
    expire_late(connection, order, now)
    return False


def expire_late(connection: Connection, order: Order, now: datetime) -> None:
    """End an approved order whose window has passed, naming what held it when it ended."""
    held = controls.reasons_since(connection, order.expires_at or now)
    expire(connection, order, now, f"{_LATE}: it was held: {' '.join(held)}" if held else f"{_LATE}.")


def expire(connection: Connection, order: Order, now: datetime, reason: str) -> None:
    """End an order that waited too long, and ring."""
    expired = orders.move(connection, order, OrderState.EXPIRED, at=now, actor=journal.DESK, reason=reason)
    if expired is not None:
        notifications.ring_order(connection, Notice.EXPIRED, expired, at=now, words=reason)


def why_not_now(order: Order, now: datetime, calendar: Calendar) -> str | None:
    """Why the calendar lets the order not go at this moment, in a sentence; None when it does."""
    return may_send(
        order,
        order_type=order.order_type,
        as_amo=order.as_amo,
        now=now,
        calendar=calendar,
        into_auction=order.into_auction,
        validity=order.validity,
    )


def _window_is_open(connection: Connection, order: Order, now: datetime, calendar: Calendar) -> bool:
    words = why_not_now(order, now, calendar)
    if words is None:
        return True
    if order.reason != words:
        orders.note(connection, order, at=now, actor=journal.DESK, reason=words)
    orders.postpone(connection, order, now + LOOK_AGAIN)
    return False


def _is_still_wanted(connection: Connection, order: Order, source: Source, rules: Rules) -> bool:
    """An order that has grown old, or that the limits no longer let through, asks (again)."""
    words = why_ask_again(connection, order, rules.policies, source, rules.now)
    if words is None:
        return True
    ask_again(connection, order, words, rules.now)
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
    news = _not_known_at_the_yes(connection, order, failed) if failed else []
    if news:
        words = f"Leg {news[-1].position} ended {news[-1].state}: this leg goes only if you approve it again."
        ask_again(connection, order, words, now)
        return False
    return all(_went_well(leg) or leg.state.is_final for leg in earlier)


def _not_known_at_the_yes(connection: Connection, order: Order, failed: Sequence[Order]) -> list[Order]:
    """Those whose end was written down after the operator's last word on this order, the last one last: a book tells of
    a moment before that, and so may a clock that was moved.
    """
    story = journal.story(connection, order.alert_id)
    word = max((event.id for event in story if event.order_id == order.id and event.is_operators), default=0)
    ended = {event.order_id: event.id for event in story if event.after is not None}
    return sorted((leg for leg in failed if ended[leg.id] > word), key=lambda leg: ended[leg.id])


def ask_again(connection: Connection, order: Order, reason: str, now: datetime, **changes: Decimal) -> None:
    """Back to a tap, and ring: the card alone changes without a sound."""
    asking = OrderState.AWAITING_APPROVAL
    asked = orders.move(connection, order, asking, at=now, actor=journal.DESK, reason=reason, **changes)
    if asked is not None:
        notifications.ring_order(connection, Notice.NEEDS_OPERATOR, asked, at=now, words=reason)


def ask_for_our_fault(connection: Connection, seen: Order, now: datetime) -> None:
    """Ask about an order that a bug of ours kept from going, unless it has moved on meanwhile."""
    if orders.is_as_seen(connection, seen):
        ask_again(connection, orders.get(connection, seen.id), _OUR_FAULT, now)


def _write_down(connection: Connection, free: Sequence[Order], origins: Origins, rules: Rules) -> list[Claim]:
    tries = _tries(connection, free, origins, rules)
    moves = [(each.order, {"reason": f"Sent as {each.request.correlation_id}."}) for each in tries]
    moved = orders.move_all(connection, moves, OrderState.SUBMITTING, at=rules.now, actor=journal.DESK)
    first = [each for each in tries if each.again is None]
    started = attempts.start(connection, [each.as_try() for each in first], epoch=rules.epoch, at=rules.wall)
    ids = dict(zip([each.order.id for each in first], started, strict=True))
    for each in tries:
        if each.again is not None:
            request = vars(each.request)
            ids[each.order.id] = attempts.start_again(
                connection, each.again, epoch=rules.epoch, request=request, at=rules.wall
            )
    return [
        Claim(
            order=order,
            attempt_id=ids[order.id],
            request=each.request,
            earlier_names=each.earlier_names,
            calendar=rules.calendar,
        )
        for each, order in zip(tries, moved, strict=True)
    ]


@dataclass(frozen=True, kw_only=True)
class _Try:
    """One POST to be written down: `again` is the attempt that it repeats, which provably did not arrive."""

    order: Order
    number: int
    request: OrderRequest
    again: Attempt | None
    earlier_names: tuple[str, ...]

    def as_try(self) -> Try:
        return Try(
            order_id=self.order.id,
            number=self.number,
            name=self.request.correlation_id,
            request=vars(self.request),
        )


def _tries(connection: Connection, free: Sequence[Order], origins: Origins, rules: Rules) -> list[_Try]:
    """Not of orders that may be at the broker under an earlier name."""
    if not free:
        return []
    found: dict[int, list[Attempt]] = {}
    for attempt in attempts.of_orders(connection, [order.id for order in free]):
        found.setdefault(attempt.order_id, []).append(attempt)
    tries: list[_Try] = []
    for order in free:
        earlier = found.get(order.id, [])
        if any(attempt.state in (AttemptState.OPEN, AttemptState.UNKNOWN) for attempt in earlier):
            continue
        again = earlier[-1] if earlier and earlier[-1].state is AttemptState.NOT_SENT else None
        number = again.number if again else len(earlier) + 1
        names = [attempt.correlation_id for attempt in earlier]
        if order.alert_id <= rules.restored_through:
            names += restored.names_to_look_for(origins[order.alert_id][0], order.position, number)
        tries.append(
            _Try(
                order=order,
                number=number,
                request=order_request(order, origins[order.alert_id][0], number),
                again=again,
                earlier_names=tuple(dict.fromkeys(names)),
            )
        )
    return tries


def order_request(order: Order, uid: str, number: int) -> OrderRequest:
    """What an attempt at this order says to the broker; `uid` is its alert's."""
    return OrderRequest(
        correlation_id=correlation_id(uid, order.position, number),
        side=order.side,
        segment=order.segment,
        security_id=order.security_id,
        product=order.product,
        order_type=order.order_type,
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger_price,
        amo_time=order.amo_time if order.as_amo else None,
        validity=order.validity,
    )
