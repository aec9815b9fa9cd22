"""Telegram at its worst, and the desk hears again."""

import pytest
from desk_in_chat import ADMIN, Chats

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
