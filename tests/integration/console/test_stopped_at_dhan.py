"""Dhan's own stop for the day, from the chat: what waits says so, and goes once it is off."""

from typing import Any

import pytest
from desk_in_chat import TUESDAY, Chats, a_leg

from core.controls import KILL_SWITCH_IS_ON
from core.db import attempts
from core.domain.order import OrderState
from core.errors import BrokerUnavailable, SignInNeeded

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFF, ON = "Dhan's kill switch is off", "Dhan's kill switch is on"


async def open_for_trading(chats: Chats) -> None:
    """On a trading day, with the sign-in of that day."""

    async def is_signed_in() -> bool:
        try:
            await chats.parts.broker.check_session()
        except (SignInNeeded, BrokerUnavailable):
            return False
        return True

    chats.jump(TUESDAY)
    await chats.until(is_signed_in, "the desk is signed in")


async def throw(chats: Chats, button: str, question: str) -> str:
    await chats.ask("/killswitch", question)
    return await chats.tap(await chats.newest(question), button)


async def test_a_look_at_the_switch_shows_what_was_done_in_dhans_app(chats: Chats) -> None:
    await open_for_trading(chats)
    dhans_app = chats.parts.account
    for is_on, question, words in ((True, ON, "/killswitch"), (False, OFF, "Orders go out")):
        await dhans_app.stop(is_on)
        await chats.ask("/killswitch", question)
        await chats.ask("/status", words)


async def test_a_switch_that_dhan_refuses_is_told_in_the_question_and_leaves_no_button(chats: Chats) -> None:
    await open_for_trading(chats)
    alert = await chats.fire(a_leg(orderType="LMT", price="1000"))
    await chats.is_in(alert, OrderState.WORKING)
    await chats.ask("/killswitch", OFF, "only with no open positions and no pending orders: /cancel and /flatten first")
    question = await chats.newest(OFF)
    assert "with open positions or pending orders" in await chats.tap(question, "Stop all trading today")
    told = await chats.newest(OFF, "Not done", "with open positions or pending orders")
    assert (told["message_id"], told["buttons"]) == (question["message_id"], [])
    await chats.ask(f"/cancel {alert}")
    await chats.is_in(alert, OrderState.CANCELLED)


async def test_with_the_switch_on_the_desk_is_not_green_and_an_order_waits_for_it(chats: Chats) -> None:
    await open_for_trading(chats)
    assert "activated" in await throw(chats, "Stop all trading today", OFF)
    status = await chats.ask("/status", "/killswitch")
    assert "Orders go out" not in status
    alert = await chats.fire(a_leg(orderType="LMT", price="1000"))
    await chats.card(alert, "Dhan's kill switch", "/killswitch")
    await chats.is_in(alert, OrderState.QUEUED)
    assert "deactivated" in await throw(chats, "Turn it off", ON)
    await chats.is_in(alert, OrderState.WORKING)
    await chats.ask("/status", "Orders go out")
    await chats.ask(f"/cancel {alert}")
    await chats.is_in(alert, OrderState.CANCELLED)


async def said_to_be_on_twice(chats: Chats) -> bool:
    """In messages of their own; the card says so, too."""
    return sum(message["text"] == KILL_SWITCH_IS_ON for message in await chats.messages()) == 2


async def test_resume_says_that_dhans_switch_is_still_on_and_lets_no_order_run_into_it(chats: Chats) -> None:
    await open_for_trading(chats)
    await chats.parts.account.stop(True)
    await chats.ask("/pause", "nothing is sent")
    alert = await chats.fire(a_leg(orderType="LMT", price="1000"))
    for _ in range(2):
        await chats.says("/resume")
    await chats.until(lambda: said_to_be_on_twice(chats), "/resume is answered that the switch is on")
    await chats.card(alert, "Dhan's kill switch", "/killswitch")
    [order] = await chats.orders(alert)
    assert await chats.parts.database.read(lambda c: attempts.last_of(c, order.id)) is None
    assert "deactivated" in await throw(chats, "Turn it off", ON)
    await chats.is_in(alert, OrderState.WORKING)
    await chats.ask(f"/cancel {alert}")
    await chats.is_in(alert, OrderState.CANCELLED)


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 500, "body": "Down"}, {"kind": "hang"}], ids=lambda fault: fault["kind"]
)
async def test_resume_goes_by_the_operators_word_where_dhan_does_not_tell_of_its_switch(
    chats: Chats, fault: dict[str, Any]
) -> None:
    await open_for_trading(chats)
    await chats.ask("/pause", "nothing is sent")
    script = {"call": "kill_switch"} | fault
    assert (await chats.sandbox.http.post("/dhan/sandbox/faults", json=script)).is_success
    await chats.ask("/resume", "Orders go out again.")
