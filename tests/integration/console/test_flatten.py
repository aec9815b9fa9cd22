"""/flatten in the chat, where Dhan's order book is not whole, and under a stop."""

from typing import Any

import pytest
from desk_in_chat import TUESDAY, Chats, a_leg

from core.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="module")
THEIRS = {"orderId": "77", "correlationId": "1106500417-1764000000000", "orderStatus": "", "quantity": 5}


async def hide_an_entry(chats: Chats) -> None:
    fault: dict[str, Any] = {"call": "book", "kind": "status", "status": 200, "body": [THEIRS], "times": 1_000}
    assert (await chats.sandbox.http.post("/dhan/sandbox/faults", json=fault)).is_success


async def show_the_book(chats: Chats) -> None:
    assert (await chats.sandbox.http.delete("/dhan/sandbox/faults")).is_success


async def test_an_entry_that_cannot_be_read_is_said_before_an_exit_and_hinders_none(chats: Chats) -> None:
    chats.jump(TUESDAY)
    await chats.is_in(await chats.fire(), OrderState.FILLED)
    await chats.ask("/flatten", "SELL 1 RELIANCE")
    unaware = await chats.newest("SELL 1 RELIANCE")
    await hide_an_entry(chats)
    assert "look again" in await chats.tap(unaware, "Yes")
    await chats.ask("/flatten", "An entry of Dhan's book cannot be read")
    answer = await chats.tap(await chats.newest("An entry of Dhan's book"), "Yes")
    await show_the_book(chats)
    await chats.is_in(int(answer.removeprefix("Exiting, as ")), OrderState.FILLED)


@pytest.mark.parametrize(
    ("stop", "go", "at"), [("/pause", "/resume", "2026-12-01T11:00"), ("/kill", "/unkill", "2026-12-01T11:30")]
)
async def test_an_exit_under_a_stop_is_said_to_wait_and_waits(chats: Chats, stop: str, go: str, at: str) -> None:
    chats.jump(at)
    await chats.is_in(await chats.fire(a_leg("TCS")), OrderState.FILLED)
    await chats.ask(stop, "nothing is sent")
    await chats.ask("/flatten TCS", "Nothing goes out now, exits included")
    answer = await chats.tap(await chats.newest("Nothing goes out now", "SELL 1 TCS"), "Yes")
    assert answer.startswith("Held, as ")
    alert = int(answer.removeprefix("Held, as ").split(".")[0])
    await chats.card(alert, "Held")
    await chats.is_in(alert, OrderState.QUEUED)
    await chats.ask(go, "out again")
    if go == "/unkill":
        await chats.tap(await chats.newest("Let orders out again?"), "Yes")
    await chats.is_in(alert, OrderState.FILLED)


async def test_an_order_that_may_open_the_position_again_is_named_before_the_yes(chats: Chats) -> None:
    chats.jump("2026-12-01T12:00")
    await chats.is_in(await chats.fire(a_leg("INFY")), OrderState.FILLED)
    resting = await chats.fire(a_leg("INFY", orderType="LMT", price="1000"))
    await chats.is_in(resting, OrderState.WORKING)
    await chats.ask("/flatten INFY", f"may open it again: {resting}.1 BUY 1 INFY (/cancel {resting}.1)")
    answer = await chats.tap(await chats.newest(f"(/cancel {resting}.1)"), "Yes")
    await chats.is_in(int(answer.removeprefix("Exiting, as ")), OrderState.FILLED)
    await chats.ask(f"/cancel {resting}")
    await chats.is_in(resting, OrderState.CANCELLED)
