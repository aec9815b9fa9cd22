"""Telegram at its worst, and the desk hears again."""

from contextlib import closing

import pytest
from desk_in_chat import ADMIN, Chats, a_leg

from core.db.driver import sqlite_driver
from core.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("status", [401, 404])
async def test_one_refusal_of_telegrams_ends_no_listening(chats: Chats, status: int) -> None:
    await chats.sandbox.fault(kind="status", status=status, method="getUpdates", times=1)
    await chats.ask("/status", "Orders go out")


async def test_a_second_reader_is_told_about(chats: Chats) -> None:
    await chats.sandbox.fault(kind="status", status=409, method="getUpdates", times=3)
    told = await chats.newest("Somebody else reads this bot's messages", user=ADMIN)
    assert "the token was stolen" in told["text"]
    await chats.ask("/health", "Telegram: heard")


async def test_what_is_under_way_when_telegram_stumbles_is_not_called_cut_off(chats: Chats) -> None:
    await chats.sandbox.fault(kind="status", status=401, method="getUpdates", times=2)
    for _ in range(3):
        await chats.ask("/status", "Orders go out")
    assert not any("The desk stopped while" in message["text"] for message in await chats.messages())


async def test_an_alert_that_the_desk_stumbles_over_costs_itself_and_no_other(chats: Chats) -> None:
    first = await chats.fire(a_leg("TCS"))  # once it is decided, the list of instruments is there
    with closing(sqlite_driver().connect(chats.settings.instruments_file)) as listed, listed:
        listed.execute("UPDATE instruments SET tick = 'damaged' WHERE symbol = 'ITC'")
    bad, good = await chats.fire(a_leg("ITC"), wait=False), await chats.fire(a_leg("INFY"))
    await chats.newest(f"Alert {bad}: The desk made a mistake over this alert and did not execute it")
    await chats.is_in(good, OrderState.AWAITING_APPROVAL)
    assert not await chats.orders(bad)
    for alert in (first, good):
        await chats.ask(f"/cancel {alert}")
