"""Taps that come late: on what has expired, on an older copy of a card, or twice because Telegram sent them again."""

from typing import Any

import pytest
from desk_in_chat import Chats, a_leg

from core.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="module")

AFTER_THE_WINDOW = "2026-12-01T09:05"
"""What was asked on Saturday may go from Monday 17:00 to Tuesday 08:59."""


async def waiting(chats: Chats, **changes: str) -> tuple[int, dict[str, Any]]:
    """An alert that waits for a tap, and its card as it is now."""
    alert = await chats.fire(a_leg(orderType="LMT", price="1400", quantity="10", **changes))
    return alert, await chats.card(alert, "Waiting for your tap", "Quantity: 10")


def on(card: dict[str, Any], button: str) -> str:
    """What a tap on it sends."""
    return next(each["callback_data"] for each in card["buttons"] if each["text"].startswith(button))


async def ordered(chats: Chats) -> int:
    return (await chats.sandbox.http.get("/dhan/sandbox/orders")).json()["placements"]


@pytest.mark.fault("TG-05", "TG-14")
@pytest.mark.parametrize("button", ["Approve", "Sooner", "Edit", "Snooze", "Cancel"])
async def test_a_tap_after_the_window_sends_nothing_and_says_why(chats: Chats, button: str) -> None:
    alert, card = await waiting(chats)
    before = await ordered(chats)
    chats.jump(AFTER_THE_WINDOW)
    await chats.is_in(alert, OrderState.EXPIRED)
    for _ in range(2):
        answer = await chats.touch(card, on(card, button))
        assert "No yes came in time" in answer, answer
    last = await chats.card(alert, "Expired, not sent", "No yes came in time")
    assert last["message_id"] == card["message_id"]
    assert [each["text"] for each in last["buttons"]] == []
    assert await ordered(chats) == before


@pytest.mark.fault("TG-14")
@pytest.mark.parametrize("button", ["Approve", "Sooner", "Snooze"])
async def test_a_tap_in_the_moment_of_the_expiry_sends_nothing_and_says_why(chats: Chats, button: str) -> None:
    """Whether the desk or the tap sees it first, differs; what comes of it does not."""
    alert, card = await waiting(chats)
    before = await ordered(chats)
    data = on(card, button)
    chats.jump(AFTER_THE_WINDOW)
    answer = await chats.touch(card, data)
    assert any(words in answer for words in ("in time", "time window", "no sooner way", "It expires")), answer
    await chats.is_in(alert, OrderState.EXPIRED)
    await chats.card(alert, "Expired, not sent")
    assert await ordered(chats) == before


@pytest.mark.fault("TG-05")
async def test_an_edit_that_is_written_after_the_window_changes_nothing_and_says_why(chats: Chats) -> None:
    alert, card = await waiting(chats)
    await chats.tap(card, "Edit")
    asked = await chats.newest(f"Alert {alert}: reply to this message")
    chats.jump(AFTER_THE_WINDOW)
    await chats.is_in(alert, OrderState.EXPIRED)
    await chats.answered(await chats.reply(asked, "quantity=5"), "too long ago")
    [order] = await chats.orders(alert)
    assert (order.quantity, order.state) == (10, OrderState.EXPIRED)


@pytest.mark.fault("TG-05", "OP-03")
@pytest.mark.parametrize("button", ["Approve", "Sooner", "Edit", "Snooze", "Cancel"])
async def test_a_tap_on_a_card_from_before_an_edit_changes_nothing_and_says_what_was_edited(
    chats: Chats, button: str
) -> None:
    alert, card = await waiting(chats)
    await chats.ask(f"/modify {alert}.1 quantity=5", "Its card asks for your tap")
    edited = await chats.orders(alert)
    answer = await chats.touch(card, on(card, button))
    assert "This card has changed since" in answer
    assert "Edited by operator 42: quantity 5" in answer
    assert await chats.orders(alert) == edited
    await chats.ask(f"/cancel {alert}")


async def handed_out_again(chats: Chats) -> int | None:
    return (await chats.sandbox.act(kind="replay"))["update_id"]


@pytest.mark.fault("TG-11")
async def test_a_tap_that_telegram_hands_out_again_has_no_second_effect(chats: Chats) -> None:
    alert, card = await waiting(chats)
    assert await chats.touch(card, on(card, "Details")) == ""
    await chats.newest("Why", f"alert {alert}")
    await chats.until(lambda: handed_out_again(chats), "the tap is handed out again")
    await chats.ask("/status", "Waiting for your tap")
    told = [m for m in await chats.messages() if m["text"].startswith(f"Why · alert {alert} ")]
    assert len(told) == 1

    assert await chats.touch(card, on(card, "Approve")) == "Approved"
    version = await chats.version(alert)
    await chats.until(lambda: handed_out_again(chats), "the tap is handed out again")
    await chats.ask("/status", "Waiting for your tap")
    assert await chats.version(alert) == version
    await chats.ask(f"/cancel {alert}")
