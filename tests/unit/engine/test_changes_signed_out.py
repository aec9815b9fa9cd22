"""Changes that cannot go out for want of a sign-in: a cancellation waits and says so, other terms are given up."""

from decimal import Decimal

import pytest

from core import approvals, controls, journal
from core.controls import Hold
from core.db import orders
from core.domain.change import ChangeState
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.engine import timers
from core.errors import Refusal
from tests.builders import CALENDAR
from tests.unit.engine.changing import (
    CANCELLED,
    CANCELLING,
    FAR,
    WORKING,
    ask_cancel,
    ask_change,
    hurry,
    resting,
    settled,
    states,
    told,
)
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import last_words, tap_on

FILLED = OrderState.FILLED
DEAD_TOKEN = {"errorType": "Invalid_Authentication", "errorCode": "DH-901", "errorMessage": "Invalid Token"}
WAITS_ANSWER = "Not cancelled yet: it waits for the sign-in at Dhan, and can still fill until then"


async def signed_out(floor: Floor) -> None:
    await floor.session.die("Invalid Token", floor.session.serial)


def rung(floor: Floor) -> list[Notice]:
    """What rang, but for the end of the sign-in itself."""
    return [kind for kind in told(floor) if kind is not Notice.SIGN_IN]


async def signed_in_again(floor: Floor) -> None:
    floor.clock.pass_time(minutes=5)
    assert await floor.sign_in()


async def test_a_cancellation_wished_while_signed_out_says_that_it_waits_until_it_has_left(floor: Floor) -> None:
    order = await resting(floor)
    await signed_out(floor)
    assert ask_cancel(floor, order) == WAITS_ANSWER
    for _ in range(3):
        await floor.send_changes()
    waiting = floor.now(order)
    assert (waiting.state, states(floor)) == (CANCELLING, [ChangeState.WANTED])
    assert waiting.reason.startswith("Not cancelled yet: the desk is not signed in")
    assert "the order can still fill" in waiting.reason
    assert rung(floor) == [Notice.NOT_CHANGED]
    await signed_in_again(floor)
    await floor.send_changes()
    assert floor.now(order).reason.startswith("Asked Dhan to cancel")
    assert (await settled(floor, order)).state is CANCELLED
    assert rung(floor) == [Notice.NOT_CHANGED, Notice.CANCELLED]


async def test_a_cancellation_whose_sign_in_ends_under_it_says_so_too(floor: Floor) -> None:
    order = await resting(floor)
    ask_cancel(floor, order)
    assert floor.now(order).reason == "Asking Dhan to cancel what is not filled."
    floor.dhan.script("cancel", "status", status=401, body=DEAD_TOKEN)
    for _ in range(3):
        await floor.send_changes()
    assert "can still fill" in floor.now(order).reason
    assert rung(floor) == [Notice.NOT_CHANGED]
    await signed_in_again(floor)
    hurry(floor)
    assert (await settled(floor, order)).state is CANCELLED


async def test_a_cancellation_left_from_before_a_start_rings_only_when_there_is_no_sign_in(floor: Floor) -> None:
    order = await resting(floor)
    ask_cancel(floor, order)
    await signed_out(floor)
    with floor.database.transaction() as connection:
        controls.lift_hold(connection, Hold.SIGNED_OUT, at=floor.clock.now(), actor=journal.DESK)
    await floor.send_changes()
    assert (floor.now(order).state, rung(floor)) == (CANCELLING, [])


async def test_a_tap_on_the_card_says_that_the_cancellation_waits(floor: Floor) -> None:
    order = await resting(floor)
    await signed_out(floor)
    with floor.database.transaction() as connection:
        assert approvals.cancel_working(connection, tap_on(connection, order, floor.clock.now())) == WAITS_ANSWER


def run_timers(floor: Floor) -> None:
    with floor.database.transaction() as connection:
        now = floor.clock.now()
        if timers.anything_is_due(connection, CALENDAR, now):
            timers.run_due(connection, CALENDAR, now)


async def test_other_terms_are_not_asked_for_while_signed_out(floor: Floor) -> None:
    order = await resting(floor)
    await signed_out(floor)
    with pytest.raises(Refusal, match=r"^Nothing is changed at Dhan for now: Dhan no longer takes the sign-in"):
        ask_change(floor, order, price=Decimal("1010.0"))
    assert (floor.now(order), states(floor)) == (order, [])


async def test_other_terms_are_given_up_with_a_ring_when_the_sign_in_ends_before_they_have_left(floor: Floor) -> None:
    order = await resting(floor)
    ask_change(floor, order, price=Decimal("1010.0"))
    await signed_out(floor)
    for _ in range(3):
        await floor.send_changes()
        run_timers(floor)
    kept = floor.now(order)
    assert (kept.state, kept.price, states(floor)) == (WORKING, FAR, [ChangeState.FAILED])
    assert kept.reason.startswith("Not changed: the desk is not signed in at Dhan.")
    assert rung(floor) == [Notice.NOT_CHANGED]
    with floor.database.snapshot() as connection:
        assert last_words(connection) == kept.reason
    await signed_in_again(floor)
    assert (await settled(floor, order)).price == FAR


async def test_other_terms_that_dhan_refused_for_the_sign_in_do_not_go_out_after_the_next_one(floor: Floor) -> None:
    order = await resting(floor)
    ask_change(floor, order, price=Decimal("1010.0"))
    floor.dhan.script("modify", "status", status=401, body=DEAD_TOKEN)
    await floor.send_changes()
    run_timers(floor)
    assert (states(floor), rung(floor)) == ([ChangeState.FAILED], [Notice.NOT_CHANGED])
    await signed_in_again(floor)
    hurry(floor)
    assert (await settled(floor, order)).price == FAR


async def test_a_cancellation_is_not_given_up_for_want_of_a_sign_in(floor: Floor) -> None:
    order = await resting(floor)
    ask_cancel(floor, order)
    await signed_out(floor)
    run_timers(floor)
    assert (floor.now(order).state, states(floor)) == (CANCELLING, [ChangeState.WANTED])


async def test_other_terms_of_an_order_that_filled_before_they_could_go_out_are_given_up_without_a_word(
    floor: Floor,
) -> None:
    order = await resting(floor)
    ask_change(floor, order, price=Decimal("1010.0"))
    await signed_out(floor)
    with floor.database.transaction() as connection:
        at = floor.clock.now()
        orders.move(connection, floor.now(order), FILLED, at=at, actor=journal.DHAN, reason="Filled.")
    run_timers(floor)
    assert (floor.now(order).reason, states(floor), rung(floor)) == ("Filled.", [ChangeState.FAILED], [])
