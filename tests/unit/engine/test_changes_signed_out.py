"""A cancellation that cannot go out for want of a sign-in: it says so, and that the order can still fill."""

from core import approvals, controls, journal
from core.controls import Hold
from core.domain.change import ChangeState
from core.domain.notice import Notice
from tests.unit.engine.changing import CANCELLED, CANCELLING, ask_cancel, hurry, resting, settled, states, told
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import tap_on

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
