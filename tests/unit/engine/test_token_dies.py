"""A sign-in that ends or begins in the middle of things: orders wait, and go out once."""

import asyncio
from pathlib import Path

import pytest

from core import controls, failpoints
from core.controls import Hold
from core.domain.login import LoginState, Way
from core.domain.order import OrderState
from core.failpoints import Point
from core.mailbox import Mailbox
from core.sandbox.dhan.login import OTHER_ACCOUNT
from tests.builders import until
from tests.integration.paper_dhan import PaperDhan
from tests.unit.engine.changing import ask_cancel, hurry, resting, settled
from tests.unit.engine.door import BY_LINK, Door
from tests.unit.engine.floor import Floor, settings_for


def when(point: Point, act: object) -> None:
    """Do this at that point, the first time."""
    acts = [act]

    def reached(at: Point) -> None:
        if at is point and acts:
            acts.pop()()  # type: ignore[operator]

    failpoints.install(reached)


async def signs_in_by_link(floor: Floor, folder: Path) -> None:
    """The operator opens a link, and signs in at Dhan."""
    mailbox = Mailbox(
        database=floor.database,
        client=floor.client,
        session=floor.session,
        settings=settings_for(floor.dhan, folder, **BY_LINK),
        clock=floor.clock,
    )
    door = Door(floor.database, floor.dhan, floor.client, folder)
    login_id = door.link()
    door.tap(login_id)
    await mailbox.attend()
    door.come_back(login_id, floor.dhan.granted(door.login(login_id).consent_id or ""))
    assert await mailbox.attend()
    floor.dhan.http.headers["access-token"] = floor.session.token()


def held(floor: Floor) -> str | None:
    with floor.database.snapshot() as connection:
        return controls.holds(connection).get(Hold.SIGNED_OUT)


def ordered(dhan: PaperDhan) -> int:
    return len(dhan.ledger()["orders"])


@pytest.mark.fault("BR-07", "TK-03")
async def test_a_token_that_dies_between_claim_and_post_holds_the_order_which_then_goes_out_once(
    floor: Floor, tmp_path: Path
) -> None:
    when(Point.CLAIMED, floor.dhan.end_token)
    order = await floor.sent()
    assert (order.state, ordered(floor.dhan)) == (OrderState.QUEUED, 0)
    assert "no longer takes the sign-in" in (held(floor) or "")
    await floor.send()
    assert floor.dhan.ledger()["placements"] == 1
    await signs_in_by_link(floor, tmp_path)
    await floor.send()
    assert (floor.now(order).state, ordered(floor.dhan)) == (OrderState.WORKING, 1)
    assert [attempt.posts for attempt in floor.attempts(order)] == [2]


DEAD = {
    "401 DH-901": (401, {"errorType": "Invalid_Authentication", "errorCode": "DH-901", "errorMessage": "Invalid"}),
    "400 DH-906": (400, {"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Invalid Token"}),
    "401 808": (401, {"status": "failed", "data": {"808": "Authentication Failed - Client ID or Token invalid"}}),
    "400 807": (400, {"errorCode": 807, "errorMessage": "Token expired"}),
    "401 809": (401, {"status": "failed", "data": {"809": "Token is invalid"}}),
    "403 DH-902": (403, {"errorType": "Invalid_Access", "errorCode": "DH-902", "errorMessage": "Token has no access"}),
    "400 DH-905": (
        400,
        {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "access-token missing"},
    ),
}


@pytest.mark.parametrize("shape", DEAD)
async def test_every_shape_of_a_dead_token_holds_orders_and_burns_none(floor: Floor, shape: str) -> None:
    status, body = DEAD[shape]
    floor.dhan.script("place", "status", status=status, body=body)
    order = await floor.sent()
    assert (order.state, ordered(floor.dhan)) == (OrderState.QUEUED, 0)
    assert not floor.session.is_signed_in
    assert held(floor)
    floor.clock.pass_time(minutes=3)
    assert await floor.sign_in()
    await floor.send()
    assert (floor.now(order).state, ordered(floor.dhan)) == (OrderState.WORKING, 1)


@pytest.mark.fault("TK-06")
async def test_a_login_in_the_middle_of_a_queue_loses_and_doubles_nothing(floor: Floor, tmp_path: Path) -> None:
    orders = [floor.order() for _ in range(6)]
    for turn in range(8):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(floor.send())
            if turn == 0:  # one: an order that a second new sign-in refuses, too, asks
                tasks.create_task(signs_in_by_link(floor, tmp_path))
        floor.clock.pass_time(seconds=1)
    assert {floor.now(order).state for order in orders} == {OrderState.WORKING}
    names = [order["correlationId"] for order in floor.dhan.ledger()["orders"]]
    assert len(names) == len(set(names)) == 6


