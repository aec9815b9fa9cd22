"""The longest and oddest words, from people and from Dhan: Telegram takes every answer, and nobody meets silence."""

import pytest
from desk_in_chat import Chats

from bot.commands import COMMANDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILED = "That failed"
WORDS = {"plain": "x" * 4050, "wide": "😀" * 2025, "markup": "<&>" * 1350, "turned": "\u202e\u0661" * 2025}


@pytest.mark.fault("TG-03")
@pytest.mark.parametrize("kind", WORDS)
async def test_a_command_with_the_longest_words_behind_it_is_answered(chats: Chats, kind: str) -> None:
    for command in (each for each in COMMANDS if each.usage and each.name != "start"):
        first, *rest = command.usage.split()
        for text in (f"{first} {WORDS[kind]}", " ".join([first, *rest[:-1], WORDS[kind]])):
            answer = await chats.ask(text[:4096] if kind != "wide" else text)
            assert FAILED not in answer, text[:40]


@pytest.mark.fault("TG-03")
async def test_what_dhan_says_to_a_tap_is_answered_however_long_and_wide(chats: Chats) -> None:
    await chats.ask("/killswitch", "Dhan's kill switch is off")
    body = {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "😀" * 300}
    fault = {"call": "kill_switch", "kind": "status", "status": 400, "body": body, "times": 1}
    assert (await chats.sandbox.http.post("/dhan/sandbox/faults", json=fault)).status_code == 200
    answer = await chats.tap(await chats.newest("Dhan's kill switch is off"), "Stop all trading today")
    assert "😀" in answer
    await chats.sandbox.http.delete("/dhan/sandbox/faults")


@pytest.mark.fault("TG-03")
async def test_a_yes_to_very_many_that_have_changed_is_answered(chats: Chats) -> None:
    alerts = [await chats.fire() for _ in range(60)]
    await chats.ask("/queue", "60 in all, page 1")
    page = await chats.newest("60 in all, page 1")
    await chats.tap(page, "Approve all")
    question = await chats.newest("Approve all of these?")
    await chats.tap(page, "Cancel all")
    assert await chats.tap(await chats.newest("Cancel all of these?"), "Yes, cancel these 60") == "60 orders cancelled"
    answer = await chats.tap(question, "Yes, approve these 60")
    assert answer.startswith(f"0 orders approved; left as they are: {alerts[0]}: This card has changed since.")
    told = await chats.newest("Approve all of these?", "0 orders approved; left as they are:")
    assert told["text"].endswith("…")
