"""A changed calendar gives what waits new times, and says what moved. Nothing is sent and nothing approved by it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core import journal
from core.db import approvers, orders
from core.domain.limits import is_exit
from core.domain.order import AT_BROKER, WAITING, Mode, Order, OrderState
from core.domain.routing import Decision, route, same_way_again
from core.domain.sessions import Calendar, Unknown, spoken
from core.domain.ways import Alternative
from core.policies import Policies, Unapproved

_CHANGED = "The calendar changed:"


def replan(connection: Connection, calendar: Calendar, now: datetime) -> list[str]:
    """Give every waiting order the times that the calendar now says, and those at Dhan that wait there for a session;
    returns a sentence for each that moved.
    """
    policies = Policies.read(connection)
    moved = [_replan(connection, order, calendar, policies, now) for order in orders.in_states(connection, WAITING)]
    moved += [_follow_session(connection, order, calendar, now) for order in orders.in_states(connection, AT_BROKER)]
    return [words for words in moved if words]


def _replan(connection: Connection, order: Order, calendar: Calendar, policies: Policies, now: datetime) -> str | None:
    way = _way(order, calendar, policies, now)
    if isinstance(way, Unknown):
        return _hold(connection, order, way.reason, now)
    if _comes_as_before(order, way, now):
        return _shorten(connection, order, way, now)
    goes, reaches = spoken(way.release_at), spoken(way.reaches_exchange_at)
    words = f"{_CHANGED} it goes {goes} and reaches the exchange {reaches}."
    change = new_times(way, policies, order)
    noted = orders.note(connection, order, at=now, actor=journal.DESK, reason=words, **change)
    if noted is not None and noted.state is OrderState.QUEUED and order.mode is Mode.IMMEDIATE:
        orders.move(connection, noted, OrderState.AWAITING_APPROVAL, at=now, actor=journal.DESK, reason=words)
    approvers.forget(connection, order.id)  # who said yes so far said it to another day
    return _of(order, words)


def _shorten(connection: Connection, order: Order, way: Alternative, now: datetime) -> str | None:
    """Its window ends sooner than it did; a later end is not what it was approved for."""
    ends = order.window_ends_at
    if ends is None or ends <= way.window_ends_at:
        return None
    words = f"{_CHANGED} it can go until {spoken(way.window_ends_at)}."
    expires = min(order.expires_at or ends, way.window_ends_at)
    change = {"window_ends_at": way.window_ends_at, "expires_at": expires}
    orders.note(connection, order, at=now, actor=journal.DESK, reason=words, **change)
    return _of(order, words)


def _follow_session(connection: Connection, order: Order, calendar: Calendar, now: datetime) -> str | None:
    """An after-market order that Dhan holds for a session reaches the exchange when that session now comes."""
    sent, reaches = order.release_at, order.reaches_exchange_at
    if not order.as_amo or sent is None or reaches is None or reaches <= now:
        return None
    way = same_way_again(order, calendar, sent)
    if isinstance(way, Unknown) or not way.as_amo or way.release_at > sent or way.reaches_exchange_at == reaches:
        return None
    words = f"{_CHANGED} Dhan has it, and it reaches the exchange {spoken(way.reaches_exchange_at)}."
    change = {"reaches_exchange_at": way.reaches_exchange_at}
    orders.note(connection, order, at=now, actor=journal.DESK, reason=words, **change)
    return _of(order, words)


def _of(order: Order, words: str) -> str:
    return f"{order.label} {order.side} {order.quantity} {order.symbol}: {words}"


def _way(order: Order, calendar: Calendar, policies: Policies, now: datetime) -> Alternative | Unknown:
    """An order stays what it is, after-market or regular; one without times gets what the clock says.

    What was to go later does not go into a window that is open now: only a tap sends it sooner.
    """
    if order.release_at is not None:
        way = same_way_again(order, calendar, now)
        if isinstance(way, Alternative) and way.release_at <= now < order.release_at:
            return same_way_again(order, calendar, way.window_ends_at)
        return way
    decision = decide_again(order, calendar, policies, now)
    return next(iter(ways(decision)), Unknown(decision.reason))


def _comes_as_before(order: Order, way: Alternative, now: datetime) -> bool:
    """It reaches the exchange when it was to reach it; in a session that is open, that is when it goes."""
    if order.release_at is None:
        return False
    is_open = order.release_at <= now and way.release_at <= now
    reaches_it_then = way.reaches_exchange_at == order.reaches_exchange_at
    return reaches_it_then or not way.as_amo if is_open else reaches_it_then and way.release_at == order.release_at


def _hold(connection: Connection, order: Order, reason: str, now: datetime) -> str | None:
    """Nobody knows the hours any more: it loses its times and asks."""
    if order.release_at is None:
        return None
    gone = {"mode": None, "release_at": None, "reaches_exchange_at": None, "window_ends_at": None, "remind_at": None}
    noted = orders.note(connection, order, at=now, actor=journal.DESK, reason=reason, **gone)
    if noted is not None and noted.state is OrderState.QUEUED:
        orders.move(connection, noted, OrderState.AWAITING_APPROVAL, at=now, actor=journal.DESK, reason=reason)
    approvers.forget(connection, order.id)
    return _of(order, reason)


def decide_again(order: Order, calendar: Calendar, policies: Policies, now: datetime) -> Decision:
    """What the market's clock says about a stored order at this moment."""
    return route(
        order,
        order_type=order.order_type,
        amo_time=order.amo_time,
        now=now,
        calendar=calendar,
        policy=policies.release,
        validity=order.validity,
    )


def ways(decision: Decision) -> list[Alternative]:
    """The decision and its alternatives as equals, the decision first; empty when the calendar does not know."""
    if decision.mode is None:
        return []
    times = (decision.release_at, decision.window_ends_at, decision.reaches_exchange_at)
    release_at, window_ends_at, reaches_exchange_at = times
    if release_at is None or window_ends_at is None or reaches_exchange_at is None:
        raise ValueError("a decision with a mode has its times")
    main = Alternative(
        mode=decision.mode,
        as_amo=decision.as_amo,
        release_at=release_at,
        window_ends_at=window_ends_at,
        reaches_exchange_at=reaches_exchange_at,
        label="",
    )
    return [main, *decision.alternatives]


def new_times(way: Alternative, policies: Policies, order: Order) -> dict[str, Any]:
    """The row's times when the order goes this way, with the operator's patience counted in."""
    patience = policies.patience(is_exit=is_exit(order.side, order.product))
    ends = way.window_ends_at if patience is None else min(way.window_ends_at, way.release_at + patience)
    waits_for_tap = order.state is OrderState.AWAITING_APPROVAL and way.mode is Mode.QUEUE
    asks_at_open = policies.unapproved is Unapproved.ASK
    return {
        "mode": way.mode,
        "as_amo": way.as_amo,
        "into_auction": way.into_auction,
        "release_at": way.release_at,
        "reaches_exchange_at": way.reaches_exchange_at,
        "window_ends_at": ends,
        "expires_at": way.release_at if waits_for_tap and not asks_at_open else ends,
        "remind_at": way.release_at if waits_for_tap and asks_at_open else None,
        "retry_at": None,
    }