@pytest.mark.fault("TK-06")
async def test_a_refusal_that_arrives_after_a_new_sign_in_does_not_end_that(floor: Floor, tmp_path: Path) -> None:
    order = floor.order()
    floor.dhan.end_token()
    with floor.dhan.holding_back("POST", "/dhan/v2/orders") as refusal:
        sending = asyncio.create_task(floor.send())
        await until(refusal.decided.is_set)
        await signs_in_by_link(floor, tmp_path)
    await sending
    assert floor.session.is_signed_in
    assert held(floor) is None
    floor.clock.pass_time(seconds=1)
    await floor.send()
    assert (floor.now(order).state, ordered(floor.dhan)) == (OrderState.WORKING, 1)


@pytest.mark.fault("TK-06")
async def test_a_change_that_is_refused_after_a_new_sign_in_does_not_end_that(floor: Floor, tmp_path: Path) -> None:
    order = await resting(floor)
    ask_cancel(floor, order)
    floor.dhan.end_token()
    with floor.dhan.holding_back("DELETE", f"/dhan/v2/orders/{order.broker_order_id}") as refusal:
        sending = asyncio.create_task(floor.send_changes())
        await until(refusal.decided.is_set)
        await signs_in_by_link(floor, tmp_path)
    await sending
    assert floor.session.is_signed_in
    assert held(floor) is None
    hurry(floor)
    assert (await settled(floor, order)).state is OrderState.CANCELLED


@pytest.mark.fault("TK-06")
async def test_a_refusal_of_the_token_before_holds_nothing_once_there_is_a_new_one(
    floor: Floor, tmp_path: Path
) -> None:
    before = floor.session.serial
    await signs_in_by_link(floor, tmp_path)
    await floor.session.die("Invalid Token", before)
    assert held(floor) is None
    assert (await floor.sent()).state is OrderState.WORKING


@pytest.mark.fault("TK-06", "TK-10")
async def test_of_sign_ins_that_come_at_once_one_is_made_and_the_others_wait_for_it(
    floor: Floor, tmp_path: Path
) -> None:
    orders = [floor.order() for _ in range(4)]
    floor.dhan.end_token()
    await floor.session.die("Invalid Token", floor.session.serial)
    door = Door(floor.database, floor.dhan, floor.client, tmp_path)
    mailbox = door.mailbox(floor.session)
    mine, foreign = door.link(), door.link()
    for link in (mine, foreign):
        door.tap(link)
    await mailbox.attend()
    door.come_back(mine, floor.dhan.granted(door.login(mine).consent_id or ""))
    door.come_back(foreign, floor.dhan.granted(door.login(foreign).consent_id or "", account=OTHER_ACCOUNT))
    floor.clock.pass_time(minutes=5)  # long enough after the desk's own for another with PIN and code
    with floor.dhan.holding_back("GET", "/dhan-login/app/consumeApp-consent") as token:
        by_link = asyncio.create_task(mailbox.attend())
        await until(token.decided.is_set)
        by_itself = asyncio.create_task(floor.session.keep())
        for _ in range(5):  # whoever does not wait for the link signs in meanwhile
            await floor.send()
        assert not by_itself.done()
        assert ordered(floor.dhan) == 0
    assert await by_link
    assert await by_itself
    floor.dhan.http.headers["access-token"] = floor.session.token()
    assert floor.dhan.http.get("/dhan/v2/profile").status_code == 200
    assert door.tries(Way.TOTP) == [LoginState.COMPLETED]
    assert [door.login(link).state for link in (mine, foreign)] == [LoginState.COMPLETED, LoginState.FAILED]
    assert held(floor) is None
    for _ in range(2):
        await floor.send()
    assert {floor.now(order).state for order in orders} == {OrderState.WORKING}
    assert (floor.dhan.ledger()["placements"], ordered(floor.dhan)) == (4, 4)


async def test_while_signed_out_nothing_is_posted_and_nothing_expires_early(floor: Floor, tmp_path: Path) -> None:
    floor.dhan.end_token()
    await floor.session.die("Invalid Token", floor.session.serial)
    orders = [floor.order() for _ in range(3)]
    for _ in range(5):
        await floor.send()
        floor.clock.pass_time(seconds=50)
    assert floor.dhan.ledger()["placements"] == 0
    assert {floor.now(order).state for order in orders} == {OrderState.QUEUED}
    await signs_in_by_link(floor, tmp_path)
    await floor.send()
    assert ordered(floor.dhan) == 3


async def test_a_token_handed_in_on_the_command_line_lets_orders_out(floor: Floor, tmp_path: Path) -> None:
    floor.dhan.end_token()
    await floor.session.die("Invalid Token", floor.session.serial)
    order = floor.order()
    door = Door(floor.database, floor.dhan, floor.client, tmp_path)
    door.hand_in(floor.dhan.web_token())
    await door.mailbox(floor.session).attend()
    assert door.tries(Way.WEB) == [LoginState.COMPLETED]
    await floor.send()
    assert floor.now(order).state is OrderState.WORKING
