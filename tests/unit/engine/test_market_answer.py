"""Dhan says the market is closed, or blocked: an offer, or a later try, and never a lost order."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from core import approvals, controls, journal
from core.broker.port import Refusal, Refused
from core.clock import Moment
from core.db import attempts
from core.domain.alert import AmoTime, OrderType, Product
from core.domain.attempt import AttemptState
from core.domain.notice import Notice
from core.domain.order import Mode, Order, OrderState
from core.engine.timers import expire_overdue
from tests.builders import NOON, an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.rows import WALL, again, claimed, record, rings, tap_on, try_claim

CLOSED = Refused(
    refusal=Refusal.MARKET_CLOSED, code="DH-906", words="Market is Closed! Want to place an offline order?"
)
BLOCKED = Refused(refusal=Refusal.MARKET_OFFLINE, code="DH-906", words="Markets are Offline or Blocked")


def told(connection: Connection, order: Order, answer: Refused, now: datetime = NOON) -> Order:
    """The order after it was sent and Dhan gave that answer."""
    record(connection, claimed(connection, order, now), answer, Moment(now=now, wall=WALL))
    return again(connection, order)


@pytest.mark.parametrize("policy", ["queued", "always", "never"])
def test_a_closed_market_turns_the_order_into_an_offer_to_go_after_market(connection: Connection, policy: str) -> None:
    controls.put(connection, "policies", {"approval": policy}, at=NOON, actor=journal.DESK)
    order = told(connection, an_order(connection), CLOSED)
    assert (order.state, order.mode, order.as_amo) == (OrderState.AWAITING_APPROVAL, Mode.QUEUE, True)
    assert order.release_at == india("2026-11-25 17:00")
    assert order.reaches_exchange_at == india("2026-11-26 09:45")
    assert order.expires_at == india("2026-11-26 08:59")
    assert order.reason.endswith("Approve it to go after-market instead, and to reach the exchange Thu 26 Nov 09:45.")
    assert rings(connection) == [Notice.REMINDER]


def test_the_offer_goes_out_only_after_a_tap_and_under_a_new_name(connection: Connection) -> None:
    order = told(connection, an_order(connection), CLOSED)
    evening = india("2026-11-25 17:00")
    assert try_claim(connection, order, evening) is None
    approvals.approve(connection, tap_on(connection, order, india("2026-11-25 13:00")))
    claim = claimed(connection, again(connection, order), evening)
    assert claim.request.amo_time is AmoTime.OPEN_30
    assert len(claim.earlier_names) == 1
    assert claim.request.correlation_id not in claim.earlier_names


def test_an_after_market_order_is_not_offered_again_as_one(connection: Connection) -> None:
    evening = india("2026-11-25 18:00")
    order = an_order(connection, at=evening, as_amo=True, mode=Mode.AMO, expires_at=india("2026-11-26 08:59"))
    assert told(connection, order, CLOSED, evening).state is OrderState.REJECTED


@pytest.mark.parametrize(("product", "state"), [("INTRADAY", "REJECTED"), ("DELIVERY", "AWAITING_APPROVAL")])
def test_an_intraday_exit_is_not_offered_to_go_when_dhan_has_squared_it_off(
    connection: Connection, product: str, state: str
) -> None:
    order = an_order(connection, closes=True, product=Product[product])
    assert told(connection, order, CLOSED).state is OrderState[state]


def test_what_no_after_market_window_takes_is_rejected_with_dhans_words(connection: Connection) -> None:
    """A stop order cannot go into the pre-open."""
    order = an_order(connection, order_type=OrderType.STOP_LIMIT, amo_time=AmoTime.PRE_OPEN)
    rejected = told(connection, order, CLOSED)
    assert rejected.state is OrderState.REJECTED
    assert "Market is Closed" in rejected.reason


def test_a_blocked_market_is_tried_again_less_often_until_the_window_ends(connection: Connection) -> None:
    evening = india("2026-11-25 17:00")
    order = an_order(connection, at=evening, as_amo=True, mode=Mode.QUEUE, expires_at=india("2026-11-26 08:59"))
    now, pauses = evening, list[timedelta]()
    for _ in range(7):
        order = told(connection, order, BLOCKED, now)
        assert order.state is OrderState.QUEUED
        assert order.retry_at
        pauses.append(order.retry_at - now)
        now = order.retry_at
    assert [pause.total_seconds() / 60 for pause in pauses] == [1, 2, 5, 10, 15, 15, 15]
    [attempt] = attempts.of_orders(connection, [order.id])
    assert (attempt.state, attempt.posts) == (AttemptState.NOT_SENT, 7)
    assert rings(connection) == [Notice.BLOCKED]
    assert expire_overdue(connection, india("2026-11-26 08:59")) == 1
    assert rings(connection) == [Notice.BLOCKED, Notice.EXPIRED]


def test_an_order_for_now_that_a_blocked_market_held_up_for_long_asks(connection: Connection) -> None:
    order = told(connection, an_order(connection), BLOCKED)
    order = told(connection, order, BLOCKED, NOON + timedelta(minutes=1))
    assert try_claim(connection, order, NOON + timedelta(minutes=6)) is None
    assert again(connection, order).state is OrderState.AWAITING_APPROVAL
