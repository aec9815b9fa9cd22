"""At the last moment before an order leaves: its age, its window, the limits, and who has said yes."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from core import approvals, journal
from core.db import attempts
from core.domain.alert import OrderType, Product, Side
from core.domain.instrument import Segment
from core.domain.limits import Bound, Limit, Limits
from core.domain.notice import Notice
from core.domain.order import Mode, Order, OrderState
from core.engine.claim import Claim, claim_all
from core.engine.timers import run_due
from core.errors import AskTwice, Refusal
from core.policies import Policies, save
from tests.builders import CALENDAR, NOON, an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.rows import OPERATOR, again, last_words, rings, rules_at, tap_on, try_claim

ASKED = OrderState.AWAITING_APPROVAL
OPEN = india("2026-11-25 09:15")
EVENING = india("2026-11-25 17:00")


def state_after_claim(connection: Connection, order: Order, now: datetime) -> OrderState:
    try_claim(connection, order, now)
    return again(connection, order).state


def limited(connection: Connection, limit: Limit, **bound: int) -> None:
    bounds = {limit: Bound(**{kind: Decimal(most) for kind, most in bound.items()})}
    policies = Policies(limits=Limits(bounds=bounds))
    save(connection, policies, at=NOON, actor=journal.operator(OPERATOR), words="Limits.")


def limit_order(connection: Connection, **values: Any) -> Order:
    return an_order(connection, order_type=OrderType.LIMIT, price=Decimal(1_000), **values)


def claim_together(connection: Connection, due: list[Order]) -> list[Claim]:
    return claim_all(connection, due, rules_at(connection))


def test_orders_claimed_together_count_towards_one_anothers_limits(connection: Connection) -> None:
    limited(connection, Limit.DAY_ORDERS, hard=2)
    due = [limit_order(connection) for _ in range(3)]
    assert [claim.order.id for claim in claim_together(connection, due)] == [due[0].id, due[1].id]
    assert again(connection, due[2]).state is ASKED


def test_orders_claimed_together_each_get_their_own_attempt_and_name(connection: Connection) -> None:
    due = [limit_order(connection, quantity=number) for number in (1, 2, 3)]
    claims = claim_together(connection, due)
    assert [claim.request.quantity for claim in claims] == [1, 2, 3]
    kept = [attempts.get(connection, claim.attempt_id) for claim in claims]
    assert [(attempt.order_id, attempt.correlation_id) for attempt in kept] == [
        (claim.order.id, claim.request.correlation_id) for claim in claims
    ]
    assert [again(connection, order).state for order in due] == [OrderState.SUBMITTING] * 3


def test_one_that_may_not_go_keeps_none_of_the_others_back(connection: Connection) -> None:
    late = limit_order(connection, expires_at=NOON)
    good = limit_order(connection)
    assert [claim.order.id for claim in claim_together(connection, [late, good])] == [good.id]
    assert again(connection, late).state is OrderState.EXPIRED


@pytest.mark.parametrize(
    ("late", "state"), [(timedelta(minutes=5), OrderState.SUBMITTING), (timedelta(minutes=5, seconds=1), ASKED)]
)
def test_what_was_to_go_at_once_and_could_not_asks_again(
    connection: Connection, late: timedelta, state: OrderState
) -> None:
    assert state_after_claim(connection, an_order(connection), NOON + late) is state


def test_an_approval_makes_it_fresh(connection: Connection) -> None:
    order = an_order(connection, approved_at=NOON + timedelta(hours=1))
    assert state_after_claim(connection, order, NOON + timedelta(minutes=62)) is OrderState.SUBMITTING


@pytest.mark.fault("SC-01")
@pytest.mark.parametrize("at", ["2026-11-25 09:15", "2026-11-25 11:00", "2026-11-25 15:14:57"])
def test_a_queued_order_still_goes_while_its_window_lasts(connection: Connection, at: str) -> None:
    order = an_order(connection, at=OPEN, mode=Mode.QUEUE, expires_at=india("2026-11-25 15:14:58"))
    assert state_after_claim(connection, order, india(at)) is OrderState.SUBMITTING


@pytest.mark.fault("SC-01", "SC-05")
@pytest.mark.parametrize("at", ["2026-11-25 15:14:58", "2026-11-25 17:00", "2026-11-26 09:15"])
def test_a_queued_order_whose_window_is_over_expires_and_rings(connection: Connection, at: str) -> None:
    order = an_order(connection, at=OPEN, mode=Mode.QUEUE, expires_at=india("2026-11-25 15:14:58"))
    assert state_after_claim(connection, order, india(at)) is OrderState.EXPIRED
    assert rings(connection) == [Notice.EXPIRED]


@pytest.mark.fault("CK-02")
def test_a_clock_set_back_sends_nothing_before_its_time(connection: Connection) -> None:
    order = an_order(connection, at=EVENING, as_amo=True, mode=Mode.QUEUE, expires_at=india("2026-11-26 08:59"))
    assert state_after_claim(connection, order, india("2026-11-25 16:00")) is OrderState.QUEUED


def test_an_expiring_index_contract_does_not_go_after_its_own_last_minute(connection: Connection) -> None:
    last_day = india("2026-12-08 15:35")
    index = {"segment": Segment.NSE_FNO, "product": Product.INTRADAY, "expires_at": india("2026-12-08 15:44:58")}
    expiring = an_order(connection, at=last_day, index_expiry=last_day.date(), **index)
    next_week = an_order(connection, at=last_day, index_expiry=last_day.date() + timedelta(days=7), **index)
    assert state_after_claim(connection, expiring, last_day) is OrderState.QUEUED
    assert state_after_claim(connection, next_week, last_day) is OrderState.SUBMITTING


def test_into_the_closing_auction_goes_only_what_was_sent_there(connection: Connection) -> None:
    auction = india("2026-11-25 15:21")
    told = {"at": auction, "expires_at": india("2026-11-25 15:27:58"), "order_type": OrderType.LIMIT}
    assert state_after_claim(connection, an_order(connection, **told), auction) is OrderState.QUEUED
    sent = an_order(connection, into_auction=True, **told)
    assert state_after_claim(connection, sent, auction) is OrderState.SUBMITTING


def test_a_limit_that_was_tightened_meanwhile_asks(connection: Connection) -> None:
    order = limit_order(connection)
    limited(connection, Limit.ORDER_VALUE, soft=9_999)
    assert state_after_claim(connection, order, NOON) is ASKED
    assert "above your soft limit of ₹9,999.00" in again(connection, order).reason


def test_above_a_soft_limit_a_second_step_is_enough_above_a_hard_one_none_is(connection: Connection) -> None:
    order = limit_order(connection, state=ASKED)
    limited(connection, Limit.ORDER_VALUE, soft=9_999, hard=10_000)
    with pytest.raises(AskTwice, match=r"BUY 10 RELIANCE: .* above your soft limit of ₹9,999.00"):
        approvals.approve(connection, tap_on(connection, order))
    assert again(connection, order).state is ASKED
    approvals.approve(connection, replace(tap_on(connection, order), is_sure=True))
    assert state_after_claim(connection, again(connection, order), NOON) is OrderState.SUBMITTING

    other = limit_order(connection, state=ASKED)
    limited(connection, Limit.ORDER_VALUE, hard=9_999)
    with pytest.raises(Refusal, match=r"above your hard limit of ₹9,999\.00\. Change it with /limits"):
        approvals.approve(connection, replace(tap_on(connection, other), is_sure=True))
    assert again(connection, other).state is ASKED


def test_the_days_count_is_taken_when_each_order_leaves(connection: Connection) -> None:
    limited(connection, Limit.DAY_ORDERS, hard=2)
    states = [state_after_claim(connection, limit_order(connection), NOON) for _ in range(3)]
    assert states == [OrderState.SUBMITTING, OrderState.SUBMITTING, ASKED]


def test_orders_of_another_day_and_those_that_never_left_do_not_count(connection: Connection) -> None:
    limited(connection, Limit.DAY_ORDERS, hard=1)
    limit_order(connection, at=NOON - timedelta(days=1), state=OrderState.FILLED)
    for state in (OrderState.EXPIRED, OrderState.DECLINED, OrderState.REJECTED, OrderState.REFUSED):
        limit_order(connection, state=state)
    assert state_after_claim(connection, limit_order(connection), NOON) is OrderState.SUBMITTING


def test_a_way_out_above_a_hard_limit_can_be_approved(connection: Connection) -> None:
    limited(connection, Limit.ORDER_VALUE, hard=1)
    order = limit_order(connection, side=Side.SELL, product=Product.DELIVERY)
    assert state_after_claim(connection, order, NOON) is ASKED
    approvals.approve(connection, replace(tap_on(connection, again(connection, order)), is_sure=True))
    assert state_after_claim(connection, again(connection, order), NOON) is OrderState.SUBMITTING


def waiting(connection: Connection, **values: Any) -> Order:
    times = {"remind_at": EVENING, "window_ends_at": india("2026-11-26 08:59")}
    return an_order(connection, at=EVENING, state=ASKED, as_amo=True, mode=Mode.QUEUE, **times | values)


def test_an_order_that_nobody_approved_rings_once_more_when_its_window_opens(connection: Connection) -> None:
    order = waiting(connection, expires_at=india("2026-11-26 08:59"))
    run_due(connection, CALENDAR, EVENING - timedelta(seconds=1))
    assert Notice.REMINDER not in rings(connection)
    for _ in range(2):
        run_due(connection, CALENDAR, EVENING)
    assert rings(connection).count(Notice.REMINDER) == 1
    assert last_words(connection) == "Its window is open: approve it by Thu 26 Nov 08:59, or it expires."
    assert again(connection, order).state is ASKED


def test_an_approval_gives_the_order_its_whole_window(connection: Connection) -> None:
    order = waiting(connection, expires_at=EVENING, remind_at=None)
    approvals.approve(connection, tap_on(connection, order, NOON))
    assert state_after_claim(connection, again(connection, order), EVENING) is OrderState.SUBMITTING
