"""Cards in the chat: what a tap does, once, for whoever may, and never to something else than was shown."""

import pytest
from desk_in_chat import Chats, a_leg

from core.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def waiting(chats: Chats, *legs: dict[str, str]) -> int:
    alert = await chats.fire(*legs)
    await chats.card(alert, "Waiting for your tap")
    return alert


async def test_an_edit_makes_a_new_version_and_the_old_buttons_die(chats: Chats) -> None:
    alert = await waiting(chats, a_leg(orderType="LMT", price="1400", quantity="10"))
    old = await chats.card(alert, "Quantity: 10", "Price: ₹1,400.00")
    await chats.tap(old, "Edit")
    asked = await chats.newest(f"Alert {alert}: reply to this message")
    await chats.reply(asked, "quantity=5 price=1390")
    new = await chats.card(alert, "Quantity: 5", "Price: ₹1,390.00", "Edited by operator 42")
    assert "changed since" in await chats.tap(old, "Approve")
    assert await chats.tap(new, "Approve") == "Approved"
    await chats.is_in(alert, OrderState.QUEUED)
