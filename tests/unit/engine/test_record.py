"""What each answer of the broker makes of the order and its attempt, and what the operator is told."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from core.broker.port import Accepted, NotSent, Outcome, Refusal, Refused, Unknown
from core.clock import Moment
from core.db import attempts, orders
from core.domain.attempt import AttemptState
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine.claim import Claim
from core.engine.record import FIRST_LOOKUP, MOST_POSTS, not_yet
from core.engine.resolve import doubt_unfinished
from core.engine.words import explain
from tests.builders import NOON, an_order
from tests.unit.engine.rows import MOMENT, WALL, again, claimed, last_words, record, rings

BACK_OFF = [1, 2, 4, 8]


def refused(refusal: Refusal, code: str = "DH-906", words: str = "No.") -> Refused:
    return Refused(refusal=refusal, code=code, words=words)


def after(connection: Connection, outcome: Outcome) -> tuple[Claim, Order]:
    """A claimed order and how it stands after that outcome."""
    claim = claimed(connection)
    record(connection, claim, outcome, MOMENT)
    return claim, again(connection, claim.order)


def test_an_accepted_order_is_at_dhan_and_nothing_rings(connection: Connection) -> None:
    claim, order = after(connection, Accepted(order_id="52261125"))
    assert (order.state, order.broker_order_id, order.confirmed) == (OrderState.WORKING, "52261125", False)
    assert attempts.get(connection, claim.attempt_id).state is AttemptState.ACCEPTED
    assert rings(connection) == []


@pytest.mark.parametrize(
    "late", [Accepted(order_id="52261125"), refused(Refusal.FINAL), NotSent(words="late"), Unknown(words="late")]
)
def test_an_answer_that_comes_after_another_desk_took_over_does_not_end_its_look_ups(
    connection: Connection, late: Outcome
) -> None:
    claim = claimed(connection)
    doubt_unfinished(connection, MOMENT)
    record(connection, claim, late, MOMENT)
    assert again(connection, claim.order).state is OrderState.UNKNOWN
    assert [attempt.id for attempt in attempts.due_for_lookup(connection, WALL)] == [claim.attempt_id]


def test_a_claim_that_another_desk_took_over_is_not_given_back(connection: Connection) -> None:
    claim = claimed(connection)
    doubt_unfinished(connection, MOMENT)
    not_yet(connection, claim, "the look-up failed", MOMENT)
    assert [attempt.id for attempt in attempts.due_for_lookup(connection, WALL)] == [claim.attempt_id]


def test_an_unclear_answer_is_a_doubt_that_is_looked_up_a_second_later(connection: Connection) -> None:
    claim, order = after(connection, Unknown(words="POST /orders: ReadTimeout"))
    assert order.state is OrderState.UNKNOWN
    attempt = attempts.get(connection, claim.attempt_id)
    assert (attempt.state, attempt.next_lookup_at) == (AttemptState.UNKNOWN, WALL + FIRST_LOOKUP)
    assert rings(connection) == [Notice.UNKNOWN]
    assert order.reason == "No clear answer: POST /orders: ReadTimeout"
    told = "POST /orders: ReadTimeout. It is being looked up at Dhan: do not send it again meanwhile."
    assert last_words(connection) == told


@pytest.mark.parametrize("refusal", [Refusal.FINAL, Refusal.IN_TRANSIT])
def test_a_final_no_rejects_the_order_in_dhans_words(connection: Connection, refusal: Refusal) -> None:
    claim, order = after(connection, refused(refusal, "DH-906", "Quantity exceeds freeze"))
    assert order.state is OrderState.REJECTED
    attempt = attempts.get(connection, claim.attempt_id)
    assert (attempt.state, attempt.code, attempt.words) == (AttemptState.REFUSED, "DH-906", "Quantity exceeds freeze")
    assert rings(connection) == [Notice.REJECTED]
    assert "Quantity exceeds freeze (DH-906)" in last_words(connection)


@pytest.mark.parametrize(
    "outcome", [NotSent(words="POST /orders: ConnectError"), refused(Refusal.RATE_LIMITED, "DH-904")]
)
def test_what_was_not_taken_is_tried_again_later_each_time_and_then_asked_about(
    connection: Connection, outcome: Outcome
) -> None:
    order, now, delays = an_order(connection), NOON, list[float]()
    while order.state is OrderState.QUEUED and len(delays) < 9:
        claim = claimed(connection, order, now)
        record(connection, claim, outcome, Moment(now=now, wall=WALL))
        order = again(connection, order)
        assert order.retry_at is not None
        delays.append((order.retry_at - now).total_seconds())
        now = order.retry_at
    assert delays == BACK_OFF
    assert order.state is OrderState.AWAITING_APPROVAL
    assert rings(connection) == [Notice.NEEDS_OPERATOR]
    assert "try 4" in last_words(connection)
    [attempt] = attempts.of_orders(connection, [order.id])
    assert (attempt.state, attempt.posts) == (AttemptState.NOT_SENT, MOST_POSTS)


def test_a_postponed_order_is_not_due_before_its_next_try(connection: Connection) -> None:
    after(connection, NotSent(words="no route"))
    assert orders.due(connection, NOON + timedelta(seconds=0.9), 9) == []
    assert len(orders.due(connection, NOON + timedelta(seconds=1), 9)) == 1


@pytest.mark.fault("BR-07")
def test_an_order_waits_for_one_new_sign_in_and_asks_when_dhan_takes_that_one_neither(connection: Connection) -> None:
    order = an_order(connection)
    record(connection, claimed(connection, order), refused(Refusal.SIGNED_OUT, "DH-901"), MOMENT)
    order = again(connection, order)
    assert (order.state, order.retry_at, rings(connection)) == (OrderState.QUEUED, NOON, [])
    record(connection, claimed(connection, order), refused(Refusal.SIGNED_OUT, "DH-901", "Invalid token"), MOMENT)
    assert again(connection, order).state is OrderState.AWAITING_APPROVAL
    assert rings(connection) == [Notice.NEEDS_OPERATOR]
    assert last_words(connection) == (
        "Dhan no longer takes the sign-in; the order waits for a new one. Dhan said: Invalid token (DH-901). "
        "It said so after the new sign-in, too: the next try needs your tap."
    )
    [attempt] = attempts.of_orders(connection, [order.id])
    assert (attempt.state, attempt.posts) == (AttemptState.NOT_SENT, 2)


def unused(connection: Connection, order: Order, seconds: int) -> None:
    """Claimed, and given up before anything left."""
    at = NOON + timedelta(seconds=seconds)
    not_yet(connection, claimed(connection, again(connection, order), at), "the look-up failed", MOMENT)


def not_sent(connection: Connection, order: Order, seconds: int) -> None:
    at = NOON + timedelta(seconds=seconds)
    record(connection, claimed(connection, again(connection, order), at), NotSent(words="no route"), MOMENT)


WHATEVER_CAME_BEFORE = pytest.mark.parametrize("before", [unused, not_sent])
Before = Callable[[Connection, Order, int], None]


@WHATEVER_CAME_BEFORE
def test_tries_that_never_left_are_no_refusal_of_the_sign_in(connection: Connection, before: Before) -> None:
    order = an_order(connection)
    before(connection, order, 0)
    later = claimed(connection, again(connection, order), NOON + timedelta(seconds=9))
    record(connection, later, refused(Refusal.SIGNED_OUT, "DH-901"), MOMENT)
    assert again(connection, order).state is OrderState.QUEUED


@WHATEVER_CAME_BEFORE
def test_a_blocked_market_rings_once_whatever_came_before(connection: Connection, before: Before) -> None:
    order = an_order(connection)
    before(connection, order, 0)
    for minute in (1, 4):
        claim = claimed(connection, again(connection, order), NOON + timedelta(minutes=minute))
        record(connection, claim, refused(Refusal.MARKET_OFFLINE), MOMENT)
    assert rings(connection) == [Notice.BLOCKED]


def test_a_claim_that_was_not_used_puts_no_words_into_dhans_mouth(connection: Connection) -> None:
    order = an_order(connection)
    claim = claimed(connection, order)
    record(connection, claim, refused(Refusal.RATE_LIMITED, "DH-904", "Too many."), MOMENT)
    unused(connection, order, 9)
    [attempt] = attempts.of_orders(connection, [order.id])
    assert (attempt.refusal, attempt.code, attempt.words) == (Refusal.RATE_LIMITED, "DH-904", "Too many.")


def test_claims_that_were_not_used_use_up_no_tries(connection: Connection) -> None:
    order = an_order(connection)
    for count in range(MOST_POSTS):
        unused(connection, order, 5 * count)
    claim = claimed(connection, again(connection, order), NOON + timedelta(seconds=60))
    record(connection, claim, refused(Refusal.RATE_LIMITED, "DH-904"), MOMENT)
    assert again(connection, order).state is OrderState.QUEUED
    [attempt] = attempts.of_orders(connection, [order.id])
    assert (attempt.posts, attempt.refusal) == (1, Refusal.RATE_LIMITED)


def test_a_claim_that_was_not_used_goes_back_to_its_place_in_the_queue(connection: Connection) -> None:
    claim = claimed(connection)
    not_yet(connection, claim, "the look-up failed", MOMENT)
    order = again(connection, claim.order)
    assert (order.state, order.retry_at) == (OrderState.QUEUED, NOON + timedelta(seconds=1))
    assert attempts.get(connection, claim.attempt_id).state is AttemptState.NOT_SENT


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_says_what_to_do_and_what_dhan_said(refusal: Refusal) -> None:
    words = explain(refused(refusal, "DH-1", "Because of that."))
    assert words.endswith("Dhan said: Because of that (DH-1).")
    assert len(words.split("Dhan said")[0]) > 20


def test_a_refusal_without_words_is_still_a_sentence() -> None:
    assert explain(refused(Refusal.FINAL, "", "")).endswith("Dhan said: nothing more (no code).")
