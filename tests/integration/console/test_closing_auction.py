"""An exit while the closing auction runs: what its card offers reaches the auction, and is filled there."""

import pytest
from desk_in_chat import TUESDAY, Chats

from core.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_exit_goes_into_the_closing_auction_and_is_filled_at_its_end(chats: Chats) -> None:
    chats.jump(TUESDAY)
    await chats.is_in(await chats.fire(), OrderState.FILLED)
    chats.jump("2026-12-01T15:20")
    await chats.ask("/flatten", "SELL 1 RELIANCE", "Sooner: the closing auction")
    answer = await chats.tap(await chats.newest("SELL 1 RELIANCE", "Sooner: the closing auction"), "Yes")
    alert = int(answer.removeprefix("Exiting, as ").split()[0])
    card = await chats.card(alert, "SELL")
    assert "reaches the exchange Tue 1 Dec 15:20" in await chats.tap(card, "Sooner: closing auction")
    await chats.is_in(alert, OrderState.WORKING)
    chats.jump("2026-12-01T15:30")
    await chats.is_in(alert, OrderState.FILLED)
